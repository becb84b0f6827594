//! What follows from a step of the state machine: stagings, announcements, journals.

use std::time::Duration;

use super::guest::{Guest, Schedule};
use super::journal::Journal;
use super::state::{Effect, Signal, State};
use super::{Action, Cause, Count, Engine, GUESTS, Queue, Round};
use crate::model::{GuestId, GuestName, Instant, Outcome, Phase, Side};

/// How long a departure waits for libvirt's figures after the guest is gone; libvirt 9 and 11 send
/// them within the same millisecond.
const FIGURES: Duration = Duration::from_secs(1);

/// The circumstances of a signal.
#[derive(Clone, Copy, Debug)]
pub(super) struct Occasion {
    /// Now.
    pub(super) now: Instant,
    /// When the event entered this process.
    pub(super) since: Instant,
    /// When it happened.
    pub(super) happened: Instant,
    /// What an announcement that follows is put down to.
    pub(super) cause: Cause,
}

impl Engine {
    /// Moves a guest on, and does what follows.
    pub(super) fn step(&mut self, id: GuestId, signal: Signal, on: Occasion) {
        self.hear_of_foretold(id, signal);
        self.hear_of_gone(id, signal);
        let before = self
            .guests
            .get(&id)
            .map_or(State::Absent, |guest| guest.state);
        let (after, effect) = before.step(signal);
        #[cfg(test)]
        let (after, effect) = super::tests::histories::table(before, signal, (after, effect));
        if !self.guests.contains_key(&id) {
            if after == State::Absent {
                return;
            }
            if self.guests.len() >= GUESTS {
                self.count(Count::Drops(Queue::Guests), 1);
                return;
            }
            self.guests
                .insert(id, Guest::new(GuestName::default(), after));
        }
        if let Some(guest) = self.guests.get_mut(&id) {
            guest.state = after;
        }
        self.follow(id, effect, on);
        self.forget_if_over(id);
    }

    fn follow(&mut self, id: GuestId, effect: Effect, on: Occasion) {
        match effect {
            Effect::None => {}
            Effect::BeginArrival => self.begin_arrival(id, on.now),
            Effect::Early => self.announce_early(id, on),
            Effect::Arrive => {
                self.recognise(id);
                self.announce_whole(id, on, on.cause);
                self.reach(id, Phase::Resumed, on.happened);
                self.settle(id);
            }
            Effect::FailArrival => self.close_arrival(id, Outcome::Failed),
            Effect::BeginDeparture => self.begin_departure(id, on.now),
            Effect::Switchover => self.switch_over(id, on.happened),
            Effect::SuddenSwitchover => {
                self.begin_departure(id, on.now);
                self.switch_over(id, on.happened);
            }
            Effect::Rollback => self.roll_back(id, on),
            Effect::BreakDeparture => self.break_departure(id, Outcome::Failed),
            Effect::Depart => self.depart(id, on),
            Effect::Appear => self.announce_once(on.now, id, Cause::Start),
            Effect::Wake => self.inspect(id, on.now),
            Effect::Vanish => {
                self.cut(id);
                self.close_arrival(id, Outcome::Completed);
                self.drop_departure(id);
            }
            Effect::Perish => {
                self.cut(id);
                self.close_arrival(id, Outcome::Failed);
                self.close_departure(id, Outcome::Failed);
            }
        }
    }

    fn begin_arrival(&mut self, id: GuestId, now: Instant) {
        // Whatever was under way was about a guest that was here.
        self.cut(id);
        self.close_departure(id, Outcome::Completed);
        self.close_arrival(id, Outcome::Unknown);
        let Some(guest) = self.guests.get_mut(&id) else {
            return;
        };
        guest.arrival = Some(Journal::new(Side::Destination));
        guest.arrived_whole = false;
        guest.found = None;
        guest.inspected = false;
        guest.early = None;
        guest.early_sent = false;
        guest.last_round = None;
        self.begin_staging(id, now);
    }

    /// Takes an arrival that was found under way for one, as it turns out to be.
    fn recognise(&mut self, id: GuestId) {
        if let Some(guest) = self.guests.get_mut(&id)
            && guest.arrival.is_none()
            && guest.departure.is_none()
        {
            guest.arrival = guest.found.take();
        }
    }

    fn begin_departure(&mut self, id: GuestId, now: Instant) {
        let Some(guest) = self.guests.get_mut(&id) else {
            return;
        };
        guest.departure = Some(Journal::new(Side::Source));
        // What an unfinished arrival staged serves a rollback as well.
        if guest.staging.is_none() && guest.asked.is_none() {
            self.ask(id, now);
        } else {
            self.learn(id);
        }
    }

    fn switch_over(&mut self, id: GuestId, happened: Instant) {
        self.cut(id);
        self.close_arrival(id, Outcome::Completed);
        self.reach(id, Phase::Switchover, happened);
    }

    fn roll_back(&mut self, id: GuestId, on: Occasion) {
        self.announce_whole(id, on, Cause::Rollback);
        self.reach(id, Phase::RolledBack, on.happened);
        if let Some(journal) = self
            .guests
            .get_mut(&id)
            .and_then(|guest| guest.departure.as_mut())
        {
            journal.rolled_back = true;
        }
    }

    fn depart(&mut self, id: GuestId, on: Occasion) {
        self.cut(id);
        self.close_arrival(id, Outcome::Completed);
        let Some(guest) = self.guests.get_mut(&id) else {
            return;
        };
        // The begin may have been before our time.
        let journal = guest
            .departure
            .get_or_insert_with(|| Journal::new(Side::Source));
        let told = journal.measured.downtime.is_some();
        guest.closing = (!told).then_some(on.now + FIGURES);
        self.retract(id, on);
        self.close_departure_when_done(id);
    }

    /// Ends an announcement that has frames left to send, and says so.
    pub(super) fn cut(&mut self, id: GuestId) {
        let Some(guest) = self.guests.get_mut(&id) else {
            return;
        };
        let unfinished = !guest.is_idle();
        self.waiting.retain(|ticket, _| {
            let stays = ticket.guest != id;
            guest.outstanding = guest.outstanding.saturating_sub(u32::from(!stays));
            stays
        });
        guest.single = None;
        guest.schedule = None;
        guest.forget_parked();
        if unfinished {
            self.count(Count::SchedulesCut, 1);
        }
    }

    /// Notes a phase in the journal of the migration under way, the first time it is reached.
    pub(super) fn reach(&mut self, id: GuestId, phase: Phase, at: Instant) {
        let timestamp = self.timestamp(at);
        let Some(guest) = self.guests.get_mut(&id) else {
            return;
        };
        let journal = match phase {
            Phase::Switchover | Phase::RolledBack => guest.departure.as_mut(),
            Phase::Staged
            | Phase::Notified
            | Phase::Announced
            | Phase::Resumed
            | Phase::Relearned
            | Phase::RoundsDone
            | Phase::Retracted => guest.journal_mut(),
        };
        if journal.is_some_and(|journal| journal.reach(phase, timestamp)) {
            self.act(Action::Reached {
                guest: id,
                phase,
                at,
            });
        }
    }

    pub(super) fn forget_if_over(&mut self, id: GuestId) {
        if self.guests.get(&id).is_some_and(Guest::is_over) {
            self.unstage(id);
            self.unwatch(id);
            self.guests.remove(&id);
        }
    }

    /// Starts a schedule at the time at which the guest began to run.
    fn announce_whole(&mut self, id: GuestId, on: Occasion, cause: Cause) {
        let Some(guest) = self.guests.get_mut(&id) else {
            return;
        };
        guest.early = None;
        guest.resumed_at = Some(on.happened);
        let start = on.happened;
        guest.schedule = Some(Schedule {
            start,
            since: on.since,
            next: 1,
            cause,
        });
        if guest.staging.is_some() {
            self.round(on.now, id);
        } else {
            self.count(Count::StagedLate, 1);
            self.ask_if_idle(id, on.now);
        }
    }

    fn announce_early(&mut self, id: GuestId, on: Occasion) {
        let Some(guest) = self.guests.get_mut(&id) else {
            return;
        };
        if guest.early_sent {
            return;
        }
        guest.early = Some(on.since);
        if guest.staging.is_some() {
            self.early(on.now, id);
        }
    }

    /// Sends one round of a guest that runs here, outside any migration.
    pub(super) fn announce_once(&mut self, now: Instant, id: GuestId, cause: Cause) {
        let Some(guest) = self.guests.get_mut(&id).filter(|guest| guest.state.runs()) else {
            return;
        };
        if guest.schedule.is_some() {
            return;
        }
        guest.single = Some((cause, now));
        if guest.staging.is_some() {
            self.all_frames(now, id, Round::Single, cause, now);
        } else {
            self.ask_if_idle(id, now);
        }
    }

    fn ask_if_idle(&mut self, id: GuestId, now: Instant) {
        if self
            .guests
            .get(&id)
            .is_some_and(|guest| guest.asked.is_none())
        {
            self.ask(id, now);
        }
    }
}
