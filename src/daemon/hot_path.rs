//! From an event to the wire, with nothing in between: the engine, the emitter, and what follows
//! later.

use std::collections::VecDeque;

use super::record::Recorder;
use crate::emit::{Emitter, Prepared};
use crate::engine::{Action, Engine, Event};
use crate::listen::libvirt::Hear;
use crate::sys::clock;

/// Actions that may wait for the driver before an event is left in libvirt's queue: a migration has
/// about ten, and hundreds may end at once.
const REST: usize = 4_096;

/// The one owner of the engine. It sends at once what the engine wants sent and keeps every other
/// action for [`HotPath::next_action`], so that it can run within libvirt's callbacks.
#[derive(Debug)]
pub struct HotPath {
    engine: Engine,
    emitter: Emitter,
    recorder: Option<Recorder>,
    rest: VecDeque<Action>,
    changed: bool,
}

impl HotPath {
    /// Puts the two together.
    #[must_use]
    pub fn new(engine: Engine, emitter: Emitter) -> Self {
        Self {
            engine,
            emitter,
            recorder: None,
            rest: VecDeque::with_capacity(REST),
            changed: false,
        }
    }

    /// Writes down everything from here on.
    pub(super) fn record(&mut self, recorder: Recorder) {
        self.recorder = Some(recorder);
    }

    /// Takes in what happened, and sends what follows.
    pub fn handle(&mut self, event: Event) {
        let now = clock::now();
        if let Some(recorder) = &mut self.recorder {
            recorder.event(now, event.clone());
        }
        self.engine.handle_event(now, event);
        self.act();
    }

    /// Takes over what the kernel says of a link.
    pub fn link(&mut self, event: Event) {
        if let Event::Link(link) = &event {
            self.emitter.observe(link);
        }
        self.handle(event);
    }

    /// Takes over what was staged.
    pub fn staged(&mut self, prepared: Prepared) {
        let event = Event::Staged {
            guest: prepared.guest,
            generation: prepared.generation,
            staging: prepared.staging.clone(),
        };
        self.emitter.insert(prepared);
        self.handle(event);
    }

    /// Does what is due, if anything is.
    pub fn timeout(&mut self) {
        let now = clock::now();
        if self.engine.poll_timeout().is_none_or(|at| at > now) {
            return;
        }
        if let Some(recorder) = &mut self.recorder {
            recorder.timeout(now);
        }
        self.engine.handle_timeout(now);
        self.act();
    }

    /// Whether the engine was told anything since the last call.
    pub(super) fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    /// The next action that is not a send. Sends are done, and guests are unstaged.
    pub fn next_action(&mut self) -> Option<Action> {
        let action = self.rest.pop_front();
        if self.rest.is_empty() {
            // From the front again: what was written last is still in the processor's cache.
            self.rest.clear();
        }
        action
    }

    /// What decides, to be looked at.
    #[must_use]
    pub const fn engine(&self) -> &Engine {
        &self.engine
    }

    /// What sends, to be set.
    pub const fn emitter(&mut self) -> &mut Emitter {
        &mut self.emitter
    }

    /// Lines that the recording lost since the last call.
    pub(super) fn take_unrecorded(&mut self) -> u64 {
        self.recorder.as_mut().map_or(0, Recorder::take_dropped)
    }

    fn act(&mut self) {
        self.changed = true;
        while let Some(action) = self.engine.poll_action() {
            if let Action::Send(ticket) = action {
                let outcome = self.emitter.fire(&ticket, clock::now());
                let returned = clock::now();
                let sent = Event::Sent {
                    ticket,
                    returned,
                    outcome,
                };
                if let Some(recorder) = &mut self.recorder {
                    recorder.action(returned, Action::Send(ticket));
                    recorder.event(returned, sent.clone());
                }
                self.engine.handle_event(returned, sent);
                continue;
            }
            if let Some(recorder) = &mut self.recorder {
                recorder.action(clock::now(), action.clone());
            }
            if let Action::Unstage { guest, .. } = action {
                self.emitter.remove(guest);
            }
            self.rest.push_back(action);
        }
    }
}

impl Hear for HotPath {
    fn hear(&mut self, event: Event) -> Result<(), Event> {
        if self.rest.len() >= REST {
            return Err(event);
        }
        self.handle(event);
        Ok(())
    }
}
