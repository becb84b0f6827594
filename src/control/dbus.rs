//! The agent on D-Bus, peer to peer: each connection to the control socket has the one object.
//!
//! Answers are JSON, so that the interface need not change with every field. There are no signals:
//! a caller that leaves signals unread would stall its own connection.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::net::UnixStream;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use zbus::connection::Builder;
use zbus::{DBusError, Guid, interface};

use super::{
    BrakeFault, BrakeOrder, BrakesStatus, LONGEST_PAUSE, PATH, Request, RequestFault, Status, View,
};
use crate::sys::named_socket::NamedSocket;

/// Callers that may wait to be accepted; the kernel turns away one more.
pub const CALLERS: u32 = 128;
use crate::engine::{Action, Count, Queue};

/// So many callers at a time; one more is turned away at once and told so in the log.
const CONNECTIONS: usize = 16;
/// A caller that has not introduced itself by then is turned away.
const HANDSHAKE: Duration = Duration::from_secs(5);
/// The driver answers from memory or by one question to libvirt.
const ANSWER: Duration = Duration::from_secs(5);
/// Wait after a failed `accept`, which means that file descriptors have run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Why a method has no answer. The names on the wire begin with `org.macmoved.Error`.
#[derive(Clone, Debug, PartialEq, DBusError)]
#[zbus(prefix = "org.macmoved.Error", impl_display = false)]
pub enum AgentFault {
    /// D-Bus itself failed.
    #[zbus(error)]
    Connection(zbus::Error),
    /// libvirt knows no such guest.
    UnknownGuest(String),
    /// libvirt is not connected, or did not answer.
    LibvirtUnavailable(String),
    /// What libvirt said cannot be read.
    Unreadable(String),
    /// Too many questions wait for the agent.
    Busy(String),
    /// The agent did not answer in time or is stopping.
    NoAnswer(String),
    /// An argument is out of bounds.
    InvalidArgument(String),
    /// It is done, and a restart of the agent will not know.
    NotKept(String),
    /// An answer cannot be written down.
    Internal(String),
}

impl std::fmt::Display for AgentFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Connection(error) => error.fmt(f),
            Self::UnknownGuest(text)
            | Self::LibvirtUnavailable(text)
            | Self::Unreadable(text)
            | Self::Busy(text)
            | Self::NoAnswer(text)
            | Self::InvalidArgument(text)
            | Self::NotKept(text)
            | Self::Internal(text) => f.write_str(text),
        }
    }
}

impl From<RequestFault> for AgentFault {
    fn from(fault: RequestFault) -> Self {
        let text = fault.to_string();
        match fault {
            RequestFault::UnknownGuest => Self::UnknownGuest(text),
            RequestFault::LibvirtUnavailable => Self::LibvirtUnavailable(text),
            RequestFault::Unreadable => Self::Unreadable(text),
        }
    }
}

impl From<BrakeFault> for AgentFault {
    fn from(fault: BrakeFault) -> Self {
        let text = fault.to_string();
        match fault {
            BrakeFault::PauseNotKept(_) | BrakeFault::ResumeNotKept(_) => Self::NotKept(text),
        }
    }
}

/// The object that every caller meets.
#[derive(Clone, Debug)]
struct Agent {
    view: View,
    requests: mpsc::Sender<Request>,
    orders: mpsc::Sender<BrakeOrder>,
}

#[interface(name = "org.macmoved.Agent1")]
impl Agent {
    /// [`Status`] as JSON.
    fn status(&self) -> Result<String, AgentFault> {
        json(&Status::of(&self.view))
    }

    /// A JSON array of [`crate::engine::GuestView`], by UUID.
    fn guests(&self) -> Result<String, AgentFault> {
        json(&self.view.snapshot().guests)
    }

    /// A JSON array of at most `limit` [`crate::engine::Record`], newest first.
    fn history(&self, limit: u32) -> Result<String, AgentFault> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let snapshot = self.view.snapshot();
        json(&snapshot.history.get(..limit).unwrap_or(&snapshot.history))
    }

    /// What would be announced of a guest, named or by its UUID, as JSON.
    async fn plan(&self, guest: String) -> Result<String, AgentFault> {
        self.ask(&self.requests, |reply| Request::Plan { guest, reply })
            .await
    }

    /// Sends nothing for so many seconds, 30 days at most, or until resumed where that is 0, in
    /// place of what an earlier call said. The answer is [`BrakesStatus`] as JSON.
    async fn pause(&self, seconds: u64) -> Result<String, AgentFault> {
        let length = (seconds > 0).then_some(Duration::from_secs(seconds));
        if length.is_some_and(|length| length > LONGEST_PAUSE) {
            return Err(AgentFault::InvalidArgument(format!(
                "a pause ends within {} s, or has no end and is 0; found {seconds}",
                LONGEST_PAUSE.as_secs()
            )));
        }
        self.ask(&self.orders, |reply| BrakeOrder::Pause { length, reply })
            .await?;
        self.brakes()
    }

    /// Ends that, and safe mode. What a file pauses stays paused. The answer is [`BrakesStatus`] as
    /// JSON.
    async fn resume(&self) -> Result<String, AgentFault> {
        self.ask(&self.orders, |reply| BrakeOrder::Resume { reply })
            .await?;
        self.brakes()
    }

    /// The program's version.
    #[zbus(property(emits_changed_signal = "const"))]
    fn version(&self) -> String {
        self.view.facts().version.clone()
    }
}

impl Agent {
    fn brakes(&self) -> Result<String, AgentFault> {
        let dry_run = self.view.facts().dry_run;
        json(&BrakesStatus::of(&self.view.brakes(), dry_run))
    }

    /// Puts a question into its queue and waits for the answer.
    async fn ask<Q, A, F>(
        &self,
        queue: &mpsc::Sender<Q>,
        question: impl FnOnce(oneshot::Sender<Result<A, F>>) -> Q,
    ) -> Result<A, AgentFault>
    where
        AgentFault: From<F>,
    {
        let (reply, answer) = oneshot::channel();
        queue
            .try_send(question(reply))
            .map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => {
                    count_drop(&self.view);
                    AgentFault::Busy("too many questions wait for the agent; ask again".to_owned())
                }
                mpsc::error::TrySendError::Closed(_) => stopping(),
            })?;
        match timeout(ANSWER, answer).await {
            Ok(Ok(answer)) => Ok(answer?),
            Ok(Err(_)) => Err(stopping()),
            Err(_) => Err(AgentFault::NoAnswer(
                "the agent did not answer in time".to_owned(),
            )),
        }
    }
}

/// Counts a question or a caller that found no room.
fn count_drop(view: &View) {
    let action = Action::Count(Count::Drops(Queue::Control), 1);
    view.metrics.apply(&action);
}

fn stopping() -> AgentFault {
    AgentFault::NoAnswer("the agent is stopping".to_owned())
}

fn json(value: &impl Serialize) -> Result<String, AgentFault> {
    serde_json::to_string(value).map_err(|error| AgentFault::Internal(error.to_string()))
}

/// Answers on `socket`; questions for the driver go into `requests`, those for the brakes into
/// `orders`.
pub async fn serve(
    socket: NamedSocket,
    view: View,
    requests: mpsc::Sender<Request>,
    orders: mpsc::Sender<BrakeOrder>,
) -> Infallible {
    let guid = Guid::generate();
    let agent = Agent {
        view,
        requests,
        orders,
    };
    let slots = Arc::new(Semaphore::new(CONNECTIONS));
    // Dropped with this future, and its connections with it.
    let mut connections = JoinSet::new();
    loop {
        match (
            admitted(&socket).await,
            Arc::clone(&slots).try_acquire_owned(),
        ) {
            (Ok(stream), Ok(slot)) => {
                let (agent, guid) = (agent.clone(), guid.clone());
                connections.spawn(async move {
                    converse(stream, agent, guid).await;
                    drop(slot);
                });
            }
            (Ok(_), Err(_)) => {
                count_drop(&agent.view);
                tracing::warn!(
                    connections = CONNECTIONS,
                    "a caller was turned away: too many are there"
                );
            }
            (Err(error), _) => {
                tracing::warn!(%error, "cannot accept a caller");
                sleep(ACCEPT_PAUSE).await;
            }
        }
        while connections.try_join_next().is_some() {}
    }
}

/// The next caller that is root or the agent's own user; others are turned away.
async fn admitted(socket: &NamedSocket) -> io::Result<UnixStream> {
    loop {
        let (stream, uid) = socket.accept().await?;
        if admits(socket.owner(), uid) {
            return Ok(stream);
        }
        tracing::warn!(uid, "a caller was turned away");
    }
}

const fn admits(owner: u32, uid: u32) -> bool {
    uid == 0 || uid == owner
}

async fn converse(stream: UnixStream, agent: Agent, guid: Guid<'static>) {
    let stream = match stream.into_std() {
        Ok(stream) => stream,
        Err(error) => return tracing::debug!(%error, "a caller was lost"),
    };
    let connection = Builder::unix_stream(stream)
        .server(guid)
        .p2p()
        .serve_at(PATH, agent)
        .build();
    match timeout(HANDSHAKE, connection).await {
        Ok(Ok(connection)) => connection.closed().await,
        Ok(Err(error)) => tracing::debug!(%error, "a caller did not introduce itself"),
        Err(_) => tracing::debug!("a caller took too long to introduce itself"),
    }
}

#[cfg(test)]
mod tests;
