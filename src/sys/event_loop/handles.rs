//! libvirt's handles: which descriptors it watches, for what, and whom to call.
//!
//! libvirt may watch one descriptor through several handles, which epoll does not allow, so each
//! descriptor is watched once for the union. A handle whose mask is 0 is not watched at all:
//! epoll would report its hangup for ever. libvirt uses that while a thread of its own reads.

use std::collections::BTreeMap;
use std::ffi::{c_int, c_void};
use std::io;
use std::os::fd::RawFd;

use virt::sys;

use super::epoll::{Epoll, InterestKey};
use super::shared::{Opaque, Retired};

pub(super) type HandleFn = unsafe extern "C" fn(c_int, c_int, c_int, *mut c_void);

const READABLE: c_int = sys::VIR_EVENT_HANDLE_READABLE.cast_signed();
const WRITABLE: c_int = sys::VIR_EVENT_HANDLE_WRITABLE.cast_signed();
const ERROR: c_int = sys::VIR_EVENT_HANDLE_ERROR.cast_signed();
const HANGUP: c_int = sys::VIR_EVENT_HANDLE_HANGUP.cast_signed();

#[derive(Debug, Default)]
pub(super) struct Handles {
    by_watch: BTreeMap<c_int, Handle>,
    interests: BTreeMap<RawFd, Interest>,
    last_watch: c_int,
    last_generation: u32,
}

#[derive(Debug)]
struct Handle {
    fd: RawFd,
    /// `VIR_EVENT_HANDLE_*`.
    mask: c_int,
    callback: HandleFn,
    free: sys::virFreeCallback,
    opaque: Opaque,
}

#[derive(Clone, Copy, Debug)]
struct Interest {
    /// The union of the masks, as epoll has it.
    events: u32,
    generation: u32,
}

/// A handle's callback that is due.
#[derive(Clone, Copy, Debug)]
pub(super) struct HandleCall {
    watch: c_int,
    fd: RawFd,
    events: c_int,
    callback: HandleFn,
    opaque: Opaque,
}

impl HandleCall {
    pub(super) const fn watch(&self) -> c_int {
        self.watch
    }

    /// Calls libvirt. No lock may be held: it adds and removes handles in here.
    pub(super) fn run(&self) {
        // SAFETY: whoever added the handle promised that the callback may be called with this
        // opaque until its free function has run, and that runs only between passes.
        unsafe { (self.callback)(self.watch, self.fd, self.events, self.opaque.0) }
    }
}

impl Handles {
    /// Adds a handle and returns its watch number, or the fault of `epoll_ctl(2)`.
    ///
    /// # Safety
    /// `callback` and `free` must be callable with `opaque` on the thread that dispatches, until
    /// `free` has been called.
    pub(super) unsafe fn add(
        &mut self,
        epoll: &Epoll,
        fd: RawFd,
        mask: c_int,
        callback: HandleFn,
        opaque: Opaque,
        free: sys::virFreeCallback,
    ) -> io::Result<c_int> {
        self.last_watch = self.last_watch.checked_add(1).ok_or(io::ErrorKind::Other)?;
        let watch = self.last_watch;
        let handle = Handle {
            fd,
            mask,
            callback,
            free,
            opaque,
        };
        self.by_watch.insert(watch, handle);
        if let Err(error) = self.watch_fd(epoll, fd) {
            self.by_watch.remove(&watch);
            return Err(error);
        }
        Ok(watch)
    }

    pub(super) fn update(&mut self, epoll: &Epoll, watch: c_int, mask: c_int) -> io::Result<()> {
        let Some(handle) = self.by_watch.get_mut(&watch) else {
            return Ok(());
        };
        handle.mask = mask;
        let fd = handle.fd;
        self.watch_fd(epoll, fd)
    }

    /// Removes a handle and says what is to be freed for it, between passes. The descriptor is
    /// let go of here: libvirt closes it right after.
    pub(super) fn remove(&mut self, epoll: &Epoll, watch: c_int) -> Option<Retired> {
        let handle = self.by_watch.remove(&watch)?;
        // A descriptor that is closed already is not watched any more, which is what is wanted.
        self.watch_fd(epoll, handle.fd).ok();
        Some(Retired::new(handle.free, handle.opaque))
    }

    pub(super) fn contains(&self, watch: c_int) -> bool {
        self.by_watch.contains_key(&watch)
    }

    /// Appends the calls that `events` of a descriptor ask for.
    pub(super) fn collect(&self, key: InterestKey, events: u32, calls: &mut Vec<HandleCall>) {
        let current = self.interests.get(&key.fd);
        if current.is_none_or(|interest| interest.generation != key.generation) {
            return;
        }
        let reported = to_libvirt(events);
        for (&watch, handle) in &self.by_watch {
            // Errors and hangups are reported whether asked for or not, as poll(2) does.
            let events = reported & (handle.mask | ERROR | HANGUP);
            if handle.fd == key.fd && handle.mask != 0 && events != 0 {
                calls.push(HandleCall {
                    watch,
                    fd: handle.fd,
                    events,
                    callback: handle.callback,
                    opaque: handle.opaque,
                });
            }
        }
    }

    /// Makes epoll watch `fd` for the union of what its handles want.
    fn watch_fd(&mut self, epoll: &Epoll, fd: RawFd) -> io::Result<()> {
        let wanted = self
            .by_watch
            .values()
            .filter(|handle| handle.fd == fd && handle.mask != 0)
            .map(|handle| to_epoll(handle.mask))
            .reduce(|union, events| union | events);
        match (self.interests.get(&fd).copied(), wanted) {
            (None, None) => Ok(()),
            (Some(interest), Some(events)) if interest.events == events => Ok(()),
            (Some(Interest { generation, .. }), Some(events)) => {
                epoll.modify(InterestKey { fd, generation }, events)?;
                self.interests.insert(fd, Interest { events, generation });
                Ok(())
            }
            (Some(Interest { generation, .. }), None) => {
                self.interests.remove(&fd);
                epoll.remove(InterestKey { fd, generation })
            }
            (None, Some(events)) => {
                self.last_generation = self.last_generation.wrapping_add(1);
                let generation = self.last_generation;
                epoll.add(InterestKey { fd, generation }, events)?;
                self.interests.insert(fd, Interest { events, generation });
                Ok(())
            }
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> (usize, usize) {
        (self.by_watch.len(), self.interests.len())
    }
}

fn to_epoll(mask: c_int) -> u32 {
    let mut events = 0;
    if mask & READABLE != 0 {
        events |= libc::EPOLLIN;
    }
    if mask & WRITABLE != 0 {
        events |= libc::EPOLLOUT;
    }
    events.cast_unsigned()
}

fn to_libvirt(events: u32) -> c_int {
    let events = events.cast_signed();
    let mut mask = 0;
    if events & libc::EPOLLIN != 0 {
        mask |= READABLE;
    }
    if events & libc::EPOLLOUT != 0 {
        mask |= WRITABLE;
    }
    if events & libc::EPOLLERR != 0 {
        mask |= ERROR;
    }
    if events & libc::EPOLLHUP != 0 {
        mask |= HANGUP;
    }
    mask
}
