//! Standard output: JSON that is safe on a terminal, and readers that go away.

use std::fmt;
use std::io::{self, BufWriter, Write};

use serde::Serialize;

use super::failure::Failure;
use crate::model::is_unsafe_in_text;

/// Writes to standard output through a buffer.
pub(super) fn print(text: impl fmt::Display) -> Result<(), Failure> {
    let mut output = BufWriter::new(io::stdout().lock());
    outcome(write!(output, "{text}").and_then(|()| output.flush()))
}

/// Writes a value as one line of JSON.
pub(super) fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    let json = serde_json::to_string(value).map_err(Failure::Json)?;
    print_raw_json(&json)
}

/// Writes JSON text of somebody else as one line.
pub(super) fn print_raw_json(json: &str) -> Result<(), Failure> {
    print(format_args!("{}\n", TerminalSafe(json.trim_end())))
}

/// A closed pipe is a reader that has read enough, as with `| head`.
pub(super) fn outcome(written: io::Result<()>) -> Result<(), Failure> {
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::Output(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// JSON text with every character that could change a terminal's state written as an escape. It
/// is equal data: such characters stand only within JSON's strings.
pub(super) struct TerminalSafe<'a>(pub(super) &'a str);

impl fmt::Display for TerminalSafe<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        while let Some((offset, character)) = rest.char_indices().find(|&(_, it)| must_escape(it)) {
            let (before, after) = rest.split_at(offset);
            f.write_str(before)?;
            for unit in character.encode_utf16(&mut [0; 2]) {
                write!(f, "\\u{unit:04x}")?;
            }
            rest = after.get(character.len_utf8()..).unwrap_or_default();
        }
        f.write_str(rest)
    }
}

const fn must_escape(character: char) -> bool {
    let syntax = matches!(character, '"' | '\\' | '\n' | '\r' | '\t');
    is_unsafe_in_text(character) && !syntax
}

#[cfg(test)]
mod tests;
