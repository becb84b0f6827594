//! What neighbour discovery says of addresses (RFC 4861 sections 4.3 and 4.4). Pure.
//!
//! ```text
//!  0          14      18       20      21     22       38       54     55     56       62       78
//! +----------+-------+--------+-------+------+--------+--------+------+------+--------+--------+---
//! | Ethernet | IPv6  | length | next  | hop  | source | desti- | type | code | check- | target | op-
//! | 14       | 4     | 2      | header| limit| 16     | nation | 135, |      | sum, 4 | 16     | tions
//! |          |       |        | 58    | 255  |        | 16     | 136  | 0    | other  |        |
//! +----------+-------+--------+-------+------+--------+--------+------+------+--------+--------+---
//! ```
//!
//! Its messages come without extension headers: fragments are none (RFC 6980), and no stack sends
//! others.

use std::net::Ipv6Addr;

use pnet::packet::icmpv6::{self, Icmpv6Packet};

use super::read::Said;
use crate::model::{HostIp, HostIpv6, MacAddr};

/// IPv6's `EtherType`.
pub(super) const IPV6: [u8; 2] = [0x86, 0xdd];
/// Octets of Ethernet's header without tag, and of IPv6's.
const ETHERNET: usize = 14;
const HEADER: usize = 40;
/// `ICMPv6`'s number among next headers.
const ICMPV6: u8 = 58;
/// The hop limit that no router left there: the message is from this link (RFC 4861 section 11.2).
const HOP_LIMIT: u8 = 255;
/// Octets of either message ahead of its options.
const FIXED: usize = 24;
/// Types of the messages, both with code 0.
const SOLICITATION: [u8; 2] = [135, 0];
const ADVERTISEMENT: [u8; 2] = [136, 0];
/// The flag of an advertisement that answers a solicitation.
const SOLICITED: u8 = 0x40;
/// Options that name the sender's MAC address (RFC 4861 section 4.6.1): in a solicitation, and in
/// an advertisement.
const SOURCE: u8 = 1;
const TARGET: u8 = 2;

/// Who says in this frame that it has which address.
pub(super) fn read(octets: &[u8]) -> Option<Said> {
    let ether: [u8; 6] = octets.get(6..12)?.try_into().ok()?;
    let packet = octets.get(ETHERNET..)?;
    let (header, rest) = packet.split_at_checked(HEADER)?;
    if header.first()? >> 4 != 6 || header.get(6..8) != Some(&[ICMPV6, HOP_LIMIT]) {
        return None;
    }
    let length = u16::from_be_bytes(header.get(4..6)?.try_into().ok()?);
    // What comes after is Ethernet's padding.
    let message = rest.get(..length.into())?;
    let (source, destination) = (address(header, 8)?, address(header, 24)?);
    if !is_whole(message, source, destination) {
        return None;
    }
    let (fixed, options) = message.split_at_checked(FIXED)?;
    let target = address(fixed, 8)?;
    if target.is_multicast() {
        return None;
    }
    let kind: [u8; 2] = fixed.get(..2)?.try_into().ok()?;
    let (user, option, sought) = match kind {
        // It asks whether another has the address already (RFC 4862 section 5.4), and says nothing
        // yet.
        SOLICITATION if source.is_unspecified() => return None,
        SOLICITATION => (source, SOURCE, Some(target)),
        // Nobody asked everybody.
        ADVERTISEMENT if destination.is_multicast() && fixed.get(4)? & SOLICITED != 0 => {
            return None;
        }
        ADVERTISEMENT => (target, TARGET, None),
        _ => return None,
    };
    // Link-local addresses are none, though a station asks from them, too.
    let host = |address| HostIpv6::try_from(address).ok().map(HostIp::V6);
    Some(Said {
        sender: link_layer_address(options, option, MacAddr::new(ether))?,
        ip: host(user),
        sought: sought.and_then(host),
    })
}

/// Whether the checksum, of the addresses, too (RFC 8200 section 8.1), is right: a receiver passes
/// over the message otherwise.
fn is_whole(message: &[u8], source: Ipv6Addr, destination: Ipv6Addr) -> bool {
    Icmpv6Packet::new(message).is_some_and(|packet| {
        packet.get_checksum() == icmpv6::checksum(&packet, &source, &destination)
    })
}

fn address(octets: &[u8], at: usize) -> Option<Ipv6Addr> {
    let octets = octets.get(at..)?.first_chunk::<16>()?;
    Some(Ipv6Addr::from(*octets))
}

/// The MAC address in the first such option, and that of the frame where there is no such; none
/// where a receiver passes over the message: an option of length 0 spoils it (RFC 4861 section 7.1),
/// and so does an address of another length than Ethernet's (`ndisc_opt_addr_data` in
/// `include/net/ndisc.h`).
///
/// ```text
///  0      1                   2                                    8
/// +------+-------------------+------------------------------------+
/// | type | length, of eights | Ethernet: a MAC address            |
/// +------+-------------------+------------------------------------+
/// ```
fn link_layer_address(mut options: &[u8], wanted: u8, frames: MacAddr) -> Option<MacAddr> {
    let mut found = None;
    while let [kind, eights, ..] = *options {
        let length = usize::from(eights)
            .checked_mul(8)
            .filter(|&length| length > 0)?;
        let (option, rest) = options.split_at_checked(length)?;
        if kind == wanted && found.is_none() {
            let [_, _, mac @ ..] = <[u8; 8]>::try_from(option).ok()?;
            found = Some(MacAddr::new(mac));
        }
        options = rest;
    }
    options.is_empty().then(|| found.unwrap_or(frames))
}

#[cfg(test)]
pub(super) mod tests;
