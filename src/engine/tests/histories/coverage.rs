//! What the histories reached: cells of the state machine's table, kinds of events, and how often
//! there was something to hold each law against.

use std::cell::RefCell;
use std::collections::BTreeMap;

use crate::engine::Event;
use crate::engine::state::{Signal, State};

/// Counts by name.
#[derive(Clone, Debug, Default)]
pub(super) struct Coverage {
    pub(super) cells: BTreeMap<String, u64>,
    pub(super) events: BTreeMap<&'static str, u64>,
    pub(super) laws: BTreeMap<&'static str, u64>,
}

thread_local! {
    /// Of the histories of this thread.
    static HERE: RefCell<Reached> = RefCell::default();
}

#[derive(Default)]
struct Reached {
    cells: Vec<(State, Signal, u64)>,
    events: BTreeMap<&'static str, u64>,
}

/// Notes a step of the state machine.
pub(super) fn cell(state: State, signal: Signal) {
    HERE.with_borrow_mut(|here| {
        let known = here
            .cells
            .iter_mut()
            .find(|(of, on, _)| (*of, *on) == (state, signal));
        if let Some((.., count)) = known {
            *count += 1;
        } else {
            here.cells.push((state, signal, 1));
        }
    });
}

/// Notes an input.
pub(super) fn event(event: &Event) {
    HERE.with_borrow_mut(|here| *here.events.entry(kind(event)).or_default() += 1);
}

/// What this thread reached; it begins anew.
pub(super) fn take() -> Coverage {
    let here = HERE.take();
    let cells = here.cells.into_iter();
    Coverage {
        cells: cells
            .map(|(state, signal, count)| (name(state, signal), count))
            .collect(),
        events: here.events,
        laws: BTreeMap::new(),
    }
}

pub(super) fn name(state: State, signal: Signal) -> String {
    format!("{state:?} on {signal:?}")
}

impl Coverage {
    pub(super) fn add(&mut self, other: Self) {
        for (cell, count) in other.cells {
            *self.cells.entry(cell).or_default() += count;
        }
        for (kind, count) in other.events {
            *self.events.entry(kind).or_default() += count;
        }
        for (law, count) in other.laws {
            *self.laws.entry(law).or_default() += count;
        }
    }
}

/// Every kind of event, for the check that none was left out.
pub(super) const KINDS: [&str; 21] = [
    "clock",
    "libvirt connected",
    "libvirt lost",
    "listed",
    "lifecycle",
    "migration",
    "stopped",
    "resumed",
    "job completed",
    "described",
    "staged",
    "sent",
    "link",
    "ledger",
    "announce",
    "dropped",
    "policy",
    "ending",
    "address",
    "foretold",
    "called off",
];

const fn kind(event: &Event) -> &'static str {
    match event {
        Event::Clock { .. } => "clock",
        Event::LibvirtConnected => "libvirt connected",
        Event::LibvirtLost => "libvirt lost",
        Event::Listed { .. } => "listed",
        Event::Lifecycle { .. } => "lifecycle",
        Event::Migration { .. } => "migration",
        Event::Stopped { .. } => "stopped",
        Event::Resumed { .. } => "resumed",
        Event::JobCompleted { .. } => "job completed",
        Event::Described { .. } => "described",
        Event::Staged { .. } => "staged",
        Event::Sent { .. } => "sent",
        Event::Link(_) => "link",
        Event::Ledger { .. } => "ledger",
        Event::Announce { .. } => "announce",
        Event::Dropped { .. } => "dropped",
        Event::Policy(_) => "policy",
        Event::Ending => "ending",
        Event::Address { .. } => "address",
        Event::Foretold { .. } => "foretold",
        Event::CalledOff { .. } => "called off",
    }
}
