//! Guests for people.

use std::fmt;

use super::clock::{Age, Millis, Moment};
use super::text::{cell, table};
use crate::engine::{AddressView, GuestPhase, GuestView, PhaseAt, Round, Standing};
use crate::model::{MacAddr, Timestamp, VlanId};

/// Guests as they stand at a moment: a table, then what each has to say beyond it.
pub(super) struct GuestsText<'a>(pub(super) &'a [GuestView], pub(super) Timestamp);

impl fmt::Display for GuestsText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(guests, now) = *self;
        if guests.is_empty() {
            return writeln!(f, "no guest runs, arrives or leaves here");
        }
        let mut rows = table(&["name", "uuid", "state", "memory", "frames", "round"]);
        for guest in guests {
            rows.add_row([
                cell(guest.name.as_str()),
                guest.uuid.to_string(),
                state(guest.phase).to_owned(),
                guest
                    .mode
                    .map_or_else(|| "-".to_owned(), |it| it.to_string()),
                frames(guest).to_owned(),
                guest.round.map_or_else(|| "-".to_owned(), round),
            ]);
        }
        for line in rows.lines() {
            writeln!(f, "{}", line.trim_end())?;
        }
        guests.iter().try_for_each(|guest| details(f, guest, now))
    }
}

const fn state(phase: GuestPhase) -> &'static str {
    match phase {
        GuestPhase::Running => "running",
        GuestPhase::Paused => "paused",
        GuestPhase::Incoming => "arriving",
        GuestPhase::ArrivedPaused => "arrived, paused",
        GuestPhase::Announcing => "arrived, being announced",
        GuestPhase::Outgoing => "leaving",
        GuestPhase::SwitchedOver => "leaving, stopped here",
    }
}

/// Frames stand ready only while something is under way.
const fn frames(guest: &GuestView) -> &'static str {
    match (guest.staged, guest.phase) {
        (true, _) => "ready",
        (false, GuestPhase::Running | GuestPhase::Paused) => "-",
        (
            false,
            GuestPhase::Incoming
            | GuestPhase::ArrivedPaused
            | GuestPhase::Announcing
            | GuestPhase::Outgoing
            | GuestPhase::SwitchedOver,
        ) => "not ready",
    }
}

fn round(round: Round) -> String {
    match round {
        Round::Early => "early".to_owned(),
        Round::Scheduled(number) => number.to_string(),
        Round::Single => "single".to_owned(),
        Round::Retraction(ip) => format!("{ip} retracted"),
    }
}

/// Addresses, refusals and steps of one guest.
fn details(f: &mut fmt::Formatter<'_>, guest: &GuestView, now: Timestamp) -> fmt::Result {
    if guest.macs.is_empty()
        && guest.addresses.is_empty()
        && guest.refused.is_empty()
        && guest.phases.is_empty()
    {
        return Ok(());
    }
    writeln!(f, "\n{}:", cell(guest.name.as_str()))?;
    if !guest.macs.is_empty() {
        let macs: Vec<String> = guest.macs.iter().map(address).collect();
        writeln!(f, "  announces {}", macs.join(", "))?;
    }
    for known in &guest.addresses {
        writeln!(f, "  {}", Known { known, now })?;
    }
    for (index, refusal) in &guest.refused {
        writeln!(f, "  nic {index} is not announced: {refusal}")?;
    }
    steps(f, &guest.phases, now)
}

/// An IP address of a guest, on one line.
struct Known<'a> {
    known: &'a AddressView,
    now: Timestamp,
}

impl fmt::Display for Known<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { known, now } = *self;
        let (ip, source, of) = (known.ip, known.source, known.since_ns);
        write!(f, "has {ip}")?;
        if let Some(mac) = known.mac {
            write!(f, " at {mac}")?;
        }
        write!(f, " by {source}")?;
        match known.standing {
            Standing::Held => {}
            Standing::Waiting => write!(f, ", not steady yet")?,
            Standing::Contested { by } => write!(f, ", CONTESTED by {by}")?,
            Standing::Refused { reason } => write!(f, ", REFUSED: {}", reason.words())?,
            Standing::Gone => write!(f, ", no longer")?,
        }
        write!(f, " (since {})", Age { of, now })
    }
}

fn address((mac, vlan): &(MacAddr, Option<VlanId>)) -> String {
    match vlan {
        None => mac.to_string(),
        Some(vlan) => format!("{mac} in VLAN {vlan}"),
    }
}

/// The steps of a migration: when the first was, and how long after it the others.
pub(super) fn steps(f: &mut fmt::Formatter<'_>, phases: &[PhaseAt], now: Timestamp) -> fmt::Result {
    let Some(first) = phases.first() else {
        return Ok(());
    };
    let of = first.at_ns;
    writeln!(
        f,
        "  {:12} {} ({})",
        first.phase.label(),
        Moment(of),
        Age { of, now }
    )?;
    for step in phases.iter().skip(1) {
        let nanos = step.at_ns.as_nanos().saturating_sub(of.as_nanos());
        let sign = if nanos < 0 { '-' } else { '+' };
        let offset = Millis(std::time::Duration::from_nanos(nanos.unsigned_abs()));
        writeln!(f, "  {:12} {sign}{offset}", step.phase.label())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
