//! Where settings come from, as layers for figment.

use std::collections::BTreeSet;
use std::path::PathBuf;

use figment::value::{Dict, Map, Value};
use figment::{Metadata, Profile, Provider};

use super::keys;
use super::settings::Settings;

/// The file that is read where none is named.
pub const DEFAULT_FILE: &str = "/etc/macmoved/macmoved.toml";

/// What every variable that sets a key begins with.
const PREFIX: &str = "MACMOVED_";

/// Variables of this prefix that are read elsewhere: the log filter and the file's own name.
const NOT_SETTINGS: &[&str] = &["MACMOVED_LOG", "MACMOVED_CONFIG"];

/// The configuration file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigFile {
    /// The operator named it, so it must be there.
    Named(PathBuf),
    /// It is read where it is there.
    IfPresent(PathBuf),
}

impl ConfigFile {
    /// The file that the operator named, else [`DEFAULT_FILE`] where that is present.
    #[must_use]
    pub fn new(named: Option<PathBuf>) -> Self {
        named.map_or_else(|| Self::IfPresent(DEFAULT_FILE.into()), Self::Named)
    }
}

/// One setting from outside the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The variable or flag as the operator knows it, such as `--dry-run`.
    pub origin: String,
    /// The key that it sets, such as `announce.rounds`.
    pub key: String,
    /// The value: `true`, `false`, a number, `[a, b]`, `{a = b}`, and anything else is text.
    pub value: String,
}

/// Everything that settings are read from, in ascending order of rank.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sources {
    /// The file.
    pub file: ConfigFile,
    /// Variables by name; those that set no key are left alone.
    pub environment: Vec<(String, String)>,
    /// Flags, the later over the earlier.
    pub flags: Vec<Setting>,
}

impl Sources {
    /// The file, this process's environment, and flags.
    #[must_use]
    pub fn of_process(named: Option<PathBuf>, flags: Vec<Setting>) -> Self {
        let text = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
        let environment = std::env::vars_os().map(|(name, value)| (text(name), text(value)));
        Self {
            file: ConfigFile::new(named),
            environment: environment
                .filter(|(name, _)| name.starts_with(PREFIX))
                .collect(),
            flags,
        }
    }

    /// The variables that set keys, by name, and a warning for each that may have been meant to.
    pub(super) fn variables(&self) -> (Vec<Setting>, Vec<String>) {
        let (mut settings, mut warnings) = (Vec::new(), Vec::new());
        let tops = keys::names_in("");
        for (name, value) in self.environment.iter().collect::<BTreeSet<_>>() {
            let Some(rest) = name.strip_prefix(PREFIX) else {
                continue;
            };
            let key = rest.to_ascii_lowercase().replace("__", ".");
            let top = key.split('.').next().unwrap_or_default();
            if tops.contains(&top) {
                settings.push(Setting {
                    origin: name.clone(),
                    key,
                    value: value.clone(),
                });
            } else if !NOT_SETTINGS.contains(&name.as_str()) {
                warnings.push(format!(
                    "{}: names no setting and is ignored; settings begin with one of {}",
                    name.escape_debug(),
                    tops.join(", ")
                ));
            }
        }
        (settings, warnings)
    }
}

/// One layer of settings, under a name that says where a value came from.
#[derive(Debug)]
pub(super) struct Layer {
    name: String,
    values: Dict,
}

impl Layer {
    /// The name of the layer that holds where nobody set anything.
    pub(super) const DEFAULTS: &'static str = "defaults";

    pub(super) fn new(name: &str, values: Dict) -> Self {
        Self {
            name: name.to_owned(),
            values,
        }
    }

    pub(super) fn defaults() -> Self {
        let values = Value::serialize(Settings::default())
            .ok()
            .and_then(Value::into_dict);
        Self::new(Self::DEFAULTS, values.unwrap_or_default())
    }

    pub(super) fn of(setting: &Setting) -> Self {
        let Ok(value) = setting.value.parse::<Value>();
        let nested = figment::util::nest(&setting.key, value).into_dict();
        Self::new(&setting.origin, nested.unwrap_or_default())
    }
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.name.clone())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(Profile::Default.collect(self.values.clone()))
    }
}
