//! Reads what the lab captured.
//!
//! `lab figures LABEL=DIR...` prints what each migration cost, the runs beside each other;
//! `lab check DIR [silence]` judges a capture.

mod evidence;
mod oracle;

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::{env, io};

use comfy_table::{CellAlignment, Table, presets};

use evidence::{Evidence, Figures, ReadEvidenceError, median};
use oracle::{Expect, judge};

/// What the program cannot do.
#[derive(Debug, thiserror::Error)]
enum ToolError {
    #[error("usage: lab figures LABEL=DIR... | lab check DIR [silence]")]
    Usage,
    #[error("{0}: {1}")]
    Read(String, ReadEvidenceError),
    #[error("{0}")]
    Judged(String),
}

fn main() -> ExitCode {
    let words: Vec<_> = env::args().skip(1).collect();
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["figures", runs @ ..] if !runs.is_empty() => figures(runs),
        ["check", dir] => check(dir, &Expect::default()),
        ["check", dir, "silence"] => check(dir, &Expect::silence()),
        _ => Err(ToolError::Usage),
    };
    let written = match &outcome {
        Ok(text) => writeln!(io::stdout().lock(), "{text}"),
        Err(error) => writeln!(io::stderr().lock(), "{error}"),
    };
    match (outcome, written) {
        (Ok(_), Ok(())) => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

fn read(dir: &str) -> Result<Evidence, ToolError> {
    Evidence::read(Path::new(dir)).map_err(|error| ToolError::Read(dir.to_owned(), error))
}

/// What a row is called, and its cell for one migration.
type Row = (&'static str, fn(&Figures) -> String);

/// A table with the migrations of each run as columns, and below them what each cost.
fn figures(runs: &[&str]) -> Result<String, ToolError> {
    let mut head = vec![String::new()];
    let mut columns = Vec::new();
    for run in runs {
        let (label, dir) = run.split_once('=').ok_or(ToolError::Usage)?;
        let evidence = read(dir)?;
        for migration in &evidence.migrations {
            head.push(format!("{label}\n{} to {}", migration.from, migration.to));
            columns.push(Figures::of(&evidence, migration, 0));
        }
    }
    let rows: [Row; 8] = [
        ("downtime", |f| millis(f.downtime, "-")),
        ("arrived to our first frame", |f| {
            millis(f.completed_to_first, "-")
        }),
        ("RESUME to our first frame", |f| {
            millis(f.resume_to_first, "-")
        }),
        ("rounds off their time, median", |f| {
            millis(median(f.round_distances()), "-")
        }),
        ("guest stopped to fabric relearned", |f| {
            millis(f.stop_to_relearned, "never")
        }),
        ("... to source bridge relearned", |f| {
            millis(f.stop_to_source_learned, "never")
        }),
        ("... to destination bridge relearned", |f| {
            millis(f.stop_to_destination_learned, "never")
        }),
        ("echo requests lost", |f| {
            format!("{} of {}", f.lost, f.requests)
        }),
    ];
    let mut table = Table::new();
    table.load_style(presets::ASCII_HORIZONTAL_ONLY);
    table.set_header(head);
    for (name, cell) in rows {
        let cells = columns.iter().map(cell);
        table.add_row(std::iter::once(name.to_owned()).chain(cells));
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    Ok(table.to_string())
}

fn millis(figure: Option<f64>, absent: &str) -> String {
    figure.map_or_else(|| absent.to_owned(), |millis| format!("{millis:.1} ms"))
}

fn check(dir: &str, expect: &Expect) -> Result<String, ToolError> {
    let evidence = read(dir)?;
    let violations: Vec<_> = judge(&evidence, expect)
        .iter()
        .map(ToString::to_string)
        .collect();
    if violations.is_empty() {
        Ok(format!(
            "{} migrations, no violation",
            evidence.migrations.len()
        ))
    } else {
        Err(ToolError::Judged(violations.join("\n")))
    }
}
