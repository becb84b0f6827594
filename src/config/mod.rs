//! Settings: defaults, file, environment, flags, in this order; then validated into types.
//!
//! [`load`] is the one way in. figment merges the layers, serde refuses unknown keys and wrong
//! types, and `check` turns what remains into [`Config`], whose values need no further checks.
//! Whatever is refused comes back as one line that names the place, the key, what was expected
//! and what stands there.
//!
//! In the environment a key is `MACMOVED_` and its path in upper case, tables joined by two
//! underscores: `MACMOVED_ANNOUNCE__ROUNDS=3`, `MACMOVED_NETWORK__UPLINKS=["eth0"]`. Variables
//! whose first segment is no key of this file are left alone, since `MACMOVED_LOG` and the like
//! are not settings.

mod check;
mod document;
mod error;
mod keys;
mod pending;
mod settings;
mod sources;
mod validated;

use figment::Figment;

pub use crate::model::{ParsePrefixError, Prefix};
pub use error::{LoadConfigError, Misfit, Place};
pub use keys::{KEYS, Key, Rule};
pub use sources::{ConfigFile, DEFAULT_FILE, Setting, Sources};
pub use validated::{Access, Config, Handoff, Libvirt, Metrics, Peer, Unarp};

use document::Document;
use error::Blame;
use settings::Settings;
use sources::Layer;

/// Settings that hold, and what the operator should know of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// The settings.
    pub config: Config,
    /// One line each: keys that have no effect in this version, variables that name no key.
    pub warnings: Vec<String>,
}

/// Reads, merges and validates the settings; the same sources can be loaded again at a reload.
///
/// # Errors
/// The first thing found that cannot hold, with its place. Nothing is guessed and no default
/// stands in for a setting that was refused.
pub fn load(sources: &Sources) -> Result<Loaded, LoadConfigError> {
    let document = Document::read(&sources.file)?;
    let (variables, mut warnings) = sources.variables();
    let layers = [Layer::defaults()]
        .into_iter()
        .chain(document.as_ref().map(Document::layer))
        .chain(variables.iter().map(Layer::of))
        .chain(sources.flags.iter().map(Layer::of));
    let figment = layers.fold(Figment::new(), Figment::merge);
    let blame = Blame::new(&figment, document.as_ref());
    let settings = figment
        .extract::<Settings>()
        .map_err(|error| blame.refused(&error))?;
    let config = check::check(&settings).map_err(|fault| blame.misfit(fault))?;
    warnings.extend(pending::set_without_effect(&settings, &config, &blame));
    Ok(Loaded { config, warnings })
}

#[cfg(test)]
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "a test picks the rules that it is about"
)]
mod tests;
