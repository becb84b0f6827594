//! The other end of the control socket, for `macmovectl`.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use tokio::net::UnixStream;
use zbus::Connection;
use zbus::connection::Builder;
use zbus::zvariant::DynamicType;

use super::dbus::AgentFault;
use super::{INTERFACE, PATH};

/// Longer than the agent itself takes to give up on a question.
const ANSWER: Duration = Duration::from_secs(10);

/// A connection to the agent on this host.
#[derive(Clone, Debug)]
pub struct Client {
    connection: Connection,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// There is no socket, or nobody listens on it.
    #[error("nothing listens on {}: macmoved is not running here", path.display())]
    NotRunning {
        /// The socket.
        path: PathBuf,
    },
    /// The socket is for root alone.
    #[error("no permission to use {}: only root may ask", path.display())]
    Denied {
        /// The socket.
        path: PathBuf,
    },
    /// The system refuses for another reason.
    #[error("cannot connect to {}", path.display())]
    Io {
        /// The socket.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// Whoever listens hung up or speaks no D-Bus; an agent with too many callers hangs up.
    #[error("whoever listens on {} does not answer as macmoved does", path.display())]
    Handshake {
        /// The socket.
        path: PathBuf,
        /// What D-Bus said.
        source: zbus::Error,
    },
}

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The agent said why.
    #[error("{0}")]
    Refused(AgentFault),
    /// The connection broke, or the agent does not know the question.
    #[error("the agent did not answer")]
    Lost(#[source] zbus::Error),
}

impl Client {
    /// Connects to the agent that listens on `socket`.
    ///
    /// # Errors
    /// When it is not running, the caller is not allowed, or it does not answer.
    pub async fn connect(socket: &Path) -> Result<Self, ConnectError> {
        let path = || socket.to_owned();
        let io = |source: io::Error| {
            let kind = source.kind();
            if matches!(
                kind,
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
            ) {
                ConnectError::NotRunning { path: path() }
            } else if kind == io::ErrorKind::PermissionDenied {
                ConnectError::Denied { path: path() }
            } else {
                ConnectError::Io {
                    path: path(),
                    source,
                }
            }
        };
        let stream = UnixStream::connect(socket).await.map_err(io)?;
        let stream = stream.into_std().map_err(io)?;
        let connection = Builder::unix_stream(stream)
            .p2p()
            .method_timeout(ANSWER)
            .build();
        let handshake = |source| ConnectError::Handshake {
            path: path(),
            source,
        };
        match tokio::time::timeout(ANSWER, connection).await {
            Ok(built) => built
                .map(|connection| Self { connection })
                .map_err(handshake),
            Err(_) => Err(handshake(zbus::Error::InputOutput(
                io::Error::from(io::ErrorKind::TimedOut).into(),
            ))),
        }
    }

    /// [`super::Status`] as JSON.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn status(&self) -> Result<String, CallError> {
        self.call("Status", &()).await
    }

    /// A JSON array of [`crate::engine::GuestView`].
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn guests(&self) -> Result<String, CallError> {
        self.call("Guests", &()).await
    }

    /// A JSON array of at most `limit` [`crate::engine::Record`], newest first.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn history(&self, limit: u32) -> Result<String, CallError> {
        self.call("History", &limit).await
    }

    /// What would be announced of a guest, named or by its UUID, as JSON.
    ///
    /// # Errors
    /// When there is no such guest or no answer.
    pub async fn plan(&self, guest: &str) -> Result<String, CallError> {
        self.call("Plan", &guest).await
    }

    /// Has the agent send nothing for so many seconds, or until resumed where that is 0; answers
    /// with [`super::BrakesStatus`] as JSON.
    ///
    /// # Errors
    /// When there is no answer, or it holds only until the agent restarts.
    pub async fn pause(&self, seconds: u64) -> Result<String, CallError> {
        self.call("Pause", &seconds).await
    }

    /// Ends that, and safe mode; answers with [`super::BrakesStatus`] as JSON.
    ///
    /// # Errors
    /// When there is no answer, or it holds only until the agent restarts.
    pub async fn resume(&self) -> Result<String, CallError> {
        self.call("Resume", &()).await
    }

    async fn call<B>(&self, method: &str, body: &B) -> Result<String, CallError>
    where
        B: Serialize + DynamicType + Sync,
    {
        let answered = self
            .connection
            .call_method(None::<&str>, PATH, Some(INTERFACE), method, body)
            .await;
        let text = answered.and_then(|message| message.body().deserialize::<String>());
        text.map_err(|error| match AgentFault::from(error) {
            AgentFault::Connection(error) => CallError::Lost(error),
            fault @ (AgentFault::UnknownGuest(_)
            | AgentFault::LibvirtUnavailable(_)
            | AgentFault::Unreadable(_)
            | AgentFault::Busy(_)
            | AgentFault::NoAnswer(_)
            | AgentFault::InvalidArgument(_)
            | AgentFault::NotKept(_)
            | AgentFault::Internal(_)) => CallError::Refused(fault),
        })
    }
}

#[cfg(test)]
mod tests;
