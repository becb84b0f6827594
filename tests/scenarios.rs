//! Recordings of the daemon, replayed: the same inputs have to give the same actions.
//!
//! `macmoved --record FILE` writes one; `tests/scenarios/NAME/recording.jsonl` is such a file and
//! `about.txt` beside it tells what happened. After a change of the engine that is meant,
//! `MACMOVED_BLESS=1 cargo test --test scenarios` keeps the inputs and writes the actions anew: read
//! the difference before you commit it.

#![expect(clippy::unwrap_used, reason = "a replay that cannot run must fail")]

mod replay;

use std::fs;
use std::path::Path;

use macmoved::engine::Engine;
use replay::{Entry, Header, Line, replay};

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
fn every_recording_replays_to_its_own_actions() {
    let mut scenarios = 0;
    for entry in fs::read_dir("tests/scenarios").unwrap() {
        let directory = entry.unwrap().path();
        assert!(
            directory.join("about.txt").is_file(),
            "{}: no about.txt",
            directory.display()
        );
        let recording = directory.join("recording.jsonl");
        if std::env::var_os("MACMOVED_BLESS").is_some() {
            bless(&recording);
        }
        let compared = replay(&recording);
        assert!(compared >= 5, "{}: {compared} actions", directory.display());
        scenarios += 1;
    }
    assert!(scenarios >= 3, "{scenarios} scenarios");
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
    assert!(std::panic::catch_unwind(|| replay(&file)).is_err());
}
