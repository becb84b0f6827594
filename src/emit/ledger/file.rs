//! The ledger's file, replaced whole at every change.
//!
//! ```text
//! {"format":"macmoved-state","version":1,"boot":"...","entries":[
//!   {"guest":"...","port":12,"name":"vnet5","bridge":5,"mac":"52:54:00:...","vlan":null}]}
//! ```
//!
//! It has to outlive this process, not this boot, with which all entries go; so nothing is synced.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::book::{Leftover, MAX_ENTRIES};
use crate::model::GuestId;

const FORMAT: &str = "macmoved-state";
const VERSION: u32 = 1;

/// A directory that is made for the file: its owner, and a group that may look.
const DIRECTORY_MODE: u32 = 0o750;
/// The file: its owner, since it names guests.
const MODE: u32 = 0o600;

/// Octets that are read: a full ledger has some 170 an entry.
const MAX_OCTETS: u64 = 256 * MAX_ENTRIES as u64;

/// A new one for each boot.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// Why what an earlier agent wrote is lost.
#[derive(Debug, thiserror::Error)]
pub(super) enum LoadStateError {
    /// It cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// It is no ledger.
    #[error("{} is no ledger of this version", path.display())]
    Parse {
        path: PathBuf,
        #[source]
        source: Option<serde_json::Error>,
    },
}

/// Why the ledger is not on disk.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {}", path.display())]
pub(super) struct StoreStateError {
    path: PathBuf,
    #[source]
    source: io::Error,
}

#[derive(Serialize, Deserialize)]
struct Document {
    format: String,
    version: u32,
    boot: String,
    entries: Vec<Line>,
}

#[derive(Serialize, Deserialize)]
struct Line {
    guest: GuestId,
    #[serde(flatten)]
    leftover: Leftover,
}

/// The file and where it is.
#[derive(Debug)]
pub(super) struct StateFile {
    directory: PathBuf,
    boot: String,
    /// The last attempt to write failed and was logged.
    failing: bool,
}

impl StateFile {
    /// `state` in `directory`.
    pub(super) fn new(directory: PathBuf) -> Self {
        let boot = fs::read_to_string(BOOT_ID).unwrap_or_default();
        Self {
            directory,
            boot: boot.trim().to_owned(),
            failing: false,
        }
    }

    /// What an earlier agent wrote in this boot. A file that is none of ours is set aside as
    /// `state.bad`.
    pub(super) fn load(&mut self) -> Result<Vec<(GuestId, Leftover)>, LoadStateError> {
        let path = self.path("state");
        let loaded = read(&path);
        if let Err(error) = &loaded {
            let aside = self.path("state.bad");
            let kept = fs::rename(&path, &aside).is_ok();
            tracing::warn!(
                error = error as &dyn std::error::Error,
                kept_as = kept.then(|| aside.display().to_string()),
                "forwarding entries of an earlier agent stay until they age",
            );
        }
        let document = loaded?.filter(|document| document.boot == self.boot);
        let lines = document.map(|document| document.entries);
        let entries = lines.into_iter().flatten();
        Ok(entries.map(|line| (line.guest, line.leftover)).collect())
    }

    /// Puts these entries in the place of what is written; none leave no file.
    pub(super) fn store<'a>(
        &mut self,
        entries: impl Iterator<Item = (GuestId, &'a Leftover)>,
    ) -> Result<(), StoreStateError> {
        let entries: Vec<_> = entries
            .map(|(guest, &leftover)| Line { guest, leftover })
            .collect();
        let outcome = self.replace(entries).map_err(|source| StoreStateError {
            path: self.path("state"),
            source,
        });
        match &outcome {
            Err(error) if !self.failing => tracing::warn!(
                error = error as &dyn std::error::Error,
                "announcing all the same; what frames leave behind would outlive a killed agent",
            ),
            Ok(()) if self.failing => tracing::info!("the ledger is written again"),
            Ok(()) | Err(_) => {}
        }
        self.failing = outcome.is_err();
        outcome
    }

    fn replace(&self, entries: Vec<Line>) -> io::Result<()> {
        let path = self.path("state");
        if entries.is_empty() {
            return forgive_missing(fs::remove_file(path));
        }
        let document = Document {
            format: FORMAT.to_owned(),
            version: VERSION,
            boot: self.boot.clone(),
            entries,
        };
        let text = serde_json::to_vec(&document)?;
        make_directory(&self.directory)?;
        let new = self.path("state.new");
        // What a killed agent left in the middle of a change.
        forgive_missing(fs::remove_file(&new))?;
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(MODE)
            .open(&new)?;
        file.write_all(&text)?;
        fs::rename(new, path)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }
}

fn read(path: &Path) -> Result<Option<Document>, LoadStateError> {
    let refused = |source| LoadStateError::Read {
        path: path.to_owned(),
        source,
    };
    let malformed = |source| LoadStateError::Parse {
        path: path.to_owned(),
        source,
    };
    let file = match open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(refused(error)),
    };
    let mut text = Vec::new();
    let read = file.take(MAX_OCTETS + 1).read_to_end(&mut text);
    if read.map_err(refused)? as u64 > MAX_OCTETS {
        return Err(malformed(None));
    }
    let document: Document =
        serde_json::from_slice(&text).map_err(|error| malformed(Some(error)))?;
    let ours = document.format == FORMAT && document.version == VERSION;
    if !ours || document.entries.len() > MAX_ENTRIES {
        return Err(malformed(None));
    }
    Ok(Some(document))
}

/// Opens no link and waits for nobody, whatever stands there.
fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(path)
}

fn make_directory(path: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(DIRECTORY_MODE).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        outcome => outcome,
    }
}

fn forgive_missing(outcome: io::Result<()>) -> io::Result<()> {
    match outcome {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        outcome => outcome,
    }
}

#[cfg(test)]
mod tests;
