//! The words every layer shares: addresses, links, guests and time. Pure values, no behaviour
//! beyond parsing and formatting.

mod guest;
mod link;
mod mac;
mod nic;
mod outcome;
mod text;
mod time;
mod vlan;

pub use guest::{GuestDescription, GuestId, GuestName, ParseGuestIdError};
pub use link::{Ifindex, LinkName, LinkState, ParseLinkNameError, PortState};
pub use mac::{MacAddr, ParseMacError};
pub use nic::{Attachment, Interface, Nic, Refusal, UnsupportedAttachment};
pub use outcome::{
    FrameKind, HintOutcome, HookFault, HookOperation, Mode, Outcome, Phase, SendFault, Side,
};
pub use text::{Escaped, is_unsafe_in_text};
pub use time::{Instant, Timestamp};
pub use vlan::{VlanId, VlanIdError};
