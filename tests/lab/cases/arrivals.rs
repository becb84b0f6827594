//! Guests that arrive in other ways, or look otherwise.

use std::thread;

use super::{CALLS, ROUNDS_OUT, agents, assert_kept, assert_learned};
use crate::evidence::Figures;
use crate::lab::{Guest, Lab, pause};
use crate::oracle::Expect;

#[test]
fn post_copy_is_announced_from_its_resume_while_memory_follows() {
    let lab = Lab::up("post-copy", 2);
    let guest = Guest::silent(1).with(&["--load", "24"]);
    lab.start(&guest, "a");
    agents(&lab, "", &[]);
    let evidence = lab.capture("migration", || {
        // So slow that its memory is still on its way when it is told to go first.
        let options = ["--postcopy", "--bandwidth", "4"];
        thread::scope(|scope| {
            scope.spawn(|| lab.migrate(&guest, "a", "b", &options));
            lab.wait_for("host", &["a", "virsh", "migrate-postcopy", guest.name()]);
        });
        pause(ROUNDS_OUT);
    });
    assert_kept(&evidence, &Expect::default());
    let migration = &evidence.migrations[0];
    assert!(
        migration.resumed < migration.completed,
        "the guest ran before its memory was there: {migration:?}"
    );
    assert_learned(&Figures::of(&evidence, migration, 0));
}

#[test]
fn a_suspended_guest_gets_its_rounds_when_it_is_resumed() {
    arrives_paused("suspended", true, &[]);
}

#[test]
fn a_guest_that_stays_paused_gets_its_rounds_when_it_is_resumed() {
    arrives_paused("stays-paused", false, &["--suspend"]);
}

/// Whether it leaves suspended or is told to stay paused, the network learns of it at once.
fn arrives_paused(case: &str, suspend: bool, options: &[&str]) {
    let lab = Lab::up(case, 2);
    let guest = Guest::silent(1);
    lab.start(&guest, "a");
    agents(&lab, "", &[]);
    let evidence = lab.capture("migration", || {
        if suspend {
            lab.host("a", &["virsh", "suspend", guest.name()]);
        }
        lab.migrate(&guest, "a", "b", options);
        pause(ROUNDS_OUT);
        lab.host("b", &["virsh", "resume", guest.name()]);
        pause(ROUNDS_OUT);
    });
    assert_kept(&evidence, &Expect::default());
    let migration = &evidence.migrations[0];
    let resumed = migration.resumed.expect("it was resumed");
    let first = evidence
        .announcements(migration, 0)
        .next()
        .expect("it was announced");
    let before = resumed.ms_after(first.at);
    assert!(
        before > 900.0,
        "the early announcement went {before} ms before RESUME"
    );
    assert_learned(&Figures::of(&evidence, migration, 0));
    lab.host("peer", &["ping", "-c", "1", "-W", "1", &guest.address(0)]);
}

#[test]
fn peer_to_peer_migrations_are_announced_both_ways() {
    let lab = Lab::up("peer-to-peer", 2);
    let guest = Guest::silent(1);
    lab.start(&guest, "a");
    agents(&lab, "", &[]);
    let evidence = lab.capture("migrations", || {
        for (from, to) in [("a", "b"), ("b", "a")] {
            lab.migrate(&guest, from, to, &["--p2p"]);
            pause(ROUNDS_OUT);
        }
    });
    assert_kept(&evidence, &Expect::default());
    for migration in &evidence.migrations {
        assert_learned(&Figures::of(&evidence, migration, 0));
    }
}

#[test]
fn each_nic_is_announced_on_its_own_bridge() {
    let lab = Lab::up("two-nics", 2);
    let guest = Guest::silent(1).with(&["--nics", "2"]);
    lab.start(&guest, "a");
    agents(&lab, "", &[]);
    let evidence = lab.capture("migration", || {
        let calls = [lab.call(&guest, 0, CALLS), lab.call(&guest, 1, CALLS)];
        lab.migrate(&guest, "a", "b", &[]);
        pause(ROUNDS_OUT);
        drop(calls);
    });
    assert_kept(&evidence, &Expect::default());
    let mut migration = evidence.migrations[0].clone();
    for nic in [0, 1] {
        assert_learned(&Figures::of(&evidence, &migration, nic));
    }
    migration.span.start = migration.resumed.expect("it was resumed");
    for nic in [0, 1] {
        let figures = Figures::of(&evidence, &migration, nic);
        assert!(figures.requests > 50, "NIC {nic}: {figures:?}");
        assert_eq!(
            figures.lost, 0,
            "NIC {nic}: calls after RESUME without an answer"
        );
    }
}

#[test]
fn a_name_of_any_kind_is_announced_and_shown_escaped() {
    let names = [
        "quotes ' \" and `backticks`",
        "tab\there",
        "braces {guest=\"x\"} ${x} {}",
        "bidi \u{202e}marks\u{2066} and \u{200b}nothing",
        &"long".repeat(50),
    ];
    let lab = Lab::up("names", 2);
    agents(&lab, "", &[]);
    for (number, name) in (1..).zip(names) {
        let guest = Guest::silent(number).named(name);
        lab.start(&guest, "a");
        let evidence = lab.capture(&format!("migration-{number}"), || {
            lab.migrate(&guest, "a", "b", &[]);
            pause(ROUNDS_OUT);
        });
        assert_eq!(evidence.migrations.len(), 1, "{name:?}");
        assert_kept(&evidence, &Expect::default());
        assert_learned(&Figures::of(&evidence, &evidence.migrations[0], 0));
        let metrics = lab.run("agent", &["b", "get", "/metrics"]);
        let history = lab.ctl("b", &["history"]);
        for text in [lab.log("b"), metrics, history] {
            let raw = |c: char| {
                let plain = c == '\n' || c == ' ' || c.is_ascii_graphic();
                !plain && !c.is_alphanumeric() && !"─│┌┐└┘├┤┬┴┼═╞╪╡…–".contains(c)
            };
            assert_eq!(text.chars().find(|&c| raw(c)), None, "{name:?} in {text}");
        }
        lab.run("guest", &["stop", name, "b"]);
    }
}
