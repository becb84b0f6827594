//! What one engine was told of one guest, read in the plainest way: the latest word is the case.
//!
//! It knows nothing of the engine's table, and allows more than that does. What it forbids, nobody
//! may do.

use super::courses::Word;
use crate::engine::{Lifecycle, MigrationStatus, RunState};

/// Where the latest word has the guest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Place {
    #[default]
    Gone,
    Runs,
    Stands,
}

#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each was heard or was not")]
pub(super) struct Heard {
    pub(super) place: Place,
    /// It began to arrive, and was not said to run or to be gone since.
    pub(super) arriving: bool,
    /// And QEMU has all of it.
    pub(super) whole: bool,
    /// It ran, was stopped in a departure, and was not said to run or to be gone since.
    pub(super) left: bool,
    /// It ran when its departure began.
    departing: bool,
    /// It stood when its departure began.
    departing_paused: bool,
    /// libvirt did not know it, and nothing was said of its running since.
    doubted: bool,
    /// A part of it may have yet to come.
    partial: bool,
    /// Every word since the last list that showed it in peace came once, in its order and time.
    pub(super) well: bool,
    /// Words on their way that are late.
    pub(super) in_flight: u32,
}

impl Heard {
    pub(super) fn word(&mut self, word: Word) {
        use Lifecycle as L;
        use MigrationStatus as M;
        match word {
            Word::Life(L::StartedMigrated) => {
                *self = Self {
                    place: Place::Stands,
                    arriving: true,
                    well: self.well,
                    in_flight: self.in_flight,
                    ..Self::default()
                };
            }
            Word::Life(L::Started) if !self.arriving => {
                self.runs();
                // What left was another QEMU of its.
                self.departing = false;
            }
            Word::Resume | Word::Life(L::ResumedPostcopy) => {
                self.partial |= self.arriving && !self.whole;
                self.runs();
            }
            Word::Life(L::ResumedUnpaused | L::ResumedMigrated) => {
                self.partial = false;
                self.runs();
            }
            Word::Stop | Word::Life(L::SuspendedPaused) => {
                self.left |= self.place == Place::Runs && self.departing && !self.doubted;
                self.stands();
            }
            Word::Life(L::SuspendedMigrated | L::SuspendedPostcopy) => {
                self.left |= self.place != Place::Gone && !self.arriving && !self.doubted;
                self.stands();
            }
            Word::Life(L::StoppedMigrated | L::StoppedFailed | L::Stopped) => self.gone(),
            Word::Qemu(M::Completed) => {
                self.whole |= self.arriving;
                self.partial = false;
                // Once it left, the end of the copy ends the departure.
                self.departing &= !self.left;
                self.departing_paused &= !self.left;
            }
            Word::Qemu(M::Setup) if !self.arriving && !self.partial => match self.place {
                Place::Runs => self.departing = true,
                Place::Stands if !self.left => self.departing_paused = true,
                Place::Stands | Place::Gone => {}
            },
            Word::Qemu(M::Failed | M::Cancelled) => {
                (self.departing, self.departing_paused) = (false, false);
            }
            Word::Life(_) | Word::Qemu(_) | Word::Job(_) => {}
        }
    }

    /// Another engine begins, that was told nothing.
    pub(super) fn forget(&mut self) {
        self.well = false;
        self.gone();
    }

    pub(super) fn listed(&mut self, state: RunState) {
        self.partial = !matches!(state, RunState::Running | RunState::Paused);
        // A list shows no departure under way; the guest's stop shows it anew.
        (self.departing, self.departing_paused) = (false, false);
        match state {
            RunState::Running | RunState::RunningPostcopy => self.runs(),
            RunState::Off => self.gone(),
            RunState::PausedMigration | RunState::PausedPostcopy | RunState::Paused => {
                self.stands();
            }
        }
    }

    /// libvirt has no such guest: whatever arrived or left does not any more.
    pub(super) fn unknown(&mut self) {
        (self.arriving, self.whole) = (false, false);
        self.doubted = true;
        if self.place == Place::Stands {
            self.gone();
        }
    }

    fn runs(&mut self) {
        self.place = Place::Runs;
        self.doubted = false;
        (self.arriving, self.whole, self.left) = (false, false, false);
        self.departing |= std::mem::take(&mut self.departing_paused);
    }

    fn stands(&mut self) {
        if self.place == Place::Runs {
            self.place = Place::Stands;
        }
    }

    fn gone(&mut self) {
        *self = Self {
            well: self.well,
            in_flight: self.in_flight,
            ..Self::default()
        };
    }
}
