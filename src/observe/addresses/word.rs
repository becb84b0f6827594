//! What is heard of addresses at a guest's port.

use std::net::Ipv4Addr;
use std::time::Duration;

use crate::model::{HostIp, HostIpv4, MacAddr};

/// What a frame at the guest's port says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    /// The guest uses the address.
    Claim(HostIp),
    /// The guest looks for the address, so that it is not its own.
    Seek(HostIp),
    /// Another station, with this MAC address, uses the address.
    Other(HostIp, MacAddr),
    /// A DHCP server gives the guest the address.
    Lease {
        /// The address.
        ip: HostIpv4,
        /// For how long; none for ever.
        lasts: Option<Duration>,
        /// The guest's routers.
        routers: Vec<Ipv4Addr>,
    },
    /// A DHCP server takes the address back.
    Refusal,
}
