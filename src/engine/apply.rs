//! What follows from a step of the state machine: stagings, announcements, journals.

use std::time::Duration;

use super::guest::{Guest, Schedule};
use super::journal::Journal;
use super::state::{Effect, Signal, State};
use super::{
    Action, Cause, Count, DescribeFault, Engine, GUESTS, HISTORY, Measure, Queue, Record, Round,
    Staging, plan,
};
use crate::model::{GuestDescription, GuestId, GuestName, Instant, Outcome, Phase, Side};

/// How long a departure waits for libvirt's figures after the guest is gone; libvirt 9 and 11 send
/// them within the same millisecond.
const FIGURES: Duration = Duration::from_secs(1);

/// How long after libvirt did not describe an arriving guest it is asked again.
const ASK_AGAIN: Duration = Duration::from_millis(200);

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
        let before = self
            .guests
            .get(&id)
            .map_or(State::Absent, |guest| guest.state);
        let (after, effect) = before.step(signal);
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
            Effect::BreakDeparture => self.break_departure(id),
            Effect::Depart => self.depart(id, on.now),
            Effect::Appear => self.announce_once(on.now, id, Cause::Start),
            Effect::Vanish => {
                self.close_arrival(id, Outcome::Completed);
                self.drop_departure(id);
            }
            Effect::Perish => {
                self.close_arrival(id, Outcome::Failed);
                self.close_departure(id, Outcome::Failed);
            }
        }
    }

    fn begin_arrival(&mut self, id: GuestId, now: Instant) {
        self.close_departure(id, Outcome::Completed);
        self.close_arrival(id, Outcome::Unknown);
        let Some(guest) = self.guests.get_mut(&id) else {
            return;
        };
        guest.arrival = Some(Journal::new(Side::Destination));
        guest.arrived_whole = false;
        guest.early = None;
        guest.early_sent = false;
        guest.last_round = None;
        self.ask(id, now);
    }

    fn begin_departure(&mut self, id: GuestId, now: Instant) {
        let Some(guest) = self.guests.get_mut(&id) else {
            return;
        };
        guest.departure = Some(Journal::new(Side::Source));
        // What an unfinished arrival staged serves a rollback as well.
        if guest.staging.is_none() && guest.asked.is_none() {
            self.ask(id, now);
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

    fn depart(&mut self, id: GuestId, now: Instant) {
        self.cut(id);
        self.close_arrival(id, Outcome::Completed);
        let Some(guest) = self.guests.get_mut(&id) else {
            return;
        };
        match &guest.departure {
            Some(journal) if journal.measured.downtime.is_none() => {
                guest.closing = Some(now + FIGURES);
            }
            Some(_) | None => self.close_departure(id, Outcome::Completed),
        }
        self.unstage(id);
    }

    fn break_departure(&mut self, id: GuestId) {
        let Some(journal) = self
            .guests
            .get(&id)
            .and_then(|guest| guest.departure.as_ref())
        else {
            return;
        };
        if journal.rolled_back {
            self.settle(id);
        } else {
            self.close_departure(id, Outcome::Failed);
        }
    }

    /// Closes a departure that was rolled back, once the migration is over and the source has
    /// announced the guest again.
    pub(super) fn close_rollback_when_done(&mut self, id: GuestId) {
        let Some(guest) = self.guests.get(&id) else {
            return;
        };
        let rolled_back = guest
            .departure
            .as_ref()
            .is_some_and(|journal| journal.rolled_back);
        if rolled_back && guest.is_idle() && matches!(guest.state, State::Running | State::Paused) {
            self.close_departure(id, Outcome::RolledBack);
        }
    }

    /// Asks libvirt for the guest's XML, to stage it.
    pub(super) fn ask(&mut self, id: GuestId, now: Instant) {
        let Some(guest) = self.guests.get_mut(&id) else {
            return;
        };
        guest.generation += 1;
        guest.asked = Some(now);
        guest.ask_again = None;
        guest.staging = None;
        let generation = guest.generation;
        self.act(Action::Describe {
            guest: id,
            generation,
        });
    }

    pub(super) fn described(
        &mut self,
        now: Instant,
        id: GuestId,
        generation: u64,
        outcome: Result<GuestDescription, DescribeFault>,
    ) {
        let current = self
            .guests
            .get(&id)
            .is_some_and(|guest| guest.generation == generation);
        if !current {
            return self.count(Count::Stale, 1);
        }
        match outcome {
            Ok(description) => {
                let plan = plan(id, &description, &self.policy);
                for (nic, refusal) in &plan.refused {
                    self.refuse(id, *nic, refusal.clone());
                }
                if let Some(guest) = self.guests.get_mut(&id) {
                    guest.name = description.name;
                    guest.plan = plan.clone();
                }
                self.act(Action::Stage {
                    guest: id,
                    generation,
                    plan,
                });
            }
            Err(DescribeFault::Unavailable) => {
                if let Some(guest) = self.guests.get_mut(&id) {
                    guest.ask_again = Some(now + ASK_AGAIN);
                }
            }
            Err(DescribeFault::Gone | DescribeFault::Malformed) => {
                if let Some(guest) = self.guests.get_mut(&id) {
                    guest.asked = None;
                    guest.single = None;
                }
            }
        }
    }

    pub(super) fn staged(&mut self, now: Instant, id: GuestId, generation: u64, staging: Staging) {
        let rounds = self.policy.rounds.rounds;
        let Some(guest) = self
            .guests
            .get_mut(&id)
            .filter(|guest| guest.generation == generation)
        else {
            return self.count(Count::Stale, 1);
        };
        let asked = guest.asked.take();
        let refused = staging.refused.clone();
        for frame in &staging.frames {
            self.pacer.prepare(&frame.uplinks, now);
        }
        guest.staging = Some(staging);
        guest.reserve(rounds);
        if let Some(asked) = asked {
            self.act(Action::Measure(
                Measure::Staging,
                now.saturating_since(asked),
            ));
        }
        for (nic, refusal) in refused {
            self.refuse(id, nic, refusal);
        }
        self.reach(id, Phase::Staged, now);
        self.catch_up(now, id);
    }

    fn refuse(&mut self, guest: GuestId, nic: u16, refusal: crate::model::Refusal) {
        self.count(Count::Refusals, 1);
        self.act(Action::Refused {
            guest,
            nic,
            refusal,
        });
    }

    pub(super) fn unstage(&mut self, id: GuestId) {
        let Some(guest) = self.guests.get_mut(&id) else {
            return;
        };
        guest.generation += 1;
        guest.asked = None;
        guest.ask_again = None;
        guest.forget_parked();
        if guest.staging.take().is_some() {
            self.act(Action::Unstage { guest: id });
        }
    }

    /// Ends a schedule that has rounds left, and says so.
    pub(super) fn cut(&mut self, id: GuestId) {
        let Some(guest) = self.guests.get_mut(&id) else {
            return;
        };
        guest.single = None;
        guest.forget_parked();
        if guest.schedule.take().is_some() {
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

    /// Closes an arrival once its rounds are out and all of the guest is here.
    pub(super) fn close_arrival_when_done(&mut self, id: GuestId) {
        let Some(guest) = self.guests.get(&id) else {
            return;
        };
        let resumed = guest.arrival.as_ref().is_some_and(|journal| {
            journal
                .phases()
                .iter()
                .any(|noted| noted.phase == Phase::Resumed)
        });
        // With nothing to announce the schedule waits for nothing.
        if resumed && guest.arrived_whole && guest.is_idle() && guest.asked.is_none() {
            self.close_arrival(id, Outcome::Completed);
        }
    }

    pub(super) fn close_arrival(&mut self, id: GuestId, outcome: Outcome) {
        let Some(guest) = self.guests.get_mut(&id) else {
            return;
        };
        if let Some(journal) = guest.arrival.take() {
            let busy = guest.departure.is_some();
            self.cut(id);
            if !busy {
                self.unstage(id);
            }
            self.finish(id, journal, outcome);
        }
    }

    pub(super) fn close_departure(&mut self, id: GuestId, outcome: Outcome) {
        let Some(guest) = self.guests.get_mut(&id) else {
            return;
        };
        guest.closing = None;
        if let Some(journal) = guest.departure.take() {
            // A rollback's rounds go on after the migration is over.
            if guest.schedule.is_none() && guest.arrival.is_none() {
                self.unstage(id);
            }
            self.finish(id, journal, outcome);
        }
    }

    /// Forgets a departure that turned out to be none.
    fn drop_departure(&mut self, id: GuestId) {
        let Some(guest) = self.guests.get_mut(&id) else {
            return;
        };
        if guest.departure.take().is_some() {
            self.unstage(id);
        }
    }

    fn finish(&mut self, id: GuestId, journal: Journal, outcome: Outcome) {
        let name = self
            .guests
            .get(&id)
            .map(|guest| guest.name.clone())
            .unwrap_or_default();
        let (side, mode, measured) = (journal.side, journal.mode, journal.measured);
        let record = Record {
            id: self.next_record,
            uuid: id,
            name,
            side,
            mode,
            outcome,
            phases: journal.into_phases(),
            measured,
            peer: None,
        };
        self.next_record += 1;
        self.count(
            Count::Migrations {
                side,
                mode,
                outcome,
            },
            1,
        );
        if let Some(downtime) = measured.downtime {
            self.act(Action::Measure(Measure::Downtime, downtime));
        }
        if self.history.len() >= HISTORY {
            self.history.pop_front();
        }
        self.history.push_back(record.clone());
        self.act(Action::Finished(Box::new(record)));
    }

    pub(super) fn forget_if_over(&mut self, id: GuestId) {
        if self.guests.get(&id).is_some_and(Guest::is_over) {
            self.unstage(id);
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
