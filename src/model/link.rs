//! Host-side network devices, in the kernel's terms.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The kernel's number of a link. It stays with the device when its name changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ifindex(NonZeroU32);

impl Ifindex {
    /// The link with this number; 0 names none.
    #[must_use]
    pub const fn new(number: u32) -> Option<Self> {
        match NonZeroU32::new(number) {
            Some(number) => Some(Self(number)),
            None => None,
        }
    }

    /// The number as the kernel takes it.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0.get()
    }
}

impl fmt::Display for Ifindex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// A link's name as `dev_valid_name` in the kernel's `net/core/dev.c` takes it: 1 to 15 octets,
/// no slash, colon or white space, neither `.` nor `..`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct LinkName {
    octets: [u8; Self::MAX],
    length: u8,
}

/// Why a text cannot name a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a link name is 1 to 15 printable ASCII characters without slash or colon")]
pub struct ParseLinkNameError;

impl LinkName {
    /// `IFNAMSIZ` less the closing NUL.
    const MAX: usize = 15;

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let octets = self
            .octets
            .get(..usize::from(self.length))
            .unwrap_or_default();
        std::str::from_utf8(octets).unwrap_or_default()
    }
}

impl FromStr for LinkName {
    type Err = ParseLinkNameError;

    fn from_str(text: &str) -> Result<Self, ParseLinkNameError> {
        let legal = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'/' | b':');
        if text.is_empty() || matches!(text, "." | "..") || !text.bytes().all(legal) {
            return Err(ParseLinkNameError);
        }
        let mut octets = [0; Self::MAX];
        let room = octets.get_mut(..text.len()).ok_or(ParseLinkNameError)?;
        room.copy_from_slice(text.as_bytes());
        let length = u8::try_from(text.len()).map_err(|_| ParseLinkNameError)?;
        Ok(Self { octets, length })
    }
}

impl TryFrom<String> for LinkName {
    type Error = ParseLinkNameError;

    fn try_from(text: String) -> Result<Self, ParseLinkNameError> {
        text.parse()
    }
}

impl From<LinkName> for String {
    fn from(name: LinkName) -> Self {
        name.as_str().to_owned()
    }
}

impl fmt::Display for LinkName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for LinkName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// A bridge port's state (`BR_STATE_*` in `include/uapi/linux/if_bridge.h`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PortState {
    /// Takes and gives no frames.
    Disabled,
    /// Spanning tree: hears topology changes only.
    Listening,
    /// Spanning tree: learns addresses, forwards nothing.
    Learning,
    /// Passes frames.
    Forwarding,
    /// Spanning tree: kept closed against a loop.
    Blocking,
}

/// What the kernel last said of one link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkState {
    /// Which link.
    pub ifindex: Ifindex,
    /// Its name at that time.
    pub name: LinkName,
    /// False once the link is gone.
    pub present: bool,
    /// Administratively up (`IFF_UP`).
    pub up: bool,
    /// Carrier (`IFF_LOWER_UP`).
    pub carrier: bool,
    /// The bridge, bond or switch that it is a port of.
    pub master: Option<Ifindex>,
    /// Its state as a port of a Linux bridge; none where it is no such port.
    pub port: Option<PortState>,
}

impl LinkState {
    /// Whether a frame injected as from this link reaches its bridge: without carrier or outside
    /// FORWARDING the kernel takes the frame, reports success and drops it.
    #[must_use]
    pub const fn passes(&self) -> bool {
        self.present && self.up && self.carrier && matches!(self.port, Some(PortState::Forwarding))
    }
}

#[cfg(test)]
mod tests;
