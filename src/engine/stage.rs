//! From a guest's name to frames that stand ready, and back.

use std::time::Duration;

use super::guest::Basis;
use super::journal::Journal;
use super::state::State;
use super::{Action, Count, DescribeFault, Engine, Measure, Staging, plan};
use crate::model::{GuestDescription, GuestId, Instant, Phase, Refusal, Side};

/// How long after libvirt did not describe an arriving guest it is asked again.
pub(super) const ASK_AGAIN: Duration = Duration::from_millis(200);

/// How long after links changed between a question and its answer the question is asked anew: a
/// device that is taken down goes through its steps within some milliseconds.
const SETTLED: Duration = Duration::from_millis(10);

/// How long after libvirt had no such guest it may yet say how the guest ended: it says so within
/// milliseconds, and never of a guest that it ends while it starts itself.
pub(super) const LAST_WORD: Duration = Duration::from_secs(1);

impl Engine {
    /// Asks libvirt for the guest's XML, to stage it.
    pub(super) fn ask(&mut self, id: GuestId, now: Instant) {
        if let Some(generation) = self.begin_anew(id, now) {
            self.act(Action::Describe {
                guest: id,
                generation,
            });
        }
    }

    /// Begins a staging and numbers it: what was staged or asked before is outdated.
    pub(super) fn begin_anew(&mut self, id: GuestId, now: Instant) -> Option<u64> {
        let generation = self.next_generation();
        let guest = self.guests.get_mut(&id)?;
        guest.generation = generation;
        guest.asked = Some(now);
        guest.question = now;
        guest.ask_again = None;
        guest.confirming = None;
        guest.learning = None;
        guest.gone = None;
        guest.staging = None;
        Some(generation)
    }

    pub(super) fn described(
        &mut self,
        now: Instant,
        id: GuestId,
        generation: u64,
        outcome: Result<GuestDescription, DescribeFault>,
    ) {
        let Some(guest) = self.guests.get(&id) else {
            return self.count(Count::Stale, 1);
        };
        if guest.confirming == Some(generation) {
            return self.confirmed(now, id, generation, outcome);
        }
        if guest.learning == Some(generation) {
            return self.learnt(id, outcome);
        }
        if guest.generation != generation {
            return self.count(Count::Stale, 1);
        }
        match outcome {
            Ok(description) => {
                let plan = plan(id, &description, &self.policy);
                if !self.is_inspected(id) {
                    for (nic, refusal) in &plan.refused {
                        self.refuse(id, *nic, refusal.clone());
                    }
                }
                if let Some(guest) = self.guests.get_mut(&id) {
                    guest.basis = Basis::of(&description);
                    guest.name = description.name;
                    guest.plan = plan.clone();
                }
                self.held.insert(id);
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
            Err(DescribeFault::Gone) => {
                if let Some(guest) = self.guests.get_mut(&id) {
                    guest.asked = None;
                    guest.gone = Some(now + LAST_WORD);
                    if guest.single.take().is_some() {
                        self.count(Count::SchedulesCut, 1);
                    }
                }
            }
            Err(DescribeFault::Malformed) => {
                if let Some(guest) = self.guests.get_mut(&id) {
                    guest.asked = None;
                }
                // Without frames there is nothing to wait for.
                self.cut(id);
                self.settle(id);
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
        if guest.is_misplaced(&staging, &self.links) {
            // The links changed between the question and its answer.
            guest.ask_again = Some(now + SETTLED);
            guest.confirming = None;
            return;
        }
        let foretold = guest.foretold.is_some();
        let unconfirmed = foretold || guest.confirming.is_some();
        let asked = guest.asked.take().filter(|_| !foretold);
        let refused = staging.refused.clone();
        let came = staging.frames.iter().any(|frame| frame.behind_uplink);
        if came && guest.state == (State::Incoming { certain: false }) {
            guest.found = Some(Journal::new(Side::Destination));
        }
        for frame in &staging.frames {
            self.pacer.prepare(&frame.uplinks, now);
        }
        guest.staging = Some(staging);
        guest.staged_at = now;
        guest.reserve(rounds);
        if !foretold {
            self.watch(id);
        }
        if let Some(asked) = asked {
            self.act(Action::Measure(
                Measure::Staging,
                now.saturating_since(asked),
            ));
        }
        // What a hook said is no news either, until libvirt says it too.
        if !self.is_inspected(id) && !unconfirmed {
            for (nic, refusal) in refused {
                self.refuse(id, nic, refusal);
            }
        }
        self.reach(id, Phase::Staged, now);
        self.catch_up(now, id);
    }

    /// A guest that nothing happened to: what speaks against announcing it is no news.
    fn is_inspected(&self, id: GuestId) -> bool {
        self.guests.get(&id).is_some_and(|guest| guest.inspected)
    }

    pub(super) fn refuse(&mut self, guest: GuestId, nic: u16, refusal: Refusal) {
        self.count(Count::Refusals, 1);
        self.act(Action::Refused {
            guest,
            nic,
            refusal,
        });
    }

    pub(super) fn unstage(&mut self, id: GuestId) {
        let generation = self.next_generation();
        let Some(guest) = self.guests.get_mut(&id) else {
            return;
        };
        guest.generation = generation;
        guest.asked = None;
        guest.ask_again = None;
        guest.confirming = None;
        guest.staging = None;
        guest.single = None;
        guest.forget_parked();
        // Of one that was only foretold nothing was sent: nothing is left behind.
        let stays = guest.state.stays() || guest.foretold.take().is_some();
        if self.held.remove(&id) {
            self.act(Action::Unstage { guest: id, stays });
        }
    }

    /// Ends everything that is staged; what was not announced until now is not any more.
    pub(super) fn let_go(&mut self) {
        let guests: Vec<GuestId> = self.guests.keys().copied().collect();
        for id in guests {
            self.cut(id);
            self.unstage(id);
        }
    }
}
