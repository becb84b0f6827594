//! The guest was stopped to leave, and runs at its source again.

use std::time::Duration;

use macmoved::model::{Outcome, Side};

use super::{
    LIBVIRTD, assert_answers, assert_told, history, hold_after_stop, hurry, migrate_slowly,
    migrate_slowly_for, only, play, qemu, signal, stage,
};
use crate::cases::retractions::known;
use crate::cases::{ROUNDS_OUT, assert_kept, count};
use crate::evidence::{Evidence, median};
use crate::lab::{Guest, Lab, pause, record};
use crate::monitor::Monitor;

/// How many times as long as an arrival's first frame a rollback's may take from the event on, in
/// the median; and what a busy machine is given.
const MEDIAN: f64 = 3.0;
const MEDIAN_BUSY: f64 = 30.0;

/// As fast as a migration can go, in octets a second.
const FAST: &str =
    "{\"execute\": \"migrate-set-parameters\", \"arguments\": {\"max-bandwidth\": 1048576000}}";

/// A migration from a to b whose source guest was stopped, and that then comes to nothing.
fn rolls_back(lab: &Lab, guest: &Guest, meddle: impl FnOnce()) {
    assert!(
        !migrate_slowly(lab, guest, &[], meddle),
        "the migration succeeded"
    );
}

/// Kills the destination's QEMU while the source's holds the guest stopped and waits for it.
fn kill_qemu_after_stop(lab: &Lab, guest: &Guest) {
    hold_after_stop(lab, guest);
    signal(lab, "b", "KILL", &qemu(guest));
}

/// Stops the destination's libvirtd and lets the migration run into it: the guest has arrived and
/// nobody starts it.
fn hold_before_finish(lab: &Lab, guest: &Guest) {
    let source = lab.watch("a");
    signal(lab, "b", "STOP", LIBVIRTD);
    hurry(lab, guest);
    source.wait("{\"status\":\"completed\"}");
}

#[track_caller]
fn assert_rolled_back(evidence: &Evidence, lab: &Lab, guest: &Guest, destination: &str) {
    let migration = only(evidence);
    assert!(migration.returned.is_some(), "{migration:?}");
    assert_eq!(migration.resumed, None, "{migration:?}");
    assert_eq!(evidence.announcements_from("a", migration, 0).count(), 5);
    assert_answers(lab, guest);
    assert_told(lab, "a", &["source rolled_back"]);
    assert_told(lab, "b", &[destination]);
}

#[test]
fn the_destinations_qemu_dies_after_stop_and_the_source_announces_at_once() {
    let guest = Guest::silent(1);
    let lab = stage("qemu-dies-after-stop", &guest);
    let times = count(3, 10);
    let evidence = play(&lab, || {
        for _ in 0..times {
            rolls_back(&lab, &guest, || kill_qemu_after_stop(&lab, &guest));
            pause(ROUNDS_OUT);
        }
        lab.host(
            "a",
            &["virsh", "migrate-setmaxdowntime", guest.name(), "300"],
        );
        hurry(&lab, &guest);
        for (from, to) in crate::cases::ways().take(times) {
            lab.migrate(&guest, from, to, &[]);
            pause(ROUNDS_OUT);
        }
    });
    let (back, arrived) = evidence.migrations.split_at(times);
    let on_the_wire = median(back.iter().filter_map(|migration| {
        let first = evidence.announcements_from("a", migration, 0).next()?;
        Some(first.at.ms_after(migration.returned?))
    }));
    let arrival = median(arrived.iter().filter_map(|migration| {
        let first = evidence.announcements(migration, 0).next()?;
        Some(first.at.ms_after(migration.completed?))
    }));
    assert_answers(&lab, &guest);

    let records: Vec<_> = ["a", "b"]
        .iter()
        .flat_map(|host| history(&lab, host))
        .collect();
    let event_to_wire = |side: Side, outcome: Outcome| -> Vec<f64> {
        let of_kind = records
            .iter()
            .filter(|record| (record.side, record.outcome) == (side, outcome));
        let times = of_kind.filter_map(|record| record.measured.event_to_wire);
        times.map(|time| time.as_secs_f64() * 1e3).collect()
    };
    let rollbacks = event_to_wire(Side::Source, Outcome::RolledBack);
    let arrivals = event_to_wire(Side::Destination, Outcome::Completed);
    assert_eq!((rollbacks.len(), arrivals.len()), (times, times));
    let (rollback, floor) = (median(rollbacks), median(arrivals));
    record(&format!(
        "rollback, medians of {times}: event to wire {rollback:.2?} ms, of arrivals in the same \
         run {floor:.2?} ms; RESUME at the source to the fabric {on_the_wire:.2?} ms, completed at \
         the destination to the fabric {arrival:.2?} ms",
    ));
    let bound = if count(0, 1) == 1 {
        MEDIAN
    } else {
        MEDIAN_BUSY
    };
    assert!(
        rollback <= floor.map(|floor| floor * bound),
        "a rollback's first frame took {rollback:?} ms, an arrival's {floor:?} ms"
    );
}

#[test]
fn the_destinations_qemu_dies_once_the_guest_is_there_and_the_source_takes_it_back() {
    let guest = Guest::silent(1);
    let lab = stage("qemu-dies-before-finish", &guest);
    let evidence = play(&lab, || {
        rolls_back(&lab, &guest, || {
            hold_before_finish(&lab, &guest);
            signal(&lab, "b", "KILL", &qemu(&guest));
            signal(&lab, "b", "CONT", LIBVIRTD);
        });
    });
    assert!(only(&evidence).completed.is_some(), "it had arrived");
    assert_rolled_back(&evidence, &lab, &guest, "destination failed");
}

#[test]
fn the_destinations_libvirtd_dies_before_it_starts_the_guest() {
    let guest = Guest::silent(1);
    let lab = stage("libvirtd-dies", &guest);
    let evidence = play(&lab, || {
        rolls_back(&lab, &guest, || {
            hold_before_finish(&lab, &guest);
            lab.run("libvirtd", &["b", "kill"]);
        });
        lab.run("libvirtd", &["b", "start"]);
        lab.wait_for_agent("b");
    });
    assert_rolled_back(&evidence, &lab, &guest, "destination unknown");
}

/// How often libvirt is given a cancelled switchover, and for how long each time. libvirt 9.0 waits
/// for its end for ever in one of three, though QEMU has told of it.
const SWITCHOVERS: usize = 8;
const SWITCHOVER: Duration = Duration::from_secs(15);

/// QEMU waits for libvirtd, which is stopped, once it has stopped the guest for the switchover, and
/// is ordered to cancel: the order of libvirtd's client would run against libvirtd's to go on.
fn cancel_after_switchover(lab: &Lab, guest: &Guest) {
    let mut source = Monitor::open(lab, "a", guest);
    signal(lab, "a", "STOP", LIBVIRTD);
    source.order(FAST);
    source.wait("\"STOP\"");
    source.wait("\"pre-switchover\"");
    source.order("{\"execute\": \"migrate_cancel\"}");
    source.wait("\"cancelled\"");
    signal(lab, "a", "CONT", LIBVIRTD);
}

#[test]
#[ignore = "takes as long as libvirt does: in tests/run --full"]
fn cancelled_after_the_switchover_the_source_takes_the_guest_back() {
    let guest = Guest::silent(1);
    let ended = (0..SWITCHOVERS).find_map(|_| {
        let lab = stage("cancelled-switchover", &guest);
        let mut ended = None;
        let evidence = lab.capture("migration", || {
            let cancel = || cancel_after_switchover(&lab, &guest);
            ended = migrate_slowly_for(&lab, &guest, SWITCHOVER, cancel);
            pause(ROUNDS_OUT);
        });
        ended.map(|succeeded| (lab, evidence, succeeded))
    });
    let (lab, evidence, succeeded) = ended.expect("libvirt ends one of them");
    assert!(!succeeded, "the migration succeeded");
    assert_kept(&evidence, &known());
    assert_rolled_back(&evidence, &lab, &guest, "destination failed");
}

/// libvirt runs a guest again that ran when the migration began.
#[test]
fn suspended_in_mid_copy_and_cancelled_is_a_rollback() {
    let guest = Guest::silent(1);
    let lab = stage("suspended-cancelled", &guest);
    let evidence = play(&lab, || {
        rolls_back(&lab, &guest, || {
            let source = lab.watch("a");
            lab.host("a", &["virsh", "suspend", guest.name()]);
            source.wait("event STOP");
            lab.host("a", &["virsh", "domjobabort", guest.name()]);
        });
    });
    assert_rolled_back(&evidence, &lab, &guest, "destination failed");
}
