//! A plan as people and scripts read it: `macmovectl plan`.

use serde::{Deserialize, Serialize};

use crate::model::{FrameKind, Interface, VlanId};

/// A guest and its NICs. Texts are the XML's own, raw: escape them before they meet a terminal.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Outline<N> {
    /// The guest.
    pub guest: OutlinedGuest,
    /// One entry per `<interface>`, in document order.
    pub nics: Vec<N>,
}

/// Which guest.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct OutlinedGuest {
    /// `<name>`.
    pub name: Option<String>,
    /// `<uuid>`.
    pub uuid: Option<String>,
}

/// One `<interface>` and what was decided about it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct OutlinedNic {
    /// `mac/@address` in lower case.
    pub mac: Option<String>,
    /// `@type`.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// `source/@bridge`, `@network`, `@dev` or `@path`, whichever stands.
    pub source: Option<String>,
    /// `target/@dev`.
    pub target: Option<String>,
    /// `model/@type`.
    pub model: Option<String>,
    /// `vlan/tag/@id`.
    pub vlans: Vec<VlanId>,
    /// Whether it is announced.
    pub announceable: bool,
    /// Why not.
    pub reason: Option<String>,
}

/// A NIC with what stands ready for it on a host.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct StagedNic {
    /// The NIC.
    #[serde(flatten)]
    pub nic: OutlinedNic,
    /// The frames of one round.
    #[serde(default)]
    pub frames: Vec<OutlinedFrame>,
    /// What the source would say of its addresses once the guest has left.
    #[serde(default)]
    pub retractions: Vec<OutlinedFrame>,
    /// By which way they leave.
    #[serde(default)]
    pub route: Option<String>,
    /// The guest's port.
    #[serde(default)]
    pub port: Option<String>,
    /// Its bridge.
    #[serde(default)]
    pub bridge: Option<String>,
    /// The links by which frames leave the bridge.
    #[serde(default)]
    pub uplinks: Vec<String>,
}

/// A frame that stands ready.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct OutlinedFrame {
    /// What it says.
    pub kind: FrameKind,
    /// The VLAN that it is for, where the port filters VLANs.
    #[serde(default)]
    pub vlan: Option<VlanId>,
    /// In JSON pairs of hexadecimal digits.
    #[serde(with = "hexadecimal")]
    pub octets: Vec<u8>,
}

/// Octets as pairs of hexadecimal digits.
mod hexadecimal {
    use std::fmt::Write;

    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(octets: &[u8], to: S) -> Result<S::Ok, S::Error> {
        let mut text = String::with_capacity(octets.len() * 2);
        for octet in octets {
            write!(text, "{octet:02x}").map_err(serde::ser::Error::custom)?;
        }
        to.serialize_str(&text)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(from)?;
        let digits: Option<Vec<u32>> = text.chars().map(|digit| digit.to_digit(16)).collect();
        digits
            .filter(|digits| digits.len() % 2 == 0)
            .map(|digits| digits.chunks(2).map(octet).collect())
            .ok_or_else(|| D::Error::custom("octets are no pairs of hexadecimal digits"))
    }

    fn octet(pair: &[u32]) -> u8 {
        let value = pair.iter().fold(0, |value, digit| value * 16 + digit);
        u8::try_from(value).unwrap_or(u8::MAX)
    }
}

impl From<Interface> for OutlinedNic {
    fn from(interface: Interface) -> Self {
        Self {
            mac: interface.mac,
            kind: interface.kind,
            source: interface.source,
            target: interface.target,
            model: interface.model,
            vlans: interface.vlans,
            announceable: interface.nic.is_ok(),
            reason: interface.nic.err().map(|refusal| refusal.to_string()),
        }
    }
}

#[cfg(test)]
mod tests;
