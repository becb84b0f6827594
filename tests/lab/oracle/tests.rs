//! A capture of one good migration, and what the oracle says when something is planted in it.

mod retraction;
mod rollback;
mod scene;

use std::fs;

use tempfile::tempdir;

use super::{Expect, Pacing, Rule, announcement};
use crate::evidence::{Evidence, ReadEvidenceError, guest_mac};
use scene::{COMPLETED, RESUME, ROUNDS, Scene, TAP, echo_reply};

#[test]
fn a_whole_migration_keeps_every_invariant() {
    assert_eq!(Scene::whole().violations(&Expect::default()), []);
}

#[test]
fn a_frame_from_the_source_after_the_announcement() {
    let mut scene = Scene::whole();
    scene.port("a-br0", 700.0, echo_reply(1));
    scene.breaks(
        Rule::SourceSilent,
        &[
            "port-a-br0.pcap frame 2",
            "fabric port a-br0",
            "+270.000 ms from RESUME",
        ],
    );
    let mut scene = Scene::whole();
    scene.link("a", 700.0, TAP, false, echo_reply(1));
    scene.breaks(
        Rule::SourceSilent,
        &["any-a.pcap frame 2", "in by vnet0 of a"],
    );
}

#[test]
fn a_frame_from_the_destination_before_the_guest_arrived() {
    let mut scene = Scene::whole();
    scene.port("b-br0", COMPLETED - 0.1, announcement(guest_mac(0, 1)));
    scene.breaks(
        Rule::DestinationWaits,
        &["port-b-br0.pcap frame 1", "fabric port b-br0"],
    );
    let mut scene = Scene::whole();
    scene.link("b", COMPLETED - 0.1, TAP, false, echo_reply(1));
    scene.breaks(
        Rule::DestinationWaits,
        &["any-b.pcap frame 1", "in by vnet0 of b"],
    );
}

#[test]
fn a_round_that_is_missing() {
    for lost in 0..ROUNDS.len() {
        let mut scene = Scene::whole();
        let frames = scene.ports.get_mut("b-br0").expect("the announcements");
        frames.remove(1 + lost);
        let round = format!("round {},", lost + 1);
        scene.breaks(Rule::RoundMissing, &[&round, "port b-br0"]);
    }
}

#[test]
fn a_frame_that_is_no_round() {
    for at in [431.0, 700.0, 2_000.0] {
        let mut scene = Scene::whole();
        scene.port("b-br0", at, announcement(guest_mac(0, 1)));
        scene.breaks(Rule::RoundAstray, &["port-b-br0.pcap frame"]);
    }
}

#[test]
fn a_round_that_is_late() {
    let mut scene = Scene::whole();
    scene.ports.get_mut("b-br0").expect("the announcements")[3].0 += 401.0;
    scene.breaks(Rule::RoundMissing, &["round 3,"]);
    scene.breaks(
        Rule::RoundAstray,
        &["port-b-br0.pcap frame 5", "+601.400 ms from RESUME"],
    );
}

#[test]
fn a_second_early_announcement() {
    let mut scene = Scene::whole();
    scene.port("b-br0", COMPLETED + 1.0, announcement(guest_mac(0, 1)));
    scene.breaks(Rule::RoundAstray, &["early", "port-b-br0.pcap frame 2"]);
}

#[test]
fn one_octet_that_is_not_qemus() {
    for at in [0, 13, 21, 31, 42, 59] {
        let mut scene = Scene::whole();
        scene.ports.get_mut("b-br0").expect("the announcements")[2].1[at] ^= 1;
        let octet = format!("differs from octet {at} on");
        // A wrong ethertype makes it another frame altogether, so that a round is missing.
        if at == 13 {
            scene.breaks(Rule::RoundMissing, &["round 2,"]);
        } else {
            scene.breaks(Rule::Octets, &["port-b-br0.pcap frame 3", &octet]);
        }
    }
    let mut scene = Scene::whole();
    scene.ports.get_mut("b-br0").expect("the announcements")[2]
        .1
        .pop();
    scene.breaks(Rule::Octets, &["port-b-br0.pcap frame 3", "octet 59"]);
}

#[test]
fn a_second_move_in_the_fabric() {
    let mut scene = Scene::whole();
    scene.learn("fabric", 600.0, 1, "a-br0");
    scene.breaks(Rule::OneMove, &["fdb-fabric.txt line 4", "port a-br0"]);
}

#[test]
fn announcements_faster_than_pacing() {
    let pacing = |frames_per_second, burst| Expect {
        pacing: Some(Pacing {
            frames_per_second,
            burst,
        }),
        ..Expect::default()
    };
    let scene = Scene::whole();
    assert_eq!(scene.violations(&pacing(20.0, 2.0)), []);
    scene.breaks_under(
        &pacing(20.0, 1.0),
        Rule::Pacing,
        &["port-b-br0.pcap frame 2", "2th announcement"],
    );
}

#[test]
fn a_repeat_before_another_guests_first() {
    let mut scene = Scene::whole();
    scene.migrate(2, 0.0, "a", "b");
    for late in [0.0, 50.0, 200.0, 450.0, 800.0] {
        scene.port(
            "b-br0",
            RESUME + 220.0 + late,
            announcement(guest_mac(0, 2)),
        );
    }
    scene.breaks(
        Rule::FirstsFirst,
        &["port-b-br0.pcap frame 4", "52:54:00:4d:00:01"],
    );
}

#[test]
fn announcements_that_nobody_asked_for() {
    let stranger = || announcement("52:54:00:12:34:56".parse().expect("an address"));
    let mut scene = Scene::whole();
    scene.port("b-br0", 500.0, stranger());
    scene.breaks(
        Rule::Unasked,
        &["port-b-br0.pcap frame 4", "52:54:00:12:34:56"],
    );

    let mut scene = Scene::whole();
    scene.port("a-br0", 50.0, announcement(guest_mac(0, 1)));
    scene.breaks(Rule::Unasked, &["port-a-br0.pcap frame 1"]);

    let mut scene = Scene::whole();
    scene.migrations[0].0 = 50.0;
    scene.port("b-br0", 10.0, announcement(guest_mac(0, 1)));
    scene.breaks(Rule::Unasked, &["port-b-br0.pcap frame 1"]);
}

#[test]
fn any_announcement_where_there_should_be_none() {
    Scene::whole().breaks_under(
        &Expect::silence(),
        Rule::RoundAstray,
        &["port-b-br0.pcap frame 1"],
    );
}

#[test]
fn a_guest_that_leaves_takes_the_rest_of_its_schedule_along() {
    let mut scene = Scene::whole();
    // It stops again 970 ms after it began to run.
    scene.migrate(1, 1_000.0, "b", "a");
    scene.learn("fabric", 1_000.0 + ROUNDS[0] + 0.1, 1, "a-br0");
    for round in ROUNDS {
        scene.port("a-br0", 1_000.0 + round, announcement(guest_mac(0, 1)));
    }
    assert_eq!(scene.violations(&Expect::default()), []);
    scene.migrations[1].0 = 300.0 + 430.0;
    let qmp = scene.qmp.get_mut("b").expect("its events");
    qmp.retain(|event| event.1 != "STOP");
    qmp.push((1_100.0, "STOP", 1));
    qmp.sort_by(|one, other| one.0.total_cmp(&other.0));
    scene.ports.get_mut("b-br0").expect("the rounds").pop();
    assert_eq!(scene.violations(&Expect::default()), []);
    scene.ports.get_mut("b-br0").expect("the rounds").pop();
    scene.breaks(Rule::RoundMissing, &["round 4,"]);
}

#[test]
fn what_is_no_capture_is_refused() {
    let dir = tempdir().expect("a directory");
    Scene::whole().write(dir.path());
    fs::write(dir.path().join("port-b-br0.pcap"), b"not a capture").expect("it can be written");
    let refused = Evidence::read(dir.path());
    assert!(
        matches!(refused, Err(ReadEvidenceError::Pcap(_))),
        "{refused:?}"
    );

    let dir = tempdir().expect("a directory");
    Scene::whole().write(dir.path());
    fs::write(dir.path().join("fdb-fabric.txt"), "gibberish\n").expect("it can be written");
    let refused = Evidence::read(dir.path());
    assert!(
        matches!(refused, Err(ReadEvidenceError::Line { line: 1, .. })),
        "{refused:?}"
    );
}
