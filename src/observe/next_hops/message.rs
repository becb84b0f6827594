//! The next hops in `RTM_NEWROUTE` and `RTM_NEWNEXTHOP`.
//!
//! Read attribute by attribute rather than as a whole message, so that one attribute that a newer
//! kernel writes differently cannot hide a next hop.

use std::net::Ipv4Addr;

use netlink_packet_core::{Emitable, NlaBuffer, NlasIterator};

/// `RTM_NEWNEXTHOP` and `RTM_GETNEXTHOP` (`include/uapi/linux/rtnetlink.h`).
pub(super) const RTM_NEWNEXTHOP: u16 = 104;
const RTM_GETNEXTHOP: u16 = 106;
/// `RTA_VIA`: a family and an address of it (`struct rtvia`).
const RTA_VIA: u16 = 18;
/// `NHA_GATEWAY` (`include/uapi/linux/nexthop.h`).
const NHA_GATEWAY: u16 = 6;

#[expect(clippy::cast_possible_truncation, reason = "the number is 2")]
const INET: u8 = libc::AF_INET as u8;

/// Octets of `struct rtmsg`, `struct nhmsg` and `struct rtnexthop`.
const ROUTE_HEADER: usize = 12;
const NEXT_HOP_HEADER: usize = 8;
const PATH_HEADER: usize = 8;

/// What is asked for. Both headers are all zero: every family, every table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Question {
    Routes,
    NextHops,
}

/// Everything that has to be asked.
pub(super) const QUESTIONS: [Question; 2] = [Question::Routes, Question::NextHops];

impl Question {
    pub(super) const fn kind(self) -> u16 {
        match self {
            Self::Routes => libc::RTM_GETROUTE,
            Self::NextHops => RTM_GETNEXTHOP,
        }
    }
}

impl Emitable for Question {
    fn buffer_len(&self) -> usize {
        match self {
            Self::Routes => ROUTE_HEADER,
            Self::NextHops => NEXT_HOP_HEADER,
        }
    }

    fn emit(&self, buffer: &mut [u8]) {
        buffer.fill(0);
    }
}

/// The IPv4 next hops that a message of type `kind` adds; none for other types.
#[must_use]
pub fn next_hops(kind: u16, payload: &[u8]) -> Vec<Ipv4Addr> {
    let inet = payload.first() == Some(&INET);
    let mut found = Vec::new();
    match kind {
        libc::RTM_NEWROUTE => {
            let attributes = payload.get(ROUTE_HEADER..).unwrap_or_default();
            ways(inet, attributes, &mut found);
            for attribute in each(attributes) {
                if attribute.kind() == libc::RTA_MULTIPATH {
                    paths(inet, attribute.value(), &mut found);
                }
            }
        }
        RTM_NEWNEXTHOP if inet => {
            for attribute in each(payload.get(NEXT_HOP_HEADER..).unwrap_or_default()) {
                if attribute.kind() == NHA_GATEWAY {
                    found.extend(address(attribute.value()));
                }
            }
        }
        _ => {}
    }
    found
}

/// The next hops among attributes of one way.
fn ways(inet: bool, attributes: &[u8], found: &mut Vec<Ipv4Addr>) {
    for attribute in each(attributes) {
        match (attribute.kind(), attribute.value()) {
            (libc::RTA_GATEWAY, value) if inet => found.extend(address(value)),
            (RTA_VIA, [f0, f1, value @ ..])
                if u16::from_ne_bytes([*f0, *f1]) == u16::from(INET) =>
            {
                found.extend(address(value));
            }
            _ => {}
        }
    }
}

/// The next hops of a route with several ways (`struct rtnexthop`).
fn paths(inet: bool, mut octets: &[u8], found: &mut Vec<Ipv4Addr>) {
    while let [l0, l1, ..] = octets {
        let length = usize::from(u16::from_ne_bytes([*l0, *l1]));
        let Some(attributes) = octets.get(PATH_HEADER..length) else {
            return;
        };
        ways(inet, attributes, found);
        // They begin at multiples of four (RTNH_ALIGN).
        let next = length.next_multiple_of(4);
        octets = octets.get(next..).unwrap_or_default();
    }
}

fn address(value: &[u8]) -> Option<Ipv4Addr> {
    <[u8; 4]>::try_from(value).ok().map(Ipv4Addr::from)
}

/// The attributes up to the first that cannot be read.
fn each(octets: &[u8]) -> impl Iterator<Item = NlaBuffer<&[u8]>> {
    NlasIterator::new(octets).map_while(Result::ok)
}
