//! More than one dies, or one ends in order.

use std::time::{Duration, Instant};

use super::{assert_settled, now, replace_agent, replace_libvirtd, wait_for_fabric};
use crate::cases::failures::{assert_told, hurry, migrate_slowly, only, play, stage};
use crate::cases::retractions::{KNOWN, known};
use crate::cases::{ROUNDS_OUT, agents, assert_kept, assert_kept_but, assert_learned};
use crate::evidence::{Figures, Stamp};
use crate::lab::{Guest, Lab, pause};
use crate::oracle::{Expect, Rule};

/// How long an agent may take to end: a second for first frames and one for forwarding entries,
/// two for libvirt, and what a busy machine needs.
const END: Duration = Duration::from_secs(10);

#[test]
fn an_agent_that_starts_before_libvirtd_waits_for_it() {
    let guest = Guest::silent(1);
    let lab = Lab::up("agent-first", 2);
    lab.start(&guest, "a");
    for host in ["a", "b"] {
        lab.run("libvirtd", &[host, "kill"]);
        lab.launch_agent(host, KNOWN);
        let ready = lab.try_run("agent", &[host, "get", "/-/ready"]);
        assert!(!ready.status.success(), "{host}: {ready:?}");
        lab.run("libvirtd", &[host, "start"]);
        lab.wait_for_agent(host);
    }
    let evidence = play(&lab, || lab.migrate(&guest, "a", "b", &[]));
    assert_learned(&Figures::of(&evidence, only(&evidence), 0));
    assert_settled(&lab, &guest, "b");
    assert_told(&lab, "a", &["source completed"]);
    assert_told(&lab, "b", &["destination completed"]);
}

/// The agents and the destination's libvirtd die in pre-copy: the guest stays, nobody says a word,
/// and the next migration is announced whole.
#[test]
fn agents_and_libvirtd_die_at_once() {
    let guest = Guest::silent(1);
    let lab = stage("both", &guest);
    let evidence = play(&lab, || {
        let arrived = migrate_slowly(&lab, &guest, &[], || {
            for host in ["a", "b"] {
                lab.run("agent", &[host, "kill"]);
            }
            replace_libvirtd(&lab, "b");
            for host in ["a", "b"] {
                lab.agent(host, KNOWN, &[]);
            }
        });
        assert!(!arrived, "the migration succeeded");
    });
    let migration = only(&evidence);
    assert_eq!(evidence.announcements_from("a", migration, 0).count(), 0);
    assert_settled(&lab, &guest, "a");
    let evidence = lab.capture("next", || {
        hurry(&lab, &guest);
        lab.migrate(&guest, "a", "b", &[]);
        pause(ROUNDS_OUT);
    });
    assert_kept(&evidence, &known());
    assert_settled(&lab, &guest, "b");
    assert_told(&lab, "b", &["destination completed"]);
}

/// What is left of the schedule ends with the agent; the network knows by then, and the next agent
/// has nothing to add.
#[test]
fn an_agent_that_is_told_to_end_between_two_rounds() {
    let lab = Lab::up("agent-ends", 2);
    let guest = Guest::silent(1);
    lab.start(&guest, "a");
    agents(&lab, &format!("[announce]\nrounds = 8\n{KNOWN}"), &[]);
    let mut ended = Stamp(0);
    let evidence = lab.capture("migration", || {
        lab.migrate(&guest, "a", "b", &[]);
        wait_for_fabric(&lab, &guest, "b");
        let begin = Instant::now();
        lab.run("agent", &["b", "stop"]);
        assert!(begin.elapsed() < END, "{:?}", begin.elapsed());
        ended = now();
        let ledger = lab.try_run("host", &["b", "cat", "/run/macmoved/state"]);
        assert!(!ledger.status.success(), "{ledger:?}");
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
    assert!(last.is_some_and(|last| last.at < ended), "{last:?}");
    assert_learned(&Figures::of(&evidence, migration, 0));
    assert_settled(&lab, &guest, "b");
    replace_agent(&lab, "b");
    assert_told(&lab, "b", &[]);
}
