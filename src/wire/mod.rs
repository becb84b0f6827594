//! Bytes to values and back. Parsing never panics; emitting fills exactly its length.

use crate::model::{MacAddr, VlanId};

/// One frame to emit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    mac: MacAddr,
    vlan: Option<VlanId>,
}

impl Frame {
    /// A RARP announcement of `mac`, tagged for `vlan` where one is given.
    #[must_use]
    pub const fn rarp(mac: MacAddr, vlan: Option<VlanId>) -> Self {
        Self { mac, vlan }
    }

    /// The octets.
    #[must_use]
    pub fn to_vec(&self) -> Vec<u8> {
        let mac = self.mac.octets();
        let mut octets = Vec::with_capacity(64);
        octets.extend([0xff; 6]);
        octets.extend(mac);
        if let Some(vlan) = self.vlan {
            octets.extend([0x81, 0x00]);
            octets.extend(vlan.get().to_be_bytes());
        }
        octets.extend([0x80, 0x35, 0, 1, 8, 0, 6, 4, 0, 3]);
        octets.extend(mac);
        octets.extend([0; 4]);
        octets.extend(mac);
        octets.extend([0; 4]);
        octets.extend([0; 18]);
        octets
    }
}
