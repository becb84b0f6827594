//! The hook socket: what libvirt's hook script says goes to the driver, and is counted.

use std::convert::Infallible;
use std::future;
use std::path::Path;
use std::sync::Arc;

use tokio::sync::mpsc;

use super::run_error::chain;
use crate::engine::{Action, Count, Event, Queue};
use crate::listen::hook::{self, Heard};
use crate::metrics::Metrics;
use crate::model::HookFault;
use crate::sys::named_socket::NamedSocket;

/// Hints that wait for the driver: two for each guest that may be foretold. When full one is dropped
/// and counted; libvirt's own word of the guest comes all the same.
const HINTS: usize = 128;

/// Hears hooks. Without its socket nothing but them is missing.
#[derive(Debug)]
pub(super) struct Hooks {
    socket: Option<NamedSocket>,
    metrics: Arc<Metrics>,
    hints: mpsc::Sender<Event>,
}

impl Hooks {
    /// Listens on `path`, and gives what the driver takes hints from. Where there is no socket to be
    /// had the log says so, and guests are staged when libvirt speaks of them.
    pub(super) async fn listen(
        path: &Path,
        metrics: Arc<Metrics>,
    ) -> (Self, mpsc::Receiver<Event>) {
        let (hints, queue) = mpsc::channel(HINTS);
        let socket = NamedSocket::bind(path, hook::BACKLOG).await;
        let socket = socket.map_err(|error| {
            tracing::error!("libvirt's hooks are not heard: {}", chain(&error));
        });
        let hooks = Self {
            socket: socket.ok(),
            metrics,
            hints,
        };
        (hooks, queue)
    }

    /// Passes on what is heard.
    pub(super) async fn serve(self) -> Infallible {
        let Self {
            socket,
            metrics,
            hints,
        } = self;
        match socket {
            Some(socket) => hook::serve(socket, move |told| pass_on(told, &metrics, &hints)).await,
            None => future::pending().await,
        }
    }
}

fn pass_on(told: Result<Heard, HookFault>, metrics: &Metrics, hints: &mpsc::Sender<Event>) {
    match told {
        Ok(Heard { operation, hint }) => {
            metrics.hook(Ok(operation));
            if hint.is_some_and(|hint| hints.try_send(hint).is_err()) {
                metrics.apply(&Action::Count(Count::Drops(Queue::Hook), 1));
            }
        }
        Err(fault) => {
            tracing::debug!(reason = %fault, "a caller of the hook socket told nothing");
            metrics.hook(Err(fault));
        }
    }
}
