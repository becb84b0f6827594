//! Frames as `tcpdump -e` prints them.

use std::fmt;

use super::{Addresses, ArpOperation, Body, Frame, RarpOperation};
use crate::model::MacAddr;

impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ethertype = match self.body {
            Body::Rarp(..) => "Reverse ARP (0x8035)",
            Body::Garp(_) | Body::Arp(..) | Body::Unarp(_) => "ARP (0x0806)",
        };
        write!(f, "{} > {}, ", self.source, Peer(self.destination))?;
        match self.vlan {
            None => write!(f, "ethertype {ethertype}, length {}: ", self.buffer_len())?,
            Some(vlan) => write!(
                f,
                "ethertype 802.1Q (0x8100), length {}: vlan {vlan}, p 0, ethertype {ethertype}, ",
                self.buffer_len()
            )?,
        }
        fmt::Display::fmt(&self.body, f)
    }
}

impl fmt::Display for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rarp(operation, addresses) => reverse(f, *operation, addresses),
            Self::Garp(garp) => {
                write!(f, "Announcement {} is-at {}", garp.ip, garp.mac)
            }
            Self::Arp(operation, addresses) => forward(f, *operation, addresses),
            Self::Unarp(unarp) => write!(f, "UNARP {} is gone", unarp.ip),
        }
    }
}

fn reverse(
    f: &mut fmt::Formatter<'_>,
    operation: RarpOperation,
    addresses: &Addresses,
) -> fmt::Result {
    match operation {
        RarpOperation::Request => forward(f, ArpOperation::Request, addresses),
        RarpOperation::Reply => forward(f, ArpOperation::Reply, addresses),
        RarpOperation::RequestReverse => write!(
            f,
            "Reverse Request who-is {} tell {}",
            addresses.target_mac, addresses.sender_mac
        ),
        RarpOperation::ReplyReverse => write!(
            f,
            "Reverse Reply {} at {}",
            addresses.target_mac, addresses.target_ip
        ),
    }
}

fn forward(
    f: &mut fmt::Formatter<'_>,
    operation: ArpOperation,
    addresses: &Addresses,
) -> fmt::Result {
    match operation {
        ArpOperation::Request => write!(
            f,
            "Request who-has {} tell {}",
            addresses.target_ip, addresses.sender_ip
        ),
        ArpOperation::Reply => write!(
            f,
            "Reply {} is-at {}",
            addresses.sender_ip, addresses.sender_mac
        ),
    }
}

/// A destination, with the broadcast address by name.
struct Peer(MacAddr);

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_broadcast() {
            f.write_str("Broadcast")
        } else {
            fmt::Display::fmt(&self.0, f)
        }
    }
}
