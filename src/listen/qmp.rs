//! QEMU's own events in the engine's words, read without allocating.

use serde::Deserialize;

use crate::engine::{Event, MigrationStatus};
use crate::model::{GuestId, Instant, Timestamp};

/// Nanoseconds of a second, and of a microsecond.
const SECOND: i64 = 1_000_000_000;
const MICROSECOND: i64 = 1_000;

/// A QMP event that matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Qmp {
    /// `MIGRATION`.
    Migration(MigrationStatus),
    /// `STOP`.
    Stop,
    /// `RESUME`.
    Resume,
}

impl Qmp {
    /// The event of this name, with the JSON text of its `data`; none for every other name.
    ///
    /// A `MIGRATION` whose status cannot be read has the status [`MigrationStatus::Other`].
    #[must_use]
    pub fn read(name: &[u8], details: Option<&[u8]>) -> Option<Self> {
        use MigrationStatus::Other;

        match name {
            b"MIGRATION" => Some(Self::Migration(details.map_or(Other, migration_status))),
            b"STOP" => Some(Self::Stop),
            b"RESUME" => Some(Self::Resume),
            _ => None,
        }
    }

    /// The engine's event.
    #[must_use]
    pub fn event(self, guest: GuestId, at: Instant, stamp: Instant) -> Event {
        match self {
            Self::Migration(status) => Event::Migration {
                guest,
                at,
                stamp,
                status,
            },
            Self::Stop => Event::Stopped { guest, at, stamp },
            Self::Resume => Event::Resumed { guest, at, stamp },
        }
    }
}

/// `MIGRATION`'s data. Borrowed: a status with an escape in it is none that QEMU has, and an error
/// here. QEMU's data is flat; only skipping a nested member would allocate.
#[derive(Deserialize)]
struct Details<'a> {
    status: &'a str,
}

/// The status in a `MIGRATION`'s data.
fn migration_status(details: &[u8]) -> MigrationStatus {
    // What libvirt prints, octet for octet; it costs microseconds less than reading JSON, and the
    // first frame waits for it.
    let plain = details
        .strip_prefix(br#"{"status":""#)
        .and_then(|rest| rest.strip_suffix(br#""}"#))
        .map(status);
    match plain {
        Some(status) if status != MigrationStatus::Other => status,
        Some(_) | None => serde_json::from_slice::<Details<'_>>(details)
            .map_or(MigrationStatus::Other, |details| {
                status(details.status.as_bytes())
            }),
    }
}

/// `MigrationStatus` of `qapi/migration.json`.
fn status(word: &[u8]) -> MigrationStatus {
    match word {
        b"setup" => MigrationStatus::Setup,
        b"active" => MigrationStatus::Active,
        b"pre-switchover" => MigrationStatus::PreSwitchover,
        b"device" => MigrationStatus::Device,
        b"postcopy-active" => MigrationStatus::PostcopyActive,
        b"postcopy-paused" => MigrationStatus::PostcopyPaused,
        // QEMU 9.1 split the first step of a recovery off.
        b"postcopy-recover" | b"postcopy-recover-setup" => MigrationStatus::PostcopyRecover,
        b"completed" => MigrationStatus::Completed,
        b"failed" => MigrationStatus::Failed,
        b"cancelling" => MigrationStatus::Cancelling,
        b"cancelled" => MigrationStatus::Cancelled,
        _ => MigrationStatus::Other,
    }
}

/// QEMU's stamp on the engine's clock, where the realtime clock runs `offset` nanoseconds ahead of
/// it. QEMU writes -1 seconds where it cannot read its clock: then it is `at`, as is a stamp from
/// the future, which a step of the realtime clock makes.
#[must_use]
pub fn stamp(seconds: i64, micros: u32, offset: i64, at: Instant) -> Instant {
    if seconds < 0 {
        return at;
    }
    let nanos = seconds
        .saturating_mul(SECOND)
        .saturating_add(i64::from(micros).saturating_mul(MICROSECOND));
    Timestamp::from_nanos(nanos).instant(offset).min(at)
}

#[cfg(test)]
mod tests;
