//! libvirt's timers. Its 0 ms timer is how it hands events over: a message that it reads arms
//! one, and that one's callback calls ours.

use std::collections::BTreeMap;
use std::ffi::{c_int, c_void};
use std::time::Duration;

use virt::sys;

use super::shared::{Opaque, Retired};
use crate::model::Instant;

pub(super) type TimerFn = unsafe extern "C" fn(c_int, *mut c_void);

#[derive(Debug, Default)]
pub(super) struct Timers {
    timers: BTreeMap<c_int, Timer>,
    last_id: c_int,
}

#[derive(Debug)]
struct Timer {
    /// Between expiries; none while it is disabled (libvirt's -1).
    period: Option<Duration>,
    due: Instant,
    callback: TimerFn,
    free: sys::virFreeCallback,
    opaque: Opaque,
}

/// A timer's callback that is due.
#[derive(Clone, Copy, Debug)]
pub(super) struct TimerCall {
    id: c_int,
    callback: TimerFn,
    opaque: Opaque,
}

impl TimerCall {
    pub(super) const fn id(&self) -> c_int {
        self.id
    }

    /// Calls libvirt. No lock may be held: it updates timers and calls ours in here.
    pub(super) fn run(&self) {
        // SAFETY: whoever added the timer promised that the callback may be called with this
        // opaque until its free function has run, and that runs only between passes.
        unsafe { (self.callback)(self.id, self.opaque.0) }
    }
}

impl Timers {
    /// Adds a timer of `millis` (negative: disabled) and returns its number; none when the
    /// numbers have run out.
    ///
    /// # Safety
    /// `callback` and `free` must be callable with `opaque` on the thread that dispatches, until
    /// `free` has been called.
    pub(super) unsafe fn add(
        &mut self,
        now: Instant,
        millis: c_int,
        callback: TimerFn,
        opaque: Opaque,
        free: sys::virFreeCallback,
    ) -> Option<c_int> {
        self.last_id = self.last_id.checked_add(1)?;
        let period = period(millis);
        let timer = Timer {
            period,
            due: now + period.unwrap_or_default(),
            callback,
            free,
            opaque,
        };
        self.timers.insert(self.last_id, timer);
        Some(self.last_id)
    }

    /// Sets a timer's period anew, from `now` on.
    pub(super) fn update(&mut self, now: Instant, id: c_int, millis: c_int) {
        if let Some(timer) = self.timers.get_mut(&id) {
            timer.period = period(millis);
            timer.due = now + timer.period.unwrap_or_default();
        }
    }

    /// Removes a timer and says what is to be freed for it, between passes.
    pub(super) fn remove(&mut self, id: c_int) -> Option<Retired> {
        let timer = self.timers.remove(&id)?;
        Some(Retired::new(timer.free, timer.opaque))
    }

    /// Whether the timer exists and is enabled.
    pub(super) fn is_armed(&self, id: c_int) -> bool {
        self.timers
            .get(&id)
            .is_some_and(|timer| timer.period.is_some())
    }

    /// When the next timer is due.
    pub(super) fn next(&self) -> Option<Instant> {
        let enabled = self.timers.values().filter(|timer| timer.period.is_some());
        enabled.map(|timer| timer.due).min()
    }

    /// Appends the calls of the timers that are due at `now`, and starts their next period.
    pub(super) fn take_due(&mut self, now: Instant, calls: &mut Vec<TimerCall>) {
        for (&id, timer) in &mut self.timers {
            let Some(period) = timer.period else {
                continue;
            };
            if timer.due <= now {
                timer.due = now + period;
                calls.push(TimerCall {
                    id,
                    callback: timer.callback,
                    opaque: timer.opaque,
                });
            }
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.timers.len()
    }
}

fn period(millis: c_int) -> Option<Duration> {
    u64::try_from(millis).ok().map(Duration::from_millis)
}
