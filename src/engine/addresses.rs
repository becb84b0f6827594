//! What was heard of a guest's IP addresses, beside what libvirt and the settings give it.

use std::collections::BTreeMap;
use std::mem::discriminant;

use serde::{Deserialize, Serialize};

use super::guest::Guest;
use super::{Action, AddressPolicy, AddressView, Count, Engine, WatchedNic};
use crate::model::{
    AddressRefusal, AddressSource, GuestId, HostIp, Instant, Interface, MacAddr, Timestamp,
};

/// An address that a NIC was heard to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sighting {
    /// The NIC's own address.
    pub mac: MacAddr,
    /// Its IP address.
    pub ip: HostIp,
    /// By whose word.
    pub source: AddressSource,
}

/// How an address stands that was heard of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "standing", rename_all = "snake_case")]
pub enum Standing {
    /// The NIC has it, and nobody else was heard to.
    Held,
    /// The NIC uses it, and has not for long enough to be believed.
    Waiting,
    /// Another station has it, too: nothing is said of it until that is over.
    Contested {
        /// The other's address.
        by: MacAddr,
    },
    /// It is not believed.
    Refused {
        /// Why.
        reason: AddressRefusal,
    },
    /// The NIC has it no longer.
    Gone,
}

impl Standing {
    /// Whether nothing may be said of the address, whoever gives it.
    #[must_use]
    pub const fn bars(self) -> bool {
        match self {
            Self::Contested { .. } => true,
            // Of too many addresses each may be right.
            Self::Refused { reason } => !matches!(reason, AddressRefusal::Surplus),
            Self::Held | Self::Waiting | Self::Gone => false,
        }
    }

    /// What there is to count once an address comes to stand so.
    const fn news(self) -> Option<Count> {
        match self {
            Self::Contested { .. } => Some(Count::ContestedAddresses),
            Self::Refused { reason } => Some(Count::RefusedAddresses(reason)),
            Self::Held | Self::Waiting | Self::Gone => None,
        }
    }
}

/// A sighting and how it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeardAddress {
    /// What was heard.
    pub sighting: Sighting,
    /// How it stands; never [`Standing::Gone`].
    pub standing: Standing,
    /// Since when.
    pub since: Instant,
}

/// The addresses of one guest: at most [`Interface::ADDRESSES`] a NIC, and as many that are
/// refused; the first ones stay.
#[derive(Clone, Debug, Default)]
pub(super) struct AddressBook(Vec<HeardAddress>);

impl AddressBook {
    pub(super) fn as_slice(&self) -> &[HeardAddress] {
        &self.0
    }

    /// Takes over how an address stands; true where it stands so from now on.
    fn take(&mut self, now: Instant, sighting: Sighting, standing: Standing) -> bool {
        let same = |heard: &HeardAddress| {
            (heard.sighting.mac, heard.sighting.ip) == (sighting.mac, sighting.ip)
        };
        if standing == Standing::Gone {
            self.0.retain(|heard| !same(heard));
            return false;
        }
        if let Some(heard) = self.0.iter_mut().find(|heard| same(heard)) {
            heard.sighting = sighting;
            let before = std::mem::replace(&mut heard.standing, standing);
            let changed = discriminant(&before) != discriminant(&standing);
            if changed {
                heard.since = now;
            }
            return changed;
        }
        let is_refused = |standing| matches!(standing, Standing::Refused { .. });
        let beside = self.0.iter().filter(|heard| {
            heard.sighting.mac == sighting.mac && is_refused(heard.standing) == is_refused(standing)
        });
        let room = beside.count() < Interface::ADDRESSES;
        if room {
            self.0.push(HeardAddress {
                sighting,
                standing,
                since: now,
            });
        }
        room
    }
}

impl Guest {
    /// The addresses that libvirt and the settings give the guest, and those that were heard of.
    pub(super) fn address_views(&self, policy: &AddressPolicy, offset: i64) -> Vec<AddressView> {
        let heard = self.addresses.as_slice();
        let read = Timestamp::of(self.question, offset);
        let given = |mac, ip, source| {
            let barred = heard
                .iter()
                .find(|heard| heard.sighting.ip == ip && heard.standing.bars());
            AddressView {
                mac,
                ip,
                source,
                standing: barred.map_or(Standing::Held, |heard| heard.standing),
                since_ns: barred.map_or(read, |heard| Timestamp::of(heard.since, offset)),
            }
        };
        let mut views = Vec::new();
        for nic in &self.plan.nics {
            let addresses = nic.addresses.iter();
            views.extend(
                addresses.map(|given_ip| given(Some(nic.mac), given_ip.ip.into(), given_ip.source)),
            );
        }
        for heard in heard {
            let Sighting { mac, ip, source } = heard.sighting;
            let told = |view: &AddressView| (view.mac, view.ip) == (Some(mac), ip);
            if views.iter().any(told) {
                continue;
            }
            let refused = policy
                .refuses(ip, source)
                .filter(|_| !heard.standing.bars());
            let refused = refused.map(|reason| Standing::Refused { reason });
            views.push(AddressView {
                mac: Some(mac),
                ip,
                source,
                standing: refused.unwrap_or(heard.standing),
                since_ns: Timestamp::of(heard.since, offset),
            });
        }
        for ip in self.plan.given.iter().map(|&ip| HostIp::V4(ip)) {
            if views.iter().all(|view| view.ip != ip) {
                views.push(given(None, ip, AddressSource::Config));
            }
        }
        views
    }
}

impl Engine {
    /// Takes in how an address of a guest stands.
    pub(super) fn address(
        &mut self,
        now: Instant,
        id: GuestId,
        sighting: Sighting,
        standing: Standing,
    ) {
        let Some(guest) = self.guests.get_mut(&id) else {
            return self.count(Count::Stale, 1);
        };
        let refused = self.policy.addresses.refuses(sighting.ip, sighting.source);
        let refused = refused.filter(|_| standing == Standing::Held);
        let news = refused
            .map(Count::RefusedAddresses)
            .or_else(|| standing.news());
        if guest.addresses.take(now, sighting, standing)
            && let Some(news) = news
        {
            self.count(news, 1);
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
                let network = guest.network_of(mac);
                nics.push(WatchedNic { mac, port, network });
            }
        }
        if nics != guest.watched {
            guest.watched.clone_from(&nics);
            self.act(Action::Watch { guest: id, nics });
        }
    }

    /// Has a guest that is listened to looked for in the networks that its plan names by now.
    pub(super) fn watch_networks(&mut self, id: GuestId) {
        let Some(guest) = self.guests.get_mut(&id) else {
            return;
        };
        let mut nics = guest.watched.clone();
        for nic in &mut nics {
            nic.network = guest.network_of(nic.mac);
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

impl Guest {
    fn network_of(&self, mac: MacAddr) -> Option<String> {
        let nic = self.plan.nics.iter().find(|nic| nic.mac == mac)?;
        nic.network.clone()
    }
}
