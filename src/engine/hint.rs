//! Guests of which libvirt's hook script speaks before libvirt does: they stand ready sooner.
//!
//! ```text
//!  migrate begin          start begin                  Started Migrated           Described
//!  ------------- expected ----------- staged, silent ------------------ incoming ---------- as ever
//!       |                                  |            what is staged     |  otherwise: staged anew
//!       +------- forgotten after 60 s -----+            may be sent        +-- the same: kept
//!           or once the start failed
//! ```
//!
//! A hook is anybody's word who is root, perhaps an old one. So a guest that it foretells stays
//! [`State::Absent`], for which nothing leaves; the hook makes nobody else's guest different; and
//! libvirt describes the guest all the same as soon as it has spoken of it. `start begin` alone
//! has the names of the taps; an ordinary start has no `migrate begin` before it and is left alone.

use std::time::Duration;

use super::guest::{Basis, Guest};
use super::stage::{ASK_AGAIN, LAST_WORD};
use super::state::{Signal, State};
use super::{Action, Count, DescribeFault, Engine, GUESTS, Plan, PlannedNic, Queue, plan};
use crate::model::{GuestDescription, GuestId, GuestName, HintOutcome, Instant, Phase};

/// How long libvirt may take to say that the guest arrives. Its QEMU has to start in between:
/// seconds, on the busiest of hosts.
const PATIENCE: Duration = Duration::from_secs(60);

/// Guests that may be foretold at a time: more than any host receives at once. One more is left to
/// libvirt's own word, and counted as dropped.
pub(super) const FORETOLD: usize = 64;

impl Engine {
    /// Takes in what a hook says.
    pub(super) fn foretold(
        &mut self,
        now: Instant,
        id: GuestId,
        description: Option<GuestDescription>,
    ) {
        match description {
            None => self.expect_arrival(now, id),
            Some(description) => self.stage_ahead(now, id, &description),
        }
    }

    fn expect_arrival(&mut self, now: Instant, id: GuestId) {
        if let Some(guest) = self.guests.get_mut(&id) {
            if guest.foretold.is_some() {
                // An attempt that failed is made anew.
                guest.foretold = Some(now + PATIENCE);
            } else {
                self.count(Count::Hints(HintOutcome::Needless), 1);
            }
        } else if self.guests.len() >= GUESTS {
            self.count(Count::Drops(Queue::Guests), 1);
        } else if self.count_foretold() >= FORETOLD {
            self.count(Count::Drops(Queue::Hook), 1);
        } else {
            let mut guest = Guest::new(GuestName::default(), State::Absent);
            guest.foretold = Some(now + PATIENCE);
            self.guests.insert(id, guest);
        }
    }

    fn count_foretold(&self) -> usize {
        let foretold = |guest: &&Guest| guest.foretold.is_some();
        self.guests.values().filter(foretold).count()
    }

    fn stage_ahead(&mut self, now: Instant, id: GuestId, description: &GuestDescription) {
        let plan = plan(id, description, &self.policy);
        let Some(guest) = self.guests.get_mut(&id) else {
            return;
        };
        // One staging at a time, however often the hook comes.
        if guest.foretold.is_none() || guest.asked.is_some() {
            return;
        }
        guest.foretold = Some(now + PATIENCE);
        if guest.staging.is_none() || guest.plan != plan {
            guest.name.clone_from(&description.name);
            guest.plan = plan;
            guest.basis = Basis::of(description);
            self.stage_foretold(now, id);
        }
    }

    /// Resolves a guest anew: one that is only foretold by what the hook said, for libvirt may be
    /// waiting for the hook; every other by what libvirt says.
    pub(super) fn resolve(&mut self, now: Instant, id: GuestId) {
        let foretold = self.guests.get(&id).map(|guest| guest.foretold.is_some());
        match foretold {
            Some(true) => self.stage_foretold(now, id),
            Some(false) => self.ask(id, now),
            None => {}
        }
    }

    fn stage_foretold(&mut self, now: Instant, id: GuestId) {
        let Some(generation) = self.begin_anew(id, now) else {
            return;
        };
        let plan = self.guests.get(&id).map(|guest| guest.plan.clone());
        let plan = plan.unwrap_or_default();
        self.held.insert(id);
        self.act(Action::Stage {
            guest: id,
            generation,
            plan,
        });
    }

    /// Forgets what only a hook said, before libvirt says something else of the guest.
    pub(super) fn forget_foretold(&mut self, id: GuestId) {
        if self.guests.get(&id).is_some_and(|g| g.foretold.is_some()) {
            self.unstage(id);
            self.unwatch(id);
            self.guests.remove(&id);
            self.count(Count::Hints(HintOutcome::Unconfirmed), 1);
        }
    }

    /// Forgets what only a hook said where `signal` is not of a guest that arrives. QEMU's own
    /// `MIGRATION` events come before libvirt's word.
    pub(super) fn hear_of_foretold(&mut self, id: GuestId, signal: Signal) {
        match signal {
            Signal::IncomingStarted
            | Signal::Setup
            | Signal::Complete
            | Signal::Broken
            | Signal::SwitchOver => {}
            Signal::Started
            | Signal::Run
            | Signal::Pause
            | Signal::GoneMigrated
            | Signal::GoneFailed
            | Signal::GoneOther => self.forget_foretold(id),
        }
    }

    /// libvirt says that the guest arrives: has it describe the guest, and meanwhile trusts what was
    /// staged ahead. Where nothing was, or links have belied it, that is the first question.
    pub(super) fn begin_staging(&mut self, id: GuestId, now: Instant) {
        let Some(guest) = self.guests.get_mut(&id) else {
            return;
        };
        let foretold = guest.foretold.take().is_some();
        let under_way = guest.asked.is_some() && guest.ask_again.is_none();
        if !foretold || (guest.staging.is_none() && !under_way) {
            return self.ask(id, now);
        }
        // How long that takes from here on is what a migration waits for.
        guest.asked = guest.asked.map(|_| now);
        let staged_at = guest.staging.is_some().then_some(guest.staged_at);
        self.confirm(id);
        self.watch(id);
        if let Some(at) = staged_at {
            self.reach(id, Phase::Staged, at);
        }
    }

    /// Asks libvirt whether what is staged is right.
    pub(super) fn confirm(&mut self, id: GuestId) {
        let generation = self.next_generation();
        let Some(guest) = self.guests.get_mut(&id) else {
            return;
        };
        guest.confirming = Some(generation);
        guest.ask_again = None;
        self.act(Action::Describe {
            guest: id,
            generation,
        });
    }

    /// Waits no longer for libvirt's answer. What speaks against a NIC is told as the hook had it.
    pub(super) fn leave_unconfirmed(&mut self, id: GuestId) {
        let Some(guest) = self.guests.get_mut(&id) else {
            return;
        };
        if guest.confirming.take().is_some() {
            let refused = guest.refusals();
            self.count(Count::Hints(HintOutcome::Unconfirmed), 1);
            for (nic, refusal) in refused {
                self.refuse(id, nic, refusal);
            }
        }
    }

    /// Compares what is staged with libvirt's answer.
    pub(super) fn confirmed(
        &mut self,
        now: Instant,
        id: GuestId,
        generation: u64,
        outcome: Result<GuestDescription, DescribeFault>,
    ) {
        let Some(guest) = self.guests.get_mut(&id) else {
            return;
        };
        match outcome {
            Ok(description) if agree(&guest.plan, &plan(id, &description, &self.policy)) => {
                guest.confirming = None;
                guest.plan = plan(id, &description, &self.policy);
                guest.basis = Basis::of(&description);
                guest.name = description.name;
                let refused = guest.refusals();
                self.count(Count::Hints(HintOutcome::Confirmed), 1);
                for (nic, refusal) in refused {
                    self.refuse(id, nic, refusal);
                }
                self.watch_networks(id);
            }
            Ok(description) => {
                guest.confirming = None;
                guest.generation = generation;
                guest.asked = Some(now);
                guest.question = now;
                guest.staging = None;
                guest.forget_parked();
                self.count(Count::Hints(HintOutcome::Differed), 1);
                self.described(now, id, generation, Ok(description));
            }
            Err(DescribeFault::Unavailable) => guest.ask_again = Some(now + ASK_AGAIN),
            // It has the guest, and the hook's XML could be read.
            Err(DescribeFault::Malformed) => self.leave_unconfirmed(id),
            Err(DescribeFault::Gone) => {
                guest.gone = Some(now + LAST_WORD);
                self.cut(id);
                self.unstage(id);
                self.count(Count::Hints(HintOutcome::Unconfirmed), 1);
            }
        }
    }
}

/// Whether two plans stage the same. libvirt may have to name the links before it gives the XML, and
/// knows no IP addresses then.
pub(super) fn agree(hook: &Plan, libvirt: &Plan) -> bool {
    let staged = |nic: &PlannedNic| (nic.index, nic.mac, nic.attachment, nic.target);
    let nics = |plan: &Plan| plan.nics.iter().map(staged).collect::<Vec<_>>();
    nics(hook) == nics(libvirt) && hook.refused == libvirt.refused
}
