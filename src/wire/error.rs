//! Why a frame was not read or written.

use std::net::Ipv4Addr;

use super::Opcode;
use crate::model::{HostIpv4Error, VlanIdError};

/// Why octets are no frame that macmoved speaks. One variant a reason, so that they can be counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Shorter than an Ethernet header.
    #[error("{0} octets are too few for an Ethernet header of 14")]
    TruncatedHeader(usize),
    /// Ends within an 802.1Q tag.
    #[error("{0} octets after the Ethernet addresses are too few for an 802.1Q tag")]
    TruncatedTag(usize),
    /// Ends within the ARP body.
    #[error("{given} octets are too few for an ARP body of {needed}")]
    TruncatedBody {
        /// Octets that follow the header.
        given: usize,
        /// Octets that the body has by its own lengths.
        needed: usize,
    },
    /// An 802.1Q tag that names no VLAN.
    #[error("the 802.1Q tag names no VLAN")]
    Vlan(#[source] VlanIdError),
    /// Neither ARP nor RARP.
    #[error("ethertype {0:#06x} is neither ARP nor RARP")]
    EtherType(u16),
    /// A hardware type other than Ethernet.
    #[error("hardware type {0} is not Ethernet")]
    HardwareType(u16),
    /// A protocol type other than IPv4.
    #[error("protocol type {0:#06x} is not IPv4")]
    ProtocolType(u16),
    /// A hardware address length that its ethertype does not have.
    #[error("a hardware address of {0} octets is not Ethernet's")]
    HardwareLength(u8),
    /// A protocol address length other than IPv4's.
    #[error("a protocol address of {0} octets is not IPv4's")]
    ProtocolLength(u8),
    /// Inverse ARP (RFC 2390), which asks about circuits that Ethernet does not have.
    #[error("operation {0} is inverse ARP, which is not spoken on Ethernet")]
    InverseArp(Opcode),
    /// RARP's operations under the ethertype of ARP.
    #[error("operation {0} belongs under ethertype 0x8035, not 0x0806")]
    ReverseUnderArp(Opcode),
    /// Any other operation.
    #[error("operation {0} is not spoken here")]
    Operation(Opcode),
    /// An UNARP that is no reply (RFC 1868 section 3).
    #[error("an UNARP is an ARP reply, not operation {0}")]
    UnarpOperation(Opcode),
    /// An UNARP to one host (RFC 1868 section 3).
    #[error("an UNARP's target is 255.255.255.255, not {0}")]
    UnarpTarget(Ipv4Addr),
    /// An UNARP of an address that no host has.
    #[error("an UNARP names the host that leaves")]
    UnarpHost(#[source] HostIpv4Error),
}

impl ParseError {
    /// The reason in one word, for counters.
    #[must_use]
    pub const fn label(&self) -> &'static str {
        match self {
            Self::TruncatedHeader(_) => "truncated_header",
            Self::TruncatedTag(_) => "truncated_tag",
            Self::TruncatedBody { .. } => "truncated_body",
            Self::Vlan(_) => "vlan",
            Self::EtherType(_) => "ethertype",
            Self::HardwareType(_) => "hardware_type",
            Self::ProtocolType(_) => "protocol_type",
            Self::HardwareLength(_) => "hardware_length",
            Self::ProtocolLength(_) => "protocol_length",
            Self::InverseArp(_) => "inverse_arp",
            Self::ReverseUnderArp(_) => "reverse_under_arp",
            Self::Operation(_) => "operation",
            Self::UnarpOperation(_) => "unarp_operation",
            Self::UnarpTarget(_) => "unarp_target",
            Self::UnarpHost(_) => "unarp_host",
        }
    }
}

/// A buffer that cannot take a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a buffer of {given} octets cannot take a frame of {needed}")]
pub struct EmitError {
    /// Octets in the buffer.
    pub given: usize,
    /// Octets of the frame.
    pub needed: usize,
}
