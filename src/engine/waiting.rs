//! Frames that are due and wait for pacing: first frames before repeats, each in order of time.

use std::collections::VecDeque;

use super::pacing::Class;
use super::{Round, Ticket};

/// Frames of one class that may wait. A full queue refuses, and the engine counts the frame as
/// lost. Five rounds of 1,000 guests with three NICs each fit.
const CAPACITY: usize = 16_384;

/// The two queues.
#[derive(Clone, Debug)]
pub(crate) struct Waiting {
    first: VecDeque<Ticket>,
    repeat: VecDeque<Ticket>,
}

impl Waiting {
    pub(crate) fn new() -> Self {
        Self {
            first: VecDeque::with_capacity(CAPACITY),
            repeat: VecDeque::with_capacity(CAPACITY),
        }
    }

    /// Puts a frame at the end of its class's queue; false where that is full.
    pub(crate) fn push(&mut self, ticket: Ticket) -> bool {
        let queue = self.queue(class(&ticket));
        let room = queue.len() < CAPACITY;
        if room {
            queue.push_back(ticket);
        }
        room
    }

    pub(crate) fn len(&self) -> usize {
        self.first.len() + self.repeat.len()
    }

    pub(crate) fn first_frames(&self) -> usize {
        self.first.len()
    }

    /// Walks the frames in the order in which they may leave, and drops those that `leave` takes.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&Ticket, Class) -> bool) {
        self.first.retain(|ticket| keep(ticket, Class::First));
        self.repeat.retain(|ticket| keep(ticket, Class::Repeat));
        for queue in [&mut self.first, &mut self.repeat] {
            if queue.is_empty() {
                // From the front again, where memory has been touched before.
                queue.clear();
            }
        }
    }

    fn queue(&mut self, class: Class) -> &mut VecDeque<Ticket> {
        match class {
            Class::First => &mut self.first,
            Class::Repeat => &mut self.repeat,
        }
    }
}

/// The early frames and the first round are what a migration waits for.
pub(crate) const fn class(ticket: &Ticket) -> Class {
    match ticket.round {
        Round::Early | Round::Scheduled(1) => Class::First,
        Round::Scheduled(_) | Round::Single | Round::Retraction(_) => Class::Repeat,
    }
}
