//! The file that pauses the agent by being there.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::config::ConfigFile;

/// Its name, beside the configuration file: `/etc/macmoved/paused` unless another configuration is
/// named.
const NAME: &str = "paused";

/// How much of it is read: 200 characters of four octets each, and some space before them.
const OCTETS: u64 = 1_024;

/// How much of its first line is shown.
const REASON: usize = 200;

/// Where to look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PauseFile {
    path: PathBuf,
}

/// The file is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    /// Its first line, if it has one and may be read.
    pub(super) reason: Option<String>,
}

impl PauseFile {
    /// The file beside the configuration.
    pub(super) fn beside(configuration: &ConfigFile) -> Self {
        let (ConfigFile::Named(file) | ConfigFile::IfPresent(file)) = configuration;
        Self {
            path: file.with_file_name(NAME),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Looks whether it is there; whatever it is, it pauses. A place that cannot be looked at
    /// pauses too: a brake that may have been pulled holds.
    pub(super) fn look(&self) -> Option<Mark> {
        match fs::symlink_metadata(&self.path) {
            Ok(_) => Some(Mark {
                reason: self.reason().ok().flatten(),
            }),
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                ) =>
            {
                None
            }
            Err(error) => Some(Mark {
                reason: Some(format!("cannot tell whether it is there: {error}")),
            }),
        }
    }

    fn reason(&self) -> io::Result<Option<String>> {
        // Opening a device may do something, and a pipe's end waits for the other.
        if !fs::metadata(&self.path)?.is_file() {
            return Ok(None);
        }
        let file = File::options()
            .read(true)
            .custom_flags(libc::O_NONBLOCK)
            .open(&self.path)?;
        let mut octets = Vec::new();
        file.take(OCTETS).read_to_end(&mut octets)?;
        let text = String::from_utf8_lossy(&octets);
        let line = text.lines().next().unwrap_or_default().trim();
        let reason: String = line.chars().take(REASON).collect();
        Ok(Some(reason).filter(|reason| !reason.is_empty()))
    }
}

#[cfg(test)]
mod tests;
