//! The private socket that `macmovectl` asks on.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tokio::net::{UnixListener, UnixStream};

/// A directory that is made for the socket: its owner, and a group that may look.
const DIRECTORY_MODE: u32 = 0o750;
/// The socket itself: its owner, and root, whom no mode keeps out.
const SOCKET_MODE: u32 = 0o600;

/// A listening socket, whose name goes away with it.
#[derive(Debug)]
pub struct ControlSocket {
    listener: UnixListener,
    path: PathBuf,
    /// Device and inode: the name may have passed to a successor.
    identity: (u64, u64),
    owner: u32,
}

/// Why there is no control socket.
#[derive(Debug, thiserror::Error)]
pub enum BindControlSocketError {
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

impl ControlSocket {
    /// Listens on `path`. A socket that nobody listens on any more is replaced.
    ///
    /// # Errors
    /// When the name is taken or the system refuses.
    pub async fn bind(path: &Path) -> Result<Self, BindControlSocketError> {
        if let Some(directory) = path.parent() {
            make_directory(directory)?;
        }
        clear(path).await?;
        let refused = |source| {
            let path = path.to_owned();
            BindControlSocketError::Bind { path, source }
        };
        let listener = UnixListener::bind(path).map_err(refused)?;
        // Until here the process's umask holds; who slips in is refused by `admits`.
        fs::set_permissions(path, Permissions::from_mode(SOCKET_MODE)).map_err(refused)?;
        let metadata = fs::symlink_metadata(path).map_err(refused)?;
        Ok(Self {
            listener,
            path: path.to_owned(),
            identity: (metadata.dev(), metadata.ino()),
            owner: metadata.uid(),
        })
    }

    /// The next caller that is root or the agent's own user; others are turned away.
    pub(super) async fn accept(&self) -> io::Result<UnixStream> {
        loop {
            let (stream, _) = self.listener.accept().await?;
            match stream.peer_cred() {
                Ok(caller) if self.admits(caller.uid()) => return Ok(stream),
                Ok(caller) => tracing::warn!(uid = caller.uid(), "a caller was turned away"),
                Err(error) => tracing::warn!(%error, "a caller without credentials"),
            }
        }
    }

    const fn admits(&self, uid: u32) -> bool {
        uid == 0 || uid == self.owner
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        let ours = fs::symlink_metadata(&self.path)
            .is_ok_and(|metadata| (metadata.dev(), metadata.ino()) == self.identity);
        if ours && let Err(error) = fs::remove_file(&self.path) {
            tracing::debug!(%error, "the control socket's name stays");
        }
    }
}

fn make_directory(path: &Path) -> Result<(), BindControlSocketError> {
    match DirBuilder::new().mode(DIRECTORY_MODE).create(path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(source) => {
            let path = path.to_owned();
            Err(BindControlSocketError::Directory { path, source })
        }
    }
}

/// Removes a socket that nobody listens on.
async fn clear(path: &Path) -> Result<(), BindControlSocketError> {
    let owned = || path.to_owned();
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => {
            return Err(BindControlSocketError::Bind {
                path: owned(),
                source,
            });
        }
        Ok(metadata) if !metadata.file_type().is_socket() => {
            return Err(BindControlSocketError::NotASocket { path: owned() });
        }
        Ok(_) => {}
    }
    match UnixStream::connect(path).await {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            let refused = |source| BindControlSocketError::Bind {
                path: owned(),
                source,
            };
            fs::remove_file(path).map_err(refused)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        // A full backlog fails too, and is no less of a listener.
        Ok(_) | Err(_) => Err(BindControlSocketError::InUse { path: owned() }),
    }
}

#[cfg(test)]
mod tests;
