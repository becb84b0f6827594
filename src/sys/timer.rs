//! One timer with the kernel's resolution, for tokio.
//!
//! tokio's own timers round up to whole milliseconds; a round of an announcement is due at a
//! microsecond.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::model::Instant;

/// A `timerfd_create(2)` timer on the monotonic clock.
#[derive(Debug)]
pub struct Timer {
    descriptor: AsyncFd<OwnedFd>,
    armed: Option<Instant>,
}

impl Timer {
    /// A timer that is not armed. Must be called within a tokio runtime.
    ///
    /// # Errors
    ///
    /// Those of `timerfd_create(2)` and of registering with the runtime.
    pub fn new() -> io::Result<Self> {
        let flags = libc::TFD_NONBLOCK | libc::TFD_CLOEXEC;
        // SAFETY: takes two integers.
        let descriptor = unsafe { libc::timerfd_create(libc::CLOCK_MONOTONIC, flags) };
        if descriptor < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the call above just opened it, and nothing else has it.
        let descriptor = unsafe { OwnedFd::from_raw_fd(descriptor) };
        // SAFETY: an OwnedFd is the same open descriptor until it is dropped, and only here.
        let descriptor =
            unsafe { AsyncFd::register_with_interest(descriptor, Interest::READABLE) }?;
        Ok(Self {
            descriptor,
            armed: None,
        })
    }

    /// Waits until `deadline`; for ever where there is none. Dropping the future loses nothing.
    pub async fn until(&mut self, deadline: Option<Instant>) {
        if self.armed != deadline {
            match self.arm(deadline) {
                Ok(()) => self.armed = deadline,
                Err(error) => tracing::error!(%error, "cannot set a timer"),
            }
        }
        loop {
            match self.descriptor.readable().await {
                Ok(mut ready) => {
                    // Disarmed or armed anew meanwhile: the kernel has nothing to read then.
                    if self.expired() {
                        break;
                    }
                    ready.clear_ready();
                }
                Err(error) => {
                    tracing::error!(%error, "cannot wait for a timer");
                    break;
                }
            }
        }
        self.armed = None;
    }

    fn arm(&self, deadline: Option<Instant>) -> io::Result<()> {
        // A time of 0 would disarm; 1 ns after boot is past and fires at once.
        let nanos = deadline.map_or(0, |deadline| deadline.as_nanos().max(1));
        let at = libc::itimerspec {
            it_interval: libc::timespec {
                tv_sec: 0,
                tv_nsec: 0,
            },
            it_value: libc::timespec {
                tv_sec: i64::try_from(nanos / 1_000_000_000).unwrap_or(i64::MAX),
                tv_nsec: i64::try_from(nanos % 1_000_000_000).unwrap_or(0),
            },
        };
        let descriptor = self.descriptor.get_ref().as_raw_fd();
        let flags = libc::TFD_TIMER_ABSTIME;
        // SAFETY: the descriptor is open as long as `self`, `at` is a live itimerspec of this
        // frame, and a null pointer asks for no old value.
        let result = unsafe {
            libc::timerfd_settime(descriptor, flags, &raw const at, std::ptr::null_mut())
        };
        if result == 0 {
            Ok(())
        } else {
            Err(io::Error::last_os_error())
        }
    }

    /// Takes the expiry, if there is one.
    fn expired(&self) -> bool {
        let mut count = [0_u8; 8];
        let descriptor = self.descriptor.get_ref().as_raw_fd();
        // SAFETY: the buffer is live and as long as said, and the descriptor is open.
        let read = unsafe { libc::read(descriptor, count.as_mut_ptr().cast(), count.len()) };
        usize::try_from(read) == Ok(count.len())
    }
}

#[cfg(test)]
mod tests;
