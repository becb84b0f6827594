//! The descriptors of the loop: an epoll, a timerfd and an eventfd.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

use crate::model::Instant;

/// Descriptors that one call reports; more wait for the next pass.
const BATCH: usize = 64;

/// Tokens of the loop's own descriptors. A handle's token has its descriptor, which is not
/// negative, in the low half and so never has these bits.
const TIMER_TOKEN: u64 = u64::MAX;
const WAKE_TOKEN: u64 = u64::MAX - 1;

/// A descriptor's registration, told apart from an earlier one of the same number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct InterestKey {
    pub(super) fd: RawFd,
    pub(super) generation: u32,
}

/// What became ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Timer,
    Wake,
    Handle(InterestKey),
}

/// One descriptor's readiness.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ready {
    pub(super) source: Source,
    /// `EPOLLIN` and so on.
    pub(super) events: u32,
}

/// Room for one call's answers.
pub(super) struct Batch([libc::epoll_event; BATCH]);

impl std::fmt::Debug for Batch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Batch").finish_non_exhaustive()
    }
}

impl Batch {
    pub(super) const fn new() -> Self {
        Self([libc::epoll_event { events: 0, u64: 0 }; BATCH])
    }

    /// The first `ready` answers.
    pub(super) fn iter(&self, ready: usize) -> impl Iterator<Item = Ready> {
        self.0.iter().take(ready).map(|event| Ready {
            source: source(event.u64),
            events: event.events,
        })
    }
}

fn source(token: u64) -> Source {
    match token {
        TIMER_TOKEN => Source::Timer,
        WAKE_TOKEN => Source::Wake,
        _ => {
            let [g0, g1, g2, g3, f0, f1, f2, f3] = token.to_be_bytes();
            Source::Handle(InterestKey {
                fd: RawFd::from_be_bytes([f0, f1, f2, f3]),
                generation: u32::from_be_bytes([g0, g1, g2, g3]),
            })
        }
    }
}

fn token(key: InterestKey) -> u64 {
    let [f0, f1, f2, f3] = key.fd.to_be_bytes();
    let [g0, g1, g2, g3] = key.generation.to_be_bytes();
    u64::from_be_bytes([g0, g1, g2, g3, f0, f1, f2, f3])
}

fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

fn own(result: libc::c_int) -> io::Result<OwnedFd> {
    let fd = check(result)?;
    // SAFETY: `fd` was just returned by a call that makes a descriptor, and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// An epoll(7) instance.
#[derive(Debug)]
pub(super) struct Epoll(OwnedFd);

impl Epoll {
    pub(super) fn new() -> io::Result<Self> {
        // SAFETY: takes no pointer.
        own(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) }).map(Self)
    }

    pub(super) fn add_timer(&self, timer: &Timer) -> io::Result<()> {
        let interest = libc::EPOLLIN.cast_unsigned();
        self.control(
            libc::EPOLL_CTL_ADD,
            timer.0.as_raw_fd(),
            interest,
            TIMER_TOKEN,
        )
    }

    pub(super) fn add_wake(&self, wake: &Wake) -> io::Result<()> {
        let interest = libc::EPOLLIN.cast_unsigned();
        self.control(
            libc::EPOLL_CTL_ADD,
            wake.0.as_raw_fd(),
            interest,
            WAKE_TOKEN,
        )
    }

    /// Watches a descriptor. One that is watched already was closed and opened anew behind the
    /// loop's back, or is watched through a duplicate; it gets the new token.
    pub(super) fn add(&self, key: InterestKey, events: u32) -> io::Result<()> {
        match self.control(libc::EPOLL_CTL_ADD, key.fd, events, token(key)) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => self.modify(key, events),
            result => result,
        }
    }

    pub(super) fn modify(&self, key: InterestKey, events: u32) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_MOD, key.fd, events, token(key))
    }

    pub(super) fn remove(&self, key: InterestKey) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_DEL, key.fd, 0, 0)
    }

    fn control(&self, operation: libc::c_int, fd: RawFd, events: u32, u64: u64) -> io::Result<()> {
        let mut event = libc::epoll_event { events, u64 };
        // SAFETY: `event` lives through the call, which only reads it; a bad `fd` is an error.
        let result = unsafe { libc::epoll_ctl(self.0.as_raw_fd(), operation, fd, &raw mut event) };
        check(result).map(drop)
    }

    /// Reads what is ready without waiting and returns how many answers `batch` has. `EINTR` and
    /// every other fault count as none.
    pub(super) fn poll(&self, batch: &mut Batch) -> usize {
        let room = libc::c_int::try_from(batch.0.len()).unwrap_or(libc::c_int::MAX);
        // SAFETY: `batch` has room for `room` answers and is borrowed exclusively.
        let ready = unsafe { libc::epoll_wait(self.0.as_raw_fd(), batch.0.as_mut_ptr(), room, 0) };
        usize::try_from(ready).unwrap_or(0)
    }

    /// Waits until something is ready; false after `limit` or a signal.
    pub(super) fn wait_readable(&self, limit: Duration) -> bool {
        let mut poll = libc::pollfd {
            fd: self.0.as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        };
        let millis = libc::c_int::try_from(limit.as_millis()).unwrap_or(libc::c_int::MAX);
        // SAFETY: `poll` is one live pollfd of this frame.
        let ready = unsafe { libc::poll(&raw mut poll, 1, millis) };
        ready > 0
    }
}

impl AsRawFd for Epoll {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

/// A timerfd(2) on the monotonic clock.
#[derive(Debug)]
pub(super) struct Timer(OwnedFd);

impl Timer {
    pub(super) fn new() -> io::Result<Self> {
        let flags = libc::TFD_CLOEXEC | libc::TFD_NONBLOCK;
        // SAFETY: takes no pointer.
        own(unsafe { libc::timerfd_create(libc::CLOCK_MONOTONIC, flags) }).map(Self)
    }

    /// Becomes readable at `at`, or at once where that is past.
    pub(super) fn set(&self, at: Instant) {
        // All zeroes would disarm it.
        let nanos = at.as_nanos().max(1);
        let setting = libc::itimerspec {
            it_interval: libc::timespec {
                tv_sec: 0,
                tv_nsec: 0,
            },
            it_value: libc::timespec {
                tv_sec: i64::try_from(nanos / 1_000_000_000).unwrap_or(i64::MAX),
                tv_nsec: i64::try_from(nanos % 1_000_000_000).unwrap_or(0),
            },
        };
        // SAFETY: `setting` lives through the call and is only read; the old setting is not asked
        // for. The descriptor is a timerfd and the nanoseconds are below a second, so it cannot
        // fail.
        unsafe {
            libc::timerfd_settime(
                self.0.as_raw_fd(),
                libc::TFD_TIMER_ABSTIME,
                &raw const setting,
                std::ptr::null_mut(),
            )
        };
    }

    pub(super) fn drain(&self) {
        drain(&self.0);
    }
}

/// An eventfd(2).
#[derive(Debug)]
pub(super) struct Wake(OwnedFd);

impl Wake {
    pub(super) fn new() -> io::Result<Self> {
        // SAFETY: takes no pointer.
        own(unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) }).map(Self)
    }

    /// Becomes readable. A full counter is readable already.
    pub(super) fn signal(&self) {
        let one = 1_u64.to_ne_bytes();
        // SAFETY: `one` is eight readable octets, which is what an eventfd takes.
        unsafe { libc::write(self.0.as_raw_fd(), one.as_ptr().cast(), one.len()) };
    }

    pub(super) fn drain(&self) {
        drain(&self.0);
    }
}

/// Reads the counter that both kinds have; nothing to read is no fault.
fn drain(fd: &OwnedFd) {
    let mut count = [0_u8; 8];
    // SAFETY: `count` is eight writable octets, which is what both descriptors write.
    unsafe { libc::read(fd.as_raw_fd(), count.as_mut_ptr().cast(), count.len()) };
}
