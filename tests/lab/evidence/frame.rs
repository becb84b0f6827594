//! Frames as the vantage points saw them.

use std::fmt;

use macmoved::model::MacAddr;

use super::Stamp;
use super::pcap::{Pcap, Record};

/// `LINKTYPE_ETHERNET`: whole frames.
const ETHERNET: u32 = 1;
/// `LINKTYPE_LINUX_SLL2`: a header of the kernel's instead of the frame's own.
const COOKED: u32 = 276;
/// Octets of that header.
const COOKED_HEADER: usize = 20;
/// `PACKET_OUTGOING` of packet(7).
const OUTGOING: u8 = 4;

/// Ethertypes (IEEE).
pub(crate) const IPV4: u16 = 0x0800;
pub(crate) const ARP: u16 = 0x0806;
pub(crate) const RARP: u16 = 0x8035;
const VLAN: u16 = 0x8100;

/// One frame at one vantage point.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    /// The capture's file name.
    pub(crate) file: String,
    /// Its number in that file, from 1 as `tcpdump --number` counts.
    pub(crate) number: usize,
    /// The kernel's stamp.
    pub(crate) at: Stamp,
    /// Where it was seen.
    pub(crate) place: Place,
    /// Its Ethernet source.
    pub(crate) source: MacAddr,
    /// Its ethertype, behind a VLAN tag if there is one.
    pub(crate) ethertype: u16,
    /// The VLAN of its tag.
    pub(crate) vlan: Option<u16>,
    /// At a port of the fabric the whole frame, on a link what follows the Ethernet header.
    pub(crate) octets: Vec<u8>,
}

/// A vantage point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// It entered the fabric by this port.
    Port(String),
    /// It passed a link of a host or of the peer.
    Link {
        /// The host, or the peer.
        host: String,
        /// The link.
        link: String,
        /// Whether the kernel sent it out of the link or took it in.
        out: bool,
    },
}

/// An echo request or reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Echo {
    /// Whether this is the reply.
    pub(crate) reply: bool,
    /// The last octet of the guest's address.
    pub(crate) guest: u8,
    /// Identifier and sequence number, which the reply repeats.
    pub(crate) id: (u16, u16),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Port(port) => write!(f, "fabric port {port}"),
            Self::Link { host, link, out } => {
                let direction = if *out { "out of" } else { "in by" };
                write!(f, "{direction} {link} of {host}")
            }
        }
    }
}

impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} frame {}, {}, {} octets of ethertype {:04x} from {}",
            self.file,
            self.number,
            self.place,
            self.octets.len(),
            self.ethertype,
            self.source,
        )?;
        match self.vlan {
            Some(vlan) => write!(f, " in VLAN {vlan}"),
            None => Ok(()),
        }
    }
}

impl Frame {
    /// Whether it entered the fabric by `port`.
    pub(crate) fn entered(&self, port: &str) -> bool {
        matches!(&self.place, Place::Port(name) if name == port)
    }

    /// The echo request or reply that a link's frame is.
    pub(crate) fn echo(&self) -> Option<Echo> {
        let Place::Link { .. } = self.place else {
            return None;
        };
        // IPv4 without options, protocol 1, then ICMP.
        let octets = &self.octets;
        if self.ethertype != IPV4 || octets.first() != Some(&0x45) || octets.get(9) != Some(&1) {
            return None;
        }
        let (reply, guest) = match octets.get(20)? {
            0 => (true, *octets.get(15)?),
            8 => (false, *octets.get(19)?),
            _ => return None,
        };
        let id = (half(octets, 24)?, half(octets, 26)?);
        Some(Echo { reply, guest, id })
    }
}

/// The frames of a capture of what enters the fabric by `port`.
pub(super) fn of_port(file: &str, port: &str, pcap: Pcap) -> Option<Vec<Frame>> {
    if pcap.link_type != ETHERNET {
        return None;
    }
    let frame = |(index, record): (usize, Record)| {
        let octets = record.octets;
        let source = MacAddr::new(octets.get(6..12)?.try_into().ok()?);
        let (ethertype, vlan) = match half(&octets, 12)? {
            VLAN => (half(&octets, 16)?, Some(half(&octets, 14)? & 0x0fff)),
            ethertype => (ethertype, None),
        };
        Some(Frame {
            file: file.to_owned(),
            number: index + 1,
            at: record.at,
            place: Place::Port(port.to_owned()),
            source,
            ethertype,
            vlan,
            octets,
        })
    };
    pcap.records.into_iter().enumerate().map(frame).collect()
}

/// The frames of a capture on all links of `host`, whose names `link` gives by index.
pub(super) fn of_links(
    file: &str,
    host: &str,
    pcap: Pcap,
    link: impl Fn(u32) -> Option<String>,
) -> Option<Vec<Frame>> {
    if pcap.link_type != COOKED {
        return None;
    }
    // protocol 2 | reserved 2 | interface 4 | ARPHRD 2 | packet type 1 | length 1 | address 8
    let frame = |(index, record): (usize, Record)| {
        let octets = record.octets;
        let interface = u32::from_be_bytes(octets.get(4..8)?.try_into().ok()?);
        Some(Frame {
            file: file.to_owned(),
            number: index + 1,
            at: record.at,
            place: Place::Link {
                host: host.to_owned(),
                link: link(interface)?,
                out: *octets.get(10)? == OUTGOING,
            },
            source: MacAddr::new(octets.get(12..18)?.try_into().ok()?),
            ethertype: half(&octets, 0)?,
            vlan: None,
            octets: octets.get(COOKED_HEADER..)?.to_vec(),
        })
    };
    pcap.records.into_iter().enumerate().map(frame).collect()
}

fn half(octets: &[u8], at: usize) -> Option<u16> {
    let half = octets.get(at..at + 2)?;
    Some(u16::from_be_bytes(half.try_into().ok()?))
}
