//! The settings as the rest of the program has them: typed, in range, consistent.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU16;
use std::path::PathBuf;
use std::time::Duration;

use crate::engine::Policy;
use crate::model::{LinkName, Prefix};

/// All settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Observe and decide, send and change nothing.
    pub dry_run: bool,
    /// What the engine decides by: `[announce]`, `[pacing]`, `[unarp] enabled`, `[addresses]` and
    /// `[[guest]]`.
    pub policy: Policy,
    /// How to reach libvirt.
    pub libvirt: Libvirt,
    /// Moves of one address in 180 s beyond which it counts as flapping.
    pub move_budget: u8,
    /// What the source does when a guest has left, and about the UNARP of others.
    pub unarp: Unarp,
    /// Uplinks by name; empty means that they are found.
    pub network_uplinks: Vec<LinkName>,
    /// The exchange between the two hosts of a migration.
    pub handoff: Handoff,
    /// Where libvirt's hook script reports, by way of `macmovectl hook`.
    pub hook_socket: PathBuf,
    /// Where `macmovectl` asks.
    pub control_socket: PathBuf,
    /// Where what outlasts the process is written down.
    pub state_directory: PathBuf,
    /// What is shown over HTTP, and where.
    pub metrics: Metrics,
    /// Whether the agent is on the system bus.
    pub dbus_enabled: bool,
}

/// `[libvirt]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Libvirt {
    /// As `virConnectOpen` takes it.
    pub uri: String,
    /// How much of it to use.
    pub access: Access,
}

/// How much of libvirt the agent uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// A read-write connection: QMP events too.
    Full,
    /// A read-only connection: lifecycle events only.
    ReadOnly,
}

impl Access {
    /// The word used in the file and in status.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::ReadOnly => "read-only",
        }
    }
}

/// `[unarp]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unarp {
    /// Send UNARP when a guest has left.
    pub enabled: bool,
    /// Act on the UNARP of others; never without prefixes.
    pub honour: bool,
    /// Addresses for which that is done; IPv4 only.
    pub honour_prefixes: Vec<Prefix>,
}

/// `[handoff]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handoff {
    /// The migration network's link.
    pub interface: Option<LinkName>,
    /// Where unpaired agents look for each other.
    pub group: Ipv4Addr,
    /// UDP port of group and agents.
    pub port: NonZeroU16,
    /// Agents to ask directly instead.
    pub peers: Vec<Peer>,
    /// The shared keys.
    pub key_file: PathBuf,
    /// Length of a staged tap's queue, in frames.
    pub queue_frames: u32,
    /// How long the destination waits for RESUME after an early announcement.
    pub hold: Duration,
}

impl Handoff {
    /// Whether the operator wants it: it has somewhere to bind or somebody to ask.
    #[must_use]
    pub fn enabled(&self) -> bool {
        self.interface.is_some() || !self.peers.is_empty()
    }
}

/// Another host's agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its address.
    pub address: IpAddr,
    /// Its UDP port, where it is not `handoff.port`.
    pub port: Option<NonZeroU16>,
}

/// `[metrics]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metrics {
    /// Where HTTP listens; port 0 takes any free one.
    pub listen: SocketAddr,
    /// Whether guests' names and UUIDs appear in metrics.
    pub guest_labels: bool,
}
