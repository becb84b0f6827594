//! The connection to libvirt comes and goes; after each connect its list is the truth.

use std::collections::BTreeMap;

use super::guest::Guest;
use super::state::{Signal, State};
use super::{Cause, Count, Engine, GUESTS, GuestFacts, Queue, RunState};
use crate::model::{GuestId, Instant, Outcome};

impl Engine {
    pub(super) fn libvirt_connected(&mut self, now: Instant) {
        self.libvirt.connected = true;
        self.libvirt.since = self.timestamp(now);
        if self.ever_connected {
            self.libvirt.reconnects += 1;
            self.count(Count::Reconnects, 1);
        }
        self.ever_connected = true;
    }

    pub(super) fn libvirt_lost(&mut self, now: Instant) {
        if self.libvirt.connected {
            self.libvirt.since = self.timestamp(now);
        }
        self.libvirt.connected = false;
        self.libvirt.resynced = false;
    }

    /// Brings the table in line with libvirt's list.
    ///
    /// A guest that was arriving and runs now arrived while we were not listening, and gets one
    /// round. One that runs as before is inspected: where its own bridge has its address behind an
    /// uplink, as after an arrival that nobody announced, it gets one round of that address. All
    /// others are left alone.
    pub(super) fn resync(&mut self, now: Instant, listed: Vec<GuestFacts>) {
        let listed: BTreeMap<GuestId, GuestFacts> = listed
            .into_iter()
            .filter(|facts| facts.state != RunState::Off)
            .map(|facts| (facts.guest, facts))
            .collect();
        let missing: Vec<GuestId> = self
            .guests
            .keys()
            .filter(|id| !listed.contains_key(id))
            .copied()
            .collect();
        for id in missing {
            self.missed_end(id);
        }
        for (id, facts) in listed {
            self.forget_foretold(id);
            if self.guests.contains_key(&id) {
                self.compare(now, id, &facts);
            } else {
                self.adopt(now, id, &facts);
            }
        }
        self.libvirt.resynced = true;
    }

    /// A guest ended, and nobody told how.
    pub(super) fn missed_end(&mut self, id: GuestId) {
        let Some(guest) = self.guests.get_mut(&id) else {
            return;
        };
        // A departure that only waits for figures has ended well already.
        if guest.state == State::Absent {
            return;
        }
        guest.state = State::Absent;
        self.cut(id);
        self.close_arrival(id, Outcome::Unknown);
        self.close_departure(id, Outcome::Unknown);
        self.forget_if_over(id);
    }

    fn adopt(&mut self, now: Instant, id: GuestId, facts: &GuestFacts) {
        if self.guests.len() >= GUESTS {
            return self.count(Count::Drops(Queue::Guests), 1);
        }
        let state = match facts.state {
            RunState::Running | RunState::RunningPostcopy => State::Running,
            RunState::PausedMigration | RunState::PausedPostcopy => {
                State::Incoming { certain: false }
            }
            RunState::Paused | RunState::Off => State::Paused,
        };
        self.guests
            .insert(id, Guest::new(facts.name.clone(), state));
        match state {
            State::Incoming { .. } => {
                // An agent before us may have left something behind for it.
                self.held.insert(id);
                self.ask(id, now);
            }
            State::Running => self.inspect(id, now),
            State::Absent
            | State::Paused
            | State::ArrivedPaused
            | State::Outgoing
            | State::OutgoingPaused
            | State::SwitchedOver { .. } => {}
        }
    }

    /// Stages a guest only to see where its own bridge has its addresses.
    fn inspect(&mut self, id: GuestId, now: Instant) {
        let Some(guest) = self.guests.get_mut(&id) else {
            return;
        };
        if guest.asked.is_none() && guest.staging.is_none() && guest.is_idle() {
            guest.inspected = true;
            self.ask(id, now);
        }
    }

    fn compare(&mut self, now: Instant, id: GuestId, facts: &GuestFacts) {
        let Some(guest) = self.guests.get_mut(&id) else {
            return;
        };
        guest.name.clone_from(&facts.name);
        let runs = matches!(facts.state, RunState::Running | RunState::RunningPostcopy);
        match guest.state {
            State::Incoming { .. } | State::ArrivedPaused if runs => {
                guest.state = State::Running;
                self.close_arrival(id, Outcome::Unknown);
                self.announce_once(now, id, Cause::Resync);
            }
            State::SwitchedOver { .. } if runs => {
                let on = super::apply::Occasion {
                    now,
                    since: now,
                    happened: now,
                    cause: Cause::Rollback,
                };
                self.step(id, Signal::Run, on);
            }
            State::Paused if runs => {
                guest.state = State::Running;
                self.inspect(id, now);
            }
            // libvirt cancels what it migrated when it starts again, and says no word of it.
            State::Outgoing if runs => {
                guest.state = State::Running;
                self.break_departure(id, Outcome::Unknown);
                self.inspect(id, now);
            }
            State::OutgoingPaused if facts.state == RunState::Paused => {
                guest.state = State::Paused;
                self.break_departure(id, Outcome::Unknown);
            }
            State::Running if runs => self.inspect(id, now),
            State::Running if facts.state == RunState::Paused => guest.state = State::Paused,
            State::Absent => guest.state = if runs { State::Running } else { State::Paused },
            State::Running
            | State::Paused
            | State::Incoming { .. }
            | State::ArrivedPaused
            | State::Outgoing
            | State::OutgoingPaused
            | State::SwitchedOver { .. } => {}
        }
    }
}
