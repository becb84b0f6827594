//! IPv4 addresses of guests, and who says so.

use serde::{Deserialize, Serialize};

use super::HostIp;

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
    /// ARP seen on the guest's port.
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
    pub ip: HostIp,
    /// Who says so.
    pub source: AddressSource,
}
