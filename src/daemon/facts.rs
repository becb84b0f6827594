//! What the control socket shows of the shell.

use crate::config::Config;
use crate::control::Facts;
use crate::model::{Prefix, Timestamp};
use crate::sys::clock;

/// What of the settings people ask for.
pub(super) fn facts(config: &Config, warnings: Vec<String>) -> Facts {
    Facts {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        since: Timestamp::of(clock::now(), clock::realtime_offset()),
        dry_run: config.dry_run,
        access: config.libvirt.access.label().to_owned(),
        honours: honours(config),
        warnings,
    }
}

/// Where the UNARPs of others are honoured.
fn honours(config: &Config) -> Vec<String> {
    let prefixes = config.unarp.honour_prefixes.iter();
    let prefixes = prefixes.filter(|_| config.unarp.honour);
    prefixes.map(Prefix::to_string).collect()
}
