//! The guest runs at the destination, and memory is missing.

use super::{assert_answers, assert_told, migrate_slowly, only, play, qemu, signal, stage};
use crate::cases::{ROUNDS_OUT, assert_learned};
use crate::evidence::Figures;
use crate::lab::{Guest, Lab, pause};

const OPTIONS: [&str; 3] = ["--postcopy", "--postcopy-bandwidth", "4"];

fn busy() -> Guest {
    Guest::silent(1).with(&["--load", "24"])
}

/// Changes to post-copy and waits until the rounds are out, which the memory is slower than.
fn change_over(lab: &Lab, guest: &Guest) {
    let destination = lab.watch("b");
    lab.host("a", &["virsh", "migrate-postcopy", guest.name()]);
    destination.wait("event RESUME");
    pause(ROUNDS_OUT);
}

/// The guest is lost: neither side has all of it, and neither may speak for it.
#[test]
fn the_destinations_qemu_dies_in_postcopy_and_the_source_stays_silent() {
    let guest = busy();
    let lab = stage("qemu-dies-postcopy", &guest);
    let evidence = play(&lab, || {
        let arrived = migrate_slowly(&lab, &guest, &OPTIONS, || {
            change_over(&lab, &guest);
            signal(&lab, "b", "KILL", &qemu(&guest));
        });
        assert!(!arrived, "the migration succeeded");
        pause(ROUNDS_OUT);
        lab.run("guest", &["stop", guest.name(), "a"]);
    });
    let migration = only(&evidence);
    assert_eq!(migration.completed, None, "memory was missing");
    assert_eq!(evidence.announcements(migration, 0).count(), 5);
    assert_told(&lab, "a", &["source failed"]);
    assert_told(&lab, "b", &["destination failed"]);
}

/// An emulated processor that misses a page while it takes an interrupt keeps QEMU's monitor waiting
/// for that page, and who would take up the migration waits for the monitor. So it breaks only once
/// the guest, which does nothing but answer, has what it needs for that.
#[test]
fn a_postcopy_that_breaks_and_is_taken_up_again_is_one_migration() {
    let guest = Guest::silent(1);
    let lab = stage("postcopy-recovery", &guest);
    let evidence = play(&lab, || {
        let arrived = migrate_slowly(&lab, &guest, &OPTIONS, || {
            change_over(&lab, &guest);
            let answers = ["peer", "ping", "-c", "5", "-i", "0.1", "-W", "1"];
            lab.wait_for("host", &[&answers[..], &[&guest.address(0)]].concat());
            let abort = ["virsh", "domjobabort", "--postcopy", guest.name()];
            lab.host("a", &abort);
        });
        assert!(!arrived, "the migration succeeded");
        let destination = lab.watch("b");
        let uri = "qemu+tcp://mm-b/system";
        let mut again = vec!["timeout", "30", "virsh", "migrate", "--live", "--postcopy"];
        again.extend(["--postcopy-resume", guest.name(), uri]);
        lab.host("a", &again);
        destination.wait("{\"status\":\"completed\"}");
    });
    let migration = only(&evidence);
    assert!(migration.resumed < migration.completed, "{migration:?}");
    assert_eq!(evidence.announcements(migration, 0).count(), 5);
    assert_learned(&Figures::of(&evidence, migration, 0));
    assert_answers(&lab, &guest);
    assert_told(&lab, "a", &["source completed"]);
    assert_told(&lab, "b", &["destination completed"]);
}
