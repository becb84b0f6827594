use super::*;
use crate::model::{GuestName, Mode, Phase, Refusal};

fn guest() -> GuestView {
    let at = |phase, nanos: i64| PhaseAt {
        phase,
        at_ns: Timestamp::from_nanos(1_700_000_000_000_000_000 + nanos),
    };
    GuestView {
        uuid: "c7a5fdbd-edaf-9455-926a-d65c16db1809".parse().unwrap(),
        name: GuestName::new("web\t\u{202e}1".to_owned()),
        phase: GuestPhase::Announcing,
        mode: Some(Mode::Precopy),
        staged: true,
        round: Some(Round::Scheduled(2)),
        macs: vec![
            ("52:54:00:00:00:01".parse().unwrap(), None),
            (
                "52:54:00:00:00:02".parse().unwrap(),
                Some(100.try_into().unwrap()),
            ),
        ],
        refused: vec![(2, Refusal::NoMac)],
        phases: vec![
            at(Phase::Staged, 0),
            at(Phase::Announced, 2_300_412_000),
            at(Phase::Resumed, -1_000),
        ],
    }
}

#[test]
fn a_guest_tells_its_story() {
    let now = Timestamp::from_nanos(1_700_000_003_000_000_000);
    // By way of JSON, as it comes from the agent.
    let json = serde_json::to_string(&[guest()]).unwrap();
    let guests: Vec<GuestView> = serde_json::from_str(&json).unwrap();
    let text = GuestsText(&guests, now).to_string();
    let row: Vec<&str> = text.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(
        row.join(" "),
        "web\\t\\u{202e}1 c7a5fdbd-edaf-9455-926a-d65c16db1809 arrived, being announced \
         precopy ready 2"
    );
    let story: Vec<&str> = text.lines().skip(2).collect();
    assert_eq!(
        story,
        [
            "",
            "web\\t\\u{202e}1:",
            "  announces 52:54:00:00:00:01, 52:54:00:00:00:02 in VLAN 100",
            "  nic 2 is not announced: the interface has no MAC address",
            "  staged       2023-11-14T22:13:20.000Z (3s ago)",
            "  announced    +2300.412 ms",
            "  resumed      -0.001 ms",
        ]
    );
}

#[test]
fn quiet_guests_are_a_line_and_none_are_a_sentence() {
    let quiet = GuestView {
        phase: GuestPhase::Running,
        mode: None,
        staged: false,
        round: None,
        macs: Vec::new(),
        refused: Vec::new(),
        phases: Vec::new(),
        ..guest()
    };
    let now = Timestamp::default();
    assert_eq!(GuestsText(&[quiet], now).to_string().lines().count(), 2);
    assert_eq!(
        GuestsText(&[], now).to_string(),
        "no guest runs, arrives or leaves here\n"
    );
}
