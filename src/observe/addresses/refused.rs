//! Addresses that a NIC was heard to have and that are not believed. No IO.

use super::book::Change;
use crate::engine::{Sighting, Standing};
use crate::model::{AddressRefusal, AddressSource, HostIp, Instant, Interface, MacAddr};

/// One of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Refused {
    pub(super) ip: HostIp,
    pub(super) source: AddressSource,
    pub(super) reason: AddressRefusal,
    /// When it is forgotten, unless it is heard again.
    pub(super) until: Instant,
}

/// One NIC's, at most [`Interface::ADDRESSES`].
#[derive(Clone, Debug)]
pub(super) struct Refusals {
    mac: MacAddr,
    all: Vec<Refused>,
}

impl Refused {
    /// What stays where there is no room for all: the greater. What is refused as one too many says
    /// nothing against the address, and of an IPv6 one nothing is said to the network anyway.
    const fn weight(self) -> (bool, bool) {
        let surplus = matches!(self.reason, AddressRefusal::Surplus);
        (!surplus, matches!(self.ip, HostIp::V4(_)))
    }

    const fn change(self, mac: MacAddr) -> Change {
        let Self { reason, .. } = self;
        (self.sighting(mac), Standing::Refused { reason })
    }

    const fn gone(self, mac: MacAddr) -> Change {
        (self.sighting(mac), Standing::Gone)
    }

    const fn sighting(self, mac: MacAddr) -> Sighting {
        let Self { ip, source, .. } = self;
        Sighting { mac, ip, source }
    }
}

impl Refusals {
    pub(super) const fn new(mac: MacAddr) -> Self {
        Self {
            mac,
            all: Vec::new(),
        }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Remembers one. With too many the first ones stay, for a guest decides how many there are;
    /// but those that are only one too many, and IPv6 ones, make way.
    pub(super) fn add(&mut self, refused: Refused, changes: &mut Vec<Change>) {
        if let Some(known) = self.all.iter_mut().find(|known| known.ip == refused.ip) {
            known.until = refused.until;
            return;
        }
        if self.all.len() >= Interface::ADDRESSES {
            let all = self.all.iter().enumerate();
            let least = all.min_by_key(|(_, known)| known.weight());
            let least = least.filter(|(_, known)| known.weight() < refused.weight());
            let Some((index, _)) = least else {
                return;
            };
            changes.push(self.all.remove(index).gone(self.mac));
        }
        changes.push(refused.change(self.mac));
        self.all.push(refused);
    }

    /// Forgets those that are not to be kept.
    pub(super) fn retain(&mut self, changes: &mut Vec<Change>, keep: impl Fn(&Refused) -> bool) {
        while let Some(index) = self.all.iter().position(|refused| !keep(refused)) {
            changes.push(self.all.remove(index).gone(self.mac));
        }
    }

    /// Tells all of them again.
    pub(super) fn retell(&self) -> impl Iterator<Item = Change> {
        self.all.iter().map(|refused| refused.change(self.mac))
    }

    /// When the first is forgotten.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.all.iter().map(|refused| refused.until).min()
    }
}
