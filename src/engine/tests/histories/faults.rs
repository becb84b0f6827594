//! Faults planted in the engine, one for each law at least: a law that finds none is none.
//!
//! Most are a wrong row of the table or a hand in the engine's memory; some change what goes in or
//! comes out.

use std::cell::Cell;

use super::coverage;
use crate::engine::guest::Guest;
use crate::engine::pacing::{Class, Pacer};
use crate::engine::state::{Effect, Signal, State};
use crate::engine::{
    Action, Cause, Count, Engine, Event, GuestFacts, MigrationStatus, RunState, Ticket,
};
use crate::model::Instant;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plant {
    /// A source that is stopped thinks that it runs.
    StopUnnoticed,
    /// The source takes the end of the copy for the guest's return.
    CompleteIsReturn,
    /// The destination takes the begin of the copy for its end.
    ActiveIsComplete,
    /// The third round is skipped.
    RoundForgotten,
    SentTwice,
    RollbackUnnoticed,
    PacingIgnored,
    RepeatsFirst,
    /// What a resync wanted looked at is not.
    InspectionForgotten,
    StaleTaken,
    /// A resync announces everybody.
    ResyncAnnounces,
    /// A list never takes a guest away.
    GuestsKept,
    DropsUncounted,
    FaultsUncounted,
    /// An operator's word is enough to speak for a guest.
    OperatorObeyed,
}

impl Plant {
    /// Each with the law that has to find it.
    pub(super) const ALL: [(Self, &'static str); 15] = [
        (
            Self::StopUnnoticed,
            "the source is silent after the destination spoke",
        ),
        (Self::ActiveIsComplete, "the destination waits for the word"),
        (Self::RoundForgotten, "an arrival gets its whole schedule"),
        (Self::SentTwice, "a frame of a round leaves once"),
        (Self::RollbackUnnoticed, "a rollback is announced at once"),
        (Self::CompleteIsReturn, "a migration moves an address once"),
        (Self::PacingIgnored, "pacing holds in every window"),
        (Self::RepeatsFirst, "first frames go before repeats"),
        (
            Self::InspectionForgotten,
            "nothing is missed after a resync",
        ),
        (Self::StaleTaken, "nothing stale is sent"),
        (
            Self::ResyncAnnounces,
            "nothing is sent where nothing is wrong",
        ),
        (Self::GuestsKept, "nothing grows and nothing is left"),
        (Self::DropsUncounted, "drops are counted"),
        (Self::FaultsUncounted, "drops are counted"),
        (
            Self::OperatorObeyed,
            "only a guest that is here is spoken for",
        ),
    ];
}

thread_local! {
    static PLANTED: Cell<Option<Plant>> = const { Cell::new(None) };
}

/// Plants a fault in this thread's table, or none.
pub(super) fn plant(fault: Option<Plant>) {
    PLANTED.set(fault);
}

/// Every step of the state machine comes by here: it is noted, and a planted fault may turn it.
pub(in crate::engine) fn table(
    state: State,
    signal: Signal,
    right: (State, Effect),
) -> (State, Effect) {
    coverage::cell(state, signal);
    match (PLANTED.get(), state, signal) {
        (
            Some(Plant::StopUnnoticed),
            State::Outgoing | State::Running,
            Signal::Pause | Signal::SwitchOver,
        ) => (state, Effect::None),
        (Some(Plant::CompleteIsReturn), State::SwitchedOver { .. }, Signal::Complete) => {
            (State::Running, Effect::Rollback)
        }
        (Some(Plant::RollbackUnnoticed), State::SwitchedOver { .. }, Signal::Run) => {
            (State::Running, Effect::None)
        }
        _ => right,
    }
}

impl Plant {
    /// What is done to an input, and to the engine before it.
    pub(super) fn before(self, engine: &mut Engine, event: &mut Event) {
        match (self, event) {
            (Self::ActiveIsComplete, Event::Migration { status, .. })
                if *status == MigrationStatus::Active =>
            {
                *status = MigrationStatus::Completed;
            }
            (Self::PacingIgnored, _) => engine.pacer = Pacer::new(engine.policy.pacing),
            (Self::InspectionForgotten, Event::Staged { guest, .. }) => {
                if let Some(guest) = engine.guests.get_mut(guest) {
                    guest.inspected = false;
                }
            }
            (
                Self::StaleTaken,
                Event::Described {
                    guest, generation, ..
                }
                | Event::Staged {
                    guest, generation, ..
                },
            ) => {
                if let Some(guest) = engine.guests.get(guest) {
                    *generation = guest.generation;
                }
            }
            (Self::GuestsKept, Event::Listed { guests }) => {
                for (&guest, Guest { name, .. }) in &engine.guests {
                    if guests.iter().all(|facts| facts.guest != guest) {
                        guests.push(GuestFacts {
                            guest,
                            name: name.clone(),
                            state: RunState::Paused,
                        });
                    }
                }
            }
            (Self::OperatorObeyed, Event::Announce { guest }) => {
                if let Some(guest) = engine.guests.get_mut(guest) {
                    guest.state = State::Running;
                }
            }
            _ => {}
        }
    }

    /// What is done to the engine after an input.
    pub(super) fn after(self, now: Instant, engine: &mut Engine, event: &Event) {
        if let (Self::ResyncAnnounces, Event::Listed { guests }) = (self, event) {
            for facts in guests {
                engine.announce_once(now, facts.guest, Cause::Resync);
            }
        }
    }

    /// What is done to the engine before it does what is due.
    pub(super) fn before_timeout(self, engine: &mut Engine) {
        if self == Self::PacingIgnored {
            engine.pacer = Pacer::new(engine.policy.pacing);
        }
        if self == Self::RoundForgotten {
            for guest in engine.guests.values_mut() {
                if let Some(schedule) = guest.schedule.as_mut().filter(|it| it.next == 3) {
                    schedule.next += 1;
                }
            }
        }
    }

    /// First frames that are put aside while an input is handled.
    pub(super) fn put_aside(self, engine: &mut Engine) -> Vec<Ticket> {
        let mut aside = Vec::new();
        if self == Self::RepeatsFirst {
            engine.waiting.retain(|ticket, class| {
                if class == Class::First {
                    aside.push(*ticket);
                }
                class != Class::First
            });
        }
        aside
    }

    /// How often an action comes out.
    pub(super) const fn times(self, action: &Action) -> usize {
        match (self, action) {
            (Self::SentTwice, Action::Send(_)) => 2,
            (Self::DropsUncounted, Action::Count(Count::Drops(_), _))
            | (Self::FaultsUncounted, Action::Count(Count::Faults(_), _)) => 0,
            _ => 1,
        }
    }
}
