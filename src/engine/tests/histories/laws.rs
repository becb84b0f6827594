//! What holds in every history: the invariants, each in a file of its own.
//!
//! An engine can only go by what it is told. So a law speaks of what this engine *was told*
//! ([`super::hearsay`]), and of the truth only while the host was told *well*: every word since the
//! last list that showed the guest in peace came, once, in its order and time. What was not told
//! well is made good by the next list: of that speak the laws about a resync.

mod bounded;
mod counted;
mod first_first;
mod heard_here;
mod missed;
mod once;
mod one_move;
mod paced;
mod rollback;
mod silent_source;
mod stale;
mod unneeded;
mod whole;
mod word_first;

use super::number;
use super::realm::Scene;
use crate::engine::{Action, Event, Lifecycle, Ticket};
use crate::model::SendFault;

/// What a law sees, in the order in which it happens.
#[derive(Debug)]
pub(super) enum Sight<'a> {
    /// A migration of the guest begins.
    Departs { guest: usize },
    /// How the guest stands at the host was changed.
    Stands { host: usize, guest: usize },
    /// The host's agent is gone.
    Crashed { host: usize },
    /// The engine is about to be told, or woken.
    Before {
        host: usize,
        event: Option<&'a Event>,
    },
    /// It wants this.
    Acted { host: usize, action: &'a Action },
    /// A frame was handed out, and left or not.
    Fired {
        host: usize,
        guest: usize,
        ticket: &'a Ticket,
        outcome: Result<(), SendFault>,
        /// The fabric sends elsewhere since.
        moved: bool,
        /// Without it frames for the guest would not have found it here.
        needed: bool,
    },
    /// All that followed at once has followed.
    After {
        host: usize,
        event: Option<&'a Event>,
    },
    /// Nothing happens any more, and both agents are about to read libvirt again.
    Quiet,
    /// They have, and had time to act.
    Resynced,
    /// Guests that stood were let run.
    Woken,
    /// Both agents have read libvirt once more.
    Rested,
}

/// One invariant.
pub(super) trait Law: std::fmt::Debug {
    fn name(&self) -> &'static str;

    /// Why it is broken, if it is.
    fn see(&mut self, scene: &Scene, sight: &Sight<'_>) -> Result<(), String>;

    /// How often there was something to hold it against.
    fn met(&self) -> u64;
}

/// A law that did not hold.
#[derive(Clone, Debug)]
pub(super) struct Broken {
    pub(super) law: &'static str,
    pub(super) why: String,
}

/// The laws that a history is held against.
#[derive(Debug)]
pub(super) struct Judges {
    laws: Vec<Box<dyn Law>>,
    pub(super) broken: Option<Broken>,
}

impl Judges {
    pub(super) fn all() -> Self {
        Self {
            laws: vec![
                Box::<silent_source::SilentSource>::default(),
                Box::<word_first::WordFirst>::default(),
                Box::<whole::WholeSchedule>::default(),
                Box::<once::OnceARound>::default(),
                Box::<rollback::RollbackAtOnce>::default(),
                Box::<one_move::OneMove>::default(),
                Box::<paced::Paced>::default(),
                Box::<first_first::FirstFirst>::default(),
                Box::<missed::NothingMissed>::default(),
                Box::<stale::NothingStale>::default(),
                Box::<unneeded::NothingUnneeded>::default(),
                Box::<bounded::Bounded>::default(),
                Box::<counted::DropsCounted>::default(),
                Box::<heard_here::HeardHere>::default(),
            ],
            broken: None,
        }
    }

    /// Only the law of that name.
    pub(super) fn only(name: &str) -> Self {
        let mut judges = Self::all();
        judges.laws.retain(|law| law.name() == name);
        judges
    }

    pub(super) fn see(&mut self, scene: &Scene, sight: &Sight<'_>) {
        for law in &mut self.laws {
            if let Err(why) = law.see(scene, sight)
                && self.broken.is_none()
            {
                let law = law.name();
                self.broken = Some(Broken { law, why });
            }
        }
    }

    /// How often each law was met.
    pub(super) fn met(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.laws.iter().map(|law| (law.name(), law.met()))
    }
}

/// The guest of a word that says that it runs.
fn run_word(event: &Event) -> Option<usize> {
    match *event {
        Event::Resumed { guest, .. }
        | Event::Lifecycle {
            guest,
            change:
                Lifecycle::ResumedUnpaused | Lifecycle::ResumedMigrated | Lifecycle::ResumedPostcopy,
            ..
        } => Some(number(guest)),
        _ => None,
    }
}

/// The guest of a word that says that it stands.
fn stop_word(event: &Event) -> Option<usize> {
    match *event {
        Event::Stopped { guest, .. }
        | Event::Lifecycle {
            guest,
            change:
                Lifecycle::SuspendedPaused | Lifecycle::SuspendedMigrated | Lifecycle::SuspendedPostcopy,
            ..
        } => Some(number(guest)),
        _ => None,
    }
}

/// The guest that an input is about.
fn subject(event: &Event) -> Option<usize> {
    match *event {
        Event::Lifecycle { guest, .. }
        | Event::Migration { guest, .. }
        | Event::Stopped { guest, .. }
        | Event::Resumed { guest, .. }
        | Event::JobCompleted { guest, .. }
        | Event::Described { guest, .. }
        | Event::Staged { guest, .. }
        | Event::Announce { guest } => Some(number(guest)),
        _ => None,
    }
}
