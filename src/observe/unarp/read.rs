//! From a frame that looks like an UNARP to one that is one. Pure.

use std::net::Ipv4Addr;

use crate::model::{Ifindex, MacAddr, UnarpRefusal};
use crate::sys::packet_ear::{Received, Whom};
use crate::wire::{Body, Frame, ParseError};

/// The longest UNARP, in octets without check sequence: Ethernet's least length, and a tag more
/// where a switch padded it with one and then took that off.
const LONGEST: usize = 64;

/// An UNARP, and where it was heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeardUnarp {
    /// The link on which a neighbour entry for the address would be.
    pub link: Ifindex,
    /// The frame's Ethernet source: whoever held the address, be it by proxy ARP.
    pub sender: MacAddr,
    /// The address that leaves.
    pub address: Ipv4Addr,
}

/// Reads the frame of which `octets` has as much as there was room for.
///
/// # Errors
///
/// Why it is no UNARP that could be honoured.
pub fn read(octets: &[u8], received: Received) -> Result<HeardUnarp, UnarpRefusal> {
    if received.whom == Whom::Others {
        return Err(UnarpRefusal::OtherHost);
    }
    if received.length > LONGEST {
        return Err(UnarpRefusal::Oversized);
    }
    let octets = octets.get(..received.length);
    let frame = Frame::parse(octets.unwrap_or_default()).map_err(|error| refusal(&error))?;
    let Body::Unarp(unarp) = frame.body else {
        return Err(UnarpRefusal::NotUnarp);
    };
    if !frame.destination.is_broadcast() {
        return Err(UnarpRefusal::NotBroadcast);
    }
    if frame.source.is_multicast() || frame.source.is_zero() {
        return Err(UnarpRefusal::Source);
    }
    Ok(HeardUnarp {
        link: received.link,
        sender: frame.source,
        address: unarp.ip.get(),
    })
}

const fn refusal(error: &ParseError) -> UnarpRefusal {
    match error {
        ParseError::TruncatedHeader(_)
        | ParseError::TruncatedTag(_)
        | ParseError::TruncatedBody { .. } => UnarpRefusal::Truncated,
        ParseError::HardwareType(_) => UnarpRefusal::HardwareType,
        ParseError::ProtocolType(_) => UnarpRefusal::ProtocolType,
        ParseError::ProtocolLength(_) => UnarpRefusal::ProtocolLength,
        ParseError::UnarpOperation(_) => UnarpRefusal::Operation,
        ParseError::UnarpTarget(_) => UnarpRefusal::Target,
        ParseError::UnarpHost(_) => UnarpRefusal::Host,
        ParseError::Vlan(_)
        | ParseError::EtherType(_)
        | ParseError::HardwareLength(_)
        | ParseError::InverseArp(_)
        | ParseError::ReverseUnderArp(_)
        | ParseError::Operation(_) => UnarpRefusal::NotUnarp,
    }
}

#[cfg(test)]
mod tests;
