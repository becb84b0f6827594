//! The operations of ARP and its relatives, by name.

use std::fmt;

/// The operation field of an ARP body (IANA "Address Resolution Protocol (ARP) Parameters").
///
/// Displayed by name, so that a refusal says what was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Opcode(pub u16);

impl Opcode {
    /// RFC 826: who has this protocol address?
    pub const ARP_REQUEST: Self = Self(1);
    /// RFC 826: I have it.
    pub const ARP_REPLY: Self = Self(2);
    /// RFC 903: which protocol address has this hardware address?
    pub const REQUEST_REVERSE: Self = Self(3);
    /// RFC 903: it has this one.
    pub const REPLY_REVERSE: Self = Self(4);
    /// RFC 2390: which protocol address is at the other end of this circuit?
    pub const INARP_REQUEST: Self = Self(8);
    /// RFC 2390: this one.
    pub const INARP_REPLY: Self = Self(9);

    /// The operation's name, where it has one.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        Some(match self.0 {
            1 => "ARP request",
            2 => "ARP reply",
            3 => "RARP request reverse",
            4 => "RARP reply reverse",
            5 => "DRARP request",
            6 => "DRARP reply",
            7 => "DRARP error",
            8 => "InARP request",
            9 => "InARP reply",
            10 => "ARP NAK",
            11..=23 => "MARS",
            24 | 25 => "experimental",
            0 | u16::MAX => "reserved",
            26.. => return None,
        })
    }
}

impl fmt::Display for Opcode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{} ({name})", self.0),
            None => write!(f, "{} (unassigned)", self.0),
        }
    }
}
