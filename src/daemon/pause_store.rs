//! The order to pause, kept for the agent's next start.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::model::Timestamp;

/// The file's name in the state directory.
const NAME: &str = "pause.json";

/// Far more than we write.
const OCTETS: u64 = 4_096;

/// An order as it is kept: `{"until_ns":1700000000000000000}`, or `null` for one without an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Kept {
    /// When it ends by itself, as nanoseconds since the Unix epoch: the monotonic clock does not
    /// outlast the host.
    #[serde(deserialize_with = "Option::deserialize")]
    pub(super) until_ns: Option<Timestamp>,
}

/// Why an order cannot be kept, read or forgotten.
#[derive(Debug, thiserror::Error)]
pub(super) enum PauseStoreError {
    /// It is not written.
    #[error("cannot write {}", path.display())]
    Write { path: PathBuf, source: io::Error },
    /// What is there cannot be read.
    #[error("cannot read {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    /// What is there is no order of ours.
    #[error("{} is no order to pause", path.display())]
    Malformed {
        path: PathBuf,
        source: serde_json::Error,
    },
    /// It is still there.
    #[error("cannot remove {}", path.display())]
    Remove { path: PathBuf, source: io::Error },
}

/// Where the order is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PauseStore {
    path: PathBuf,
}

impl PauseStore {
    pub(super) fn within(state_directory: &Path) -> Self {
        Self {
            path: state_directory.join(NAME),
        }
    }

    /// The order, if there is one.
    pub(super) fn read(&self) -> Result<Option<Kept>, PauseStoreError> {
        let path = || self.path.clone();
        let mut octets = Vec::new();
        match File::open(&self.path).and_then(|file| file.take(OCTETS).read_to_end(&mut octets)) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => {
                return Err(PauseStoreError::Read {
                    path: path(),
                    source,
                });
            }
        }
        let kept = serde_json::from_slice(&octets);
        kept.map(Some).map_err(|source| PauseStoreError::Malformed {
            path: path(),
            source,
        })
    }

    /// Keeps the order in place of an earlier one, whole or not at all.
    pub(super) fn write(&self, kept: Kept) -> Result<(), PauseStoreError> {
        self.replace(kept).map_err(|source| PauseStoreError::Write {
            path: self.path.clone(),
            source,
        })
    }

    /// Forgets the order.
    pub(super) fn clear(&self) -> Result<(), PauseStoreError> {
        match fs::remove_file(&self.path) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(source) => Err(PauseStoreError::Remove {
                path: self.path.clone(),
                source,
            }),
        }
    }

    fn replace(&self, kept: Kept) -> io::Result<()> {
        if let Some(directory) = self.path.parent()
            && !directory.is_dir()
        {
            DirBuilder::new().mode(0o750).create(directory)?;
        }
        let partial = self.path.with_extension("partial");
        let mut file = File::options()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&partial)?;
        file.write_all(&serde_json::to_vec(&kept)?)?;
        file.sync_all()?;
        fs::rename(&partial, &self.path)
    }
}

#[cfg(test)]
mod tests;
