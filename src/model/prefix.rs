//! IP prefixes.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An IP prefix whose host bits are zero, such as `192.0.2.0/24`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Prefix {
    address: IpAddr,
    length: u8,
}

/// Why a text is no prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a prefix is an address, a slash and a length, with no bit set beyond the length")]
pub struct ParsePrefixError;

impl Prefix {
    /// The first address in it.
    #[must_use]
    pub const fn address(self) -> IpAddr {
        self.address
    }

    /// How many leading bits are fixed.
    #[must_use]
    pub const fn length(self) -> u8 {
        self.length
    }

    /// Whether `address` is in it; an address of the other family never is.
    #[must_use]
    pub fn contains(self, address: IpAddr) -> bool {
        self.address.is_ipv4() == address.is_ipv4()
            && masked(address, self.length) == Some(self.address)
    }
}

/// `address` with the bits beyond `length` cleared; none where it has no so many bits.
fn masked(address: IpAddr, length: u8) -> Option<IpAddr> {
    let beyond = |width: u8| width.checked_sub(length).map(u32::from);
    Some(match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(beyond(32)?).unwrap_or(0);
            IpAddr::V4((address.to_bits() & mask).into())
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(beyond(128)?).unwrap_or(0);
            IpAddr::V6((address.to_bits() & mask).into())
        }
    })
}

impl FromStr for Prefix {
    type Err = ParsePrefixError;

    fn from_str(text: &str) -> Result<Self, ParsePrefixError> {
        let (address, length) = text.split_once('/').ok_or(ParsePrefixError)?;
        let address = address.parse::<IpAddr>().map_err(|_| ParsePrefixError)?;
        let length = length.parse::<u8>().map_err(|_| ParsePrefixError)?;
        if masked(address, length) == Some(address) {
            Ok(Self { address, length })
        } else {
            Err(ParsePrefixError)
        }
    }
}

impl From<Prefix> for String {
    fn from(prefix: Prefix) -> Self {
        prefix.to_string()
    }
}

impl TryFrom<String> for Prefix {
    type Error = ParsePrefixError;

    fn try_from(text: String) -> Result<Self, ParsePrefixError> {
        text.parse()
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.length)
    }
}

#[cfg(test)]
mod tests;
