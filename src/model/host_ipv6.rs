//! IPv6 addresses that one host can have.

use std::fmt;
use std::net::Ipv6Addr;

use serde::{Deserialize, Serialize};

/// The IPv6 address of one host, wherever it is looked for: never `::`, `::1`, multicast, link-local,
/// of every router, or an IPv4 address in IPv6's clothes.
///
/// Every station has a link-local address (RFC 4291 section 2.8), and its like on every other link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "Ipv6Addr", try_from = "Ipv6Addr")]
pub struct HostIpv6(Ipv6Addr);

/// Why no one host has an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HostIpv6Error {
    /// `::`.
    #[error(":: is no host's address")]
    Unspecified,
    /// `::1`.
    #[error("::1 is every host's own address")]
    Loopback,
    /// `ff00::/8`.
    #[error("{0} is a multicast address; give the address of one host")]
    Multicast(Ipv6Addr),
    /// `fe80::/10`.
    #[error("{0} is a link-local address, which means something on one link only")]
    LinkLocal(Ipv6Addr),
    /// The last 64 bits are zero (RFC 4291 section 2.6.1).
    #[error("{0} is the address of every router of its subnet; give the address of one host")]
    SubnetRouter(Ipv6Addr),
    /// `::ffff:0:0/96` (RFC 4291 section 2.5.5.2).
    #[error("{0} stands for an IPv4 address; give that one")]
    Mapped(Ipv6Addr),
}

impl HostIpv6 {
    /// The address.
    #[must_use]
    pub const fn get(self) -> Ipv6Addr {
        self.0
    }
}

impl TryFrom<Ipv6Addr> for HostIpv6 {
    type Error = HostIpv6Error;

    fn try_from(address: Ipv6Addr) -> Result<Self, HostIpv6Error> {
        if address.is_unspecified() {
            Err(HostIpv6Error::Unspecified)
        } else if address.is_loopback() {
            Err(HostIpv6Error::Loopback)
        } else if address.is_multicast() {
            Err(HostIpv6Error::Multicast(address))
        } else if address.is_unicast_link_local() {
            Err(HostIpv6Error::LinkLocal(address))
        } else if matches!(address.segments(), [.., 0, 0, 0, 0]) {
            Err(HostIpv6Error::SubnetRouter(address))
        } else if address.to_ipv4_mapped().is_some() {
            Err(HostIpv6Error::Mapped(address))
        } else {
            Ok(Self(address))
        }
    }
}

impl From<HostIpv6> for Ipv6Addr {
    fn from(address: HostIpv6) -> Self {
        address.0
    }
}

impl fmt::Display for HostIpv6 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests;
