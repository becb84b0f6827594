//! A listening Unix socket with a name in the file system, for its owner and root.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tokio::net::{UnixListener, UnixSocket, UnixStream};

/// A directory that is made for the socket: its owner, and a group that may look.
const DIRECTORY_MODE: u32 = 0o750;
/// The socket itself: its owner, and root, whom no mode keeps out.
const SOCKET_MODE: u32 = 0o600;

/// A listening socket, whose name goes away with it.
#[derive(Debug)]
pub struct NamedSocket {
    listener: UnixListener,
    path: PathBuf,
    /// Device and inode: the name may have passed to a successor.
    identity: (u64, u64),
    owner: u32,
}

/// Why there is no socket.
#[derive(Debug, thiserror::Error)]
pub enum BindSocketError {
    /// Its directory can be neither found nor made.
    #[error("cannot make the directory {}", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another agent listens on it.
    #[error("{} is in use: another agent listens on it", path.display())]
    InUse {
        /// The socket.
        path: PathBuf,
    },
    /// Something else has the name, and it is not ours to remove.
    #[error("{} is there and is no socket", path.display())]
    NotASocket {
        /// The name.
        path: PathBuf,
    },
    /// The system refuses.
    #[error("cannot listen on {}", path.display())]
    Bind {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl NamedSocket {
    /// Listens on `path`, with so many callers that wait to be accepted; the kernel turns away one
    /// more at once. A socket that nobody listens on any more is replaced.
    ///
    /// # Errors
    /// When the name is taken or the system refuses.
    pub async fn bind(path: &Path, backlog: u32) -> Result<Self, BindSocketError> {
        if let Some(directory) = path.parent() {
            make_directory(directory)?;
        }
        clear(path).await?;
        let refused = |source| {
            let path = path.to_owned();
            BindSocketError::Bind { path, source }
        };
        let socket = UnixSocket::new_stream().map_err(refused)?;
        socket.bind(path).map_err(refused)?;
        // Until here the process's umask holds, but nobody could connect.
        fs::set_permissions(path, Permissions::from_mode(SOCKET_MODE)).map_err(refused)?;
        let listener = socket.listen(backlog).map_err(refused)?;
        let metadata = fs::symlink_metadata(path).map_err(refused)?;
        Ok(Self {
            listener,
            path: path.to_owned(),
            identity: (metadata.dev(), metadata.ino()),
            owner: metadata.uid(),
        })
    }

    /// The next caller, and the user that it runs as (`SO_PEERCRED` of `unix(7)`). Whom to serve
    /// is the caller's to say.
    ///
    /// # Errors
    /// Those of `accept(2)` and `getsockopt(2)`: file descriptors have run out.
    pub async fn accept(&self) -> io::Result<(UnixStream, u32)> {
        let (stream, _) = self.listener.accept().await?;
        let uid = stream.peer_cred()?.uid();
        Ok((stream, uid))
    }

    /// The user whose the socket is: this process's, when it was bound.
    #[must_use]
    pub const fn owner(&self) -> u32 {
        self.owner
    }
}

impl Drop for NamedSocket {
    fn drop(&mut self) {
        let ours = fs::symlink_metadata(&self.path)
            .is_ok_and(|metadata| (metadata.dev(), metadata.ino()) == self.identity);
        if ours && let Err(error) = fs::remove_file(&self.path) {
            tracing::debug!(%error, "a socket's name stays");
        }
    }
}

fn make_directory(path: &Path) -> Result<(), BindSocketError> {
    match DirBuilder::new().mode(DIRECTORY_MODE).create(path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(source) => {
            let path = path.to_owned();
            Err(BindSocketError::Directory { path, source })
        }
    }
}

/// Removes a socket that nobody listens on.
async fn clear(path: &Path) -> Result<(), BindSocketError> {
    let owned = || path.to_owned();
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => {
            return Err(BindSocketError::Bind {
                path: owned(),
                source,
            });
        }
        Ok(metadata) if !metadata.file_type().is_socket() => {
            return Err(BindSocketError::NotASocket { path: owned() });
        }
        Ok(_) => {}
    }
    match UnixStream::connect(path).await {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            let refused = |source| BindSocketError::Bind {
                path: owned(),
                source,
            };
            fs::remove_file(path).map_err(refused)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        // A full backlog fails too, and is no less of a listener.
        Ok(_) | Err(_) => Err(BindSocketError::InUse { path: owned() }),
    }
}

#[cfg(test)]
mod tests;
