//! The words every layer shares: addresses, links, guests and time. Pure values, no behaviour
//! beyond parsing and formatting.

mod address;
mod guest;
mod host_ip;
mod host_ipv4;
mod host_ipv6;
mod link;
mod mac;
mod neighbour;
mod nic;
mod outcome;
mod prefix;
mod text;
mod time;
mod vlan;

pub use address::{AddressRefusal, AddressSource, GivenAddress, Lease, NicLeases};
pub use guest::{GuestDescription, GuestId, GuestName, ParseGuestIdError};
pub use host_ip::{HostIp, HostIpError};
pub use host_ipv4::{HostIpv4, HostIpv4Error};
pub use host_ipv6::{HostIpv6, HostIpv6Error};
pub use link::{Ifindex, LinkName, LinkState, ParseLinkNameError, PortState};
pub use mac::{MacAddr, ParseMacError};
pub use neighbour::{Keeper, Neighbour};
pub use nic::{Attachment, Interface, Nic, Refusal, UnsupportedAttachment};
pub use outcome::{
    FrameKind, HintOutcome, HookFault, HookOperation, Mode, Outcome, Phase, SendFault, Side,
    UnarpRefusal,
};
pub use prefix::{ParsePrefixError, Prefix};
pub use text::{Escaped, is_unsafe_in_text};
pub use time::{Instant, Timestamp};
pub use vlan::{VlanId, VlanIdError};
