//! What a frame at a guest's port says of addresses. Pure.

use super::dhcp::{self, Answer};
use super::nd;
use super::word::Word;
use crate::model::{HostIp, HostIpv4, MacAddr};
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

/// That a station has an address, or looks for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Said {
    /// The station's MAC address.
    pub(super) sender: MacAddr,
    /// The address; none where it is no host's.
    pub(super) ip: Option<HostIp>,
    /// The one that it looks for.
    pub(super) sought: Option<HostIp>,
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
    let said = if octets.get(12..14) == Some(&nd::IPV6) {
        nd::read(octets)
    } else {
        arp(octets)
    };
    let Some(Said { sender, ip, sought }) = said else {
        return Vec::new();
    };
    if sender != mac {
        return ip.map(|ip| Word::Other(ip, sender)).into_iter().collect();
    }
    // The guest's own words come from it and from no other.
    if way == Way::ToGuest || octets.get(6..12) != Some(&mac.octets()) {
        return Vec::new();
    }
    let claim = ip.map(Word::Claim);
    let seek = sought.filter(|_| sought != ip).map(Word::Seek);
    claim.into_iter().chain(seek).collect()
}

/// Who says in this frame that it has which address. A probe (RFC 5227 section 1.1) says nothing
/// yet.
fn arp(octets: &[u8]) -> Option<Said> {
    let host = |ip| HostIpv4::try_from(ip).ok().map(HostIp::V4);
    match Frame::parse(octets).ok()?.body {
        Body::Garp(garp) => Some(Said {
            sender: garp.mac,
            ip: Some(garp.ip.into()),
            sought: None,
        }),
        Body::Arp(operation, arp) => Some(Said {
            sender: arp.sender_mac,
            ip: Some(host(arp.sender_ip)?),
            sought: host(arp.target_ip).filter(|_| operation == ArpOperation::Request),
        }),
        Body::Rarp(..) | Body::Unarp(_) => None,
    }
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
