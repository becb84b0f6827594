//! Whole frames: Ethernet II, with or without an 802.1Q tag.

use pnet::packet::Packet;
use pnet::packet::ethernet::{EtherType, EtherTypes, EthernetPacket, MutableEthernetPacket};
use pnet::packet::vlan::{MutableVlanPacket, VlanPacket};

use super::addresses::{from_pnet, to_pnet};
use super::{Addresses, Body, EmitError, Garp, ParseError, RarpOperation, Unarp};
use crate::model::{HostIpv4, MacAddr, VlanId};

/// One frame, without its check sequence.
///
/// ```text
///  0             6             12      14
/// +-------------+-------------+-------+------------------------+-------------+
/// | destination |   source    | type  |         body           | 0 up to 60  |
/// +-------------+-------------+-------+------------------------+-------------+
///  0             6             12      14      16      18
/// +-------------+-------------+-------+-------+-------+--------+-------------+
/// | destination |   source    | 8100  |  VLAN | type  |  body  | 0 up to 64  |
/// +-------------+-------------+-------+-------+-------+--------+-------------+
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Frame {
    /// Who sends it.
    pub source: MacAddr,
    /// Who is to read it.
    pub destination: MacAddr,
    /// The VLAN of its 802.1Q tag. Priority and drop eligibility are written as 0, and ignored
    /// when read.
    pub vlan: Option<VlanId>,
    /// What it says.
    pub body: Body,
}

/// Ethernet's least length without check sequence (IEEE 802.3 clause 3.2.8).
const UNTAGGED: usize = 60;
/// The same with an 802.1Q tag, so that the frame keeps its least length where the tag is taken
/// off.
const TAGGED: usize = 64;
/// Destination, source and type.
const HEADER: usize = EthernetPacket::minimum_packet_size();

impl Frame {
    /// QEMU's announcement of `mac`, octet by octet as `announce_self_create` in `net/announce.c`
    /// forms it: a RARP request reverse from the guest to everybody, about itself.
    #[must_use]
    pub const fn rarp(mac: MacAddr, vlan: Option<VlanId>) -> Self {
        let addresses = Addresses {
            sender_mac: mac,
            sender_ip: std::net::Ipv4Addr::UNSPECIFIED,
            target_mac: mac,
            target_ip: std::net::Ipv4Addr::UNSPECIFIED,
        };
        Self {
            source: mac,
            destination: MacAddr::BROADCAST,
            vlan,
            body: Body::Rarp(RarpOperation::RequestReverse, addresses),
        }
    }

    /// RFC 1868's word that the host with `ip` is gone.
    ///
    /// `sender` is an address of this host and never the guest's: a frame from the guest's
    /// address would pull that address back to this switch port.
    #[must_use]
    pub const fn unarp(sender: MacAddr, ip: HostIpv4, vlan: Option<VlanId>) -> Self {
        Self {
            source: sender,
            destination: MacAddr::BROADCAST,
            vlan,
            body: Body::Unarp(Unarp { ip }),
        }
    }

    /// An ARP announcement that `mac` has `ip` (RFC 5227 section 3).
    #[must_use]
    pub const fn garp(mac: MacAddr, ip: HostIpv4, vlan: Option<VlanId>) -> Self {
        Self {
            source: mac,
            destination: MacAddr::BROADCAST,
            vlan,
            body: Body::Garp(Garp { mac, ip }),
        }
    }

    /// Octets that [`Self::emit`] writes: 60, or 64 with a tag.
    #[must_use]
    pub const fn buffer_len(&self) -> usize {
        match self.vlan {
            None => UNTAGGED,
            Some(_) => TAGGED,
        }
    }

    /// Reads a frame. Padding may be missing, as it is on links in software, and is not looked at.
    pub fn parse(octets: &[u8]) -> Result<Self, ParseError> {
        let header = EthernetPacket::new(octets);
        let header = header.ok_or(ParseError::TruncatedHeader(octets.len()))?;
        let (vlan, body) = match header.get_ethertype() {
            EtherTypes::Vlan => parse_tagged(header.payload())?,
            ethertype => (None, Body::parse(ethertype, header.payload())?),
        };
        Ok(Self {
            source: from_pnet(header.get_source()),
            destination: from_pnet(header.get_destination()),
            vlan,
            body,
        })
    }

    /// Writes the frame over the first [`Self::buffer_len`] octets of `buffer`, padding included,
    /// and says how many those are.
    pub fn emit(&self, buffer: &mut [u8]) -> Result<usize, EmitError> {
        let needed = self.buffer_len();
        let given = buffer.len();
        buffer
            .get_mut(..needed)
            .and_then(|octets| self.write(octets))
            .map(|()| needed)
            .ok_or(EmitError { given, needed })
    }

    /// The frame's octets.
    #[must_use]
    pub fn to_vec(&self) -> Vec<u8> {
        let mut octets = vec![0; self.buffer_len()];
        let written = self.emit(&mut octets);
        debug_assert_eq!(written, Ok(octets.len()));
        octets
    }

    /// Fills `octets`, which are as many as the frame has.
    fn write(&self, octets: &mut [u8]) -> Option<()> {
        octets.fill(0);
        let outer = match self.vlan {
            None => self.body.ethertype(),
            Some(_) => EtherTypes::Vlan,
        };
        let mut header = MutableEthernetPacket::new(octets)?;
        header.set_destination(to_pnet(self.destination));
        header.set_source(to_pnet(self.source));
        header.set_ethertype(outer);
        let (_, rest) = octets.split_at_mut_checked(HEADER)?;
        match self.vlan {
            None => self.body.emit(rest),
            Some(vlan) => {
                let mut tag = MutableVlanPacket::new(rest)?;
                tag.set_vlan_identifier(vlan.get());
                tag.set_ethertype(self.body.ethertype());
                let (_, rest) = rest.split_at_mut_checked(VlanPacket::minimum_packet_size())?;
                self.body.emit(rest)
            }
        }
    }
}

/// Reads what follows an 802.1Q ethertype.
fn parse_tagged(octets: &[u8]) -> Result<(Option<VlanId>, Body), ParseError> {
    let tag = VlanPacket::new(octets).ok_or(ParseError::TruncatedTag(octets.len()))?;
    let vlan = VlanId::try_from(tag.get_vlan_identifier()).map_err(ParseError::Vlan)?;
    let ethertype: EtherType = tag.get_ethertype();
    Ok((Some(vlan), Body::parse(ethertype, tag.payload())?))
}

#[cfg(test)]
mod tests;
