//! IP addresses of guests, and who says so.

use serde::{Deserialize, Serialize};

use super::{GuestId, HostIpv4, Instant, MacAddr};

/// Who may say which IP addresses a guest has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AddressSource {
    /// `<ip>` of the interface in the domain's XML, or an `IP` parameter of its `<filterref>`.
    Xml,
    /// `[[guest]] addresses`.
    Config,
    /// libvirt's DHCP leases.
    Lease,
    /// The other host's agent.
    Peer,
    /// DHCP answers seen on the guest's port.
    Dhcp,
    /// ARP and neighbour discovery seen on the guest's port.
    Snoop,
    /// Metadata in the domain's XML.
    Metadata,
    /// The guest agent.
    Agent,
}
super::outcome::labels!(AddressSource:
    Xml => "xml",
    Config => "config",
    Lease => "lease",
    Peer => "peer",
    Dhcp => "dhcp",
    Snoop => "snoop",
    Metadata => "metadata",
    Agent => "agent",
);

/// An address that libvirt or the settings give a NIC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GivenAddress {
    /// The address.
    pub ip: HostIpv4,
    /// Who says so.
    pub source: AddressSource,
}

/// Why an address that a NIC was heard to have is not believed, and nothing said of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AddressRefusal {
    /// It is this host's own.
    Host,
    /// A route of this host goes by way of it.
    NextHop,
    /// It is the guest's own router's, as its DHCP server says.
    Router,
    /// The host's addresses and routes cannot be read, so it may be one of those.
    Unknown,
    /// It means something on one link only (RFC 3927).
    LinkLocal,
    /// It means something within one host only (RFC 1122 section 3.2.1.3).
    Loopback,
    /// It is in none of `[addresses] prefixes`.
    Prefix,
    /// It comes from none of `[addresses] sources`.
    Source,
    /// The NIC has as many addresses as are remembered.
    Surplus,
}
super::outcome::labels!(AddressRefusal:
    Host => "host",
    NextHop => "next_hop",
    Router => "router",
    Unknown => "unknown",
    LinkLocal => "link_local",
    Loopback => "loopback",
    Prefix => "prefix",
    Source => "source",
    Surplus => "surplus",
);

impl AddressRefusal {
    /// The reason in words for the operator.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Host => "it is this host's own",
            Self::NextHop => "a route of this host goes by way of it",
            Self::Router => "it is the guest's router's",
            Self::Unknown => "this host's addresses and routes cannot be read",
            Self::LinkLocal => "it is link-local",
            Self::Loopback => "it is a loopback address",
            Self::Prefix => "it is in none of [addresses] prefixes",
            Self::Source => "[addresses] sources does not have its source",
            Self::Surplus => "the interface has too many addresses",
        }
    }
}

/// An address that a DHCP server of libvirt's gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The address.
    pub ip: HostIpv4,
    /// When it ends; none for ever.
    pub until: Option<Instant>,
}

/// All that a DHCP server of libvirt's gave one NIC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NicLeases {
    /// The guest.
    pub guest: GuestId,
    /// The NIC's address.
    pub mac: MacAddr,
    /// What it was given and still has.
    pub leases: Vec<Lease>,
}
