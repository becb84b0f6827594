//! What the kernel last said of the links, for the check before a send.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use crate::model::{Ifindex, LinkName, LinkState, PortState, SendFault};

/// Links that are remembered. A frame by a link beyond that is not sent.
const MAX_LINKS: usize = 16_384;

/// The last state of every link.
#[derive(Debug, Default)]
pub(super) struct LinkTable {
    links: BTreeMap<Ifindex, Known>,
    /// Lives that began so far.
    lives: u64,
}

/// Where a frame enters, as it was resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seat {
    /// The guest's port.
    pub(super) port: Ifindex,
    /// Its name.
    pub(super) name: LinkName,
    /// Its bridge.
    pub(super) bridge: Ifindex,
    /// [`LinkTable::life`] of the port.
    pub(super) life: u64,
}

/// One link.
#[derive(Clone, Copy, Debug)]
struct Known {
    state: LinkState,
    /// Tells a device from a later one with the same number: a guest's frames must not leave by
    /// the tap of another that got name and number.
    life: u64,
}

impl LinkTable {
    /// Takes over what the kernel says.
    pub(super) fn observe(&mut self, link: &LinkState) {
        if !link.present {
            self.links.remove(&link.ifindex);
        } else if let Some(known) = self.links.get_mut(&link.ifindex) {
            known.state = *link;
        } else {
            self.seed(link);
        }
    }

    /// Takes over what staging found, unless a notification knows better.
    pub(super) fn seed(&mut self, link: &LinkState) {
        let room = self.links.len() < MAX_LINKS;
        if let (Entry::Vacant(vacant), true) = (self.links.entry(link.ifindex), room) {
            self.lives += 1;
            vacant.insert(Known {
                state: *link,
                life: self.lives,
            });
        }
    }

    /// The present life of a link; that of none where it is not known.
    pub(super) fn life(&self, link: Ifindex) -> u64 {
        self.links.get(&link).map_or(0, |known| known.life)
    }

    /// Whether the link is the device that was resolved.
    pub(super) fn is_same(&self, link: Ifindex, life: u64) -> bool {
        self.links
            .get(&link)
            .is_some_and(|known| known.life == life)
    }

    /// Whether the port is the device that was resolved, in its place, and what enters by
    /// it reaches the bridge. The kernel itself takes a frame for a port without carrier or outside
    /// FORWARDING, says yes and drops it; and a port that changed its bridge would teach the
    /// guest's address to another network.
    pub(super) fn check(&self, seat: Seat) -> Result<(), SendFault> {
        let Known { state: link, life } = self.links.get(&seat.port).ok_or(SendFault::NoDevice)?;
        if *life != seat.life || link.name != seat.name || link.master != Some(seat.bridge) {
            return Err(SendFault::NoDevice);
        }
        if !link.up || !link.carrier {
            return Err(SendFault::NoCarrier);
        }
        match link.port {
            Some(PortState::Forwarding) => Ok(()),
            Some(
                PortState::Disabled
                | PortState::Listening
                | PortState::Learning
                | PortState::Blocking,
            )
            | None => Err(SendFault::NotForwarding),
        }
    }
}

#[cfg(test)]
mod tests;
