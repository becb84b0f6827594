//! The queue between libvirt and the engine: bounded, preallocated, in the engine's order.
//!
//! Events of a connection are held back while its guests are being listed, so that the list comes
//! first: an event that is older than the list is then repeated after it rather than undone by
//! it, and the last word on each guest is the newest. Nothing of a connection follows its
//! [`Event::LibvirtLost`].

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::hearer;
use crate::engine::{Event, GuestFacts, Queue};

/// Callbacks that wait for the engine: about 250 migrations' worth at once. When full, further
/// ones are lost and counted, and [`Event::Dropped`] stands in the queue where they would.
pub(super) const CALLBACKS: usize = 4096;

/// Answers that wait for the engine. When full, further ones are lost and counted.
pub(super) const ANSWERS: usize = 512;

/// Events about the connection itself that may wait before the worker pauses. One attempt brings
/// three at most (connected, listed, lost), so the queue has room for those of the attempt that
/// reaches it.
const STATES: usize = 16;

/// Room for everything that the bounds admit: states of an attempt past the bound, and one
/// [`Event::Dropped`] in place of lost callbacks.
const CAPACITY: usize = CALLBACKS + ANSWERS + STATES + 4;

/// Number of a connection; rises with each attempt, from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Generation(u64);

impl Generation {
    pub(super) const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// Where an entry counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    Callback,
    Gap,
    Answer,
    State,
}

#[derive(Debug)]
struct Entry {
    origin: Origin,
    event: Event,
}

/// Shared by the driver's thread and the worker.
pub(super) struct Inbox {
    state: Mutex<State>,
    /// Makes the driver look here.
    wake: Box<dyn Fn() + Send + Sync>,
}

impl std::fmt::Debug for Inbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inbox").finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct State {
    entries: VecDeque<Entry>,
    callbacks: usize,
    answers: usize,
    states: usize,
    /// Entries from the front that the engine may have; the rest is held back.
    visible: usize,
    holding: bool,
    /// Callbacks were lost and none was taken since.
    gap: bool,
    answers_lost: u64,
    /// The connection whose events count, if any does.
    current: Option<Generation>,
    /// What the engine was last told; none before it was told anything.
    connected: Option<bool>,
}

impl Inbox {
    pub(super) fn new(wake: impl Fn() + Send + Sync + 'static) -> Self {
        let state = State {
            entries: VecDeque::with_capacity(CAPACITY),
            callbacks: 0,
            answers: 0,
            states: 0,
            visible: 0,
            holding: false,
            gap: false,
            answers_lost: 0,
            current: None,
            connected: None,
        };
        Self {
            state: Mutex::new(state),
            wake: Box::new(wake),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Each method leaves the counts right between any two statements that could panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes one event of a callback, past the queue where nothing is in it. That of a connection
    /// which is gone is none of ours.
    pub(super) fn callback(&self, generation: Generation, event: Event) {
        let state = self.lock();
        if state.current != Some(generation) {
            return;
        }
        let idle = state.is_idle();
        // The hearer may want to answer.
        drop(state);
        let left = if idle {
            hearer::tell(event)
        } else {
            Err(event)
        };
        if let Err(event) = left {
            self.lock().push_callback(event);
            (self.wake)();
        }
    }

    /// Takes one answer to a request.
    pub(super) fn answer(&self, event: Event) {
        let mut state = self.lock();
        if state.answers < ANSWERS {
            state.answers += 1;
            state.insert_visible(Origin::Answer, event);
        } else {
            state.answers_lost += 1;
        }
        drop(state);
        (self.wake)();
    }

    /// Begins to take a connection's callbacks, held back until its guests are listed.
    pub(super) fn begin(&self, generation: Generation) {
        let mut state = self.lock();
        state.current = Some(generation);
        state.holding = true;
    }

    /// Holds callbacks back while the guests are listed anew.
    pub(super) fn hold(&self) {
        self.lock().holding = true;
    }

    /// Delivers the list, and after it what was held back. False where the connection is gone.
    pub(super) fn listed(&self, generation: Generation, guests: Vec<GuestFacts>) -> bool {
        let mut state = self.lock();
        if state.current != Some(generation) {
            return false;
        }
        if state.connected != Some(true) {
            state.connected = Some(true);
            state.insert_state(Event::LibvirtConnected);
        }
        state.insert_state(Event::Listed { guests });
        state.release();
        drop(state);
        (self.wake)();
        true
    }

    /// Delivers what was held back without a list, which could not be had.
    pub(super) fn unlisted(&self) {
        self.lock().release();
        (self.wake)();
    }

    /// Ends a connection, or an attempt at one: what it held back is forgotten, and the engine is
    /// told unless it knows.
    pub(super) fn lost(&self, generation: Generation) {
        let mut state = self.lock();
        // A callback of an earlier connection may come late.
        if state.current.is_some_and(|current| current != generation) {
            return;
        }
        state.current = None;
        state.forget_held();
        state.release();
        if state.connected != Some(false) {
            state.connected = Some(false);
            state.insert_state(Event::LibvirtLost);
        }
        drop(state);
        (self.wake)();
    }

    /// Whether this connection's events count.
    pub(super) fn is_current(&self, generation: Generation) -> bool {
        self.lock().current == Some(generation)
    }

    /// Whether there is room for another connection's events.
    pub(super) fn has_room(&self) -> bool {
        self.lock().states < STATES
    }

    /// Whether the engine has something to fetch.
    pub(super) fn is_ready(&self) -> bool {
        let state = self.lock();
        state.visible > 0 || state.answers_lost > 0
    }

    /// The next event for the engine.
    pub(super) fn next(&self) -> Option<Event> {
        let mut state = self.lock();
        if state.answers_lost > 0 {
            let count = std::mem::take(&mut state.answers_lost);
            let queue = Queue::Describe;
            return Some(Event::Dropped { queue, count });
        }
        state.visible = state.visible.checked_sub(1)?;
        let entry = state.entries.pop_front()?;
        state.forget(entry.origin);
        Some(entry.event)
    }
}

impl State {
    /// Whether an event that comes now would be the next one.
    fn is_idle(&self) -> bool {
        self.entries.is_empty() && self.answers_lost == 0 && !self.holding
    }

    fn push_callback(&mut self, event: Event) {
        if self.callbacks < CALLBACKS {
            self.callbacks += 1;
            self.gap = false;
            self.push(Origin::Callback, event);
        } else if self.gap {
            self.widen_gap();
        } else {
            // It takes one slot beyond the bound, and the next event is taken only below the bound,
            // so there is never more than one such slot.
            self.callbacks += 1;
            self.gap = true;
            let (queue, count) = (Queue::Libvirt, 1);
            self.push(Origin::Gap, Event::Dropped { queue, count });
        }
    }

    fn push(&mut self, origin: Origin, event: Event) {
        self.entries.push_back(Entry { origin, event });
        if !self.holding {
            self.visible += 1;
        }
    }

    fn widen_gap(&mut self) {
        let entry = self.entries.iter_mut().rev();
        let gap = entry.into_iter().find(|entry| entry.origin == Origin::Gap);
        if let Some(Event::Dropped { count, .. }) = gap.map(|entry| &mut entry.event) {
            *count += 1;
        }
    }

    fn insert_state(&mut self, event: Event) {
        self.states += 1;
        self.insert_visible(Origin::State, event);
    }

    /// Puts an event behind what the engine may have and before what is held back.
    fn insert_visible(&mut self, origin: Origin, event: Event) {
        self.entries.insert(self.visible, Entry { origin, event });
        self.visible += 1;
    }

    fn release(&mut self) {
        self.holding = false;
        self.visible = self.entries.len();
    }

    fn forget_held(&mut self) {
        while self.entries.len() > self.visible {
            if let Some(entry) = self.entries.pop_back() {
                self.forget(entry.origin);
            }
        }
    }

    fn forget(&mut self, origin: Origin) {
        match origin {
            Origin::Callback => self.callbacks = self.callbacks.saturating_sub(1),
            Origin::Gap => {
                self.callbacks = self.callbacks.saturating_sub(1);
                self.gap = false;
            }
            Origin::Answer => self.answers = self.answers.saturating_sub(1),
            Origin::State => self.states = self.states.saturating_sub(1),
        }
    }
}

#[cfg(test)]
mod tests;
