//! What was heard of a guest's IPv4 addresses, beside what libvirt and the settings give it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Action, Count, Engine, WatchedNic};
use crate::model::{AddressSource, GuestId, HostIp, Interface, MacAddr};

/// An address that a NIC was heard to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sighting {
    /// The NIC's own address.
    pub mac: MacAddr,
    /// Its IPv4 address.
    pub ip: HostIp,
    /// By whose word.
    pub source: AddressSource,
}

/// How an address stands that was heard of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// The NIC has it, and nobody else was heard to.
    Held,
    /// Another station has it, too: nothing is said of it until that is over.
    Contested,
    /// The NIC has it no longer.
    Gone,
}

/// A sighting and how it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeardAddress {
    /// What was heard.
    #[serde(flatten)]
    pub sighting: Sighting,
    /// Whether another station has the address, too.
    pub contested: bool,
}

/// The addresses of one guest, at most [`Interface::ADDRESSES`] a NIC; the first ones stay.
#[derive(Clone, Debug, Default)]
pub(super) struct AddressBook(Vec<HeardAddress>);

impl AddressBook {
    pub(super) fn as_slice(&self) -> &[HeardAddress] {
        &self.0
    }

    /// Takes over how an address stands; true where it is contested from now on.
    fn take(&mut self, sighting: Sighting, standing: Standing) -> bool {
        let same = |heard: &HeardAddress| {
            (heard.sighting.mac, heard.sighting.ip) == (sighting.mac, sighting.ip)
        };
        let contested = standing == Standing::Contested;
        let of_nic = |heard: &&HeardAddress| heard.sighting.mac == sighting.mac;
        if standing == Standing::Gone {
            self.0.retain(|heard| !same(heard));
        } else if let Some(heard) = self.0.iter_mut().find(|heard| same(heard)) {
            heard.sighting = sighting;
            let before = std::mem::replace(&mut heard.contested, contested);
            return contested && !before;
        } else if self.0.iter().filter(of_nic).count() < Interface::ADDRESSES {
            self.0.push(HeardAddress {
                sighting,
                contested,
            });
            return contested;
        }
        false
    }
}

impl Engine {
    /// Takes in how an address of a guest stands.
    pub(super) fn address(&mut self, id: GuestId, sighting: Sighting, standing: Standing) {
        let Some(guest) = self.guests.get_mut(&id) else {
            return self.count(Count::Stale, 1);
        };
        if guest.addresses.take(sighting, standing) {
            self.count(Count::ContestedAddresses, 1);
        }
    }

    /// Has a guest listened to where it was found to be.
    pub(super) fn watch(&mut self, id: GuestId) {
        let Some(guest) = self.guests.get_mut(&id) else {
            return;
        };
        let mut nics: Vec<WatchedNic> = Vec::new();
        for frame in guest.staging.iter().flat_map(|staging| &staging.frames) {
            let (mac, port) = (frame.mac, frame.port);
            if nics.iter().all(|nic| nic.port != port) {
                nics.push(WatchedNic { mac, port });
            }
        }
        if nics != guest.watched {
            guest.watched.clone_from(&nics);
            self.act(Action::Watch { guest: id, nics });
        }
    }

    pub(super) fn unwatch(&mut self, id: GuestId) {
        let watched = self.guests.get_mut(&id).map(|guest| &mut guest.watched);
        if watched.is_some_and(|nics| !std::mem::take(nics).is_empty()) {
            self.act(Action::Unwatch { guest: id });
        }
    }

    /// What was heard of addresses, by guest.
    #[must_use]
    pub fn hearsay(&self) -> BTreeMap<GuestId, Vec<HeardAddress>> {
        let heard = self
            .guests
            .iter()
            .map(|(&id, guest)| (id, guest.addresses.as_slice()));
        let heard = heard.filter(|(_, addresses)| !addresses.is_empty());
        heard
            .map(|(id, addresses)| (id, addresses.to_vec()))
            .collect()
    }
}
