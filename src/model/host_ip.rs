//! IP addresses that one host can have, of either family.

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{HostIpv4, HostIpv4Error, HostIpv6, HostIpv6Error};

/// The IP address of one host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "IpAddr", try_from = "IpAddr")]
pub enum HostIp {
    /// IPv4.
    V4(HostIpv4),
    /// IPv6.
    V6(HostIpv6),
}

/// Why no host has an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HostIpError {
    /// An IPv4 address.
    #[error(transparent)]
    V4(#[from] HostIpv4Error),
    /// An IPv6 address.
    #[error(transparent)]
    V6(#[from] HostIpv6Error),
}

impl HostIp {
    /// The address.
    #[must_use]
    pub const fn get(self) -> IpAddr {
        match self {
            Self::V4(address) => IpAddr::V4(address.get()),
            Self::V6(address) => IpAddr::V6(address.get()),
        }
    }

    /// The IPv4 address, where it is one.
    #[must_use]
    pub const fn v4(self) -> Option<HostIpv4> {
        match self {
            Self::V4(address) => Some(address),
            Self::V6(_) => None,
        }
    }
}

impl From<HostIpv4> for HostIp {
    fn from(address: HostIpv4) -> Self {
        Self::V4(address)
    }
}

impl From<HostIpv6> for HostIp {
    fn from(address: HostIpv6) -> Self {
        Self::V6(address)
    }
}

impl From<HostIp> for IpAddr {
    fn from(address: HostIp) -> Self {
        address.get()
    }
}

impl TryFrom<IpAddr> for HostIp {
    type Error = HostIpError;

    fn try_from(address: IpAddr) -> Result<Self, HostIpError> {
        Ok(match address {
            IpAddr::V4(address) => Self::V4(address.try_into()?),
            IpAddr::V6(address) => Self::V6(address.try_into()?),
        })
    }
}

impl fmt::Display for HostIp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.get(), f)
    }
}

#[cfg(test)]
mod tests;
