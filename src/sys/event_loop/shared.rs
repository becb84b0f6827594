//! What every thread that calls libvirt shares with the thread that dispatches.

use std::ffi::{c_int, c_void};
use std::io;
use std::os::fd::RawFd;
use std::sync::{Mutex, MutexGuard, PoisonError};

use virt::sys;

use super::epoll::{Epoll, Timer, Wake};
use super::handles::{HandleFn, Handles};
use super::timers::{TimerCall, TimerFn, Timers};
use crate::model::Instant;
use crate::sys::clock;

/// Frees that have room without allocating; a connection that closes brings about four.
const RETIRED: usize = 64;

/// libvirt's own pointer, which is only ever handed back to it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Opaque(pub(super) *mut c_void);

// SAFETY: the pointer is not dereferenced here; libvirt allows its callbacks to be run by another
// thread than the one that added them.
unsafe impl Send for Opaque {}

/// Something of libvirt's that is to be freed between passes.
#[derive(Debug)]
pub(super) struct Retired {
    free: sys::virFreeCallback,
    opaque: Opaque,
}

impl Retired {
    pub(super) const fn new(free: sys::virFreeCallback, opaque: Opaque) -> Self {
        Self { free, opaque }
    }

    /// Frees it. No lock may be held: libvirt takes its own in here.
    pub(super) fn free(self) {
        if let Some(free) = self.free {
            // SAFETY: whoever added the handle or timer gave this function for this opaque; it is
            // removed, its callback is not running, and `self` is consumed, so this happens once.
            unsafe { free(self.opaque.0) }
        }
    }
}

/// The loop's descriptors and tables.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) epoll: Epoll,
    pub(super) timer: Timer,
    pub(super) wake: Wake,
    state: Mutex<State>,
}

/// Its lock is the innermost: nothing is called with it held.
#[derive(Debug)]
pub(super) struct State {
    pub(super) handles: Handles,
    pub(super) timers: Timers,
    pub(super) retired: Vec<Retired>,
    /// A pass is under way, which arms the timerfd at its end.
    pub(super) dispatching: bool,
    /// When the timerfd goes off, at the latest when the next timer is due. It may go off early,
    /// for a timer that was put off since: that costs a wakeup and saves a call per message.
    armed: Option<Instant>,
}

impl State {
    pub(super) fn take_due(&mut self, calls: &mut Vec<TimerCall>) {
        self.timers.take_due(clock::now(), calls);
    }
}

impl Shared {
    pub(super) fn new() -> io::Result<Self> {
        let (epoll, timer, wake) = (Epoll::new()?, Timer::new()?, Wake::new()?);
        epoll.add_timer(&timer)?;
        epoll.add_wake(&wake)?;
        let state = State {
            handles: Handles::default(),
            timers: Timers::default(),
            retired: Vec::with_capacity(RETIRED),
            dispatching: false,
            armed: None,
        };
        Ok(Self {
            epoll,
            timer,
            wake,
            state: Mutex::new(state),
        })
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // The tables are consistent between any two statements, so a panic elsewhere under the
        // lock does not spoil them.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends a pass: whether a timer is due already, else the timerfd is set.
    pub(super) fn finish_pass(&self) -> bool {
        let mut state = self.lock();
        let now = clock::now();
        if state.armed.is_some_and(|armed| armed <= now) {
            state.armed = None;
        }
        let due = state.timers.next().is_some_and(|next| next <= now) || !state.retired.is_empty();
        self.arm(&mut state);
        state.dispatching = false;
        due
    }

    /// Sets the timerfd where it would go off too late.
    fn arm(&self, state: &mut State) {
        let Some(next) = state.timers.next() else {
            return;
        };
        if state.armed.is_none_or(|armed| next < armed) {
            state.armed = Some(next);
            self.timer.set(next);
        }
    }

    fn arm_outside_pass(&self, mut state: MutexGuard<'_, State>) {
        if !state.dispatching {
            self.arm(&mut state);
        }
    }

    /// Keeps what is to be freed for the next pass.
    fn retire(&self, mut state: MutexGuard<'_, State>, retired: Retired) {
        state.retired.push(retired);
        if !state.dispatching {
            self.wake.signal();
        }
    }

    /// `virEventAddHandleFunc`; -1 is a refusal.
    ///
    /// # Safety
    /// As for [`Handles::add`].
    pub(super) unsafe fn add_handle(
        &self,
        fd: RawFd,
        mask: c_int,
        callback: HandleFn,
        opaque: *mut c_void,
        free: sys::virFreeCallback,
    ) -> c_int {
        let mut state = self.lock();
        let opaque = Opaque(opaque);
        // SAFETY: the caller's promise is the same.
        let added = unsafe {
            state
                .handles
                .add(&self.epoll, fd, mask, callback, opaque, free)
        };
        added.unwrap_or(-1)
    }

    /// `virEventUpdateHandleFunc`, which cannot fail by its signature. A descriptor that epoll
    /// refuses is closed, and libvirt is about to find that out.
    pub(super) fn update_handle(&self, watch: c_int, mask: c_int) {
        self.lock().handles.update(&self.epoll, watch, mask).ok();
    }

    /// `virEventRemoveHandleFunc`; -1 where there is no such handle.
    pub(super) fn remove_handle(&self, watch: c_int) -> c_int {
        let mut state = self.lock();
        match state.handles.remove(&self.epoll, watch) {
            Some(retired) => {
                self.retire(state, retired);
                0
            }
            None => -1,
        }
    }

    /// `virEventAddTimeoutFunc`; -1 is a refusal.
    ///
    /// # Safety
    /// As for [`Timers::add`].
    pub(super) unsafe fn add_timeout(
        &self,
        millis: c_int,
        callback: TimerFn,
        opaque: *mut c_void,
        free: sys::virFreeCallback,
    ) -> c_int {
        let mut state = self.lock();
        let (now, opaque) = (clock::now(), Opaque(opaque));
        // SAFETY: the caller's promise is the same.
        let added = unsafe { state.timers.add(now, millis, callback, opaque, free) };
        self.arm_outside_pass(state);
        added.unwrap_or(-1)
    }

    /// `virEventUpdateTimeoutFunc`.
    pub(super) fn update_timeout(&self, id: c_int, millis: c_int) {
        let mut state = self.lock();
        state.timers.update(clock::now(), id, millis);
        self.arm_outside_pass(state);
    }

    /// `virEventRemoveTimeoutFunc`; -1 where there is no such timer.
    pub(super) fn remove_timeout(&self, id: c_int) -> c_int {
        let mut state = self.lock();
        match state.timers.remove(id) {
            Some(retired) => {
                self.retire(state, retired);
                0
            }
            None => -1,
        }
    }
}
