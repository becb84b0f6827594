//! The connection to libvirt comes and goes; after each connect its list is the truth.

use std::collections::BTreeMap;

use super::apply::Occasion;
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

    /// Where libvirt had no such guest, what begins now is about another QEMU of its.
    pub(super) fn hear_of_gone(&mut self, id: GuestId, signal: Signal) {
        let gone = self.guests.get(&id).is_some_and(|it| it.gone.is_some());
        if gone && matches!(signal, Signal::Started | Signal::Setup) {
            self.missed_end(id);
        }
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
        let mut guest = Guest::new(facts.name.clone(), state);
        guest.arrived_whole = is_whole(facts.state);
        self.guests.insert(id, guest);
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
            | State::OutgoingPaused { .. }
            | State::SwitchedOver { .. } => {}
        }
    }

    /// Stages a guest only to see where its own bridge has its addresses.
    pub(super) fn inspect(&mut self, id: GuestId, now: Instant) {
        let Some(guest) = self.guests.get_mut(&id) else {
            return;
        };
        if guest.asked.is_none() && guest.is_idle() {
            guest.inspected = true;
            self.ask(id, now);
        }
    }

    fn compare(&mut self, now: Instant, id: GuestId, facts: &GuestFacts) {
        let Some(guest) = self.guests.get_mut(&id) else {
            return;
        };
        guest.name.clone_from(&facts.name);
        match (guest.state, facts.state) {
            // It left, waits for figures, and is here again.
            (State::Absent, _) => {
                self.close_departure(id, Outcome::Completed);
                self.forget_if_over(id);
                self.adopt(now, id, facts);
            }
            (
                State::Incoming { .. }
                | State::ArrivedPaused
                | State::OutgoingPaused { arrived: true },
                RunState::Running | RunState::RunningPostcopy,
            ) => {
                guest.arrived_whole = is_whole(facts.state);
                self.leave_no_departure(id, State::Running);
                self.close_arrival(id, Outcome::Unknown);
                self.announce_once(now, id, Cause::Resync);
            }
            (State::SwitchedOver { .. }, RunState::Running | RunState::RunningPostcopy) => {
                self.come_back(now, id);
            }
            (_, RunState::Running | RunState::RunningPostcopy) => {
                guest.arrived_whole = is_whole(facts.state);
                self.leave_no_departure(id, State::Running);
                self.close_arrival_when_done(id);
                self.inspect(id, now);
            }
            // Whatever it was, the migration is over.
            (State::Incoming { certain: false }, RunState::Paused) => {
                guest.state = State::Paused;
                self.unstage(id);
            }
            (State::Incoming { certain: true }, RunState::Paused) => {
                self.step(id, Signal::Pause, on_list(now));
            }
            (State::OutgoingPaused { arrived: true }, RunState::Paused) => {
                self.leave_no_departure(id, State::ArrivedPaused);
            }
            (
                State::Running
                | State::Paused
                | State::Outgoing
                | State::OutgoingPaused { arrived: false },
                RunState::Paused,
            ) => self.leave_no_departure(id, State::Paused),
            (
                State::Running | State::Paused | State::Outgoing,
                RunState::PausedMigration | RunState::PausedPostcopy,
            ) => self.step(id, Signal::SwitchOver, on_list(now)),
            (
                State::OutgoingPaused { .. }
                | State::Incoming { .. }
                | State::ArrivedPaused
                | State::SwitchedOver { .. },
                RunState::PausedMigration | RunState::PausedPostcopy | RunState::Paused,
            )
            | (_, RunState::Off) => {}
        }
    }

    /// A rollback that only the list tells of: the migration it ended is over.
    fn come_back(&mut self, now: Instant, id: GuestId) {
        self.step(id, Signal::Run, on_list(now));
        self.leave_no_departure(id, State::Running);
    }

    /// A departure that was under way may have ended unheard: libvirt cancels what it migrated when
    /// it starts again, and says no word of it. If it has not, the guest's stop begins it anew.
    fn leave_no_departure(&mut self, id: GuestId, state: State) {
        if let Some(guest) = self.guests.get_mut(&id) {
            guest.state = state;
        }
        self.break_departure(id, Outcome::Unknown);
    }
}

/// Whether no migration has a part of a guest in this state yet to bring.
const fn is_whole(state: RunState) -> bool {
    matches!(state, RunState::Running | RunState::Paused)
}

/// What a list shows happened at some time before.
const fn on_list(now: Instant) -> Occasion {
    Occasion {
        now,
        since: now,
        happened: now,
        cause: Cause::Resync,
    }
}
