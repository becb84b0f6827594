//! The configuration file: its values, and where in it each of them stands.

use std::fs;
use std::io;
use std::path::PathBuf;

use figment::value::Dict;
use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::sources::Layer;
use super::{ConfigFile, LoadConfigError};

/// A file that was read.
#[derive(Debug)]
pub(super) struct Document {
    path: PathBuf,
    text: String,
    values: Dict,
}

impl Document {
    /// The name of the file's layer.
    pub(super) const LAYER: &'static str = "file";

    /// Reads and parses the file; none where it is absent and may be.
    pub(super) fn read(file: &ConfigFile) -> Result<Option<Self>, LoadConfigError> {
        let (ConfigFile::Named(path) | ConfigFile::IfPresent(path)) = file;
        let octets = match fs::read(path) {
            Ok(octets) => octets,
            Err(error)
                if error.kind() == io::ErrorKind::NotFound
                    && matches!(file, ConfigFile::IfPresent(_)) =>
            {
                return Ok(None);
            }
            Err(source) => {
                let path = path.clone();
                return Err(LoadConfigError::Read { path, source });
            }
        };
        Self::parse(path.clone(), octets).map(Some)
    }

    fn parse(path: PathBuf, octets: Vec<u8>) -> Result<Self, LoadConfigError> {
        let syntax = |text: &str, offset: usize, message: &str| {
            let (line, column) = position(text, offset);
            LoadConfigError::Syntax {
                path: path.clone(),
                line,
                column,
                message: message.replace('\n', " "),
            }
        };
        let text = String::from_utf8(octets).map_err(|error| {
            let good = error.utf8_error().valid_up_to();
            let text = String::from_utf8_lossy(error.as_bytes());
            syntax(&text, good, "not UTF-8")
        })?;
        let refused = |error: &toml::de::Error| {
            let offset = error.span().map_or(0, |span| span.start);
            syntax(&text, offset, error.message())
        };
        let values = toml::de::Deserializer::parse(&text)
            .and_then(Dict::deserialize)
            .map_err(|error| refused(&error))?;
        Ok(Self { path, text, values })
    }

    /// Its values as a layer.
    pub(super) fn layer(&self) -> Layer {
        Layer::new(Self::LAYER, self.values.clone())
    }

    pub(super) const fn path(&self) -> &PathBuf {
        &self.path
    }

    /// Line and column, both from 1, of what stands at `path` or, failing that, around it.
    pub(super) fn locate<'p>(&self, path: impl Iterator<Item = &'p str>) -> (usize, usize) {
        // Only a refusal or a warning asks, so the positions are not kept.
        let Ok(root) = DeTable::parse(&self.text) else {
            return (1, 1);
        };
        let mut offset = 0;
        let mut node = Node::Table(root.get_ref());
        for segment in path {
            let Some((found, value)) = node.step(segment) else {
                break;
            };
            offset = found;
            match value {
                DeValue::Table(table) => node = Node::Table(table),
                DeValue::Array(array) => node = Node::List(array),
                DeValue::String(_)
                | DeValue::Integer(_)
                | DeValue::Float(_)
                | DeValue::Boolean(_)
                | DeValue::Datetime(_) => break,
            }
        }
        position(&self.text, offset)
    }
}

/// A value with values in it.
enum Node<'d> {
    Table(&'d DeTable<'d>),
    List(&'d [Spanned<DeValue<'d>>]),
}

impl<'d> Node<'d> {
    /// Where the member begins (its key, in a table), and the member.
    fn step(&self, segment: &str) -> Option<(usize, &'d DeValue<'d>)> {
        match self {
            Self::Table(table) => {
                let (key, value) = table.get_key_value(segment)?;
                Some((key.span().start, value.get_ref()))
            }
            Self::List(list) => {
                let value = list.get(segment.parse::<usize>().ok()?)?;
                Some((value.span().start, value.get_ref()))
            }
        }
    }
}

/// Line and column, in characters and from 1, of an octet's offset.
fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let column = before.get(start..).unwrap_or_default().chars().count() + 1;
    (line, column)
}
