//! The connection to libvirt.
//!
//! ```text
//!  libvirtd <==> [ event loop + callbacks ] ---------> Hear::hear ----------> engine
//!                          | where something waits      |  full
//!                          v                            v
//!           <==> [ worker thread: RPC     ] -> inbox -> Listener::next_event -> engine
//!                          ^
//!                requests (bounded; when full: Described(Unavailable))
//! ```
//!
//! The thread that owns the [`Listener`] runs libvirt's event loop in [`Listener::dispatch`], so
//! that an event reaches the engine on the thread that announces, within the callback. Whatever waits
//! for libvirt (connecting, listing, describing, closing) happens on one worker thread.
//!
//! A libvirt that is not there is no error: the worker tries until it is.

mod arriving;
mod callbacks;
mod find;
mod hearer;
mod inbox;
mod session;
mod settings;
mod worker;

#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

pub use self::find::{FindGuestError, FindReply};
pub use self::hearer::Hear;
pub use self::settings::{Access, Backoff, Keepalive, Settings};

use self::inbox::{Generation, Inbox};
use self::worker::{Request, Worker, unavailable};
use crate::engine::Event;
use crate::model::GuestId;
use crate::sys::event_loop::{EventLoop, RegisterEventLoopError};
use crate::sys::virt_connection::c_string;

/// Requests that wait for the worker: a guest each, for hosts with hundreds of guests. When full,
/// a description is refused at once and a resync is dropped; see [`Listener::describe`].
const REQUESTS: usize = 256;

/// How long [`Listener::stop`] waits for libvirt to let go. Deregistering and closing take
/// milliseconds; a daemon that hangs is not waited for.
const STOP_LIMIT: Duration = Duration::from_secs(2);

/// How often [`Listener::stop`] looks whether the worker has ended.
const STOP_LOOK: Duration = Duration::from_millis(10);

/// Why nobody can listen to libvirt here.
#[derive(Debug, thiserror::Error)]
pub enum StartListenerError {
    /// A URI with a NUL octet.
    #[error("the libvirt URI has a NUL character in it")]
    Uri,
    /// No event loop.
    #[error("cannot run libvirt's event loop")]
    EventLoop(#[from] RegisterEventLoopError),
    /// No thread for the worker.
    #[error("cannot start the thread that talks to libvirt")]
    Worker(#[source] io::Error),
}

/// Listens to libvirt on the thread that owns it.
#[derive(Debug)]
pub struct Listener {
    event_loop: EventLoop,
    inbox: Arc<Inbox>,
    unknown: Arc<AtomicU64>,
    requests: SyncSender<Request>,
    stop: Arc<AtomicBool>,
    worker: Option<JoinHandle<()>>,
}

impl Listener {
    /// Registers libvirt's event loop and starts to connect.
    ///
    /// Must be called within a tokio runtime with its IO driver enabled, on the thread that will
    /// call [`dispatch`](Self::dispatch). One listener a process at a time.
    pub fn start(settings: Settings) -> Result<Self, StartListenerError> {
        let uri = c_string(&settings.uri).ok_or(StartListenerError::Uri)?;
        let event_loop = EventLoop::register()?;
        let waker = event_loop.waker();
        let inbox = Arc::new(Inbox::new(move || waker.wake()));
        let unknown = Arc::new(AtomicU64::new(0));
        let stop = Arc::new(AtomicBool::new(false));
        let (sender, requests) = sync_channel(REQUESTS);
        let worker = Worker {
            settings,
            uri,
            inbox: Arc::clone(&inbox),
            unknown: Arc::clone(&unknown),
            requests,
            sender: sender.clone(),
            stop: Arc::clone(&stop),
            generation: Generation::default(),
            told_of_no_monitor: false,
        };
        let worker = thread::Builder::new()
            .name("libvirt".into())
            .spawn(move || worker.run())
            .map_err(StartListenerError::Worker)?;
        Ok(Self {
            event_loop,
            inbox,
            unknown,
            requests: sender,
            stop,
            worker: Some(worker),
        })
    }

    /// Has events go to `hearer` within libvirt's callbacks, during [`dispatch`](Self::dispatch) on
    /// this thread. [`next_event`](Self::next_event) has what came before or could not be taken:
    /// where it has something, later events queue behind it.
    pub fn hear_by(&mut self, hearer: &Rc<RefCell<dyn Hear>>) {
        hearer::install(hearer);
    }

    /// Waits until [`dispatch`](Self::dispatch) or [`next_event`](Self::next_event) has something
    /// to do. Dropping the future loses nothing.
    pub async fn ready(&mut self) {
        if !self.inbox.is_ready() {
            self.event_loop.readable().await;
        }
    }

    /// Runs libvirt's event loop without blocking, until an event was heard, there is one to fetch,
    /// or nothing is left to do. Events first: what remains to be done then makes
    /// [`ready`](Self::ready) return at once.
    pub fn dispatch(&mut self) {
        let inbox = &self.inbox;
        hearer::forget_heard();
        self.event_loop
            .dispatch(|| hearer::has_heard() || inbox.is_ready());
    }

    /// The next event, in order.
    ///
    /// After an [`Event::Dropped`] of [`crate::engine::Queue::Libvirt`] ask for a
    /// [resync](Self::request_list).
    pub fn next_event(&mut self) -> Option<Event> {
        self.inbox.next()
    }

    /// Asks for a guest's description; [`Event::Described`] answers, with the same generation.
    /// When the worker has too many requests waiting it says `Unavailable` at once.
    pub fn describe(&self, guest: GuestId, generation: u64) {
        if self
            .request(Request::Describe { guest, generation })
            .is_err()
        {
            self.inbox.answer(unavailable(guest, generation));
        }
    }

    /// Asks for all guests again; [`Event::Listed`] answers. Without a connection nothing does,
    /// until the next connection lists by itself. False where too many requests wait: ask again
    /// later.
    #[must_use]
    pub fn request_list(&self) -> bool {
        self.request(Request::List).is_ok()
    }

    /// Resolves a guest by name or UUID and describes it. `reply` always gets an answer, unless
    /// the listener stops first.
    pub fn find(&self, name_or_uuid: &str, reply: FindReply) {
        let text = name_or_uuid.to_owned();
        if let Err(Request::Find { reply, .. }) = self.request(Request::Find { text, reply }) {
            // Who asked may have gone.
            drop(reply.send(Err(FindGuestError::Busy)));
        }
    }

    /// Lifecycle events whose number this version does not know, since the start.
    #[must_use]
    pub fn unknown_events(&self) -> u64 {
        self.unknown.load(Ordering::Relaxed)
    }

    /// Deregisters, closes and ends the worker. Takes 2 s at most: a worker that waits for a
    /// daemon that hangs is left behind.
    pub fn stop(mut self) {
        self.tell_worker_to_stop();
        let Some(worker) = self.worker.take() else {
            return;
        };
        let until = Instant::now() + STOP_LIMIT;
        while !worker.is_finished() && Instant::now() < until {
            if self.event_loop.wait(STOP_LOOK) {
                self.event_loop.dispatch(|| false);
            }
        }
        if !worker.is_finished() {
            tracing::warn!("libvirt did not let go in time; its connection ends with the process");
        } else if worker.join().is_err() {
            tracing::error!("the thread that talks to libvirt panicked");
        }
        // What the closing left to be freed.
        self.event_loop.dispatch(|| false);
    }

    fn request(&self, request: Request) -> Result<(), Request> {
        self.requests
            .try_send(request)
            .map_err(|error| match error {
                TrySendError::Full(request) | TrySendError::Disconnected(request) => request,
            })
    }

    fn tell_worker_to_stop(&self) {
        self.stop.store(true, Ordering::Release);
        // A worker whose queue is full is awake, and looks at the flag after each request.
        drop(self.requests.try_send(Request::Look));
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.tell_worker_to_stop();
    }
}
