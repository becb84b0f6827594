//! A frame's fields with their meaning, for people who read it octet by octet.

use super::{Body, Frame};

/// Consecutive octets that mean one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Offset of the first octet from the start of the frame.
    pub offset: usize,
    /// The octets.
    pub octets: Vec<u8>,
    /// What they mean.
    pub meaning: String,
}

impl Frame {
    /// The frame's fields, in order and without gaps.
    #[must_use]
    pub fn fields(&self) -> Vec<Field> {
        let octets = self.to_vec();
        let mut rest = octets.as_slice();
        let mut offset = 0_usize;
        let mut fields = Vec::new();
        for (length, meaning) in self.meanings() {
            let Some((field, after)) = rest.split_at_checked(length) else {
                break;
            };
            fields.push(Field {
                offset,
                octets: field.to_vec(),
                meaning,
            });
            offset = offset.saturating_add(length);
            rest = after;
        }
        if !rest.is_empty() {
            fields.push(Field {
                offset,
                octets: rest.to_vec(),
                meaning: "padding".to_owned(),
            });
        }
        fields
    }

    /// Lengths and meanings up to the padding.
    fn meanings(&self) -> Vec<(usize, String)> {
        let everybody = if self.destination.is_broadcast() {
            " (everybody)"
        } else {
            ""
        };
        let mut meanings = vec![
            (6, format!("destination {}{everybody}", self.destination)),
            (6, format!("source {}", self.source)),
        ];
        if let Some(vlan) = self.vlan {
            meanings.push((2, "ethertype 802.1Q".to_owned()));
            meanings.push((2, format!("VLAN {vlan}, priority 0")));
        }
        let name = match self.body {
            Body::Rarp(..) => "Reverse ARP",
            Body::Garp(_) | Body::Arp(..) | Body::Unarp(_) => "ARP",
        };
        meanings.push((2, format!("ethertype {name}")));
        meanings.extend(self.body.meanings());
        meanings
    }
}

impl Body {
    fn meanings(&self) -> Vec<(usize, String)> {
        let hardware = match self {
            Self::Unarp(_) => "hardware address length 0: no MAC addresses follow (UNARP)",
            Self::Rarp(..) | Self::Garp(_) | Self::Arp(..) => "hardware address length 6",
        };
        let mut meanings = vec![
            (2, "hardware type 1: Ethernet".to_owned()),
            (2, "protocol type 0x0800: IPv4".to_owned()),
            (1, hardware.to_owned()),
            (1, "protocol address length 4".to_owned()),
            (2, format!("operation {}", self.opcode())),
        ];
        let addresses = match self {
            Self::Rarp(_, addresses) | Self::Arp(_, addresses) => *addresses,
            Self::Garp(garp) => garp.addresses(),
            Self::Unarp(unarp) => {
                meanings.push((4, format!("host that leaves {}", unarp.ip)));
                meanings.push((4, "target IP 255.255.255.255 (everybody)".to_owned()));
                return meanings;
            }
        };
        meanings.push((6, format!("sender MAC {}", addresses.sender_mac)));
        meanings.push((4, format!("sender IP {}", addresses.sender_ip)));
        meanings.push((6, format!("target MAC {}", addresses.target_mac)));
        meanings.push((4, format!("target IP {}", addresses.target_ip)));
        meanings
    }
}

#[cfg(test)]
mod tests;
