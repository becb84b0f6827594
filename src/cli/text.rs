//! Tables, hex dumps and strangers' text for people.

use std::fmt;

use comfy_table::Table;
use comfy_table::presets::NOTHING;

use crate::model::Escaped;

/// Characters of a stranger's text that a table shows; JSON has all of it.
const CELL: usize = 48;

/// A table without lines, for terminals and pipes alike.
pub(super) fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING).set_header(header);
    table
}

/// A stranger's text, escaped and cut to fit a table.
pub(super) fn cell(text: &str) -> String {
    match text.char_indices().nth(CELL) {
        Some((end, _)) => format!("{}…", Escaped(text.get(..end).unwrap_or_default())),
        None => Escaped(text).to_string(),
    }
}

/// As [`cell`], with a dash for what is not there.
pub(super) fn optional(text: Option<&str>) -> String {
    text.map_or_else(|| "-".to_owned(), cell)
}

/// Octets as pairs of digits, joined by spaces.
pub(super) fn spaced(octets: &[u8]) -> String {
    octets
        .iter()
        .enumerate()
        .flat_map(|(index, octet)| {
            let space = (index > 0).then_some(' ');
            space.into_iter().chain(digits(*octet))
        })
        .collect()
}

/// Octets as pairs of digits.
pub(super) fn joined(octets: &[u8]) -> String {
    octets.iter().flat_map(|octet| digits(*octet)).collect()
}

fn digits(octet: u8) -> impl Iterator<Item = char> {
    let digit = |value: u8| char::from_digit(u32::from(value), 16);
    [octet >> 4, octet & 15].into_iter().filter_map(digit)
}

/// Octets in lines of sixteen, each with its offset.
pub(super) struct HexDump<'a>(pub(super) &'a [u8]);

impl fmt::Display for HexDump<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (line, octets) in self.0.chunks(16).enumerate() {
            writeln!(f, "    {:#06x}  {}", line * 16, spaced(octets))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
