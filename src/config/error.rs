//! Why settings do not hold, in one line that says where.

use std::fmt;
use std::io;
use std::path::PathBuf;

use figment::error::Kind;
use figment::value::Value;
use figment::{Error, Figment};

use super::document::Document;
use super::keys;
use super::sources::Layer;

/// Why no settings could be loaded. Each is one line.
#[derive(Debug, thiserror::Error)]
pub enum LoadConfigError {
    /// The file cannot be read, or the operator named one that is not there.
    #[error("{}: expected a readable configuration file", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is no TOML.
    #[error("{}:{line}:{column}: expected valid TOML: {message}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// In characters, from 1.
        column: usize,
        /// What the parser said.
        message: String,
    },
    /// A key or its value cannot stand.
    #[error(transparent)]
    Misfit(Box<Misfit>),
}

impl LoadConfigError {
    /// `EX_CONFIG` of `sysexits.h`: what a program ends with that cannot use its settings.
    pub const EXIT_CODE: u8 = 78;
}

/// A key or value that cannot stand.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {key}: expected {expected}, found {found}")]
pub struct Misfit {
    /// Where it was set.
    pub place: Place,
    /// The key.
    pub key: String,
    /// What may stand there.
    pub expected: String,
    /// What stands there.
    pub found: String,
}

/// Where a setting was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the file, at this line and column, both from 1.
    File(PathBuf, usize, usize),
    /// In this variable or by this flag.
    Named(String),
    /// Nowhere: the default holds.
    Default,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path, line, column) => write!(f, "{}:{line}:{column}", path.display()),
            Self::Named(name) => write!(f, "{}", name.escape_debug()),
            Self::Default => f.write_str("default settings"),
        }
    }
}

/// A value that `check` refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// The paths that could be changed to mend it, with what would be expected there. The first
    /// that somebody set is blamed.
    pub(super) blamed: Vec<(String, String)>,
    /// What was found, where the value alone does not say.
    pub(super) found: Option<String>,
}

impl Fault {
    /// The value at `path` does not obey the key's rule.
    pub(super) fn at(path: &str) -> Self {
        let rule = keys::find(path).map(|key| key.rule.to_string());
        Self::but(path, rule.unwrap_or_default())
    }

    /// The value at `path` should have been something else.
    pub(super) fn but(path: &str, expected: String) -> Self {
        Self {
            blamed: vec![(path.to_owned(), expected)],
            found: None,
        }
    }
}

/// Finds out who set what.
#[derive(Debug)]
pub(super) struct Blame<'l> {
    figment: &'l Figment,
    document: Option<&'l Document>,
}

impl<'l> Blame<'l> {
    pub(super) const fn new(figment: &'l Figment, document: Option<&'l Document>) -> Self {
        Self { figment, document }
    }

    /// What serde refused: an unknown key, a missing key or a wrong type.
    pub(super) fn refused(&self, error: &Error) -> LoadConfigError {
        let mut path = error.path.join(".");
        let (expected, found) = if let Kind::UnknownField(name, _) = &error.kind {
            let table = path.strip_suffix(name).unwrap_or(&path);
            let table = table.trim_end_matches('.').to_owned();
            path = joined(&table, name);
            let expected = format!("one of {}", keys::names_in(&pattern(&table)).join(", "));
            (expected, format!("unknown key {}", quoted(name)))
        } else if let Kind::MissingField(name) = &error.kind {
            path = joined(&path, name);
            (rule_of(&path), "none".to_owned())
        } else {
            (rule_of(&path), self.found(&path))
        };
        self.at(&path, expected, found)
    }

    /// What `check` refused.
    pub(super) fn misfit(&self, fault: Fault) -> LoadConfigError {
        let set = |(path, _): &&(String, String)| self.place(path) != Place::Default;
        let blamed = fault
            .blamed
            .iter()
            .find(set)
            .or_else(|| fault.blamed.first());
        let (path, expected) = blamed.cloned().unwrap_or_default();
        let found = fault.found.unwrap_or_else(|| self.found(&path));
        self.at(&path, expected, found)
    }

    /// A line about a value that stands.
    pub(super) fn remark(&self, path: &str, remark: &str) -> String {
        match self.place(path) {
            Place::Default => format!("{}: {remark}", shown(path)),
            place @ (Place::File(..) | Place::Named(_)) => {
                format!("{place}: {}: {remark}", shown(path))
            }
        }
    }

    /// Where the value at `path`, or the nearest table or list around it, was set.
    fn place(&self, path: &str) -> Place {
        let tag = self.descend(path).1.map(|value| value.tag());
        let layer = tag.and_then(|tag| self.figment.get_metadata(tag));
        match (layer.map(|layer| layer.name.as_ref()), self.document) {
            (Some(Document::LAYER), Some(document)) => {
                let (line, column) = document.locate(path.split('.'));
                Place::File(document.path().clone(), line, column)
            }
            (None | Some(Layer::DEFAULTS), _) => Place::Default,
            (Some(name), _) => Place::Named(name.to_owned()),
        }
    }

    fn at(&self, path: &str, expected: String, found: String) -> LoadConfigError {
        LoadConfigError::Misfit(Box::new(Misfit {
            place: self.place(path),
            key: shown(path),
            expected,
            found,
        }))
    }

    fn found(&self, path: &str) -> String {
        match self.descend(path) {
            (true, Some(value)) => described(&value),
            _ => "none".to_owned(),
        }
    }

    /// Follows `path` as far as it goes: whether to the end, and the last value on the way.
    fn descend(&self, path: &str) -> (bool, Option<Value>) {
        let mut reached: Option<Value> = None;
        for segment in path.split('.') {
            let next = match &reached {
                None => self.figment.find_value(segment).ok(),
                Some(Value::Dict(_, table)) => table.get(segment).cloned(),
                Some(Value::Array(_, list)) => {
                    let index = segment.parse::<usize>().ok();
                    index.and_then(|index| list.get(index)).cloned()
                }
                Some(_) => None,
            };
            let Some(next) = next else {
                return (false, reached);
            };
            reached = Some(next);
        }
        (true, reached)
    }
}

fn joined(table: &str, name: &str) -> String {
    if table.is_empty() {
        name.to_owned()
    } else {
        format!("{table}.{name}")
    }
}

/// A path as [`keys::KEYS`] has it.
fn pattern(path: &str) -> String {
    match path.split_once('.') {
        Some(("guest", _)) => "guest.*".to_owned(),
        _ => path.to_owned(),
    }
}

/// A path as people write it: `guest[0].match`. Names that only the operator knows are escaped.
fn shown(path: &str) -> String {
    let mut text = String::new();
    for segment in path.split('.') {
        if segment.parse::<usize>().is_ok() {
            text = format!("{text}[{segment}]");
        } else {
            text = joined(&text, &segment.escape_debug().to_string());
        }
    }
    text
}

fn rule_of(path: &str) -> String {
    match keys::find(path) {
        Some(key) => key.rule.to_string(),
        None if path == "guest" => "[[guest]] tables".to_owned(),
        None => format!("a table with {}", keys::names_in(&pattern(path)).join(", ")),
    }
}

/// Longest text shown of a value.
const SHOWN: usize = 64;

fn quoted(text: &str) -> String {
    let cut: String = text.chars().take(SHOWN).collect();
    let more = if cut.len() < text.len() { "..." } else { "" };
    format!("{cut:?}{more}")
}

fn described(value: &Value) -> String {
    match value {
        Value::String(_, text) => quoted(text),
        Value::Char(_, character) => quoted(&character.to_string()),
        Value::Bool(_, truth) => truth.to_string(),
        Value::Num(_, number) => number.to_i128().map_or_else(
            || number.to_f64().unwrap_or_default().to_string(),
            |whole| whole.to_string(),
        ),
        Value::Empty(..) => "nothing".to_owned(),
        // toml hands dates and times on as a table with this one key.
        Value::Dict(_, table) if table.contains_key("$__toml_private_datetime") => {
            "a date or time".to_owned()
        }
        Value::Dict(..) => "a table".to_owned(),
        Value::Array(_, list) => format!("a list of {}", list.len()),
    }
}
