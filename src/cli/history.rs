//! Migrations that ended, for people.

use std::fmt;

use super::clock::Millis;
use super::guests::steps;
use super::text::cell;
use crate::engine::{Measured, Record};
use crate::model::{Mode, Outcome, SendFault, Side, Timestamp};

/// Migrations as they read at a moment, one paragraph each.
pub(super) struct HistoryText<'a>(pub(super) &'a [Record], pub(super) Timestamp);

impl fmt::Display for HistoryText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(records, now) = *self;
        if records.is_empty() {
            return writeln!(f, "no migration has ended since macmoved started");
        }
        for (index, record) in records.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            writeln!(
                f,
                "#{} {} ({}): {}",
                record.id,
                cell(record.name.as_str()),
                record.uuid,
                ending(record.side, record.mode, record.outcome)
            )?;
            steps(f, &record.phases, now)?;
            figures(f, &record.measured)?;
        }
        Ok(())
    }
}

fn ending(side: Side, mode: Mode, outcome: Outcome) -> String {
    let what = match (side, outcome) {
        (Side::Destination, Outcome::Completed) => "arrived here",
        (Side::Source, Outcome::Completed) => "left",
        (Side::Destination, Outcome::Failed) => "FAILED to arrive here",
        (Side::Source, Outcome::Failed) => "FAILED to leave, runs here still",
        (Side::Source, Outcome::RolledBack) => "ROLLED BACK: was stopped to leave, runs here again",
        (Side::Destination, Outcome::RolledBack) => "ROLLED BACK: runs at its source again",
        (Side::Destination, Outcome::Unknown) => "UNKNOWN: events of its arrival were lost",
        (Side::Source, Outcome::Unknown) => "UNKNOWN: events of its leaving were lost",
    };
    format!("{what}, by {mode}")
}

fn figures(f: &mut fmt::Formatter<'_>, measured: &Measured) -> fmt::Result {
    let times: Vec<String> = [
        ("event to wire", measured.event_to_wire),
        ("resume to wire", measured.resume_to_wire),
        ("downtime", measured.downtime),
    ]
    .into_iter()
    .filter_map(|(what, time)| Some(format!("{what} {}", Millis(time?))))
    .collect();
    if !times.is_empty() {
        writeln!(f, "  {}", times.join(", "))?;
    }
    let sent = measured.frames > 0 || measured.early_frames > 0;
    if sent || measured.lost_frames > 0 {
        writeln!(
            f,
            "  frames: {} before it ran, {} in {} rounds, {}",
            measured.early_frames,
            measured.frames,
            measured.rounds,
            match measured.lost_frames {
                0 => "none lost".to_owned(),
                lost => format!("{lost} LOST{}", Why(measured.latest_fault)),
            }
        )?;
    }
    if measured.retractions > 0 {
        writeln!(f, "  addresses retracted: {}", measured.retractions)?;
    }
    Ok(())
}

/// Why frames were lost, in brackets; nothing where that is not known.
struct Why(Option<SendFault>);

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |fault| write!(f, " ({fault})"))
    }
}

#[cfg(test)]
mod tests;
