//! The next hops in `RTM_NEWROUTE` and `RTM_NEWNEXTHOP`.
//!
//! Read attribute by attribute rather than as a whole message, so that one attribute that a newer
//! kernel writes differently cannot hide a next hop.

use std::net::IpAddr;

use netlink_packet_core::{Emitable, NlaBuffer, NlasIterator};

/// `RTM_NEWNEXTHOP` and `RTM_GETNEXTHOP` (`include/uapi/linux/rtnetlink.h`).
pub(super) const RTM_NEWNEXTHOP: u16 = 104;
const RTM_GETNEXTHOP: u16 = 106;
/// `RTA_VIA`: a family and an address of it (`struct rtvia`).
const RTA_VIA: u16 = 18;
/// `NHA_GATEWAY` (`include/uapi/linux/nexthop.h`).
const NHA_GATEWAY: u16 = 6;

const INET: u8 = family(libc::AF_INET);
const INET6: u8 = family(libc::AF_INET6);

/// An address family as messages have it.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the numbers are 2 and 10"
)]
const fn family(number: libc::c_int) -> u8 {
    number as u8
}

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

/// The next hops that a message of type `kind` adds; none for other types.
#[must_use]
pub fn next_hops(kind: u16, payload: &[u8]) -> Vec<IpAddr> {
    let family = payload.first().copied().unwrap_or_default();
    let mut found = Vec::new();
    match kind {
        libc::RTM_NEWROUTE => {
            let attributes = payload.get(ROUTE_HEADER..).unwrap_or_default();
            ways(family, attributes, &mut found);
            for attribute in each(attributes) {
                if attribute.kind() == libc::RTA_MULTIPATH {
                    paths(family, attribute.value(), &mut found);
                }
            }
        }
        RTM_NEWNEXTHOP => {
            for attribute in each(payload.get(NEXT_HOP_HEADER..).unwrap_or_default()) {
                if attribute.kind() == NHA_GATEWAY {
                    found.extend(address(family, attribute.value()));
                }
            }
        }
        _ => {}
    }
    found
}

/// The next hops among attributes of one way.
fn ways(family: u8, attributes: &[u8], found: &mut Vec<IpAddr>) {
    for attribute in each(attributes) {
        match (attribute.kind(), attribute.value()) {
            (libc::RTA_GATEWAY, value) => found.extend(address(family, value)),
            (RTA_VIA, [f0, f1, value @ ..]) => {
                let family = u8::try_from(u16::from_ne_bytes([*f0, *f1]));
                found.extend(family.ok().and_then(|family| address(family, value)));
            }
            _ => {}
        }
    }
}

/// The next hops of a route with several ways (`struct rtnexthop`).
fn paths(family: u8, mut octets: &[u8], found: &mut Vec<IpAddr>) {
    while let [l0, l1, ..] = octets {
        let length = usize::from(u16::from_ne_bytes([*l0, *l1]));
        let Some(attributes) = octets.get(PATH_HEADER..length) else {
            return;
        };
        ways(family, attributes, found);
        // They begin at multiples of four (RTNH_ALIGN).
        let next = length.next_multiple_of(4);
        octets = octets.get(next..).unwrap_or_default();
    }
}

fn address(family: u8, value: &[u8]) -> Option<IpAddr> {
    match family {
        INET => <[u8; 4]>::try_from(value).ok().map(IpAddr::from),
        INET6 => <[u8; 16]>::try_from(value).ok().map(IpAddr::from),
        _ => None,
    }
}

/// The attributes up to the first that cannot be read.
fn each(octets: &[u8]) -> impl Iterator<Item = NlaBuffer<&[u8]>> {
    NlasIterator::new(octets).map_while(Result::ok)
}
