//! The asking end of the control socket.

use std::path::Path;

/// A connection to the agent.
#[derive(Debug)]
pub struct Client(());

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
#[error("the agent's control socket does not answer")]
pub struct ConnectError;

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
#[error("the agent did not answer")]
pub struct CallError;

#[expect(clippy::unused_async, reason = "the interface of the whole client")]
impl Client {
    /// Connects to the agent that listens on `socket`.
    pub async fn connect(_socket: &Path) -> Result<Self, ConnectError> {
        Err(ConnectError)
    }

    /// The agent's state, as JSON.
    pub async fn status(&self) -> Result<String, CallError> {
        Err(CallError)
    }

    /// The guests, as JSON.
    pub async fn guests(&self) -> Result<String, CallError> {
        Err(CallError)
    }

    /// The last `limit` migrations, as JSON.
    pub async fn history(&self, _limit: u32) -> Result<String, CallError> {
        Err(CallError)
    }

    /// What is announced of `guest`, as JSON.
    pub async fn plan(&self, _guest: &str) -> Result<String, CallError> {
        Err(CallError)
    }
}
