//! What went wrong, and the exit status that says so.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::control::client::{CallError, ConnectError};
use crate::listen::domain_xml::DomainXmlError;
use crate::model::Escaped;

/// `EX_USAGE`
pub(super) const USAGE: u8 = 64;
/// `EX_DATAERR`
const DATA: u8 = 65;
/// `EX_NOINPUT`
const NO_INPUT: u8 = 66;
/// `EX_UNAVAILABLE`
const UNAVAILABLE: u8 = 69;
/// `EX_SOFTWARE`
const SOFTWARE: u8 = 70;
/// `EX_CANTCREAT`
const CANNOT_CREATE: u8 = 73;
/// `EX_IOERR`
const IO: u8 = 74;
/// `EX_TEMPFAIL`
const NOT_YET: u8 = 75;
/// `EX_NOPERM`
const NO_PERMISSION: u8 = 77;

/// Why macmovectl did not do as it was told.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// A file with domain XML cannot be read.
    #[error("cannot read {path}", path = path.display())]
    Input {
        /// Which file.
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// A file has no domain XML.
    #[error("cannot read {path} as a guest", path = path.display())]
    Data {
        /// Which file.
        path: PathBuf,
        #[source]
        source: DomainXmlError,
    },
    /// A capture cannot be written.
    #[error("cannot write {path}", path = path.display())]
    Capture {
        /// Which file.
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// Somebody else's file has the hook script's name.
    #[error(
        "{} is not macmoved's, and is left alone; rename it first",
        Escaped(&.0.to_string_lossy())
    )]
    ForeignHook(PathBuf),
    /// The hook script cannot be put in place, looked at or removed.
    #[error("cannot use {}", Escaped(&path.to_string_lossy()))]
    HookScript {
        /// The script, or a directory on its way.
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// Standard output cannot be written.
    #[error("cannot write to standard output")]
    Output(#[source] io::Error),
    /// Nothing listens on the control socket.
    #[error(
        "macmoved is not running, or listens elsewhere than on {path} \
         (see `systemctl status macmoved`, or name its socket with --socket)",
        path = path.display()
    )]
    Absent {
        /// Which socket.
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// The control socket is another user's.
    #[error("{path} is for root only; try sudo", path = path.display())]
    Forbidden {
        /// Which socket.
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// Something else listens on the control socket, or macmoved is in trouble.
    #[error("macmoved does not take the connection")]
    Connect(#[source] ConnectError),
    /// libvirt has no guest of that name or UUID.
    #[error("{0}; virsh list --all shows those that it has")]
    UnknownGuest(String),
    /// The agent refused or broke off.
    #[error("macmoved does not answer the question")]
    Call(#[source] CallError),
    /// The agent took too long.
    #[error("macmoved did not answer within {} s", .0.as_secs())]
    Silent(Duration),
    /// It is done, and a restart of the agent will not know.
    #[error("{}", Escaped(.0))]
    NotKept(String),
    /// A file pauses the agent whatever is ordered.
    #[error("still paused: delete {}", Escaped(.0))]
    StillPaused(String),
    /// An answer that this version does not understand.
    #[error("macmoved's answer is not understood; are it and macmovectl of the same version?")]
    Answer(#[source] serde_json::Error),
    /// The system refused to start a task.
    #[error("cannot start the runtime")]
    Runtime(#[source] io::Error),
    /// Something that cannot be written as JSON.
    #[error("cannot write the answer as JSON")]
    Json(#[source] serde_json::Error),
}

impl Failure {
    /// The exit status of `sysexits.h` for it.
    pub(super) fn status(&self) -> u8 {
        match self {
            Self::Input { .. } | Self::UnknownGuest(_) => NO_INPUT,
            Self::Data { .. } => DATA,
            Self::Capture { source, .. } | Self::HookScript { source, .. }
                if source.kind() == io::ErrorKind::PermissionDenied =>
            {
                NO_PERMISSION
            }
            Self::ForeignHook(_) => CANNOT_CREATE,
            Self::Capture { .. } | Self::HookScript { .. } | Self::Output(_) | Self::NotKept(_) => {
                IO
            }
            Self::StillPaused(_) => NOT_YET,
            Self::Forbidden { .. } => NO_PERMISSION,
            Self::Absent { .. } | Self::Connect(_) | Self::Call(_) | Self::Silent(_) => UNAVAILABLE,
            Self::Answer(_) | Self::Runtime(_) | Self::Json(_) => SOFTWARE,
        }
    }
}
