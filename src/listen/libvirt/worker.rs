//! The thread that waits for libvirt: it connects, lists, describes and closes, so that nobody
//! else blocks.
//!
//! ```text
//!            +-- failed: wait, longer each time --+
//!            v                                    |
//!   stop <- connect -> register -> list -> serve requests -+
//!            ^                                             |
//!            +---------------- connection lost ------------+
//! ```

use std::ffi::CString;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::{Duration, Instant};

use super::callbacks::Callbacks;
use super::find::{FindGuestError, FindReply};
use super::inbox::{Generation, Inbox};
use super::session::Session;
use super::settings::Settings;
use crate::engine::{DescribeFault, Event};
use crate::model::GuestId;
use crate::sys::virt_connection::VirtError;
use crate::sys::virt_events::Sink;

/// How often an idle worker asks its own side of the connection whether it is open, in case no
/// close callback came: some drivers have none.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// What the worker is asked to do.
#[derive(Debug)]
pub(super) enum Request {
    /// Describe a guest.
    Describe { guest: GuestId, generation: u64 },
    /// Find and describe a guest by name or UUID.
    Find { text: String, reply: FindReply },
    /// List the guests again.
    List,
    /// Look at the connection and at the stop flag.
    Look,
}

#[derive(Debug)]
pub(super) struct Worker {
    pub(super) settings: Settings,
    pub(super) uri: CString,
    pub(super) inbox: Arc<Inbox>,
    pub(super) unknown: Arc<AtomicU64>,
    pub(super) requests: Receiver<Request>,
    /// For the callbacks, which tell of the connection's end.
    pub(super) sender: SyncSender<Request>,
    pub(super) stop: Arc<AtomicBool>,
    pub(super) generation: Generation,
    pub(super) told_of_no_monitor: bool,
}

impl Worker {
    pub(super) fn run(mut self) {
        let mut wait = None;
        let mut outage_told = false;
        while !self.is_stopping() {
            if self.inbox.has_room() {
                self.generation = self.generation.next();
                match self.connect() {
                    Ok(session) => {
                        tracing::info!(uri = %self.settings.uri, "connected to libvirt");
                        (wait, outage_told) = (None, false);
                        self.serve(&session);
                        drop(session);
                    }
                    Err(error) if outage_told => {
                        tracing::debug!(%error, "libvirt is still not there");
                    }
                    Err(error) => {
                        tracing::warn!(
                            uri = %self.settings.uri,
                            %error,
                            "cannot connect to libvirt; trying again until it is there",
                        );
                        outage_told = true;
                    }
                }
                self.inbox.lost(self.generation);
            }
            let next = self.settings.backoff.after(wait);
            self.refuse_for(next);
            wait = Some(next);
        }
    }

    fn is_stopping(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    /// Registers first and lists then, so that what changes in between is heard of.
    fn connect(&mut self) -> Result<Session, VirtError> {
        let sink: Arc<dyn Sink> = Arc::new(Callbacks {
            generation: self.generation,
            inbox: Arc::clone(&self.inbox),
            unknown: Arc::clone(&self.unknown),
            requests: self.sender.clone(),
        });
        self.inbox.begin(self.generation);
        let told = &mut self.told_of_no_monitor;
        let session = Session::open(&self.uri, &self.settings, &sink, told)?;
        let guests = session.list()?;
        self.inbox.listed(self.generation, guests);
        Ok(session)
    }

    /// Answers requests until the connection is gone or the worker is to stop.
    fn serve(&self, session: &Session) {
        while !self.is_stopping() && self.inbox.is_current(self.generation) {
            match self.requests.recv_timeout(LOOK_EVERY) {
                Ok(Request::Describe { guest, generation }) => {
                    let outcome = session.describe(guest);
                    self.inbox.answer(Event::Described {
                        guest,
                        generation,
                        outcome,
                    });
                }
                Ok(Request::Find { text, reply }) => {
                    // Who asked may have gone.
                    drop(reply.send(session.find(&text)));
                }
                Ok(Request::List) => self.list(session),
                Ok(Request::Look) | Err(RecvTimeoutError::Timeout) => {
                    if !session.is_alive() {
                        return;
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn list(&self, session: &Session) {
        self.inbox.hold();
        match session.list() {
            Ok(guests) => {
                self.inbox.listed(self.generation, guests);
            }
            Err(error) => {
                tracing::warn!(%error, "libvirt did not list its guests");
                self.inbox.unlisted();
            }
        }
    }

    /// Waits without a connection: requests are refused at once.
    fn refuse_for(&self, wait: Duration) {
        let until = Instant::now() + wait;
        while !self.is_stopping() {
            let left = until.saturating_duration_since(Instant::now());
            match self.requests.recv_timeout(left) {
                Ok(Request::Describe { guest, generation }) => {
                    self.inbox.answer(unavailable(guest, generation));
                }
                Ok(Request::Find { reply, .. }) => {
                    drop(reply.send(Err(FindGuestError::NotConnected)));
                }
                // The next connection lists anyway.
                Ok(Request::List | Request::Look) => {}
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return,
            }
        }
    }
}

/// The answer for a guest when there is nobody to ask.
pub(super) fn unavailable(guest: GuestId, generation: u64) -> Event {
    Event::Described {
        guest,
        generation,
        outcome: Err(DescribeFault::Unavailable),
    }
}
