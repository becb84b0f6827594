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

/// What libvirt's hook script was called for (`docs/hooks.rst` of libvirt).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HookOperation {
    /// `migrate begin`: a guest is about to arrive; nothing of it is here yet.
    Migrate,
    /// `prepare begin`: it gets its devices.
    Prepare,
    /// `start begin`: its taps have names and QEMU is about to be started.
    Start,
    /// `started begin`: QEMU stands. An arriving guest does not run yet.
    Started,
    /// `stopped end`: QEMU is gone.
    Stopped,
    /// `release end`: so are the devices.
    Release,
    /// `reconnect begin`: libvirt was restarted beside the running guest.
    Reconnect,
    /// `attach begin`: libvirt took over a QEMU that somebody else started.
    Attach,
    /// `restore begin`: a saved guest comes back.
    Restore,
    /// Any other: a later libvirt's.
    Other,
}
labels!(HookOperation:
    Migrate => "migrate",
    Prepare => "prepare",
    Start => "start",
    Started => "started",
    Stopped => "stopped",
    Release => "release",
    Reconnect => "reconnect",
    Attach => "attach",
    Restore => "restore",
    Other => "other",
);

impl HookOperation {
    /// The operation of that word and phase, as libvirt calls the script.
    #[must_use]
    pub const fn of(operation: &[u8], phase: &[u8]) -> Self {
        match (operation, phase) {
            (b"migrate", b"begin") => Self::Migrate,
            (b"prepare", b"begin") => Self::Prepare,
            (b"start", b"begin") => Self::Start,
            (b"started", b"begin") => Self::Started,
            (b"stopped", b"end") => Self::Stopped,
            (b"release", b"end") => Self::Release,
            (b"reconnect", b"begin") => Self::Reconnect,
            (b"attach", b"begin") => Self::Attach,
            (b"restore", b"begin") => Self::Restore,
            _ => Self::Other,
        }
    }
}

/// Why a connection to the hook socket told nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HookFault {
    /// The caller is not root.
    Caller,
    /// It was not done in time.
    Timeout,
    /// It said more than a message may hold.
    Oversized,
    /// What it said is no message.
    Malformed,
    /// The XML was too long to be handed over, in a message that needs it.
    WithoutXml,
    /// The XML is no guest's.
    Xml,
}
labels!(HookFault:
    Caller => "caller",
    Timeout => "timeout",
    Oversized => "oversized",
    Malformed => "malformed",
    WithoutXml => "without_xml",
    Xml => "xml",
);

/// What became of a guest that only libvirt's hook script spoke of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HintOutcome {
    /// libvirt describes it as the hook did: what was staged ahead serves.
    Confirmed,
    /// libvirt describes it otherwise: it is staged anew.
    Differed,
    /// libvirt did not say in time that it arrives, or said something else.
    Unconfirmed,
    /// libvirt had spoken of it before.
    Needless,
}
labels!(HintOutcome:
    Confirmed => "confirmed",
    Differed => "differed",
    Unconfirmed => "unconfirmed",
    Needless => "needless",
);

/// Why an UNARP was heard and no neighbour entry deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnarpRefusal {
    /// The frame ends within its ARP body.
    Truncated,
    /// The frame is longer than an UNARP and its padding.
    Oversized,
    /// The hardware type is not Ethernet.
    HardwareType,
    /// The protocol type is not IPv4.
    ProtocolType,
    /// The protocol address is not IPv4's in length.
    ProtocolLength,
    /// It is no ARP reply.
    Operation,
    /// The target is not 255.255.255.255.
    Target,
    /// The address that leaves is no host's.
    Host,
    /// The frame is no UNARP in any other way.
    NotUnarp,
    /// The Ethernet destination is not everybody.
    NotBroadcast,
    /// The Ethernet source is no station's.
    Source,
    /// It is in a VLAN that this host is not in, or for another station.
    OtherHost,
    /// The address is outside `unarp.honour_prefixes`.
    OutsidePrefixes,
    /// More were heard on the link in a second than entries are looked up.
    LookupRate,
    /// There is no entry for the address on the link, or none with a MAC address.
    NoEntry,
    /// The entry names another MAC address than the UNARP's Ethernet source: it is right already,
    /// or the UNARP is not from who held the address.
    OtherMac,
    /// The entry is permanent.
    Permanent,
    /// The entry is on a link without ARP.
    NoArp,
    /// The entry is a controller's.
    Controller,
    /// A route goes by way of the address.
    NextHop,
    /// The routes cannot be read, so that the address may be a next hop.
    RoutesUnknown,
    /// The address's entry on the link was deleted less than 5 s ago.
    AddressRate,
    /// Ten entries of the link were deleted within the last second.
    LinkRate,
    /// The entry changed while this was decided.
    Changed,
    /// The operator paused the agent.
    Paused,
    /// This is a dry run.
    DryRun,
    /// More were heard than are read, or than the kernel keeps for us.
    Overrun,
    /// The kernel refused to give or to delete the entry.
    Kernel,
}
labels!(UnarpRefusal:
    Truncated => "truncated",
    Oversized => "oversized",
    HardwareType => "hardware_type",
    ProtocolType => "protocol_type",
    ProtocolLength => "protocol_length",
    Operation => "operation",
    Target => "target",
    Host => "host",
    NotUnarp => "not_unarp",
    NotBroadcast => "not_broadcast",
    Source => "source",
    OtherHost => "other_host",
    OutsidePrefixes => "outside_prefixes",
    LookupRate => "lookup_rate",
    NoEntry => "no_entry",
    OtherMac => "other_mac",
    Permanent => "permanent",
    NoArp => "no_arp",
    Controller => "controller",
    NextHop => "next_hop",
    RoutesUnknown => "routes_unknown",
    AddressRate => "address_rate",
    LinkRate => "link_rate",
    Changed => "changed",
    Paused => "paused",
    DryRun => "dry_run",
    Overrun => "overrun",
    Kernel => "kernel",
);
