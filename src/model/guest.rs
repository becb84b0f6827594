//! Guests: who they are, and what libvirt says of them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Escaped, Interface};

/// A guest's UUID, the one name that is the same on both sides of a migration.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct GuestId([u8; 16]);

/// Why a text is no UUID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a UUID is 32 hexadecimal digits, as in 6b0e4b5c-2f5d-4b8e-9a51-0c8c3f1d2e77")]
pub struct ParseGuestIdError;

impl GuestId {
    /// The guest with these octets as its UUID (RFC 9562 order).
    #[must_use]
    pub const fn new(octets: [u8; 16]) -> Self {
        Self(octets)
    }

    /// The octets of the UUID (RFC 9562 order).
    #[must_use]
    pub const fn octets(self) -> [u8; 16] {
        self.0
    }
}

impl fmt::Display for GuestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(uuid::Uuid::from_bytes(self.0).as_hyphenated(), f)
    }
}

impl fmt::Debug for GuestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for GuestId {
    type Err = ParseGuestIdError;

    fn from_str(text: &str) -> Result<Self, ParseGuestIdError> {
        uuid::Uuid::try_parse(text)
            .map(|uuid| Self(uuid.into_bytes()))
            .map_err(|_| ParseGuestIdError)
    }
}

impl From<GuestId> for String {
    fn from(id: GuestId) -> Self {
        id.to_string()
    }
}

impl TryFrom<String> for GuestId {
    type Error = ParseGuestIdError;

    fn try_from(text: String) -> Result<Self, ParseGuestIdError> {
        text.parse()
    }
}

/// A guest's name as its tenant wrote it.
///
/// `Display` escapes what could forge a log line, a label or a terminal's state: controls, quotes,
/// backslashes, and the format characters that reorder or hide text. `as_str` is the raw text, for
/// serialisers that escape by themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct GuestName(String);

impl GuestName {
    /// A name exactly as the domain's XML has it.
    #[must_use]
    pub const fn new(raw: String) -> Self {
        Self(raw)
    }

    /// The raw text. Never put it into a log line, a label or a terminal.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for GuestName {
    fn from(raw: String) -> Self {
        Self::new(raw)
    }
}

impl fmt::Display for GuestName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Escaped(&self.0), f)
    }
}

/// What a domain's XML says that matters here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuestDescription {
    /// `<uuid>`, where the XML has a well-formed one.
    pub uuid: Option<GuestId>,
    /// `<name>`, empty where the XML has none.
    pub name: GuestName,
    /// One entry per `<interface>`, in document order.
    pub interfaces: Vec<Interface>,
    /// Its links were all there was to read: addresses and networks are in XML yet to come.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_links: bool,
}

#[cfg(test)]
mod tests;
