//! Entries of the kernel's IPv4 neighbour table.

use std::net::Ipv4Addr;

use super::{Ifindex, MacAddr};

/// One entry: what the host takes a neighbour's MAC address to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Neighbour {
    /// The link that it is a neighbour on.
    pub link: Ifindex,
    /// The neighbour.
    pub address: Ipv4Addr,
    /// Where frames for it go; none while that is not known (`NUD_INCOMPLETE`, `NUD_FAILED`).
    pub mac: Option<MacAddr>,
    /// On whose word the entry stands.
    pub keeper: Keeper,
}

/// On whose word an entry stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeper {
    /// ARP's: the kernel found it, doubts it in time, and asks again.
    Arp,
    /// Somebody's who wants it to stay (`NUD_PERMANENT`).
    Permanent,
    /// The link's: addresses there are not asked for (`NUD_NOARP`).
    NoArp,
    /// A controller's (`NTF_EXT_LEARNED`, `NTF_EXT_MANAGED`), such as a routing daemon's that
    /// speaks EVPN.
    Controller,
}
