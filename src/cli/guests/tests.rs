use std::net::IpAddr;

use super::*;
use crate::model::{AddressRefusal, AddressSource, GuestName, HostIp, Mode, Phase, Refusal};

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
        addresses: vec![
            has(Some(1), 7, Standing::Held),
            has(
                Some(1),
                8,
                Standing::Contested {
                    by: "52:54:00:00:00:99".parse().unwrap(),
                },
            ),
            has(Some(2), 9, Standing::Waiting),
            has(
                None,
                1,
                Standing::Refused {
                    reason: AddressRefusal::Router,
                },
            ),
            AddressView {
                ip: HostIp::try_from(IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, 7])).unwrap(),
                source: AddressSource::Snoop,
                ..has(Some(1), 7, Standing::Held)
            },
        ],
        refused: vec![(2, Refusal::NoMac)],
        phases: vec![
            at(Phase::Staged, 0),
            at(Phase::Announced, 2_300_412_000),
            at(Phase::Resumed, -1_000),
        ],
    }
}

fn has(nic: Option<u8>, last: u8, standing: Standing) -> AddressView {
    AddressView {
        mac: nic.map(|last| MacAddr::new([0x52, 0x54, 0, 0, 0, last])),
        ip: HostIp::try_from(IpAddr::from([192, 0, 2, last])).unwrap(),
        source: AddressSource::Lease,
        standing,
        since_ns: Timestamp::from_nanos(1_699_999_943_000_000_000),
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
            "  has 192.0.2.7 at 52:54:00:00:00:01 by lease (since 1m ago)",
            "  has 192.0.2.8 at 52:54:00:00:00:01 by lease, CONTESTED by 52:54:00:00:00:99 \
             (since 1m ago)",
            "  has 192.0.2.9 at 52:54:00:00:00:02 by lease, not steady yet (since 1m ago)",
            "  has 192.0.2.1 by lease, REFUSED: it is the guest's router's (since 1m ago)",
            "  has 2001:db8::7 at 52:54:00:00:00:01 by snoop (since 1m ago)",
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
        addresses: Vec::new(),
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

#[test]
fn in_json_how_an_address_stands_is_a_word_with_its_reason_beside_it() {
    let json: Vec<_> = guest()
        .addresses
        .iter()
        .map(|address| serde_json::to_value(address).unwrap())
        .collect();
    let words = ["held", "contested", "waiting", "refused"];
    for (address, word) in json.iter().zip(words) {
        assert_eq!(address["standing"], word);
    }
    assert_eq!(json[1]["by"], "52:54:00:00:00:99");
    assert_eq!(json[3]["reason"], "router");
}
