//! Recordings of the daemon, replayed: the same inputs have to give the same actions.
//!
//! `tests/scenarios/NAME/` has three files:
//!
//! - `recording.jsonl`, as `macmoved --record FILE` writes it. With `LAB_RECORD=1` each agent of the
//!   lab records; a case leaves `recording-a.jsonl` and `recording-b.jsonl` with its evidence, in
//!   `target/lab/evidence/`: `sudo LAB_RECORD=1 tests/lab/cargo test --test lab -- post_copy`.
//! - `about.txt`, what happened.
//! - `expected.toml`, the migrations as the history tells them, oldest first, and how many frames
//!   were sent for which cause.
//!
//! After a change of the engine that is meant, `MACMOVED_BLESS=1 cargo test --test scenarios` keeps
//! the inputs and writes the actions anew: read the difference before you commit it. What is
//! expected stays as it is.

#![expect(clippy::unwrap_used, reason = "a replay that cannot run must fail")]

mod replay;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use macmoved::engine::{Action, Engine};
use replay::{Entry, Header, Line, replay};
use serde::Deserialize;

/// What a recording comes to.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Told {
    /// Ended migrations, oldest first, such as `source precopy rolled_back`.
    migrations: Vec<String>,
    /// Frames sent, by cause.
    #[serde(default)]
    frames: BTreeMap<String, usize>,
}

impl Told {
    fn take(&mut self, action: &Action) {
        match action {
            Action::Finished(record) => self.migrations.push(format!(
                "{} {} {}",
                record.side, record.mode, record.outcome
            )),
            Action::Send(ticket) => {
                *self
                    .frames
                    .entry(ticket.cause.label().to_owned())
                    .or_default() += 1;
            }
            Action::Describe { .. }
            | Action::Stage { .. }
            | Action::Unstage { .. }
            | Action::Watch { .. }
            | Action::Unwatch { .. }
            | Action::Reached { .. }
            | Action::Refused { .. }
            | Action::Count(..)
            | Action::Measure(..) => {}
        }
    }
}

/// Every scenario's directory.
fn scenarios() -> Vec<PathBuf> {
    let entries = fs::read_dir("tests/scenarios").unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

/// Replays one recording; returns what its actions come to.
fn told(path: &Path) -> Told {
    let mut told = Told::default();
    for action in replay(path) {
        told.take(&action);
    }
    told
}

/// Writes a recording anew with the actions that its inputs lead to.
fn bless(path: &Path) {
    let text = fs::read_to_string(path).unwrap();
    let (first, rest) = text.split_once('\n').unwrap();
    let header: Header = serde_json::from_str(first).unwrap();
    let mut engine = Engine::new(header.policy);
    let mut blessed = vec![first.to_owned()];
    for line in rest.lines() {
        let input: Line = serde_json::from_str(line).unwrap();
        match &input.entry {
            Entry::Event(event) => engine.handle_event(input.at_ns, (**event).clone()),
            Entry::Timeout => engine.handle_timeout(input.at_ns),
            Entry::Action(_) => continue,
        }
        blessed.push(line.to_owned());
        while let Some(action) = engine.poll_action() {
            let entry = Entry::Action(Box::new(action));
            let action = Line {
                at_ns: input.at_ns,
                entry,
            };
            blessed.push(serde_json::to_string(&action).unwrap());
        }
    }
    fs::write(path, blessed.join("\n") + "\n").unwrap();
}

#[test]
fn every_recording_replays_to_its_own_actions_and_comes_to_what_is_expected() {
    let scenarios = scenarios();
    assert!(scenarios.len() >= 10, "{} scenarios", scenarios.len());
    for directory in scenarios {
        let name = directory.display();
        assert!(
            directory.join("about.txt").is_file(),
            "{name}: no about.txt"
        );
        let recording = directory.join("recording.jsonl");
        if std::env::var_os("MACMOVED_BLESS").is_some() {
            bless(&recording);
        }
        let expected = fs::read_to_string(directory.join("expected.toml"));
        let expected: Told = toml::from_str(&expected.unwrap())
            .unwrap_or_else(|error| panic!("{name}: expected.toml: {error}"));
        assert_ne!(expected, Told::default(), "{name}: nothing expected");
        assert_eq!(told(&recording), expected, "{name}");
    }
}

/// A directory is named for what it shows, and what it shows is in its last word.
#[test]
fn a_scenarios_name_keeps_its_promise() {
    let promises = [
        ("-arrival", "destination"),
        ("-away", "destination"),
        ("-departure", "source"),
        ("-home", "source"),
        ("-rollback", "source precopy rolled_back"),
    ];
    for directory in scenarios() {
        let name = directory.file_name().unwrap().to_str().unwrap();
        let promise = promises.iter().find(|(word, _)| name.ends_with(word));
        let (_, promise) = promise.unwrap_or_else(|| panic!("{name} promises nothing"));
        let told = told(&directory.join("recording.jsonl"));
        // An arrival whose begin was not seen leaves no record.
        let Some(first) = told.migrations.first() else {
            assert_eq!(name, "late-agent-arrival");
            continue;
        };
        assert!(first.starts_with(promise), "{name}: {told:?}");
        let postcopy = name.contains("postcopy");
        assert_eq!(first.contains("postcopy"), postcopy, "{name}: {told:?}");
    }
}

#[test]
fn a_changed_action_is_noticed() {
    let path = Path::new("tests/scenarios/precopy-arrival/recording.jsonl");
    let text = fs::read_to_string(path).unwrap();
    let changed = text.replacen("\"early\"", "\"single\"", 1);
    assert_ne!(text, changed);
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("recording.jsonl");
    fs::write(&file, changed).unwrap();
    assert!(std::panic::catch_unwind(|| told(&file)).is_err());
}
