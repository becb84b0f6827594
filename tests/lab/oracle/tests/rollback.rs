//! What is planted in a rollback.

use super::{RESUME, ROUNDS, Scene, TAP, echo_reply};
use crate::evidence::guest_mac;
use crate::oracle::{Expect, Rule, announcement};

#[test]
fn a_rollback_keeps_every_invariant() {
    assert_eq!(Scene::rolled_back().violations(&Expect::default()), []);
    // The destination may hear late that the guest arrived.
    let mut late = Scene::rolled_back();
    late.ports.get_mut("b-br0").expect("the early one")[0].0 = RESUME + 20.0;
    late.fdb.clear();
    late.learn("fabric", RESUME + 20.1, 1, "b-br0");
    late.learn("fabric", ROUNDS[1] + 0.1, 1, "a-br0");
    assert_eq!(late.violations(&Expect::default()), []);
    late.learn("fabric", ROUNDS[1] + 9.0, 1, "b-br0");
    late.learn("fabric", ROUNDS[2] + 0.1, 1, "a-br0");
    late.breaks(Rule::OneMove, &["move 3", "port b-br0"]);
}

#[test]
fn a_rollbacks_round_that_is_missing() {
    for lost in 0..ROUNDS.len() {
        let mut scene = Scene::rolled_back();
        scene
            .ports
            .get_mut("a-br0")
            .expect("the rounds")
            .remove(lost);
        let round = format!("round {},", lost + 1);
        scene.breaks(Rule::RollbackMissing, &[&round, "port a-br0"]);
    }
}

#[test]
fn a_frame_of_the_source_that_no_rollback_explains() {
    let mut scene = Scene::rolled_back();
    scene.port("a-br0", 900.0 + 430.0, announcement(guest_mac(0, 1)));
    scene.breaks(
        Rule::RoundAstray,
        &["port-a-br0.pcap frame", "after the guest is back"],
    );
    let mut scene = Scene::rolled_back();
    scene.port("a-br0", RESUME - 5.0, announcement(guest_mac(0, 1)));
    scene.breaks(Rule::Unasked, &["port-a-br0.pcap frame 1"]);
    scene.breaks(Rule::SourceSilent, &["port-a-br0.pcap frame 1"]);
}

#[test]
fn a_destination_that_speaks_after_the_rollback() {
    let mut scene = Scene::rolled_back();
    scene.port("b-br0", RESUME + 101.0, announcement(guest_mac(0, 1)));
    scene.breaks(
        Rule::DestinationSilent,
        &["port-b-br0.pcap frame 2", "101.000 ms"],
    );
    let mut scene = Scene::rolled_back();
    scene.link("b", RESUME + 1.0, TAP, false, echo_reply(1));
    scene.breaks(Rule::DestinationSilent, &["in by vnet0 of b"]);
    // One whose guest never arrived says nothing at all.
    let mut scene = Scene::rolled_back();
    scene.qmp.remove("b");
    scene.breaks(Rule::DestinationWaits, &["port-b-br0.pcap frame 1"]);
}

#[test]
fn a_fabric_that_the_rollback_did_not_reach() {
    let mut scene = Scene::rolled_back();
    scene.fdb.get_mut("fabric").expect("two moves").pop();
    scene.breaks(Rule::FabricAstray, &["fdb-fabric.txt line 2", "b-br0"]);
}

#[test]
fn a_failed_migration_in_which_the_guest_never_stopped_is_silent() {
    let mut scene = Scene::default();
    scene.migrations.push((0.0, "a", "b", 1));
    scene.port("a-br0", 500.0, echo_reply(1));
    assert_eq!(scene.violations(&Expect::default()), []);
    scene.port("a-br0", 600.0, announcement(guest_mac(0, 1)));
    scene.breaks(Rule::Unasked, &["port-a-br0.pcap frame 2"]);
}
