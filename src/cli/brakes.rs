//! What keeps frames from leaving, and what to do about it.

use std::fmt;

use super::clock::{Left, Moment};
use crate::control::{BrakesStatus, PausedBy};
use crate::model::{Escaped, Timestamp};

/// The brakes that hold at a moment, a line each; nothing where none holds.
pub(super) struct BrakesText<'a>(pub(super) &'a BrakesStatus, pub(super) Timestamp);

impl fmt::Display for BrakesText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(brakes, now) = *self;
        match (brakes.paused, brakes.paused_by) {
            (false, _) => {}
            (true, Some(PausedBy::File)) => by_file(f, brakes)?,
            (true, Some(PausedBy::Command) | None) => by_command(f, brakes.until_ns, now)?,
        }
        if brakes.safe_mode {
            writeln!(
                f,
                "SAFE MODE: more frames were due than any schedule has, and only first frames of \
                 migrations are sent; find out why, then run `macmovectl resume`"
            )?;
        }
        if brakes.dry_run {
            writeln!(
                f,
                "DRY RUN: nothing is sent; set dry_run = false and start without --dry-run to end it"
            )?;
        }
        Ok(())
    }
}

fn by_command(f: &mut fmt::Formatter<'_>, until: Option<Timestamp>, now: Timestamp) -> fmt::Result {
    f.write_str("PAUSED")?;
    if let Some(until) = until {
        write!(f, " until {} ({})", Moment(until), Left { until, now })?;
    }
    writeln!(f, ": nothing is sent; run `macmovectl resume` to end it")
}

fn by_file(f: &mut fmt::Formatter<'_>, brakes: &BrakesStatus) -> fmt::Result {
    let file = brakes.file.as_deref().unwrap_or("a file");
    writeln!(
        f,
        "PAUSED by {}: nothing is sent; delete the file to end it",
        Escaped(file)
    )?;
    match &brakes.reason {
        Some(reason) => writeln!(f, "reason:    {}", Escaped(reason)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
