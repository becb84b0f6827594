//! libvirtd is killed in each phase of a migration, at either end. QEMU goes on without it.

use macmoved::model::Side;

use super::{assert_settled, replace_libvirtd};
use crate::cases::failures::{
    assert_told, history, hold_after_stop, hurry, migrate_slowly, only, play, qemu, stage,
};
use crate::cases::retractions::known;
use crate::cases::{ROUNDS_OUT, assert_kept, assert_kept_but, assert_learned};
use crate::evidence::{Evidence, Figures};
use crate::lab::{Guest, Lab, pause};
use crate::oracle::{Expect, Rule};

/// A migration that ends with a libvirtd: the guest stays where it is.
fn comes_to_nothing(lab: &Lab, guest: &Guest, kill: impl FnOnce()) -> Evidence {
    let evidence = play(lab, || {
        assert!(!migrate_slowly(lab, guest, &[], kill), "it succeeded");
        for host in ["a", "b"] {
            lab.wait_for_agent(host);
        }
    });
    assert_eq!(only(&evidence).resumed, None);
    assert_settled(lab, guest, "a");
    evidence
}

fn in_precopy(case: &str, host: &str, source: &str, destination: &str) {
    let guest = Guest::silent(1);
    let lab = stage(case, &guest);
    let evidence = comes_to_nothing(&lab, &guest, || replace_libvirtd(&lab, host));
    let migration = only(&evidence);
    assert_eq!(migration.stopped, None, "the guest was never stopped");
    assert_eq!(evidence.announcements_from("a", migration, 0).count(), 0);
    assert_told(&lab, "a", &[source]);
    assert_told(&lab, "b", &[destination]);
}

/// The next libvirtd cancels what it finds under way, and does not say so.
#[test]
fn the_sources_libvirtd_dies_in_precopy() {
    in_precopy(
        "libvirtd-a-precopy",
        "a",
        "source unknown",
        "destination failed",
    );
}

/// The next libvirtd ends what has half arrived, and does not say so.
#[test]
#[ignore = "one of many kills: in tests/run --full"]
fn the_destinations_libvirtd_dies_in_precopy() {
    in_precopy(
        "libvirtd-b-precopy",
        "b",
        "source failed",
        "destination unknown",
    );
}

/// The next libvirtd finds the guest stopped and has it run again.
#[test]
#[ignore = "one of many kills: in tests/run --full"]
fn the_sources_libvirtd_dies_while_the_guest_stands() {
    let guest = Guest::silent(1);
    let lab = stage("libvirtd-a-stopped", &guest);
    let evidence = comes_to_nothing(&lab, &guest, || {
        hold_after_stop(&lab, &guest);
        replace_libvirtd(&lab, "a");
        // The destination's libvirtd ends it, be it stopped, but then takes its time.
        let go_on = "kill -CONT \"$(cat \"$0\")\"";
        lab.try_run("host", &["b", "sh", "-c", go_on, &qemu(&guest)]);
    });
    let migration = only(&evidence);
    assert!(migration.returned.is_some(), "{migration:?}");
    assert_eq!(evidence.announcements_from("a", migration, 0).count(), 5);
    assert_told(&lab, "a", &["source rolled_back"]);
    assert_told(&lab, "b", &["destination failed"]);
}

/// The rounds need no libvirtd.
#[test]
#[ignore = "one of many kills: in tests/run --full"]
fn the_destinations_libvirtd_dies_between_two_rounds() {
    let guest = Guest::silent(1);
    let lab = stage("libvirtd-b-rounds", &guest);
    let evidence = play(&lab, || {
        lab.migrate(&guest, "a", "b", &[]);
        replace_libvirtd(&lab, "b");
    });
    assert_learned(&Figures::of(&evidence, only(&evidence), 0));
    assert_settled(&lab, &guest, "b");
    assert_told(&lab, "a", &["source completed"]);
    assert_told(&lab, "b", &["destination completed"]);
}

/// Nobody ends the guest that stands at the source: the next libvirtd cannot know that it runs
/// elsewhere. It is left to the operator, and stays without a word.
#[test]
#[ignore = "one of many kills: in tests/run --full"]
fn the_sources_libvirtd_dies_once_the_guest_has_arrived() {
    let guest = Guest::silent(1);
    let lab = stage("libvirtd-a-rounds", &guest);
    let evidence = lab.capture("migration", || {
        let destination = lab.watch("b");
        migrate_slowly(&lab, &guest, &[], || {
            hurry(&lab, &guest);
            destination.wait("event RESUME");
            replace_libvirtd(&lab, "a");
        });
        lab.wait_for_agent("a");
        // Where libvirtd was quicker the guest has left as it should.
        lab.try_run("guest", &["stop", guest.name(), "a"]);
        lab.wait_for_agent("a");
        pause(ROUNDS_OUT);
    });
    assert_kept_but(&evidence, &known(), &[Rule::RetractionMissing]);
    assert_learned(&Figures::of(&evidence, only(&evidence), 0));
    assert_settled(&lab, &guest, "b");
    assert_told(&lab, "b", &["destination completed"]);
    // By what it came to hear: that the guest left, that it was ended, or only that it is gone.
    let told = history(&lab, "a");
    assert!(
        matches!(&told[..], [departure] if departure.side == Side::Source),
        "{told:?}"
    );
}

#[test]
#[ignore = "one of many kills: in tests/run --full"]
fn libvirtds_that_die_beside_a_guest_that_has_arrived_cause_no_word() {
    let guest = Guest::silent(1);
    let lab = stage("libvirtd-after", &guest);
    lab.migrate(&guest, "a", "b", &[]);
    pause(ROUNDS_OUT);
    let evidence = lab.capture("after", || {
        for host in ["a", "b"] {
            replace_libvirtd(&lab, host);
            lab.wait_for_agent(host);
        }
        pause(ROUNDS_OUT);
    });
    assert_kept(&evidence, &Expect::silence());
    assert_settled(&lab, &guest, "b");
}
