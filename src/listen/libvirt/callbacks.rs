//! Turns one connection's callbacks into events in the inbox. Everything here runs on the
//! dispatching thread within libvirt: nothing blocks, allocates or calls libvirt, but for the end
//! of the connection, which happens once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::SyncSender;

use super::inbox::{Generation, Inbox};
use super::worker::Request;
use crate::engine::Event;
use crate::listen::job::job_completed;
use crate::listen::lifecycle::lifecycle;
use crate::listen::qmp::{Qmp, stamp};
use crate::model::{GuestId, Instant};
use crate::sys::clock;
use crate::sys::virt_events::{CloseReason, MonitorEvent, Sink, TypedParams};

/// One connection's sink.
#[derive(Debug)]
pub(super) struct Callbacks {
    pub(super) generation: Generation,
    pub(super) inbox: Arc<Inbox>,
    /// Lifecycle events whose number this version does not know.
    pub(super) unknown: Arc<AtomicU64>,
    /// Tells the worker of the connection's end.
    pub(super) requests: SyncSender<Request>,
}

impl Sink for Callbacks {
    fn lifecycle(&self, at: Instant, guest: GuestId, event: i32, detail: i32) {
        let Some(change) = lifecycle(event, detail) else {
            self.unknown.fetch_add(1, Ordering::Relaxed);
            return;
        };
        let event = Event::Lifecycle { guest, at, change };
        self.inbox.callback(self.generation, event);
    }

    fn monitor(&self, at: Instant, guest: GuestId, event: MonitorEvent<'_>) {
        let details = event.details.map(std::ffi::CStr::to_bytes);
        if let Some(qmp) = Qmp::read(event.name.to_bytes(), details) {
            let offset = clock::realtime_offset();
            let stamp = stamp(event.seconds, event.micros, offset, at);
            self.inbox
                .callback(self.generation, qmp.event(guest, at, stamp));
        }
    }

    fn job_completed(&self, _at: Instant, guest: GuestId, params: TypedParams<'_>) {
        let job = job_completed(params.iter());
        let event = Event::JobCompleted { guest, job };
        self.inbox.callback(self.generation, event);
    }

    fn closed(&self, reason: CloseReason) {
        tracing::warn!(?reason, "the connection to libvirt is gone");
        self.inbox.lost(self.generation);
        // A worker whose queue is full is awake, and looks at the connection after each request.
        drop(self.requests.try_send(Request::Look));
    }
}
