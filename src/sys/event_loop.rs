//! libvirt's event loop on one descriptor, run by the thread that also acts on the events.
//!
//! libvirt's own loop wants a thread of its own, and a thread's hop between a callback and the
//! first frame costs more than the frame. This implementation (`virEventRegisterImpl`) keeps
//! every handle in one level-triggered epoll and every timer in one timerfd inside it, so that
//! whoever waits for [`EventLoop::readable`] and then calls [`EventLoop::dispatch`] runs libvirt.
//!
//! Any thread may add, update and remove handles and timers; libvirt does so from within calls.
//! Callbacks run only in `dispatch`, without a lock held. What libvirt wants freed after a
//! removal is freed there too, never within the removal.

mod callbacks;
mod epoll;
mod handles;
mod shared;
mod timers;

#[cfg(test)]
mod tests;

use std::cell::Cell;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use self::epoll::{Batch, Source};
use self::handles::HandleCall;
use self::shared::{Retired, Shared};
use self::timers::TimerCall;

/// Passes that one [`EventLoop::dispatch`] makes at most, so that a descriptor which is always
/// ready cannot keep its thread. A message from libvirt takes two: one reads it, and the timer
/// that this arms delivers it.
const PASSES: usize = 32;

/// Calls that a pass has room for without allocating. One connection has one handle and two
/// timers; a pass beyond this grows the list once.
const CALLS: usize = 64;

/// Why libvirt's events cannot be run here.
#[derive(Debug, thiserror::Error)]
pub enum RegisterEventLoopError {
    /// There is one event loop a process, and one thread runs it.
    #[error("another listener of this process already runs libvirt's event loop")]
    Taken,
    /// No descriptor to be had.
    #[error("cannot make the descriptors of libvirt's event loop (is RLIMIT_NOFILE reached?)")]
    Descriptors(#[source] io::Error),
    /// No tokio runtime to wait in.
    #[error("cannot wait for libvirt's event loop in this runtime")]
    Runtime(#[source] io::Error),
}

thread_local! {
    /// Whether this thread is inside [`EventLoop::dispatch`].
    static DISPATCHING: Cell<bool> = const { Cell::new(false) };
}

/// Whether somebody drives the loop of this process.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// The right to run libvirt's event loop. Dropping it gives the right back; libvirt's handles
/// stay where they are and wait for the next holder.
#[derive(Debug)]
pub struct EventLoop {
    readiness: AsyncFd<Pollable>,
    shared: Arc<Shared>,
    batch: Batch,
    handles: Vec<HandleCall>,
    timers: Vec<TimerCall>,
    retired: Vec<Retired>,
    /// Something is left to do, whatever the descriptor says.
    pending: bool,
    claim: Option<Claim>,
}

/// Makes the thread that waits for [`EventLoop::readable`] look again.
#[derive(Clone, Debug)]
pub struct Waker(Arc<Shared>);

#[derive(Debug)]
struct Pollable(Arc<Shared>);

impl AsRawFd for Pollable {
    fn as_raw_fd(&self) -> RawFd {
        self.0.epoll.as_raw_fd()
    }
}

#[derive(Debug)]
struct Claim;

impl Drop for Claim {
    fn drop(&mut self) {
        TAKEN.store(false, Ordering::Release);
    }
}

impl EventLoop {
    /// Makes this libvirt's event loop, before the first connection of the process is opened.
    ///
    /// Must be called within a tokio runtime whose IO driver is enabled.
    pub fn register() -> Result<Self, RegisterEventLoopError> {
        if TAKEN.swap(true, Ordering::Acquire) {
            return Err(RegisterEventLoopError::Taken);
        }
        let claim = Claim;
        let shared = callbacks::register().map_err(RegisterEventLoopError::Descriptors)?;
        let mut event_loop = Self::over(shared).map_err(RegisterEventLoopError::Runtime)?;
        event_loop.claim = Some(claim);
        Ok(event_loop)
    }

    fn over(shared: Arc<Shared>) -> io::Result<Self> {
        let pollable = Pollable(Arc::clone(&shared));
        // SAFETY: `pollable` keeps `shared` and with it the epoll descriptor alive and open for as
        // long as the `AsyncFd` owns it, and never replaces it.
        let readiness = unsafe { AsyncFd::register_with_interest(pollable, Interest::READABLE) }?;
        Ok(Self {
            readiness,
            shared,
            batch: Batch::new(),
            handles: Vec::with_capacity(CALLS),
            timers: Vec::with_capacity(CALLS),
            retired: Vec::with_capacity(CALLS),
            // A predecessor may have left timers due and frees undone.
            pending: true,
            claim: None,
        })
    }

    /// A handle that wakes this loop from any thread.
    #[must_use]
    pub fn waker(&self) -> Waker {
        Waker(Arc::clone(&self.shared))
    }

    /// Waits until [`dispatch`](Self::dispatch) has something to do. Dropping the future loses
    /// nothing: what made it ready stays ready until `dispatch` has run.
    pub async fn readable(&self) {
        if self.pending {
            return;
        }
        match self.readiness.readable().await {
            Ok(mut guard) => guard.retain_ready(),
            // The runtime is shutting down; nothing will become ready any more.
            Err(_) => std::future::pending().await,
        }
    }

    /// Waits in the same way without a runtime, for at most `limit`. Says whether there is
    /// something to do.
    #[must_use]
    pub fn wait(&self, limit: Duration) -> bool {
        self.pending || self.shared.epoll.wait_readable(limit)
    }

    /// Runs what is ready without blocking: handles, then timers, then frees, again until
    /// nothing is left or `enough` says so.
    pub fn dispatch(&mut self, enough: impl Fn() -> bool) {
        // Readiness is cleared before the epoll is read: whatever arrives from here on sets it
        // again. The epoll is edge-triggered within tokio's and level-triggered within itself, so
        // leaving early must be remembered.
        drop(
            self.readiness
                .try_io(Interest::READABLE, |_| -> io::Result<()> {
                    Err(io::ErrorKind::WouldBlock.into())
                }),
        );
        DISPATCHING.set(true);
        self.pending = true;
        for _ in 0..PASSES {
            if !self.pass() {
                self.pending = false;
                break;
            }
            if enough() {
                break;
            }
        }
        DISPATCHING.set(false);
    }

    /// One look at everything; whether another is due.
    fn pass(&mut self) -> bool {
        self.handles.clear();
        self.timers.clear();
        let ready = self.shared.epoll.poll(&mut self.batch);
        {
            let mut state = self.shared.lock();
            state.dispatching = true;
            for event in self.batch.iter(ready) {
                match event.source {
                    Source::Timer => self.shared.timer.drain(),
                    Source::Wake => self.shared.wake.drain(),
                    Source::Handle(interest) => {
                        state
                            .handles
                            .collect(interest, event.events, &mut self.handles);
                    }
                }
            }
        }
        for call in &self.handles {
            if self.shared.lock().handles.contains(call.watch()) {
                call.run();
            }
        }
        self.shared.lock().take_due(&mut self.timers);
        for call in &self.timers {
            if self.shared.lock().timers.is_armed(call.id()) {
                call.run();
            }
        }
        std::mem::swap(&mut self.retired, &mut self.shared.lock().retired);
        let freed = !self.retired.is_empty();
        self.retired.drain(..).for_each(Retired::free);
        let due = self.shared.finish_pass();
        ready > 0 || !self.timers.is_empty() || freed || due
    }
}

impl Waker {
    /// Makes [`EventLoop::readable`] return. Does nothing on the thread that is dispatching,
    /// which looks by itself when it is done.
    pub fn wake(&self) {
        if !DISPATCHING.get() {
            self.0.wake.signal();
        }
    }
}
