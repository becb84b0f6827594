//! What the kernel last said of the links, for the check before a send.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use crate::model::{Ifindex, LinkState, PortState, SendFault};

/// Links that are remembered. A frame by a link beyond that is not sent.
const MAX_LINKS: usize = 16_384;

/// The last state of every link.
#[derive(Debug, Default)]
pub(super) struct LinkTable {
    links: BTreeMap<Ifindex, LinkState>,
}

impl LinkTable {
    /// Takes over what the kernel says.
    pub(super) fn observe(&mut self, link: &LinkState) {
        if !link.present {
            self.links.remove(&link.ifindex);
        } else if self.links.len() < MAX_LINKS || self.links.contains_key(&link.ifindex) {
            self.links.insert(link.ifindex, *link);
        }
    }

    /// Takes over what staging found, unless a notification knows better.
    pub(super) fn seed(&mut self, link: &LinkState) {
        let room = self.links.len() < MAX_LINKS;
        if let (Entry::Vacant(vacant), true) = (self.links.entry(link.ifindex), room) {
            vacant.insert(*link);
        }
    }

    /// Whether a frame as from `port` reaches `bridge`. The kernel itself takes a frame for a port
    /// without carrier or outside FORWARDING, says yes and drops it.
    pub(super) fn check(&self, port: Ifindex, bridge: Ifindex) -> Result<(), SendFault> {
        let link = self.links.get(&port).ok_or(SendFault::NoDevice)?;
        if link.master != Some(bridge) {
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
