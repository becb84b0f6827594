//! An agent is killed in each phase of a migration, at either end.

use super::{assert_settled, now, replace_agent, wait_for_fabric};
use crate::cases::failures::{
    assert_told, hold_after_stop, hurry, migrate_slowly, only, play, qemu, signal, stage,
};
use crate::cases::retractions::{KNOWN, known};
use crate::cases::{ROUNDS_OUT, agents, assert_kept, assert_kept_but, assert_learned};
use crate::evidence::{Figures, Stamp};
use crate::lab::{Guest, Lab, pause};
use crate::oracle::{Expect, Rule};

/// A migration in which the agent of a host is replaced before the guest arrives: it is announced
/// whole, and both sides tell of it.
fn announced_whole(case: &str, replace: impl FnOnce(&Lab, &Guest)) {
    let guest = Guest::silent(1);
    let lab = stage(case, &guest);
    let evidence = play(&lab, || {
        let arrived = migrate_slowly(&lab, &guest, &[], || replace(&lab, &guest));
        assert!(arrived, "the migration failed");
    });
    let migration = only(&evidence);
    let sent = evidence.announcements(migration, 0).count();
    assert!((5..=6).contains(&sent), "{sent} announcements");
    assert_learned(&Figures::of(&evidence, migration, 0));
    assert_settled(&lab, &guest, "b");
    assert_told(&lab, "a", &["source completed"]);
    assert_told(&lab, "b", &["destination completed"]);
}

fn in_precopy(case: &str, host: &str) {
    announced_whole(case, |lab, guest| {
        replace_agent(lab, host);
        hurry(lab, guest);
    });
}

fn after_stop(case: &str, host: &str) {
    announced_whole(case, |lab, guest| {
        hold_after_stop(lab, guest);
        replace_agent(lab, host);
        signal(lab, "b", "CONT", &qemu(guest));
    });
}

#[test]
#[ignore = "one of many kills: in tests/run --full"]
fn the_sources_agent_dies_in_precopy() {
    in_precopy("agent-a-precopy", "a");
}

#[test]
fn the_destinations_agent_dies_in_precopy() {
    in_precopy("agent-b-precopy", "b");
}

#[test]
#[ignore = "one of many kills: in tests/run --full"]
fn the_sources_agent_dies_while_the_guest_stands() {
    after_stop("agent-a-stopped", "a");
}

#[test]
#[ignore = "one of many kills: in tests/run --full"]
fn the_destinations_agent_dies_while_the_guest_stands() {
    after_stop("agent-b-stopped", "b");
}

/// Its successor finds that the network knows, and has nothing to add.
#[test]
fn the_destinations_agent_dies_between_two_rounds() {
    let lab = Lab::up("agent-b-rounds", 2);
    let guest = Guest::silent(1);
    lab.start(&guest, "a");
    agents(&lab, &format!("[announce]\nrounds = 8\n{KNOWN}"), &[]);
    let mut killed = Stamp(0);
    let evidence = lab.capture("migration", || {
        lab.migrate(&guest, "a", "b", &[]);
        wait_for_fabric(&lab, &guest, "b");
        lab.run("agent", &["b", "kill"]);
        killed = now();
        lab.agent("b", KNOWN, &[]);
        pause(ROUNDS_OUT);
    });
    let expect = Expect {
        rounds: vec![0.0, 50.0, 200.0, 450.0, 800.0, 1_250.0, 1_800.0, 2_350.0],
        ..known()
    };
    assert_kept_but(&evidence, &expect, &[Rule::RoundMissing]);
    let migration = only(&evidence);
    let last = evidence.announcements(migration, 0).last();
    assert!(last.is_some_and(|last| last.at < killed), "{last:?}");
    assert_learned(&Figures::of(&evidence, migration, 0));
    assert_settled(&lab, &guest, "b");
    assert_told(&lab, "a", &["source completed"]);
    assert_told(&lab, "b", &[]);
}

/// The guest arrives, and nobody says so until the next agent looks.
#[test]
fn an_arrival_that_no_agent_saw_is_announced_once() {
    let guest = Guest::silent(1);
    let lab = stage("agent-b-away", &guest);
    let evidence = lab.capture("migration", || {
        let arrived = migrate_slowly(&lab, &guest, &[], || {
            lab.run("agent", &["b", "kill"]);
            hurry(&lab, &guest);
        });
        assert!(arrived, "the migration failed");
        pause(ROUNDS_OUT);
        lab.agent("b", KNOWN, &[]);
        pause(ROUNDS_OUT);
        replace_agent(&lab, "b");
        pause(ROUNDS_OUT);
    });
    assert_kept_but(
        &evidence,
        &known(),
        &[Rule::RoundMissing, Rule::RoundAstray],
    );
    let migration = only(&evidence);
    assert_eq!(evidence.announcements(migration, 0).count(), 1);
    assert_learned(&Figures::of(&evidence, migration, 0));
    assert_settled(&lab, &guest, "b");
    assert_told(&lab, "a", &["source completed"]);
    assert_told(&lab, "b", &[]);
}

#[test]
#[ignore = "one of many kills: in tests/run --full"]
fn agents_that_die_beside_a_guest_that_has_arrived_say_nothing_more() {
    let guest = Guest::silent(1);
    let lab = stage("agents-after", &guest);
    lab.migrate(&guest, "a", "b", &[]);
    pause(ROUNDS_OUT);
    let evidence = lab.capture("after", || {
        for host in ["a", "b"] {
            replace_agent(&lab, host);
        }
        pause(ROUNDS_OUT);
    });
    assert_kept(&evidence, &Expect::silence());
    assert_settled(&lab, &guest, "b");
}
