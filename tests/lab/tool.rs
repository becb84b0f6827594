//! Reads what the lab captured.
//!
//! `lab figures LABEL=DIR...` prints what each migration cost, one column of figures per label;
//! `lab check DIR [silence]` judges.

mod evidence;
mod oracle;

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::{env, io};

use evidence::{Evidence, Figures, ReadEvidenceError};

fn main() -> ExitCode {
    let words: Vec<_> = env::args().skip(1).collect();
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    let outcome = match words.split_first() {
        Some((&"figures", runs)) if !runs.is_empty() => figures(runs),
        Some((&"check", [dir, rest @ ..])) => check(dir, rest),
        _ => Err("usage: lab figures LABEL=DIR... | lab check DIR [silence]".to_owned()),
    };
    let (mut out, mut err) = (io::stdout().lock(), io::stderr().lock());
    let written = match &outcome {
        Ok(text) => out.write_all(text.as_bytes()),
        Err(text) => writeln!(err, "{text}"),
    };
    match (outcome, written) {
        (Ok(_), Ok(())) => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}
