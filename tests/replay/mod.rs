//! Recordings of the daemon (`src/daemon/record.rs`), read back and replayed.

use std::fs;
use std::path::Path;

use macmoved::engine::{Action, Engine, Event, Policy};
use macmoved::model::Instant;
use serde::{Deserialize, Serialize};

/// The first line.
#[derive(Deserialize, Serialize)]
pub(crate) struct Header {
    format: String,
    version: u32,
    pub(crate) policy: Policy,
}

/// Every other line.
#[derive(Deserialize, Serialize)]
pub(crate) struct Line {
    pub(crate) at_ns: Instant,
    #[serde(flatten)]
    pub(crate) entry: Entry,
}

/// What the engine was fed, and what it answered.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Entry {
    Event(Box<Event>),
    Action(Box<Action>),
    Timeout,
}

/// Replays one recording; returns the actions, which were the same.
pub(crate) fn replay(path: &Path) -> Vec<Action> {
    let text = fs::read_to_string(path).unwrap();
    let mut lines = text.lines();
    let header: Header = serde_json::from_str(lines.next().unwrap()).unwrap();
    assert_eq!(
        (header.format.as_str(), header.version),
        ("macmoved-recording", 1)
    );
    let mut engine = Engine::new(header.policy);
    let mut compared = Vec::new();
    for (number, line) in (2..).zip(lines) {
        let line: Line = serde_json::from_str(line)
            .unwrap_or_else(|error| panic!("{}:{number}: {error}", path.display()));
        match line.entry {
            Entry::Event(event) => engine.handle_event(line.at_ns, *event),
            Entry::Timeout => engine.handle_timeout(line.at_ns),
            Entry::Action(action) => {
                assert_eq!(
                    engine.poll_action().as_ref(),
                    Some(action.as_ref()),
                    "{}:{number}",
                    path.display()
                );
                compared.push(*action);
            }
        }
    }
    assert_eq!(
        engine.poll_action(),
        None,
        "{}: more than was recorded",
        path.display()
    );
    compared
}
