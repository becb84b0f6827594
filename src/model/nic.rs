//! A guest's NICs as its XML has them, and what speaks against announcing one.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{GivenAddress, LinkName, MacAddr, VlanId};

/// One `<interface>`: the XML's own words, and what follows from them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interface {
    /// `mac/@address` in lower case.
    pub mac: Option<String>,
    /// `@type`.
    pub kind: Option<String>,
    /// `source/@bridge`, `@network`, `@dev` or `@path`, whichever stands.
    pub source: Option<String>,
    /// `source/@network` of an interface of libvirt's own networks, which may have a DHCP server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    /// `target/@dev`.
    pub target: Option<String>,
    /// `model/@type`.
    pub model: Option<String>,
    /// `vlan/tag/@id`, those that are VLANs, in document order.
    pub vlans: Vec<VlanId>,
    /// IPv4 addresses that libvirt gives it; at most [`Interface::ADDRESSES`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<GivenAddress>,
    /// The NIC, or why it will not be announced.
    pub nic: Result<Nic, Refusal>,
}

impl Interface {
    /// Addresses of one NIC that are remembered. A host with more is a router or a load balancer,
    /// which speaks for itself; the first ones stay.
    pub const ADDRESSES: usize = 8;
}

/// A NIC that can be announced as far as its XML tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nic {
    /// The guest's address.
    pub mac: MacAddr,
    /// What it is plugged into.
    pub attachment: Attachment,
    /// The host's end, known while the guest has one.
    pub target: Option<LinkName>,
}

/// What a NIC is plugged into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Attachment {
    /// A tap that is a port of a Linux bridge.
    BridgeTap,
}

/// Why a NIC is not announced, in words for the operator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// The XML names no address.
    #[error("the interface has no MAC address")]
    NoMac,
    /// The XML's address cannot be read; the XML's text stands beside this wherever it is shown.
    #[error("the MAC address cannot be read")]
    MalformedMac,
    /// The broadcast address belongs to every station.
    #[error("the MAC address is the broadcast address")]
    BroadcastMac,
    /// A multicast address belongs to a group of stations.
    #[error("the MAC address is a multicast address")]
    MulticastMac,
    /// The zero address belongs to no station.
    #[error("the MAC address is all zeroes")]
    ZeroMac,
    /// An earlier NIC of the same guest has this address on the same bridge.
    #[error("an earlier interface of this guest has the same MAC address")]
    DuplicateMac,
    /// A kind of attachment that this version does not announce through.
    #[error("{0} is not announced by this version")]
    UnsupportedAttachment(UnsupportedAttachment),
    /// The XML has no `<target dev>`, so the guest is not plugged in yet.
    #[error("the interface has no target device yet")]
    NoTarget,
    /// The XML's `<target dev>` is no name that the kernel takes.
    #[error("the target device's name is no link name")]
    MalformedTarget,
    /// The host has no link of that name.
    #[error("there is no link named {0}")]
    LinkMissing(LinkName),
    /// The link is plugged into nothing.
    #[error("{0} is no port of a bridge")]
    NotEnslaved(LinkName),
    /// The link is a port of something other than a Linux bridge.
    #[error("{port} is a port of {master}, which is no Linux bridge")]
    NotLinuxBridge {
        /// The guest's link.
        port: LinkName,
        /// What it is a port of.
        master: LinkName,
    },
    /// A device of this host that is not the guest's own attachment has the address.
    #[error("the MAC address belongs to {0}, which is not this guest's")]
    MacOfHostLink(LinkName),
    /// The port is locked (`IFLA_BRPORT_LOCKED`): an authenticator decides who speaks.
    #[error("{0} is a locked port")]
    LockedPort(LinkName),
    /// The port of a filtering bridge is in no VLAN, so nothing that it sends gets anywhere.
    #[error("{0} is in no VLAN of its bridge")]
    NoVlan(LinkName),
    /// The kernel does not let this process inject, and from the bridge device the VLAN cannot be
    /// reached.
    #[error("{bridge} itself is no member of VLAN {vlan}, and the kernel refuses injection")]
    BridgeOutsideVlan {
        /// The bridge.
        bridge: LinkName,
        /// The VLAN.
        vlan: VlanId,
    },
    /// The guest has more frames than one schedule may hold.
    #[error("the guest has more addresses and VLANs than a schedule holds")]
    TooMany,
    /// Settings exclude the guest.
    #[error("the configuration excludes this guest")]
    Excluded,
    /// The kernel would not tell.
    #[error("the kernel did not answer a query about {0}")]
    Unanswered(LinkName),
}

/// Attachments that have no route into the network in this version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnsupportedAttachment {
    /// `<virtualport type='openvswitch'>` or midonet and the like.
    VirtualPort,
    /// `type='direct'`.
    Macvtap,
    /// `type='hostdev'`, `type='vdpa'`.
    Passthrough,
    /// `type='vhostuser'`.
    VhostUser,
    /// `type='user'` and the socket types: no link on this host.
    Unlinked,
    /// A type that libvirt has grown since, or none at all.
    Unknown,
}

impl fmt::Display for UnsupportedAttachment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::VirtualPort => "a virtual switch port",
            Self::Macvtap => "a macvtap device",
            Self::Passthrough => "a passed-through device",
            Self::VhostUser => "a vhost-user port",
            Self::Unlinked => "an interface without a link on this host",
            Self::Unknown => "this type of interface",
        })
    }
}
