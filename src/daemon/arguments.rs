//! The daemon's command line.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

use crate::config::Setting;
use crate::emit::RouteChoice;

/// Announces live-migrated guests to the network.
#[derive(Debug, Parser)]
#[command(name = "macmoved", version, about, max_term_width = 100)]
pub(super) struct Arguments {
    /// Configuration file; a file `paused` beside it pauses the agent [default:
    /// /etc/macmoved/macmoved.toml, if it is there]
    #[arg(long, value_name = "FILE", env = "MACMOVED_CONFIG")]
    pub(super) config: Option<PathBuf>,
    /// Read the configuration, say what is wrong with it, and end
    #[arg(long)]
    pub(super) check: bool,
    /// Log every octet at the last point instead of sending it
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Write every event and action to FILE, for a replay; it names guests
    #[arg(long, value_name = "FILE")]
    pub(super) record: Option<PathBuf>,
    /// Take one way into bridges whatever the kernel can do
    #[arg(
        long,
        value_name = "ROUTE",
        value_enum,
        hide = true,
        default_value = "auto"
    )]
    pub(super) route: RouteArgument,
}

/// `--route`, for tests and measurements.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum RouteArgument {
    /// The best that the kernel has.
    Auto,
    /// As from the tap.
    Injection,
    /// The forwarding entry, and a frame on the bridge.
    Fdb,
}

impl Arguments {
    /// Flags that override a setting.
    pub(super) fn settings(&self) -> Vec<Setting> {
        let dry_run = self.dry_run.then(|| Setting {
            origin: "--dry-run".to_owned(),
            key: "dry_run".to_owned(),
            value: "true".to_owned(),
        });
        dry_run.into_iter().collect()
    }
}

impl From<RouteArgument> for RouteChoice {
    fn from(route: RouteArgument) -> Self {
        match route {
            RouteArgument::Auto => Self::Auto,
            RouteArgument::Injection => Self::Injection,
            RouteArgument::Fdb => Self::Fdb,
        }
    }
}
