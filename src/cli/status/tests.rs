use super::*;

/// The agent's own words in the shape that the control socket has.
fn status(changes: &[(&str, serde_json::Value)]) -> Status {
    let mut json = serde_json::json!({
        "version": "0.1.0", "since_ns": 1_700_000_000_000_000_000_i64,
        "brakes": {"paused": false, "paused_by": null, "until_ns": null, "file": null,
                   "reason": null, "safe_mode": false, "dry_run": false},
        "access": "full",
        "libvirt": {"connected": true, "resynced": true, "since": 1_700_000_001_000_000_000_i64,
                    "reconnects": 0},
        "guests": {"running": 12, "paused": 0, "incoming": 1, "arrived_paused": 0,
                   "announcing": 0, "outgoing": 0, "switched_over": 2},
        "waiting_frames": 0,
        "migrations": [{"side": "source", "mode": "precopy", "outcome": "failed", "count": 0}],
        "faults": [{"reason": "no_carrier", "count": 0}],
        "drops": [{"queue": "libvirt", "count": 0}],
        "unarp": null, "warnings": [],
    });
    for (key, value) in changes {
        json[*key] = value.clone();
    }
    serde_json::from_value(json).unwrap()
}

fn shown(changes: &[(&str, serde_json::Value)]) -> String {
    let now = Timestamp::from_nanos(1_700_003_725_000_000_000);
    StatusText(&status(changes), now).to_string()
}

#[test]
fn a_healthy_agent_is_five_lines() {
    assert_eq!(
        shown(&[]),
        "macmoved 0.1.0, up 1h 2m (since 2023-11-14T22:13:20.000Z)\n\
         mode:      announces\n\
         libvirt:   connected, every guest read, since 2023-11-14T22:13:21.000Z (1h 2m ago)\n\
         guests:    12 running; 1 arriving; 2 leaving, stopped here\n\
         migrations: none yet\n"
    );
}

#[test]
fn addresses_of_which_nothing_is_said_are_a_line() {
    let counts = |contested: u64, refused: u64| {
        let counts = serde_json::json!({"contested": contested, "refused": refused});
        shown(&[("addresses", counts)])
    };
    let line =
        "addresses: 2 contested; 1 refused: nothing is said of them; see macmovectl guests\n";
    assert!(counts(2, 1).contains(line));
    assert!(counts(0, 3).contains("addresses: 3 refused: nothing"));
    assert_eq!(counts(0, 0), shown(&[]));
}

#[test]
fn honoured_unarps_are_told_with_their_prefixes_and_refusals() {
    let unarp = serde_json::json!({"listening": true, "prefixes": ["192.0.2.0/24", "10.0.0.0/8"],
        "honoured": 1, "refused": [{"reason": "other_mac", "count": 4}]});
    let text = shown(&[("unarp", unarp)]);
    let line = "UNARP:     honoured for 192.0.2.0/24 10.0.0.0/8; 1 neighbour entry deleted\n";
    assert!(text.contains(line), "{text}");
    assert!(text.contains("not honoured  reason"), "{text}");
    assert!(text.contains("other_mac"), "{text}");
    let deaf = serde_json::json!({"listening": false, "prefixes": ["192.0.2.0/24"],
        "honoured": 2, "refused": []});
    let text = shown(&[("unarp", deaf)]);
    assert!(
        text.contains("UNARP:     NOT HEARD; should be honoured for"),
        "{text}"
    );
    assert!(text.contains("; 2 neighbour entries deleted\n"), "{text}");
    assert!(!text.contains("reason"), "{text}");
}

#[test]
fn trouble_is_said_in_words() {
    let down = serde_json::json!({"connected": false, "resynced": false,
        "since": 1_700_003_700_000_000_000_i64, "reconnects": 3});
    let text = shown(&[
        ("libvirt", down),
        (
            "warnings",
            serde_json::json!(["[unarp] has no effect\u{1b}[2J"]),
        ),
        ("waiting_frames", 7.into()),
    ]);
    assert!(
        text.starts_with("WARNING: [unarp] has no effect\\u{1b}[2J\n"),
        "{text}"
    );
    assert!(text.contains("NOT CONNECTED: no migration is seen"));
    assert!(text.contains("(25s ago), 3 reconnects\n"));
    assert!(text.contains("7 frames wait for their turn"));
    assert!(shown(&[("access", "read-only".into())]).contains("read-only"));
}

#[test]
fn brakes_stand_before_all_else() {
    let none = serde_json::json!({"paused": false, "paused_by": null, "until_ns": null,
        "file": null, "reason": null, "safe_mode": false, "dry_run": false});
    for (key, word, mode) in [
        ("paused", "PAUSED: ", "watches, and sends nothing"),
        ("safe_mode", "SAFE MODE: ", "announces by first frames only"),
        ("dry_run", "DRY RUN: ", "watches, and sends nothing"),
    ] {
        let mut brakes = none.clone();
        brakes[key] = true.into();
        let warnings = serde_json::json!(["beware"]);
        let text = shown(&[("brakes", brakes), ("warnings", warnings)]);
        assert!(text.starts_with(word), "{text}");
        assert!(text.contains(&format!("mode:      {mode}\n")), "{text}");
    }
}

#[test]
fn counts_above_zero_are_tables() {
    let text = shown(&[
        (
            "migrations",
            serde_json::json!([
                {"side": "destination", "mode": "postcopy", "outcome": "completed", "count": 4},
                {"side": "source", "mode": "precopy", "outcome": "rolled_back", "count": 0},
            ]),
        ),
        (
            "faults",
            serde_json::json!([{"reason": "no_carrier", "count": 2}]),
        ),
        (
            "drops",
            serde_json::json!([{"queue": "libvirt", "count": 9}]),
        ),
    ]);
    let words: Vec<Vec<&str>> = text
        .lines()
        .map(|it| it.split_whitespace().collect())
        .collect();
    assert!(
        words.contains(&vec!["4", "destination", "postcopy", "completed"]),
        "{text}"
    );
    assert!(words.contains(&vec!["2", "no_carrier"]));
    assert!(words.contains(&vec!["9", "libvirt"]));
    assert!(!text.contains("rolled_back") && !text.contains("none yet"));
    assert!(text.lines().all(|line| line == line.trim_end()));
}
