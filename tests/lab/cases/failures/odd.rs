//! Migrations that succeed in an odd way.

use super::{
    agents, assert_answers, assert_kept, assert_told, history, hurry, migrate_slowly, only, play,
    stage,
};
use crate::cases::assert_learned;
use crate::cases::retractions::{KNOWN, known};
use crate::evidence::Figures;
use crate::lab::{Guest, Lab, pause};
use crate::oracle::Expect;

/// libvirt takes no `resume` while it migrates: it lets one wait for the end of the job. The guest
/// is parked until it arrives.
#[test]
fn suspended_in_mid_copy_the_guest_is_announced_where_it_arrives() {
    let guest = Guest::silent(1);
    let lab = stage("suspended-arrives", &guest);
    let evidence = play(&lab, || {
        let arrived = migrate_slowly(&lab, &guest, &[], || {
            lab.host("a", &["virsh", "suspend", guest.name()]);
            let resume = ["timeout", "1", "virsh", "resume", guest.name()];
            let waits = lab.try_run("host", &[&["a"], &resume[..]].concat());
            assert_eq!(waits.status.code(), Some(124), "it waits: {waits:?}");
            hurry(&lab, &guest);
        });
        assert!(arrived, "the migration failed");
    });
    let figures = Figures::of(&evidence, only(&evidence), 0);
    assert!(figures.downtime > Some(1_000.0), "{figures:?}");
    assert_learned(&figures);
    assert_answers(&lab, &guest);
    assert_told(&lab, "a", &["source completed"]);
    assert_told(&lab, "b", &["destination completed"]);
}

/// A guest that goes on before its rounds are out takes the rest of them along.
#[test]
fn there_and_back_inside_one_schedule() {
    let lab = Lab::up("there-and-back", 2);
    let guest = Guest::silent(1);
    lab.start(&guest, "a");
    // Enough rounds for a busy machine to come back within them.
    agents(&lab, &format!("[announce]\nrounds = 14\n{KNOWN}"), &[]);
    let evidence = lab.capture("migration", || {
        lab.migrate(&guest, "a", "b", &[]);
        lab.migrate(&guest, "b", "a", &[]);
        pause(6_500);
    });
    let gaps = [50.0, 150.0, 250.0, 350.0, 450.0].into_iter();
    let gaps = gaps.chain(std::iter::repeat(550.0)).take(13);
    let mut rounds = vec![0.0];
    rounds.extend(gaps.scan(0.0, |at, gap| {
        *at += gap;
        Some(*at)
    }));
    let expect = Expect {
        rounds: rounds.clone(),
        ..known()
    };
    assert_kept(&evidence, &expect);
    let [there, back] = &evidence.migrations[..] else {
        panic!("two migrations: {:?}", evidence.migrations);
    };
    let cut = evidence.announcements(there, 0).count();
    assert!(cut < rounds.len(), "{cut} announcements, so none was cut");
    assert!(evidence.announcements(back, 0).count() >= rounds.len());
    assert_answers(&lab, &guest);
    assert_told(&lab, "a", &["destination completed", "source completed"]);
    assert_told(&lab, "b", &["source completed", "destination completed"]);
}

#[test]
fn another_name_is_no_other_guest_and_the_same_host_no_destination() {
    let guest = Guest::silent(1);
    let lab = stage("another-name", &guest);
    let evidence = play(&lab, || {
        let renamed = ["--dname", "renamed"];
        assert!(!lab.try_migrate(&guest, "a", "a", &renamed), "to itself");
    });
    assert_eq!(only(&evidence).stopped, None);
    assert_told(&lab, "a", &[]);
    let evidence = lab.capture("renamed", || {
        lab.migrate(&guest, "a", "b", &["--dname", "renamed"]);
        pause(crate::cases::ROUNDS_OUT);
    });
    // The evidence knows the destination's guest by its old name only.
    let sent = evidence.announcements(&evidence.migrations[0], 0).count();
    assert!((5..=6).contains(&sent), "{sent} announcements");
    assert_learned(&Figures::of(&evidence, &evidence.migrations[0], 0));
    assert_answers(&lab, &guest);
    assert_told(&lab, "a", &["source completed"]);
    assert_told(&lab, "b", &["destination completed"]);
    assert_eq!(history(&lab, "b")[0].name.as_str(), "renamed");
}

#[test]
#[ignore = "nothing of it concerns the agent: in tests/run --full"]
fn a_definition_that_moves_along_changes_nothing() {
    let guest = Guest::silent(1);
    let lab = stage("persistent", &guest);
    let evidence = play(&lab, || {
        for (from, to) in [("a", "b"), ("b", "a")] {
            let options = ["--p2p", "--persistent", "--undefinesource"];
            lab.migrate(&guest, from, to, &options);
            pause(crate::cases::ROUNDS_OUT);
        }
    });
    for migration in &evidence.migrations {
        assert_learned(&Figures::of(&evidence, migration, 0));
    }
    assert_answers(&lab, &guest);
    let list = |host: &str| lab.host(host, &["virsh", "list", "--all", "--name"]);
    assert_eq!((list("a").trim(), list("b").trim()), (guest.name(), ""));
    assert_told(&lab, "a", &["destination completed", "source completed"]);
    assert_told(&lab, "b", &["source completed", "destination completed"]);
}
