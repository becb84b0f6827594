//! What to announce and when: pure, without clock, IO, logging or errors.
//!
//! Read `state` for what can happen to a guest, `apply` for what follows, `announce` for frames.
//! The shell feeds [`Engine::handle_event`] and [`Engine::handle_timeout`], then drains
//! [`Engine::poll_action`] and sleeps until [`Engine::poll_timeout`].

mod action;
mod addresses;
mod announce;
mod answer;
mod apply;
mod close;
mod event;
mod guest;
mod hint;
mod journal;
mod learn;
mod links;
mod outline;
mod pacing;
mod plan;
mod policy;
mod resync;
mod retract;
mod rounds;
mod snapshot;
mod stage;
mod state;
mod translate;
mod waiting;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

pub use action::{Action, Cause, Count, Measure, Round, Ticket, WatchedNic};
pub use addresses::{HeardAddress, Sighting, Standing};
pub use event::{
    DescribeFault, Event, GuestFacts, JobCompleted, Lifecycle, MigrationStatus, Queue, RunState,
    StagedFrame, Staging,
};
pub use outline::{Outline, OutlinedFrame, OutlinedGuest, OutlinedNic, StagedNic};
pub use plan::{Plan, PlannedNic, plan};
pub use policy::{AddressPolicy, GuestRule, Pacing, Policy};
pub use retract::retractions;
pub use rounds::Rounds;
pub use snapshot::{
    AddressView, GuestPhase, GuestView, LibvirtView, Measured, PhaseAt, Record, Snapshot,
};

use crate::model::{GuestId, Instant, Timestamp};
use guest::Guest;
use links::LinkTable;
use pacing::Pacer;
use waiting::Waiting;

/// Guests that are remembered at a time: four times what the largest hypervisors run. One more is
/// not announced, and counted as dropped.
const GUESTS: usize = 4_096;

/// Ended migrations that are remembered; the oldest goes first.
const HISTORY: usize = 256;

/// Actions that fit before the queue has to grow: the frames of 32 guests at once with ten NICs
/// each, and what is told about them. Only an answer to a staging makes more than a few at a time.
const ACTIONS: usize = 1_024;

/// The engine. One task owns it.
#[derive(Clone, Debug)]
pub struct Engine {
    policy: Policy,
    /// Realtime clock less monotonic clock, in nanoseconds.
    offset: i64,
    libvirt: LibvirtView,
    ever_connected: bool,
    guests: BTreeMap<GuestId, Guest>,
    /// Guests that the shell was told to stage and not yet to forget.
    held: BTreeSet<GuestId>,
    links: LinkTable,
    /// The generation of the latest question. All guests share the count, so that an answer never
    /// meets a guest that left and came back.
    generation: u64,
    waiting: Waiting,
    pacer: Pacer,
    /// When the first waiting frame may leave.
    release_at: Option<Instant>,
    actions: VecDeque<Action>,
    history: VecDeque<Record>,
    next_record: u64,
}

impl Engine {
    /// An engine that knows no guest yet.
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        Self {
            pacer: Pacer::new(policy.pacing),
            policy,
            offset: 0,
            libvirt: LibvirtView::default(),
            ever_connected: false,
            guests: BTreeMap::new(),
            held: BTreeSet::new(),
            links: LinkTable::default(),
            generation: 0,
            waiting: Waiting::new(),
            release_at: None,
            actions: VecDeque::with_capacity(ACTIONS),
            history: VecDeque::with_capacity(HISTORY),
            next_record: 1,
        }
    }

    /// Takes in what happened. Drain [`Engine::poll_action`] afterwards.
    ///
    /// For a staged guest the way from [`Event::Resumed`] or [`Event::Migration`] to
    /// [`Action::Send`] allocates nothing.
    pub fn handle_event(&mut self, now: Instant, event: Event) {
        match event {
            Event::Clock { offset } => self.offset = offset,
            Event::LibvirtConnected => self.libvirt_connected(now),
            Event::LibvirtLost => self.libvirt_lost(now),
            Event::Listed { guests } => self.resync(now, guests),
            Event::Foretold { guest, description } => self.foretold(now, guest, description),
            Event::CalledOff { guest } => self.forget_foretold(guest),
            Event::Lifecycle { guest, at, change } => self.lifecycle(now, guest, at, change),
            Event::Migration {
                guest,
                at,
                stamp: _,
                status,
            } => {
                self.migration(now, guest, at, status);
            }
            Event::Stopped { guest, at, stamp } => self.stopped(now, guest, at, stamp),
            Event::Resumed { guest, at, stamp } => self.resumed(now, guest, at, stamp),
            Event::JobCompleted { guest, job } => self.job_completed(guest, job),
            Event::Address {
                guest,
                sighting,
                standing,
            } => self.address(now, guest, sighting, standing),
            Event::Described {
                guest,
                generation,
                outcome,
            } => {
                self.described(now, guest, generation, outcome);
            }
            Event::Staged {
                guest,
                generation,
                staging,
            } => {
                self.staged(now, guest, generation, staging);
            }
            Event::Sent {
                ticket,
                returned,
                outcome,
            } => self.sent(now, ticket, returned, outcome),
            Event::Link(link) => self.link(now, &link),
            Event::Ledger { undone, faults } => self.ledger(undone, faults),
            Event::Announce { guest } => self.announce_once(now, guest, Cause::Operator),
            Event::Dropped { queue, count } => self.count(Count::Drops(queue), count),
            Event::Policy(policy) => {
                self.pacer.configure(policy.pacing);
                self.policy = *policy;
            }
            Event::Ending => self.let_go(),
        }
        self.release(now);
    }

    /// Does what is due. Spurious calls do nothing.
    pub fn handle_timeout(&mut self, now: Instant) {
        let rounds = self.policy.rounds;
        while let Some(guest) = self.guests.iter().find_map(|(&id, guest)| {
            guest
                .deadline(rounds)
                .is_some_and(|at| at <= now)
                .then_some(id)
        }) {
            self.due(now, guest);
        }
        self.release(now);
    }

    /// The next instruction. Drain it after every `handle_*`.
    pub fn poll_action(&mut self) -> Option<Action> {
        let action = self.actions.pop_front();
        if self.actions.is_empty() {
            // From the front again: what was written last is still in the processor's cache.
            self.actions.clear();
        }
        action
    }

    /// When [`Engine::handle_timeout`] wants to be called next. May change after any `handle_*`.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let guests = self
            .guests
            .values()
            .filter_map(|guest| guest.deadline(self.policy.rounds));
        guests.chain(self.release_at).min()
    }

    /// Whether an answer of [`Event::Staged`] to this question is waited for. One that is not must
    /// not be made ready to fire.
    #[must_use]
    pub fn awaits(&self, guest: GuestId, generation: u64) -> bool {
        self.guests
            .get(&guest)
            .is_some_and(|guest| guest.generation == generation && guest.asked.is_some())
    }

    /// First frames of migrations that wait for pacing: what an end of the agent waits for.
    #[must_use]
    pub fn first_frames_waiting(&self) -> usize {
        self.waiting.first_frames()
    }

    /// A picture for people.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            libvirt: self.libvirt,
            guests: self
                .guests
                .iter()
                .filter_map(|(&id, guest)| guest.view(id, &self.policy.addresses, self.offset))
                .collect(),
            history: self.history.iter().rev().cloned().collect(),
            waiting_frames: self.waiting.len() as u64,
        }
    }

    /// The settings in force.
    #[must_use]
    pub const fn policy(&self) -> &Policy {
        &self.policy
    }

    fn act(&mut self, action: Action) {
        self.actions.push_back(action);
    }

    fn count(&mut self, count: Count, amount: u64) {
        self.act(Action::Count(count, amount));
    }

    fn next_generation(&mut self) -> u64 {
        self.generation += 1;
        self.generation
    }

    fn ledger(&mut self, undone: u64, faults: u64) {
        for (count, amount) in [
            (Count::EntriesUndone, undone),
            (Count::LedgerFaults, faults),
        ] {
            if amount > 0 {
                self.count(count, amount);
            }
        }
    }

    fn timestamp(&self, at: Instant) -> Timestamp {
        Timestamp::of(at, self.offset)
    }
}

#[cfg(test)]
mod tests;
