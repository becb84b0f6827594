//! The ends of migrations, and their records.

use super::journal::Journal;
use super::state::State;
use super::{Action, Count, Engine, HISTORY, Measure, Record};
use crate::model::{GuestId, Outcome, Phase};

impl Engine {
    /// Ends a departure after which the guest is here as before; one that was rolled back is closed
    /// as that.
    pub(super) fn break_departure(&mut self, id: GuestId, outcome: Outcome) {
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
            self.close_departure(id, outcome);
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
            self.learn(id);
        }
    }

    pub(super) fn close_arrival(&mut self, id: GuestId, outcome: Outcome) {
        let Some(guest) = self.guests.get_mut(&id) else {
            return;
        };
        if let Some(journal) = guest.arrival.take() {
            let busy = guest.departure.is_some();
            self.leave_unconfirmed(id);
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
            // A rollback's rounds, and whatever else is on its way, go on after the migration is over.
            let done = guest.is_idle() && guest.arrival.is_none();
            if done {
                self.unstage(id);
            }
            self.finish(id, journal, outcome);
        }
    }

    /// Forgets a departure that turned out to be none; one that was rolled back was one.
    pub(super) fn drop_departure(&mut self, id: GuestId) {
        let Some(guest) = self.guests.get_mut(&id) else {
            return;
        };
        if guest.departure.as_ref().is_some_and(|it| it.rolled_back) {
            self.close_departure(id, Outcome::RolledBack);
        } else if guest.departure.take().is_some() {
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
}
