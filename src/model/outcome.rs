//! The closed sets of words that label metrics, history and logs alike.

use serde::{Deserialize, Serialize};

/// Gives an enum of unit variants its list of values and its label text.
macro_rules! labels {
    ($name:ident: $($variant:ident => $text:literal),+ $(,)?) => {
        impl $name {
            /// Every value, for label sets that start at zero.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word used in labels, JSON and tables.
            #[must_use]
            pub const fn label(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.label())
            }
        }
    };
}

/// Which end of a migration this host is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The guest leaves.
    Source,
    /// The guest arrives.
    Destination,
}
pub(super) use labels;
labels!(Side: Source => "source", Destination => "destination");

/// How the memory travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// All memory before the guest runs on the destination.
    Precopy,
    /// The guest runs on the destination while memory follows.
    Postcopy,
}
labels!(Mode: Precopy => "precopy", Postcopy => "postcopy");

/// How a migration ended, as seen from this host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The guest runs at the destination.
    Completed,
    /// The guest never ran at the destination.
    Failed,
    /// The source stopped the guest and then ran it again.
    RolledBack,
    /// Events were lost; what happened is not known.
    Unknown,
}
labels!(Outcome:
    Completed => "completed",
    Failed => "failed",
    RolledBack => "rolled_back",
    Unknown => "unknown",
);

/// The steps of a migration, in the order in which a good one takes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Frames and routes of an inbound guest stand ready.
    Staged,
    /// The source guest stopped in an outgoing migration.
    Switchover,
    /// The destination heard of it from the source's agent.
    Notified,
    /// The first frame of this migration left.
    Announced,
    /// The guest runs on this host.
    Resumed,
    /// The MAC was seen behind the new port.
    Relearned,
    /// The last round left.
    RoundsDone,
    /// The source took its own traces back.
    Retracted,
    /// The guest runs at the source again.
    RolledBack,
}
labels!(Phase:
    Staged => "staged",
    Switchover => "switchover",
    Notified => "notified",
    Announced => "announced",
    Resumed => "resumed",
    Relearned => "relearned",
    RoundsDone => "rounds_done",
    Retracted => "retracted",
    RolledBack => "rolled_back",
);

/// What a frame says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FrameKind {
    /// RARP request reverse, as QEMU announces (RFC 903 layout).
    Rarp,
    /// Gratuitous ARP request (RFC 5227).
    Garp,
    /// UNARP (RFC 1868).
    Unarp,
    /// Unsolicited neighbour advertisement (RFC 4861).
    Na,
}
labels!(FrameKind: Rarp => "rarp", Garp => "garp", Unarp => "unarp", Na => "na");

/// Why a frame did not leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SendFault {
    /// The guest's port has no carrier or is down, so the kernel would drop the frame unseen.
    NoCarrier,
    /// The guest's port is not in FORWARDING, so the bridge would drop the frame unseen.
    NotForwarding,
    /// `ENETDOWN`; or an injection was not taken, for the link is down or the CPU's backlog is full.
    NetDown,
    /// `ENOBUFS` or `EAGAIN`: a queue is full.
    NoBuffers,
    /// `ENXIO` or `ENODEV`: the link is gone.
    NoDevice,
    /// `EPERM` or `EACCES`.
    NotPermitted,
    /// An injection returned another value than 0.
    Refused,
    /// Nothing is staged for the guest in this generation.
    NotStaged,
    /// The limiter below the engine held the frame back.
    Limited,
    /// The operator paused the agent.
    Paused,
    /// An error number that has no word of its own here.
    Other,
}
labels!(SendFault:
    NoCarrier => "no_carrier",
    NotForwarding => "not_forwarding",
    NetDown => "net_down",
    NoBuffers => "no_buffers",
    NoDevice => "no_device",
    NotPermitted => "not_permitted",
    Refused => "refused",
    NotStaged => "not_staged",
    Limited => "limited",
    Paused => "paused",
    Other => "other",
);
