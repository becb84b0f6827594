//! The four addresses of an ARP body with Ethernet's address length.

use std::net::Ipv4Addr;

use pnet::packet::arp::{ArpHardwareTypes, ArpOperation, ArpPacket, MutableArpPacket};
use pnet::packet::ethernet::EtherTypes;
use pnet::util::MacAddr as PnetMac;

use super::Opcode;
use crate::model::MacAddr;

/// Who speaks, and about whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Addresses {
    /// Octets 8 to 13 of the body.
    pub sender_mac: MacAddr,
    /// Octets 14 to 17.
    pub sender_ip: Ipv4Addr,
    /// Octets 18 to 23.
    pub target_mac: MacAddr,
    /// Octets 24 to 27.
    pub target_ip: Ipv4Addr,
}

impl Addresses {
    /// Octets of a body with four addresses.
    pub(super) const BODY: usize = 28;

    /// Reads the addresses of a body; none where it is too short.
    pub(super) fn parse(body: &[u8]) -> Option<Self> {
        let packet = ArpPacket::new(body)?;
        Some(Self {
            sender_mac: from_pnet(packet.get_sender_hw_addr()),
            sender_ip: packet.get_sender_proto_addr(),
            target_mac: from_pnet(packet.get_target_hw_addr()),
            target_ip: packet.get_target_proto_addr(),
        })
    }

    /// Writes a whole body; none where the room is too short.
    pub(super) fn emit(&self, operation: Opcode, room: &mut [u8]) -> Option<()> {
        let mut packet = MutableArpPacket::new(room)?;
        packet.set_hardware_type(ArpHardwareTypes::Ethernet);
        packet.set_protocol_type(EtherTypes::Ipv4);
        packet.set_hw_addr_len(6);
        packet.set_proto_addr_len(4);
        packet.set_operation(ArpOperation(operation.0));
        packet.set_sender_hw_addr(to_pnet(self.sender_mac));
        packet.set_sender_proto_addr(self.sender_ip);
        packet.set_target_hw_addr(to_pnet(self.target_mac));
        packet.set_target_proto_addr(self.target_ip);
        Some(())
    }
}

/// A MAC address as the packet library takes it.
pub(super) fn to_pnet(mac: MacAddr) -> PnetMac {
    PnetMac::from(mac.octets())
}

/// A MAC address as everything else takes it.
pub(super) fn from_pnet(mac: PnetMac) -> MacAddr {
    MacAddr::new(mac.octets())
}
