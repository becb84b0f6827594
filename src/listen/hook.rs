//! What libvirt's hook script says, by way of `macmovectl hook`.
//!
//! libvirt waits for its hooks, so nobody here keeps one waiting: it writes its message into the
//! socket and is gone before this reads it. What it says is a hint and no more: libvirt itself, and
//! the kernel, have to confirm it before a frame leaves.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::domain_xml;
use crate::engine::Event;
use crate::model::{GuestDescription, GuestId, HookFault, HookOperation};
use crate::sys::named_socket::NamedSocket;
use crate::wire::HookMessage;

/// Hooks that may wait to be accepted, as many as an evacuation has at once: each holds up to
/// [`HookMessage::MAX_OCTETS`] in the kernel, also while this process is stopped. The kernel turns
/// away one more, which ends in silence as every hook does: it is not counted, for neither end
/// may say so and the kernel does not.
pub const BACKLOG: u32 = 64;

/// Messages that are read at a time; the next waits to be accepted, and nothing of it is lost.
const CONNECTIONS: usize = 8;

/// How long one may take. A hook has written all of it before it is accepted.
const PATIENCE: Duration = Duration::from_secs(1);

/// Wait after a failed `accept`, which means that file descriptors have run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A message of a hook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// What libvirt called the hook for.
    pub operation: HookOperation,
    /// What that is to the engine; most operations are nothing.
    pub hint: Option<Event>,
}

/// Takes messages on `socket` from processes of root, and reports each, or why it told nothing.
pub async fn serve(
    socket: NamedSocket,
    report: impl Fn(Result<Heard, HookFault>) + Clone + Send + 'static,
) -> Infallible {
    serve_for(0, socket, report).await
}

/// As [`serve`], for the processes of one user.
async fn serve_for(
    user: u32,
    socket: NamedSocket,
    report: impl Fn(Result<Heard, HookFault>) + Clone + Send + 'static,
) -> Infallible {
    let slots = Arc::new(Semaphore::new(CONNECTIONS));
    // Dropped with this future, and its connections with it.
    let mut connections = JoinSet::new();
    loop {
        let slot = Arc::clone(&slots).acquire_owned().await;
        match socket.accept().await {
            Ok((stream, uid)) if uid == user => {
                let report = report.clone();
                connections.spawn(async move {
                    if let Some(told) = hear(stream).await.transpose() {
                        report(told);
                    }
                    drop(slot);
                });
            }
            Ok(_) => report(Err(HookFault::Caller)),
            Err(error) => {
                tracing::warn!(%error, "cannot accept a hook");
                sleep(ACCEPT_PAUSE).await;
            }
        }
        while connections.try_join_next().is_some() {}
    }
}

/// Reads one message. None from somebody who only looked whether anyone listens.
async fn hear(stream: impl AsyncRead + Unpin) -> Result<Option<Heard>, HookFault> {
    let mut octets = Vec::new();
    let limit = HookMessage::MAX_OCTETS as u64 + 1;
    let mut stream = stream.take(limit);
    match timeout(PATIENCE, stream.read_to_end(&mut octets)).await {
        Ok(Ok(_)) => {}
        // What came before the connection broke is judged like any message.
        Ok(Err(error)) => tracing::debug!(%error, "a hook's connection broke"),
        Err(_) => return Err(HookFault::Timeout),
    }
    if octets.len() > HookMessage::MAX_OCTETS {
        return Err(HookFault::Oversized);
    }
    if octets.is_empty() {
        return Ok(None);
    }
    understand(&octets).map(Some)
}

/// What a message means.
///
/// # Errors
///
/// Why it tells nothing.
pub fn understand(octets: &[u8]) -> Result<Heard, HookFault> {
    let message = HookMessage::parse(octets).map_err(|_| HookFault::Malformed)?;
    let operation = HookOperation::of(message.operation, message.phase);
    let hint = match operation {
        HookOperation::Migrate | HookOperation::Start => Some(hint(operation, message.xml)?),
        HookOperation::Stopped | HookOperation::Release => called_off(message.xml),
        HookOperation::Prepare
        | HookOperation::Started
        | HookOperation::Reconnect
        | HookOperation::Attach
        | HookOperation::Restore
        | HookOperation::Other => None,
    };
    Ok(Heard { operation, hint })
}

/// Whom the XML is of and, once its taps have names, what it says.
fn hint(operation: HookOperation, xml: Option<&[u8]>) -> Result<Event, HookFault> {
    let (guest, description) = read(xml.ok_or(HookFault::WithoutXml)?)?;
    Ok(Event::Foretold {
        guest,
        description: Some(description).filter(|_| operation == HookOperation::Start),
    })
}

/// That a guest's QEMU is gone. Without XML nobody knows whose, and what was foretold of it is
/// forgotten in time.
fn called_off(xml: Option<&[u8]>) -> Option<Event> {
    let (guest, _) = read(xml?).ok()?;
    Some(Event::CalledOff { guest })
}

fn read(xml: &[u8]) -> Result<(GuestId, GuestDescription), HookFault> {
    let description = domain_xml::parse(xml).map_err(|_| HookFault::Xml)?;
    let guest = description.uuid.ok_or(HookFault::Xml)?;
    Ok((guest, description))
}

#[cfg(test)]
mod tests;
