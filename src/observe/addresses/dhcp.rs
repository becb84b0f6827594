//! A DHCP server's answer (RFC 2131, RFC 2132), as far as it gives an address.

use std::net::Ipv4Addr;
use std::time::Duration;

use crate::model::{HostIpv4, MacAddr};

/// Octets of a message ahead of its options, the cookie among them.
///
/// ```text
///  0    1       2      3      4      ...  16        20  ...  28          44 ... 236      240
/// +----+-------+------+------+----------+--------+---------+-----------+------+---------+---------
/// | op | htype | hlen | hops | ...      | yiaddr | ...     | chaddr 16 | ...  | cookie  | options
/// +----+-------+------+------+----------+--------+---------+-----------+------+---------+---------
/// ```
const FIXED: usize = 240;
/// `BOOTREPLY`, Ethernet, six octets of address.
const REPLY: [u8; 3] = [2, 1, 6];
/// RFC 2131 section 3.
const COOKIE: [u8; 4] = [99, 130, 83, 99];

/// Options (RFC 2132): padding, routers, lease time, message type, end.
const PAD: u8 = 0;
const ROUTERS: u8 = 3;
const LEASE_TIME: u8 = 51;
const MESSAGE_TYPE: u8 = 53;
const END: u8 = 255;
/// Values of the message type.
const ACK: [u8; 1] = [5];
const NAK: [u8; 1] = [6];

/// Routers that are kept. A client uses the first.
const MOST_ROUTERS: usize = 8;

/// What the server says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// The client has the address.
    Given {
        /// The address.
        ip: HostIpv4,
        /// For how long; none for ever.
        lasts: Option<Duration>,
        /// Its routers.
        routers: Vec<Ipv4Addr>,
    },
    /// The client has none.
    Refused,
}

/// Reads an acknowledgement, or its opposite, for the client with address `mac`.
pub(super) fn read(message: &[u8], mac: MacAddr) -> Option<Answer> {
    let (fixed, options) = message.split_at_checked(FIXED)?;
    if fixed.get(..3) != Some(&REPLY)
        || fixed.get(28..34) != Some(&mac.octets())
        || fixed.get(236..) != Some(&COOKIE)
    {
        return None;
    }
    let kind = option(options, MESSAGE_TYPE)?;
    if kind == NAK {
        return Some(Answer::Refused);
    }
    if kind != ACK {
        return None;
    }
    let yiaddr: [u8; 4] = fixed.get(16..20)?.try_into().ok()?;
    // 0.0.0.0 in the answer to a DHCPINFORM.
    let ip = HostIpv4::try_from(Ipv4Addr::from(yiaddr)).ok()?;
    // Without a lease time it is an answer to DHCPINFORM, too.
    let seconds = option(options, LEASE_TIME)?.try_into().ok()?;
    let routers = option(options, ROUTERS).unwrap_or_default();
    let (routers, _) = routers.as_chunks::<4>();
    Some(Answer::Given {
        ip,
        lasts: lasts(u32::from_be_bytes(seconds)),
        routers: routers
            .iter()
            .take(MOST_ROUTERS)
            .map(|&octets| Ipv4Addr::from(octets))
            .collect(),
    })
}

/// How long a lease lasts that a server names in seconds; none for ever (RFC 2131 section 3.3).
fn lasts(seconds: u32) -> Option<Duration> {
    (seconds != u32::MAX).then(|| Duration::from_secs(seconds.into()))
}

/// The value of the first such option.
fn option(mut options: &[u8], wanted: u8) -> Option<&[u8]> {
    loop {
        let (&code, rest) = options.split_first()?;
        match code {
            PAD => options = rest,
            END => return None,
            _ => {
                let (&length, rest) = rest.split_first()?;
                let (value, rest) = rest.split_at_checked(usize::from(length))?;
                if code == wanted {
                    return Some(value);
                }
                options = rest;
            }
        }
    }
}

#[cfg(test)]
pub(in crate::observe::addresses) mod tests;
