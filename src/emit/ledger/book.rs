//! What is written in the ledger: no IO.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::model::{GuestId, Ifindex, LinkName, MacAddr, VlanId};

/// Entries in the ledger: a thousand guests with 16 addresses and VLANs each. More are not written
/// down.
pub(super) const MAX_ENTRIES: usize = 16_384;

/// A forwarding entry that may be there because of us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Leftover {
    /// The port that it points to.
    pub port: Ifindex,
    /// The port's name at that time.
    pub name: LinkName,
    /// The bridge that has it.
    pub bridge: Ifindex,
    /// The guest's address.
    pub mac: MacAddr,
    /// Its VLAN, where the bridge filters.
    pub vlan: Option<VlanId>,
    /// The entry is another's and static, as of libvirt's `macTableManager='libvirt'`. It moves to
    /// the uplink when the guest is announced elsewhere, and would stay there for ever.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub fixed: bool,
}

type Entries = BTreeSet<Leftover>;

/// Every entry, by guest.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Book {
    open: BTreeMap<GuestId, Entries>,
    /// To be taken back.
    doomed: BTreeMap<GuestId, Entries>,
    /// Guests of which an earlier agent wrote, until libvirt says where they are.
    inherited: BTreeSet<GuestId>,
    /// The file does not say the same.
    changed: bool,
}

impl Book {
    /// The book of an earlier agent.
    pub(super) fn inherited(entries: Vec<(GuestId, Leftover)>) -> Self {
        let mut book = Self::default();
        for (guest, leftover) in entries {
            book.open.entry(guest).or_default().insert(leftover);
            book.inherited.insert(guest);
        }
        book
    }

    /// Everything that is written.
    pub(super) fn entries(&self) -> impl Iterator<Item = (GuestId, &Leftover)> {
        let guests = self.open.iter().chain(&self.doomed);
        guests.flat_map(|(&guest, entries)| entries.iter().map(move |entry| (guest, entry)))
    }

    /// Whether something changed since the last call.
    pub(super) fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    /// Adds to what is written of a guest; false, and nothing, where there is no room.
    pub(super) fn add(&mut self, guest: GuestId, leftovers: Entries) -> bool {
        if self.entries().count() + leftovers.len() > MAX_ENTRIES {
            return false;
        }
        if !leftovers.is_empty() {
            let open = self.open.entry(guest).or_default();
            let before = open.len();
            open.extend(leftovers);
            self.changed |= open.len() != before;
        }
        true
    }

    /// Strikes out what is written of a guest: it is the truth.
    pub(super) fn strike(&mut self, guest: GuestId) {
        self.inherited.remove(&guest);
        self.changed |= self.open.remove(&guest).is_some();
    }

    /// What is written of a guest is to be taken back. It stays written until that is done.
    pub(super) fn doom(&mut self, guest: GuestId) {
        self.inherited.remove(&guest);
        if let Some(entries) = self.open.remove(&guest) {
            self.doomed.entry(guest).or_default().extend(entries);
        }
    }

    /// Settles what an earlier agent wrote, by where its guests are.
    pub(super) fn judge(&mut self, here: &[GuestId], unclear: &[GuestId]) {
        for guest in std::mem::take(&mut self.inherited) {
            if here.contains(&guest) {
                self.strike(guest);
            } else if unclear.contains(&guest) {
                self.inherited.insert(guest);
            } else {
                self.doom(guest);
            }
        }
    }

    /// Any guest with something to take back.
    pub(super) fn next_doomed(&self) -> Option<(GuestId, Entries)> {
        let (&guest, entries) = self.doomed.first_key_value()?;
        Some((guest, entries.clone()))
    }

    /// What is to be taken back of one guest.
    pub(super) fn doomed(&self, guest: GuestId) -> Option<Entries> {
        self.doomed.get(&guest).cloned()
    }

    /// What was to be taken back of a guest is to be settled together with what it is staged for.
    pub(super) fn spare(&mut self, guest: GuestId) {
        if let Some(entries) = self.doomed.remove(&guest) {
            self.open.entry(guest).or_default().extend(entries);
        }
    }

    /// Strikes out what was to be taken back of a guest.
    pub(super) fn bury(&mut self, guest: GuestId) {
        self.changed |= self.doomed.remove(&guest).is_some();
    }
}

#[cfg(test)]
mod tests;
