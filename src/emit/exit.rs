//! How this host's own frames leave into a guest's network: the way of what is said about a guest
//! that is here no more.

use std::collections::BTreeSet;

use crate::model::{HostIpv4, Ifindex, MacAddr, VlanId};
use crate::wire;

/// Octets of the longest frame: that with a tag.
const LONGEST: usize = 64;

/// The ways into one VLAN of one bridge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Exits {
    /// The host's own address, and no guest's: a frame from the guest's would pull that address
    /// back to this host.
    pub(super) sender: MacAddr,
    /// The bridge device, which reaches every port; or where that is not in the VLAN, each uplink
    /// that is.
    pub(super) ways: Vec<Exit>,
}

/// One link to send by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Exit {
    pub(super) link: Ifindex,
    /// The tag that the link takes or the network behind it wants.
    pub(super) tag: Option<VlanId>,
    /// [`super::link_table::LinkTable::life`] of the link.
    pub(super) life: u64,
}

impl Exit {
    pub(super) const fn new(link: Ifindex, tag: Option<VlanId>) -> Self {
        Self { link, tag, life: 0 }
    }
}

/// The first of a host's addresses that can stand as the source of its own frame about a guest
/// with the addresses `guests`.
pub(super) fn sender(
    candidates: impl IntoIterator<Item = Option<MacAddr>>,
    guests: &BTreeSet<MacAddr>,
) -> Option<MacAddr> {
    let usable = |mac: &MacAddr| !mac.is_zero() && !mac.is_multicast() && !guests.contains(mac);
    candidates.into_iter().flatten().find(usable)
}

/// An UNARP, without allocation.
#[derive(Debug)]
pub(super) struct Retraction {
    octets: [u8; LONGEST],
    length: usize,
}

impl Retraction {
    /// The host's word that `ip` has left.
    pub(super) fn new(sender: MacAddr, ip: HostIpv4, tag: Option<VlanId>) -> Self {
        let mut octets = [0; LONGEST];
        // The longest frame fits.
        let length = wire::Frame::unarp(sender, ip, tag)
            .emit(&mut octets)
            .unwrap_or_default();
        Self { octets, length }
    }

    pub(super) fn octets(&self) -> &[u8] {
        self.octets.get(..self.length).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
