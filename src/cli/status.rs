//! The agent's state for people.

use std::fmt;
use std::time::Duration;

use comfy_table::Table;

use super::brakes::BrakesText;
use super::clock::{Age, Moment, coarse};
use super::text::table;
use crate::control::{AddressCounts, GuestCounts, Status, UnarpStatus};
use crate::engine::LibvirtView;
use crate::model::{Escaped, Timestamp};

/// A status as it reads at a moment. What needs an operator stands first.
pub(super) struct StatusText<'a>(pub(super) &'a Status, pub(super) Timestamp);

impl fmt::Display for StatusText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(status, now) = *self;
        BrakesText(&status.brakes, now).fmt(f)?;
        for warning in &status.warnings {
            writeln!(f, "WARNING: {}", Escaped(warning))?;
        }
        writeln!(
            f,
            "macmoved {}, up {} (since {})",
            Escaped(&status.version),
            uptime(status.since_ns, now),
            Moment(status.since_ns)
        )?;
        writeln!(f, "mode:      {}", mode(status))?;
        libvirt(f, &status.libvirt, now)?;
        guests(f, &status.guests)?;
        addresses(f, status.addresses)?;
        if status.waiting_frames > 0 {
            let frames = status.waiting_frames;
            writeln!(f, "pacing:    {frames} frames wait for their turn")?;
        }
        if let Some(unarp) = &status.unarp {
            honoured(f, unarp)?;
        }
        counts(f, status)
    }
}

fn uptime(since: Timestamp, now: Timestamp) -> String {
    let nanos = now.as_nanos().saturating_sub(since.as_nanos());
    coarse(Duration::from_nanos(u64::try_from(nanos).unwrap_or(0)))
}

fn mode(status: &Status) -> &'static str {
    let brakes = &status.brakes;
    let silent = brakes.paused || brakes.dry_run;
    match (silent, brakes.safe_mode, status.access.as_str()) {
        (true, ..) => "watches, and sends nothing",
        (false, true, _) => "announces by first frames only",
        (false, false, "read-only") => {
            "announces; libvirt read-only: hears libvirt's events, not QEMU's"
        }
        (false, false, _) => "announces",
    }
}

fn libvirt(f: &mut fmt::Formatter<'_>, libvirt: &LibvirtView, now: Timestamp) -> fmt::Result {
    let state = match (libvirt.connected, libvirt.resynced) {
        (true, true) => "connected, every guest read",
        (true, false) => "connected, reading the guests",
        (false, _) => "NOT CONNECTED: no migration is seen",
    };
    let of = libvirt.since;
    write!(
        f,
        "libvirt:   {state}, since {} ({})",
        Moment(of),
        Age { of, now }
    )?;
    match libvirt.reconnects {
        0 => writeln!(f),
        1 => writeln!(f, ", 1 reconnect"),
        many => writeln!(f, ", {many} reconnects"),
    }
}

fn guests(f: &mut fmt::Formatter<'_>, counts: &GuestCounts) -> fmt::Result {
    write!(f, "guests:    {} running", counts.running)?;
    for (count, word) in [
        (counts.paused, "paused"),
        (counts.incoming, "arriving"),
        (counts.arrived_paused, "arrived and paused"),
        (counts.announcing, "being announced"),
        (counts.outgoing, "leaving"),
        (counts.switched_over, "leaving, stopped here"),
    ] {
        if count > 0 {
            write!(f, "; {count} {word}")?;
        }
    }
    writeln!(f)
}

fn addresses(f: &mut fmt::Formatter<'_>, counts: AddressCounts) -> fmt::Result {
    let words = [(counts.contested, "contested"), (counts.refused, "refused")];
    let said = words.iter().filter(|(count, _)| *count > 0);
    let said: Vec<_> = said
        .map(|(count, word)| format!("{count} {word}"))
        .collect();
    if said.is_empty() {
        return Ok(());
    }
    let said = said.join("; ");
    writeln!(
        f,
        "addresses: {said}: nothing is said of them; see macmovectl guests"
    )
}

fn honoured(f: &mut fmt::Formatter<'_>, unarp: &UnarpStatus) -> fmt::Result {
    let prefixes = unarp.prefixes.join(" ");
    let does = if unarp.listening {
        "honoured for"
    } else {
        "NOT HEARD; should be honoured for"
    };
    let entries = match unarp.honoured {
        1 => "1 neighbour entry",
        many => &format!("{many} neighbour entries"),
    };
    let prefixes = Escaped(&prefixes);
    writeln!(f, "UNARP:     {does} {prefixes}; {entries} deleted")
}

fn counts(f: &mut fmt::Formatter<'_>, status: &Status) -> fmt::Result {
    let mut migrations = table(&["migrations", "side", "memory", "outcome"]);
    for it in status.migrations.iter().filter(|it| it.count > 0) {
        migrations.add_row([
            it.count.to_string(),
            it.side.to_string(),
            it.mode.to_string(),
            it.outcome.to_string(),
        ]);
    }
    let mut faults = table(&["not sent", "reason"]);
    for it in status.faults.iter().filter(|it| it.count > 0) {
        faults.add_row([it.count.to_string(), it.reason.to_string()]);
    }
    let mut unarps = table(&["not honoured", "reason"]);
    for it in status.unarp.iter().flat_map(|unarp| &unarp.refused) {
        unarps.add_row([it.count.to_string(), it.reason.to_string()]);
    }
    let mut drops = table(&["dropped", "in queue"]);
    for it in status.drops.iter().filter(|it| it.count > 0) {
        drops.add_row([it.count.to_string(), it.queue.label().to_owned()]);
    }
    if migrations.is_empty() {
        writeln!(f, "migrations: none yet")?;
    }
    [migrations, faults, unarps, drops]
        .iter()
        .filter(|table| !table.is_empty())
        .try_for_each(|table| block(f, table))
}

/// A table after an empty line.
fn block(f: &mut fmt::Formatter<'_>, table: &Table) -> fmt::Result {
    writeln!(f)?;
    table
        .lines()
        .try_for_each(|line| writeln!(f, "{}", line.trim_end()))
}

#[cfg(test)]
mod tests;
