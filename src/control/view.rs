//! What can be looked at.

use std::sync::Arc;

use tokio::sync::watch;

use super::Brakes;
use crate::engine::Snapshot;
use crate::metrics::Metrics;
use crate::model::Timestamp;

/// The latest state of the agent, for as many readers as like to look.
#[derive(Clone, Debug)]
pub struct View {
    /// What the engine holds.
    pub snapshot: watch::Receiver<Arc<Snapshot>>,
    /// What the shell around it holds.
    pub facts: watch::Receiver<Arc<Facts>>,
    /// What keeps frames from leaving.
    pub brakes: watch::Receiver<Brakes>,
    /// Counters since the start.
    pub metrics: Arc<Metrics>,
}

/// What of the agent changes at a reload at most.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The program's version.
    pub version: String,
    /// When it started.
    pub since: Timestamp,
    /// Whether it sends and changes nothing.
    pub dry_run: bool,
    /// How much of libvirt it uses, in the configuration's word.
    pub access: String,
    /// Prefixes in which the UNARPs of others are honoured; empty where they are not.
    pub honours: Vec<String>,
    /// What the operator should know of the settings.
    pub warnings: Vec<String>,
}

impl View {
    /// What the engine holds at this moment.
    pub(super) fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshot.borrow())
    }

    /// What the shell holds at this moment.
    pub(super) fn facts(&self) -> Arc<Facts> {
        Arc::clone(&self.facts.borrow())
    }

    /// What keeps frames from leaving at this moment.
    pub(super) fn brakes(&self) -> Brakes {
        self.brakes.borrow().clone()
    }

    /// Why the agent does not do its work yet; none when it does.
    pub(super) fn unready(&self) -> Option<&'static str> {
        let libvirt = self.snapshot.borrow().libvirt;
        match (libvirt.connected, libvirt.resynced) {
            (false, _) => Some("waiting for libvirt"),
            (true, false) => Some("reading the guests from libvirt"),
            (true, true) => None,
        }
    }
}
