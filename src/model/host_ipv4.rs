//! IPv4 addresses that one host can have.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The IPv4 address of one host: never 0.0.0.0, multicast or broadcast.
///
/// A gratuitous ARP with the sender address 0.0.0.0 is a probe (RFC 5227 section 1.1): it teaches
/// no neighbour anything, and it makes a host that really has the address defend it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "Ipv4Addr", try_from = "Ipv4Addr")]
pub struct HostIpv4(Ipv4Addr);

/// Why no host has an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HostIpv4Error {
    /// 0.0.0.0.
    #[error("0.0.0.0 is no host's address")]
    Unspecified,
    /// 224.0.0.0/4.
    #[error("{0} is a multicast address; give the address of one host")]
    Multicast(Ipv4Addr),
    /// 255.255.255.255.
    #[error("255.255.255.255 is the broadcast address; give the address of one host")]
    Broadcast,
    /// Not an IPv4 address at all.
    #[error("an IPv4 address is four numbers from 0 to 255 joined by dots")]
    Malformed,
}

impl HostIpv4 {
    /// The address.
    #[must_use]
    pub const fn get(self) -> Ipv4Addr {
        self.0
    }
}

impl TryFrom<Ipv4Addr> for HostIpv4 {
    type Error = HostIpv4Error;

    fn try_from(address: Ipv4Addr) -> Result<Self, HostIpv4Error> {
        if address.is_unspecified() {
            Err(HostIpv4Error::Unspecified)
        } else if address.is_multicast() {
            Err(HostIpv4Error::Multicast(address))
        } else if address.is_broadcast() {
            Err(HostIpv4Error::Broadcast)
        } else {
            Ok(Self(address))
        }
    }
}

impl FromStr for HostIpv4 {
    type Err = HostIpv4Error;

    fn from_str(text: &str) -> Result<Self, HostIpv4Error> {
        text.parse::<Ipv4Addr>()
            .map_err(|_| HostIpv4Error::Malformed)?
            .try_into()
    }
}

impl From<HostIpv4> for Ipv4Addr {
    fn from(address: HostIpv4) -> Self {
        address.0
    }
}

impl fmt::Display for HostIpv4 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests;
