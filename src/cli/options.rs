//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::control::LONGEST_PAUSE;
use crate::model::{HostIpv4, MacAddr, VlanId};

/// Shows what macmoved does on this host, and what it would send
#[derive(Debug, Parser)]
#[command(
    name = "macmovectl",
    version,
    propagate_version = true,
    max_term_width = 100
)]
#[command(
    after_help = "Exit status: 0 done, 64 usage, 65 unusable data, 66 no input, \
    69 macmoved is not there, 70 internal, 73 a file is in the way, 74 input or output, 75 still paused, 77 not permitted."
)]
pub(super) struct Options {
    /// Where macmoved listens
    #[arg(long, global = true, value_name = "PATH")]
    #[arg(default_value = "/run/macmoved/control.sock")]
    pub(super) socket: PathBuf,
    /// Answer as one line of JSON
    #[arg(long, global = true)]
    pub(super) json: bool,
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// The agent, its connection to libvirt, and what it counted
    Status,
    /// Guests that run on this host, arrive or leave
    Guests,
    /// Migrations that ended, newest first
    History {
        /// How many at most
        #[arg(long, value_name = "N", default_value_t = 20)]
        #[arg(value_parser = clap::value_parser!(u32).range(1..))]
        limit: u32,
    },
    /// What is announced of a guest, and what is not and why
    Plan(PlanOptions),
    /// Stops every frame at the last point; observing goes on. Outlasts a restart of macmoved, not
    /// of the host
    Pause {
        /// End by itself after this time, such as 1h; 30 days at most
        #[arg(long = "for", value_name = "TIME", value_parser = length)]
        length: Option<Duration>,
    },
    /// Ends a pause, and safe mode; what was withheld is not sent later
    Resume,
    /// The hook script that has libvirt tell macmoved of guests before they arrive
    Hooks {
        /// What to do
        #[arg(value_enum)]
        action: HooksAction,
        /// Below this directory instead of /
        #[arg(long, value_name = "DIRECTORY", default_value = "/")]
        root: PathBuf,
    },
    /// What that script runs: silent, never failing, with the guest's XML on standard input
    Hook {
        /// What libvirt gives its hooks: object, operation, sub-operation, extra argument
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        words: Vec<OsString>,
    },
    /// Builds one frame and explains it octet by octet; sends nothing
    Frame {
        #[command(subcommand)]
        kind: FrameKind,
    },
}

/// What to do about the hook script.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum HooksAction {
    /// Put it into /etc/libvirt/hooks/qemu.d, and say whether libvirt has to be reloaded
    Install,
    /// Take it away again
    Uninstall,
    /// Say whether it is there, is run, and is heard
    Status,
}

#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
pub(super) struct PlanOptions {
    /// A guest of this host, by name or UUID
    pub(super) guest: Option<String>,
    /// Domain XML as `virsh dumpxml` writes it, instead of a guest of this host; - is standard
    /// input. Asks neither macmoved nor libvirt
    #[arg(long, value_name = "FILE")]
    pub(super) xml: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(super) enum FrameKind {
    /// A RARP request reverse: the guest is here (as QEMU sends it)
    Rarp {
        /// The guest's address
        #[arg(value_parser = station)]
        mac: MacAddr,
        #[command(flatten)]
        common: FrameOptions,
    },
    /// An UNARP: the host with this address is gone (RFC 1868)
    Unarp {
        /// The sending host's own address, never the guest's
        #[arg(long, value_name = "HOSTMAC", value_parser = station)]
        source: MacAddr,
        /// The address that is gone
        ip: HostIpv4,
        #[command(flatten)]
        common: FrameOptions,
    },
    /// A gratuitous ARP request: the guest has this address (RFC 5227)
    Garp {
        /// The guest's address
        #[arg(value_parser = station)]
        mac: MacAddr,
        /// The guest's IPv4 address
        ip: HostIpv4,
        #[command(flatten)]
        common: FrameOptions,
    },
}

#[derive(Args, Debug)]
pub(super) struct FrameOptions {
    /// Give the frame an 802.1Q tag
    #[arg(long, value_name = "ID", value_parser = vlan)]
    pub(super) vlan: Option<VlanId>,
    /// Write the frame to a capture file, for tcpdump or Wireshark
    #[arg(long, value_name = "FILE")]
    pub(super) pcap: Option<PathBuf>,
}

/// Why an address is not one station's.
#[derive(Debug, thiserror::Error)]
enum StationError {
    #[error(transparent)]
    Malformed(#[from] crate::model::ParseMacError),
    #[error("the zero address belongs to no station")]
    Zero,
    #[error("the broadcast address belongs to every station")]
    Broadcast,
    #[error("a multicast address belongs to a group of stations")]
    Multicast,
}

fn station(text: &str) -> Result<MacAddr, StationError> {
    let mac: MacAddr = text.parse()?;
    if mac.is_zero() {
        Err(StationError::Zero)
    } else if mac.is_broadcast() {
        Err(StationError::Broadcast)
    } else if mac.is_multicast() {
        Err(StationError::Multicast)
    } else {
        Ok(mac)
    }
}

/// Why a text names no VLAN.
#[derive(Debug, thiserror::Error)]
enum VlanError {
    #[error("a VLAN is a number from 1 to 4094")]
    Malformed(#[from] std::num::ParseIntError),
    #[error(transparent)]
    Number(#[from] crate::model::VlanIdError),
}

fn vlan(text: &str) -> Result<VlanId, VlanError> {
    Ok(text.parse::<u16>()?.try_into()?)
}

/// Why a text is no length of a pause.
#[derive(Debug, thiserror::Error)]
enum LengthError {
    #[error("a pause is a time with its unit, such as 1h")]
    Malformed(#[from] humantime::DurationError),
    #[error(
        "a pause has whole seconds, from 1s to {}; without --for it has no end",
        humantime::format_duration(LONGEST_PAUSE)
    )]
    Bounds,
}

fn length(text: &str) -> Result<Duration, LengthError> {
    let length = humantime::parse_duration(text)?;
    let whole = length.subsec_nanos() == 0 && !length.is_zero();
    if whole && length <= LONGEST_PAUSE {
        Ok(length)
    } else {
        Err(LengthError::Bounds)
    }
}

#[cfg(test)]
mod tests;
