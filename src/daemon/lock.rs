//! One agent a network namespace.

use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};

/// The abstract name. Abstract sockets belong to a network namespace and end with their process,
/// so nothing stays behind and two containers' agents do not meet.
const NAME: &[u8] = b"macmoved";

/// Why this process may not be the agent.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another agent has the name.
    #[error("another macmoved runs in this network namespace; stop it first")]
    Taken,
    /// The kernel refused for another reason.
    #[error("cannot bind the abstract socket @macmoved that keeps a second agent out")]
    Bind(#[source] io::Error),
}

/// Held as long as the agent runs.
#[derive(Debug)]
pub(super) struct Lock(#[expect(dead_code, reason = "its being open is the lock")] UnixListener);

impl Lock {
    /// Becomes the one agent of this network namespace.
    pub(super) fn take() -> Result<Self, LockError> {
        let address = SocketAddr::from_abstract_name(NAME).map_err(LockError::Bind)?;
        match UnixListener::bind_addr(&address) {
            Ok(socket) => Ok(Self(socket)),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => Err(LockError::Taken),
            Err(error) => Err(LockError::Bind(error)),
        }
    }
}
