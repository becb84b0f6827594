//! libvirt's lifecycle events and domain states in the engine's words.

use virt::sys;

use crate::engine::{Lifecycle, RunState};

/// What `virDomainEventType` and its detail mean; none for an event that libvirt has grown since.
///
/// A detail that has no word of its own means what its event means without one, so that a newer
/// libvirt's details are read in the way that promises the least.
#[must_use]
pub fn lifecycle(event: i32, detail: i32) -> Option<Lifecycle> {
    let detail = u32::try_from(detail).ok();
    Some(match u32::try_from(event).ok()? {
        sys::VIR_DOMAIN_EVENT_DEFINED => Lifecycle::Defined,
        sys::VIR_DOMAIN_EVENT_UNDEFINED => Lifecycle::Undefined,
        sys::VIR_DOMAIN_EVENT_STARTED => match detail {
            Some(sys::VIR_DOMAIN_EVENT_STARTED_MIGRATED) => Lifecycle::StartedMigrated,
            _ => Lifecycle::Started,
        },
        sys::VIR_DOMAIN_EVENT_SUSPENDED => match detail {
            Some(sys::VIR_DOMAIN_EVENT_SUSPENDED_MIGRATED) => Lifecycle::SuspendedMigrated,
            Some(sys::VIR_DOMAIN_EVENT_SUSPENDED_POSTCOPY) => Lifecycle::SuspendedPostcopy,
            Some(sys::VIR_DOMAIN_EVENT_SUSPENDED_POSTCOPY_FAILED) => {
                Lifecycle::SuspendedPostcopyError
            }
            _ => Lifecycle::SuspendedPaused,
        },
        sys::VIR_DOMAIN_EVENT_RESUMED => match detail {
            Some(sys::VIR_DOMAIN_EVENT_RESUMED_MIGRATED) => Lifecycle::ResumedMigrated,
            Some(sys::VIR_DOMAIN_EVENT_RESUMED_POSTCOPY) => Lifecycle::ResumedPostcopy,
            Some(sys::VIR_DOMAIN_EVENT_RESUMED_POSTCOPY_FAILED) => Lifecycle::ResumedPostcopyError,
            _ => Lifecycle::ResumedUnpaused,
        },
        sys::VIR_DOMAIN_EVENT_STOPPED => match detail {
            Some(sys::VIR_DOMAIN_EVENT_STOPPED_MIGRATED) => Lifecycle::StoppedMigrated,
            Some(sys::VIR_DOMAIN_EVENT_STOPPED_FAILED) => Lifecycle::StoppedFailed,
            _ => Lifecycle::Stopped,
        },
        sys::VIR_DOMAIN_EVENT_SHUTDOWN => Lifecycle::Shutdown,
        sys::VIR_DOMAIN_EVENT_PMSUSPENDED => Lifecycle::PmSuspended,
        sys::VIR_DOMAIN_EVENT_CRASHED => Lifecycle::Crashed,
        _ => return None,
    })
}

/// What `virDomainState` and its reason mean.
///
/// A domain that shuts down, crashed while its QEMU is kept, or sleeps, has a QEMU whose CPUs
/// stand. A state that libvirt has grown since counts as that: it promises the least of those
/// that have a QEMU.
#[must_use]
pub fn run_state(state: i32, reason: i32) -> RunState {
    let reason = u32::try_from(reason).ok();
    match u32::try_from(state) {
        Ok(sys::VIR_DOMAIN_RUNNING) => match reason {
            Some(sys::VIR_DOMAIN_RUNNING_POSTCOPY | sys::VIR_DOMAIN_RUNNING_POSTCOPY_FAILED) => {
                RunState::RunningPostcopy
            }
            _ => RunState::Running,
        },
        // Its CPUs wait for IO.
        Ok(sys::VIR_DOMAIN_BLOCKED) => RunState::Running,
        Ok(sys::VIR_DOMAIN_PAUSED) => match reason {
            Some(sys::VIR_DOMAIN_PAUSED_MIGRATION) => RunState::PausedMigration,
            Some(sys::VIR_DOMAIN_PAUSED_POSTCOPY | sys::VIR_DOMAIN_PAUSED_POSTCOPY_FAILED) => {
                RunState::PausedPostcopy
            }
            _ => RunState::Paused,
        },
        Ok(sys::VIR_DOMAIN_NOSTATE | sys::VIR_DOMAIN_SHUTOFF) => RunState::Off,
        Ok(_) | Err(_) => RunState::Paused,
    }
}

#[cfg(test)]
mod tests;
