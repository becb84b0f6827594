//! The one family that names guests: when the latest migrations reached their phases.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use prometheus::{Error, GaugeVec, Registry};

use super::catalog::Definition;
use super::family::opts;
use crate::engine::{PhaseAt, Snapshot};
use crate::model::{GuestId, GuestName};

/// How many guests have series: with nine phases each at most 576 of them.
const GUESTS: usize = 64;
/// Longest name shown, in characters: the longest that libvirt can keep as a file name.
const NAME_CHARACTERS: usize = 255;

/// The family, behind a lock so that no scrape meets it half filled.
#[derive(Debug)]
pub(super) struct Phases {
    family: Mutex<GaugeVec>,
}

/// One guest's latest migration.
struct Latest<'s> {
    uuid: GuestId,
    name: &'s GuestName,
    phases: &'s [PhaseAt],
}

impl Phases {
    pub(super) fn new(registry: &Registry, definition: &Definition) -> Result<Self, Error> {
        let family = GaugeVec::new(opts(definition), definition.labels)?;
        registry.register(Box::new(family.clone()))?;
        Ok(Self {
            family: Mutex::new(family),
        })
    }

    /// Shows the migrations of `snapshot` and none besides.
    pub(super) fn show(&self, snapshot: &Snapshot) {
        let family = self.lock();
        family.reset();
        for guest in latest(snapshot) {
            let uuid = guest.uuid.to_string();
            let name: String = guest
                .name
                .to_string()
                .chars()
                .take(NAME_CHARACTERS)
                .collect();
            for step in guest.phases {
                let labels = [name.as_str(), uuid.as_str(), step.phase.label()];
                if let Ok(gauge) = family.get_metric_with_label_values(&labels) {
                    gauge.set(seconds(*step));
                }
            }
        }
    }

    /// Shows none.
    pub(super) fn clear(&self) {
        self.lock().reset();
    }

    /// Runs `gather` while nothing here changes.
    pub(super) fn undisturbed<T>(&self, gather: impl FnOnce() -> T) -> T {
        let guard = self.lock();
        let gathered = gather();
        drop(guard);
        gathered
    }

    /// Whoever panicked with the lock left a family that the next `show` fills anew.
    fn lock(&self) -> MutexGuard<'_, GaugeVec> {
        self.family.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The migration that each guest was in last, the newest of all first. What a guest on this host
/// says of itself is newer than what the history says of it.
fn latest(snapshot: &Snapshot) -> Vec<Latest<'_>> {
    let present = snapshot.guests.iter().map(|guest| Latest {
        uuid: guest.uuid,
        name: &guest.name,
        phases: &guest.phases,
    });
    let ended = snapshot.history.iter().map(|record| Latest {
        uuid: record.uuid,
        name: &record.name,
        phases: &record.phases,
    });
    let mut seen = BTreeSet::new();
    let mut found: Vec<_> = present
        .chain(ended)
        .filter(|guest| !guest.phases.is_empty() && seen.insert(guest.uuid))
        .collect();
    found.sort_by_key(|guest| std::cmp::Reverse(guest.phases.iter().map(|step| step.at_ns).max()));
    found.truncate(GUESTS);
    found
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a double holds today's time to a quarter of a microsecond"
)]
fn seconds(step: PhaseAt) -> f64 {
    step.at_ns.as_nanos() as f64 / 1e9
}

#[cfg(test)]
mod tests;
