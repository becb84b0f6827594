//! What a frame at a guest's port says of addresses. Pure.

use std::net::Ipv4Addr;

use super::book::Word;
use super::dhcp::{self, Answer};
use crate::model::{HostIp, MacAddr};
use crate::wire::{ArpOperation, Body, Frame};

/// Octets of the Ethernet header without tag; frames with one do not pass the socket's filter.
const ETHERNET: usize = 14;
/// IPv4's `EtherType`.
const IPV4: [u8; 2] = [0x08, 0x00];
/// UDP's number among IPv4's protocols.
const UDP: u8 = 17;
/// Octets of UDP's header.
const UDP_HEADER: usize = 8;
/// The port that a DHCP client hears at (RFC 2131 section 4.1).
const CLIENT: [u8; 2] = [0, 68];

/// Which way a frame passes the port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From the guest.
    FromGuest,
    /// To the guest.
    ToGuest,
}

/// What the frame says of the NIC with address `mac`.
#[must_use]
pub fn read(octets: &[u8], way: Way, mac: MacAddr) -> Vec<Word> {
    if octets.get(12..14) == Some(&IPV4) {
        // Only what comes from another port: a guest must not lease itself an address.
        let answer = (way == Way::ToGuest)
            .then(|| dhcp_payload(octets))
            .flatten();
        return answer
            .and_then(|payload| dhcp::read(payload, mac))
            .map(|answer| match answer {
                Answer::Given { ip, lasts, routers } => Word::Lease { ip, lasts, routers },
                Answer::Refused => Word::Refusal,
            })
            .into_iter()
            .collect();
    }
    let Ok(frame) = Frame::parse(octets) else {
        return Vec::new();
    };
    let (sender, ip, sought) = match frame.body {
        Body::Garp(garp) => (garp.mac, garp.ip.get(), None),
        Body::Arp(ArpOperation::Request, arp) => {
            (arp.sender_mac, arp.sender_ip, Some(arp.target_ip))
        }
        Body::Arp(ArpOperation::Reply, arp) => (arp.sender_mac, arp.sender_ip, None),
        Body::Rarp(..) | Body::Unarp(_) => return Vec::new(),
    };
    // A probe (RFC 5227 section 1.1) says nothing yet.
    let Ok(ip) = HostIp::try_from(ip) else {
        return Vec::new();
    };
    if sender != mac {
        return vec![Word::Other(ip, sender)];
    }
    // The guest's own words come from it and from no other.
    if way == Way::ToGuest || frame.source != mac {
        return Vec::new();
    }
    let sought = sought.filter(|&target| target != ip.get());
    let sought = sought.and_then(|target: Ipv4Addr| HostIp::try_from(target).ok());
    let mut words = vec![Word::Claim(ip)];
    words.extend(sought.map(Word::Seek));
    words
}

/// What a whole UDP datagram to a DHCP client carries.
fn dhcp_payload(octets: &[u8]) -> Option<&[u8]> {
    let packet = octets.get(ETHERNET..)?;
    let first = *packet.first()?;
    if first >> 4 != 4 || packet.get(9) != Some(&UDP) {
        return None;
    }
    // A fragment: the offset, or more to come.
    if *packet.get(6)? & 0x3f != 0 || *packet.get(7)? != 0 {
        return None;
    }
    let datagram = packet.get(usize::from(first & 0x0f).checked_mul(4)?..)?;
    if datagram.get(2..4) != Some(&CLIENT) {
        return None;
    }
    let length = usize::from(u16::from_be_bytes(datagram.get(4..6)?.try_into().ok()?));
    datagram.get(UDP_HEADER..length)
}

#[cfg(test)]
mod tests;
