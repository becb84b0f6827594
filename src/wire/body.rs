//! What an ARP or RARP frame says behind its Ethernet header.

use pnet::packet::arp::ArpHardwareTypes;
use pnet::packet::ethernet::{EtherType, EtherTypes};

use super::{Addresses, Opcode, ParseError, Unarp};
use crate::model::{HostIpv4, MacAddr};

/// The body of a frame.
///
/// ```text
///  0       2       4   5   6       8           14          18          24          28
/// +-------+-------+---+---+-------+-----------+-----------+-----------+-----------+
/// | 0001  | 0800  |06 |04 |  op   |sender MAC | sender IP |target MAC | target IP |
/// +-------+-------+---+---+-------+-----------+-----------+-----------+-----------+
/// ```
///
/// An UNARP has hardware length 0: its MACs take no room and it ends after 16 octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Body {
    /// Ethertype 0x8035.
    Rarp(RarpOperation, Addresses),
    /// Ethertype 0x0806, a request by which a host announces itself.
    Garp(Garp),
    /// Ethertype 0x0806, any other request or reply. One that has the form of a [`Garp`] is
    /// written as one and therefore read as one.
    Arp(ArpOperation, Addresses),
    /// Ethertype 0x0806, hardware length 0.
    Unarp(Unarp),
}

/// The operations of RFC 903, which lists ARP's own two beside the reverse ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RarpOperation {
    /// 1
    Request,
    /// 2
    Reply,
    /// 3
    RequestReverse,
    /// 4
    ReplyReverse,
}

/// The operations of RFC 826.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ArpOperation {
    /// 1
    Request,
    /// 2
    Reply,
}

/// An ARP announcement (RFC 5227 section 1.1): a request for the sender's own address, with a
/// target MAC of zeroes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Garp {
    /// The host's MAC address.
    pub mac: MacAddr,
    /// The host's IPv4 address, the sender's and the target's at once.
    pub ip: HostIpv4,
}

impl Body {
    /// The ethertype that it stands under.
    pub(super) const fn ethertype(&self) -> EtherType {
        match self {
            Self::Rarp(..) => EtherTypes::Rarp,
            Self::Garp(_) | Self::Arp(..) | Self::Unarp(_) => EtherTypes::Arp,
        }
    }

    /// The operation in octets 6 and 7.
    #[must_use]
    pub const fn opcode(&self) -> Opcode {
        match self {
            Self::Rarp(operation, _) => operation.opcode(),
            Self::Arp(operation, _) => operation.opcode(),
            Self::Garp(_) => Opcode::ARP_REQUEST,
            Self::Unarp(_) => Opcode::ARP_REPLY,
        }
    }

    /// Reads a body. Whatever follows it is padding.
    pub(super) fn parse(ethertype: EtherType, octets: &[u8]) -> Result<Self, ParseError> {
        if !matches!(ethertype, EtherTypes::Arp | EtherTypes::Rarp) {
            return Err(ParseError::EtherType(ethertype.0));
        }
        let Some((&[h0, h1, p0, p1, hlen, plen, o0, o1], _)) = octets.split_first_chunk() else {
            return Err(truncated(octets, Unarp::BODY));
        };
        let hardware = u16::from_be_bytes([h0, h1]);
        if hardware != ArpHardwareTypes::Ethernet.0 {
            return Err(ParseError::HardwareType(hardware));
        }
        let protocol = u16::from_be_bytes([p0, p1]);
        if protocol != EtherTypes::Ipv4.0 {
            return Err(ParseError::ProtocolType(protocol));
        }
        if plen != 4 {
            return Err(ParseError::ProtocolLength(plen));
        }
        let opcode = Opcode(u16::from_be_bytes([o0, o1]));
        match hlen {
            0 if ethertype == EtherTypes::Arp => {
                let body = octets.first_chunk();
                let body = body.ok_or_else(|| truncated(octets, Unarp::BODY))?;
                Unarp::parse(opcode, body).map(Self::Unarp)
            }
            6 => {
                let addresses = Addresses::parse(octets);
                let addresses = addresses.ok_or_else(|| truncated(octets, Addresses::BODY))?;
                Self::with_addresses(ethertype, opcode, addresses)
            }
            other => Err(ParseError::HardwareLength(other)),
        }
    }

    fn with_addresses(
        ethertype: EtherType,
        opcode: Opcode,
        addresses: Addresses,
    ) -> Result<Self, ParseError> {
        if ethertype == EtherTypes::Rarp {
            return Ok(Self::Rarp(opcode.try_into()?, addresses));
        }
        let operation = opcode.try_into()?;
        Ok(match Garp::of(operation, addresses) {
            Some(garp) => Self::Garp(garp),
            None => Self::Arp(operation, addresses),
        })
    }

    /// Writes the body over the first octets of `room`; none where they are too few.
    pub(super) fn emit(&self, room: &mut [u8]) -> Option<()> {
        match self {
            Self::Rarp(_, addresses) | Self::Arp(_, addresses) => {
                addresses.emit(self.opcode(), room)
            }
            Self::Garp(garp) => garp.addresses().emit(self.opcode(), room),
            Self::Unarp(unarp) => {
                *room.first_chunk_mut()? = unarp.emit();
                Some(())
            }
        }
    }
}

fn truncated(octets: &[u8], needed: usize) -> ParseError {
    ParseError::TruncatedBody {
        given: octets.len(),
        needed,
    }
}

impl Garp {
    /// Reads a request as an announcement, where it is one.
    fn of(operation: ArpOperation, addresses: Addresses) -> Option<Self> {
        let announces = operation == ArpOperation::Request
            && addresses.sender_ip == addresses.target_ip
            && addresses.target_mac.is_zero();
        let ip = HostIpv4::try_from(addresses.sender_ip).ok()?;
        let mac = addresses.sender_mac;
        announces.then_some(Self { mac, ip })
    }

    /// The announcement as the request that it is.
    #[must_use]
    pub const fn addresses(&self) -> Addresses {
        Addresses {
            sender_mac: self.mac,
            sender_ip: self.ip.get(),
            target_mac: MacAddr::ZERO,
            target_ip: self.ip.get(),
        }
    }
}

impl RarpOperation {
    /// The number on the wire.
    #[must_use]
    pub const fn opcode(self) -> Opcode {
        match self {
            Self::Request => Opcode::ARP_REQUEST,
            Self::Reply => Opcode::ARP_REPLY,
            Self::RequestReverse => Opcode::REQUEST_REVERSE,
            Self::ReplyReverse => Opcode::REPLY_REVERSE,
        }
    }
}

impl ArpOperation {
    /// The number on the wire.
    #[must_use]
    pub const fn opcode(self) -> Opcode {
        match self {
            Self::Request => Opcode::ARP_REQUEST,
            Self::Reply => Opcode::ARP_REPLY,
        }
    }
}

impl TryFrom<Opcode> for RarpOperation {
    type Error = ParseError;

    fn try_from(opcode: Opcode) -> Result<Self, ParseError> {
        match opcode {
            Opcode::ARP_REQUEST => Ok(Self::Request),
            Opcode::ARP_REPLY => Ok(Self::Reply),
            Opcode::REQUEST_REVERSE => Ok(Self::RequestReverse),
            Opcode::REPLY_REVERSE => Ok(Self::ReplyReverse),
            other => Err(refusal(other)),
        }
    }
}

impl TryFrom<Opcode> for ArpOperation {
    type Error = ParseError;

    fn try_from(opcode: Opcode) -> Result<Self, ParseError> {
        match opcode {
            Opcode::ARP_REQUEST => Ok(Self::Request),
            Opcode::ARP_REPLY => Ok(Self::Reply),
            Opcode::REQUEST_REVERSE | Opcode::REPLY_REVERSE => {
                Err(ParseError::ReverseUnderArp(opcode))
            }
            other => Err(refusal(other)),
        }
    }
}

const fn refusal(opcode: Opcode) -> ParseError {
    match opcode {
        Opcode::INARP_REQUEST | Opcode::INARP_REPLY => ParseError::InverseArp(opcode),
        other => ParseError::Operation(other),
    }
}
