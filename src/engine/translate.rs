//! From libvirt's and QEMU's words to the state machine's signals.

use std::time::Duration;

use super::apply::Occasion;
use super::state::{Signal, State};
use super::{Cause, Engine, JobCompleted, Lifecycle, MigrationStatus};
use crate::model::{GuestId, Instant, Mode};

/// How far before our callback a stamp of QEMU is believed. A busy host delivers within 100 ms; a
/// larger distance is a realtime clock that was set in between.
const STAMP_AGE: Duration = Duration::from_secs(1);

impl Engine {
    pub(super) fn lifecycle(
        &mut self,
        now: Instant,
        guest: GuestId,
        at: Instant,
        change: Lifecycle,
    ) {
        let occasion = Occasion {
            now,
            since: at,
            happened: at,
            cause: Cause::Lifecycle,
        };
        match change {
            Lifecycle::ResumedPostcopy | Lifecycle::SuspendedPostcopy => {
                self.travels(guest, Mode::Postcopy);
            }
            Lifecycle::ResumedMigrated | Lifecycle::ResumedUnpaused => self.arrived_whole(guest),
            Lifecycle::Undefined => self.forget_foretold(guest),
            Lifecycle::Defined
            | Lifecycle::StartedMigrated
            | Lifecycle::Started
            | Lifecycle::SuspendedPaused
            | Lifecycle::SuspendedMigrated
            | Lifecycle::SuspendedPostcopyError
            | Lifecycle::ResumedPostcopyError
            | Lifecycle::StoppedMigrated
            | Lifecycle::StoppedFailed
            | Lifecycle::Stopped
            | Lifecycle::Shutdown
            | Lifecycle::Crashed
            | Lifecycle::PmSuspended => {}
        }
        if let Some(signal) = signal(change) {
            self.step(guest, signal, occasion);
        }
        self.close_arrival_when_done(guest);
    }

    pub(super) fn migration(
        &mut self,
        now: Instant,
        guest: GuestId,
        at: Instant,
        status: MigrationStatus,
    ) {
        let occasion = Occasion {
            now,
            since: at,
            happened: at,
            cause: Cause::Completed,
        };
        match status {
            // A destination that takes a broken post-copy up again says this of an arrival.
            MigrationStatus::Setup if self.is_partial(guest) => {}
            MigrationStatus::Setup => self.step(guest, Signal::Setup, occasion),
            MigrationStatus::Completed => {
                self.arrived_whole(guest);
                self.step(guest, Signal::Complete, occasion);
                self.close_arrival_when_done(guest);
            }
            MigrationStatus::Failed | MigrationStatus::Cancelled => {
                self.step(guest, Signal::Broken, occasion);
            }
            MigrationStatus::PostcopyActive
            | MigrationStatus::PostcopyPaused
            | MigrationStatus::PostcopyRecover => self.travels(guest, Mode::Postcopy),
            MigrationStatus::Active
            | MigrationStatus::PreSwitchover
            | MigrationStatus::Device
            | MigrationStatus::Cancelling
            | MigrationStatus::Other => {}
        }
    }

    pub(super) fn stopped(&mut self, now: Instant, guest: GuestId, at: Instant, stamp: Instant) {
        let happened = believable(stamp, at);
        // An incoming QEMU that says STOP is being shut down; libvirt says which way.
        if !self.is_incoming(guest) {
            let occasion = Occasion {
                now,
                since: at,
                happened,
                cause: Cause::Lifecycle,
            };
            self.step(guest, Signal::Pause, occasion);
        }
    }

    pub(super) fn resumed(&mut self, now: Instant, guest: GuestId, at: Instant, stamp: Instant) {
        let happened = believable(stamp, at);
        let occasion = Occasion {
            now,
            since: at,
            happened,
            cause: Cause::Resume,
        };
        self.step(guest, Signal::Run, occasion);
    }

    pub(super) fn job_completed(&mut self, id: GuestId, job: JobCompleted) {
        if !job.migration_out {
            return;
        }
        let Some(guest) = self.guests.get_mut(&id) else {
            return;
        };
        if let Some(journal) = &mut guest.departure {
            journal.set_downtime(job.downtime_ms.filter(|_| job.success));
            if guest.state == State::Absent {
                guest.closing = None;
            }
            self.close_departure_when_done(id);
            self.forget_if_over(id);
        }
    }

    fn is_incoming(&self, guest: GuestId) -> bool {
        self.guests
            .get(&guest)
            .is_some_and(|guest| matches!(guest.state, State::Incoming { .. }))
    }

    /// Whether it runs while a part of it has yet to come.
    fn is_partial(&self, guest: GuestId) -> bool {
        self.guests
            .get(&guest)
            .is_some_and(|guest| guest.state.runs() && !guest.arrived_whole)
    }

    fn travels(&mut self, guest: GuestId, mode: Mode) {
        if let Some(guest) = self.guests.get_mut(&guest) {
            let journal = guest.departure.as_mut().or(guest.arrival.as_mut());
            if let Some(journal) = journal {
                journal.mode = mode;
            }
        }
    }

    fn arrived_whole(&mut self, guest: GuestId) {
        if let Some(guest) = self.guests.get_mut(&guest) {
            guest.arrived_whole = true;
        }
    }
}

/// libvirt's word for the state machine; none where it changes nothing here.
///
/// `Shutdown` is followed by `Stopped` where it is meant, and libvirt 11 says it in the middle of
/// a successful migration too. A guest that crashed or is in PM suspend is still in its place.
const fn signal(change: Lifecycle) -> Option<Signal> {
    match change {
        Lifecycle::StartedMigrated => Some(Signal::IncomingStarted),
        Lifecycle::Started => Some(Signal::Started),
        Lifecycle::SuspendedPaused => Some(Signal::Pause),
        Lifecycle::SuspendedMigrated | Lifecycle::SuspendedPostcopy => Some(Signal::SwitchOver),
        Lifecycle::ResumedUnpaused | Lifecycle::ResumedMigrated | Lifecycle::ResumedPostcopy => {
            Some(Signal::Run)
        }
        Lifecycle::StoppedMigrated => Some(Signal::GoneMigrated),
        Lifecycle::StoppedFailed => Some(Signal::GoneFailed),
        Lifecycle::Stopped => Some(Signal::GoneOther),
        Lifecycle::Defined
        | Lifecycle::Undefined
        | Lifecycle::SuspendedPostcopyError
        | Lifecycle::ResumedPostcopyError
        | Lifecycle::Shutdown
        | Lifecycle::Crashed
        | Lifecycle::PmSuspended => None,
    }
}

/// QEMU's stamp where it can be right, else the time at which we heard of it.
fn believable(stamp: Instant, at: Instant) -> Instant {
    if stamp <= at && at.saturating_since(stamp) <= STAMP_AGE {
        stamp
    } else {
        at
    }
}
