//! The VLANs of bridges and their ports.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use netlink_packet_core::{NLM_F_DUMP, NLM_F_REQUEST, NlaBuffer, NlasIterator};
use netlink_packet_route::AddressFamily;
use netlink_packet_route::link::{
    BridgeVlanInfo, BridgeVlanInfoFlags, LinkAttribute, LinkExtentMask, LinkHeader, LinkMessage,
};

use crate::model::{Ifindex, VlanId};
use crate::sys::netlink;

/// `IFLA_BRIDGE_VLAN_INFO` (`include/uapi/linux/if_bridge.h`), within `IFLA_AF_SPEC`.
const IFLA_BRIDGE_VLAN_INFO: u16 = 2;
/// Octets of `struct ifinfomsg`.
const HEADER: usize = 16;
/// How often a dump is tried that changes break into.
const TRIES: usize = 3;

/// The VLANs of every bridge and port.
#[derive(Clone, Debug, Default)]
pub struct VlanTable {
    memberships: BTreeMap<Ifindex, Membership>,
}

/// The VLANs of one port, or of a bridge device as a station on itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Membership {
    /// The VLAN of untagged frames.
    pub pvid: Option<VlanId>,
    /// Every VLAN, that one among them.
    pub members: BTreeSet<VlanId>,
    /// Those whose frames leave the port without a tag.
    pub untagged: BTreeSet<VlanId>,
}

impl VlanTable {
    /// Asks the kernel, through a socket of its own: netlink-packet-route cannot read the empty
    /// `IFLA_AF_SPEC` of a port, or a bridge device, that is in no VLAN.
    ///
    /// # Errors
    ///
    /// Those of the socket calls; [`io::ErrorKind::Interrupted`] where changes broke into the dump
    /// again and again.
    pub(super) async fn read() -> io::Result<Self> {
        let request = request();
        let mut tries = 1;
        loop {
            let mut table = Self::default();
            let dumped = netlink::dump(&request, |kind, payload| {
                if kind == libc::RTM_NEWLINK {
                    table.insert(payload);
                }
            });
            match dumped.await {
                Ok(()) => return Ok(table),
                Err(error) if error.kind() == io::ErrorKind::Interrupted && tries < TRIES => {
                    tries += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Takes over the payload of one `RTM_NEWLINK` of the dump.
    pub fn insert(&mut self, payload: &[u8]) {
        let ifindex = LinkHeader::parse(payload)
            .ok()
            .and_then(|header| Ifindex::new(header.index));
        if let Some(ifindex) = ifindex {
            let membership = Membership::parse(payload.get(HEADER..).unwrap_or_default());
            self.memberships.insert(ifindex, membership);
        }
    }

    /// Those of one port.
    #[must_use]
    pub fn get(&self, ifindex: Ifindex) -> Option<&Membership> {
        self.memberships.get(&ifindex)
    }
}

/// Compressed: 4,094 VLANs of one port would else fill half of a dump's datagram.
fn request() -> Vec<u8> {
    let mut message = LinkMessage::default();
    message.header.interface_family = AddressFamily::Bridge;
    let mask = vec![LinkExtentMask::BrvlanCompressed];
    message.attributes = vec![LinkAttribute::ExtMask(mask)];
    netlink::message(libc::RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, 0, &message)
}

impl Membership {
    fn parse(link: &[u8]) -> Self {
        let mut membership = Self::default();
        let mut range_start = None;
        for spec in attributes(link).filter(|attribute| attribute.kind() == libc::IFLA_AF_SPEC) {
            for info in attributes(spec.value()) {
                let info = match info.kind() {
                    IFLA_BRIDGE_VLAN_INFO => BridgeVlanInfo::try_from(info.value()),
                    _ => continue,
                };
                if let Ok(info) = info {
                    membership.take(info, &mut range_start);
                }
            }
        }
        membership
    }

    fn take(&mut self, info: BridgeVlanInfo, range_start: &mut Option<u16>) {
        if info.flags.contains(BridgeVlanInfoFlags::RangeBegin) {
            *range_start = Some(info.vid);
            return;
        }
        let first = range_start.take().unwrap_or(info.vid);
        let range = (first..=info.vid).filter_map(|vid| VlanId::try_from(vid).ok());
        if info.flags.contains(BridgeVlanInfoFlags::Untagged) {
            self.untagged.extend(range.clone());
        }
        self.members.extend(range);
        // A PVID is never part of a range (`br_fill_ifvlaninfo_compressed`).
        if info.flags.contains(BridgeVlanInfoFlags::Pvid) {
            self.pvid = VlanId::try_from(info.vid).ok();
            self.members.extend(self.pvid);
        }
    }
}

/// The attributes up to the first that cannot be read.
fn attributes(octets: &[u8]) -> impl Iterator<Item = NlaBuffer<&[u8]>> {
    NlasIterator::new(octets).map_while(Result::ok)
}

#[cfg(test)]
pub(super) mod tests;
