//! Migrations that do not go as they should: what each side then says, and what it does not say.
//!
//! A window is held open, not slept for: a migration copies slowly until a test has done its part,
//! and one that must not end has a process of it stopped.

mod odd;
mod postcopy;
mod rollback;

use std::thread;
use std::time::{Duration, Instant};

use macmoved::engine::{GuestView, Record};

use super::retractions::{KNOWN, known};
use super::{ROUNDS_OUT, agents, assert_kept};
use crate::evidence::{Evidence, Migration};
use crate::lab::{Guest, Lab, pause};

/// libvirtd on a host.
pub(super) const LIBVIRTD: &str = "/run/libvirtd.pid";

/// Megabytes a second at which a guest's memory takes many seconds.
const SLOW: &str = "8";

/// The guest's QEMU on a host.
pub(super) fn qemu(guest: &Guest) -> String {
    format!("/run/libvirt/qemu/{}.pid", guest.name())
}

/// Sends a signal to the process that a file on a host names.
pub(super) fn signal(lab: &Lab, host: &str, signal: &str, pid_file: &str) {
    let command = format!("kill -{signal} \"$(cat \"$0\")\"");
    lab.host(host, &["sh", "-c", &command, pid_file]);
}

/// Lets a slow migration go as fast as it can.
pub(super) fn hurry(lab: &Lab, guest: &Guest) {
    lab.host("a", &["virsh", "migrate-setspeed", guest.name(), "1000"]);
}

/// Stops the destination's QEMU, so that the source's, which takes any downtime, stops the guest
/// and then waits for it with the last of the memory in hand.
///
/// It must not wait before: what the destination does not read has to fit its socket meanwhile.
pub(super) fn hold_after_stop(lab: &Lab, guest: &Guest) {
    let source = lab.watch("a");
    lab.host("a", &["virsh", "migrate-setspeed", guest.name(), "1"]);
    signal(lab, "b", "STOP", &qemu(guest));
    let most = ["virsh", "migrate-setmaxdowntime", guest.name(), "2000000"];
    lab.host("a", &most);
    source.wait("{\"status\":\"device\"}");
}

/// A slow migration from a to b with `meddle` in it, once memory is being copied. Whether it
/// succeeds all the same.
pub(super) fn migrate_slowly(
    lab: &Lab,
    guest: &Guest,
    options: &[&str],
    meddle: impl FnOnce(),
) -> bool {
    meddled_with(
        lab,
        guest,
        || lab.try_migrate(guest, "a", "b", options),
        meddle,
    )
}

/// The same of a migration that may not end in time: none then.
pub(super) fn migrate_slowly_for(
    lab: &Lab,
    guest: &Guest,
    limit: Duration,
    meddle: impl FnOnce(),
) -> Option<bool> {
    let migrate = || lab.try_migrate_for(limit, guest, ("a", "b"), &[]);
    meddled_with(lab, guest, migrate, meddle)
}

fn meddled_with<T: Send>(
    lab: &Lab,
    guest: &Guest,
    migrate: impl FnOnce() -> T + Send,
    meddle: impl FnOnce(),
) -> T {
    lab.host("a", &["virsh", "migrate-setspeed", guest.name(), SLOW]);
    let source = lab.watch("a");
    thread::scope(|scope| {
        let migration = scope.spawn(migrate);
        source.wait("{\"status\":\"active\"}");
        meddle();
        migration.join().expect("it ends")
    })
}

/// A guest on a, with an agent on both hosts that knows its address.
pub(super) fn stage(case: &str, guest: &Guest) -> Lab {
    let lab = Lab::up(case, 2);
    lab.start(guest, "a");
    agents(&lab, KNOWN, &["--record", "/run/recording.jsonl"]);
    lab
}

/// Records a scene and the rounds that follow it, and holds it to the invariants.
pub(super) fn play(lab: &Lab, scene: impl FnOnce()) -> Evidence {
    let evidence = lab.capture("migration", || {
        scene();
        pause(ROUNDS_OUT);
    });
    assert_kept(&evidence, &known());
    evidence
}

/// The only migration.
#[track_caller]
pub(super) fn only(evidence: &Evidence) -> &Migration {
    assert_eq!(evidence.migrations.len(), 1);
    &evidence.migrations[0]
}

#[track_caller]
pub(super) fn assert_answers(lab: &Lab, guest: &Guest) {
    lab.host("peer", &["ping", "-c", "1", "-W", "1", &guest.address(0)]);
}

/// What an agent remembers, newest first.
pub(super) fn history(lab: &Lab, host: &str) -> Vec<Record> {
    let answer = lab.ctl(host, &["--json", "history"]);
    serde_json::from_str(&answer).expect("records")
}

/// Fails unless the agent of a host tells of these migrations, newest first, such as
/// `source rolled_back`, and has nothing left on its hands.
#[track_caller]
pub(super) fn assert_told(lab: &Lab, host: &str, expected: &[&str]) {
    let deadline = Instant::now() + Duration::from_secs(5);
    loop {
        let told: Vec<_> = history(lab, host)
            .iter()
            .map(|record| format!("{} {}", record.side, record.outcome))
            .collect();
        let guests: Vec<GuestView> =
            serde_json::from_str(&lab.ctl(host, &["--json", "guests"])).expect("guests");
        let staged = guests.iter().any(|guest| guest.staged);
        if told == expected && !staged {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "host {host} tells of {told:?}, not {expected:?}; guests: {guests:#?}"
        );
        pause(100);
    }
}

/// A migration that breaks off while the guest runs at its source: nobody says a word.
fn breaks_off_in_precopy(case: &str, breaking: impl FnOnce(&Lab, &Guest)) {
    let guest = Guest::silent(1);
    let lab = stage(case, &guest);
    let evidence = play(&lab, || {
        let arrived = migrate_slowly(&lab, &guest, &[], || breaking(&lab, &guest));
        assert!(!arrived, "the migration succeeded");
    });
    let migration = only(&evidence);
    assert_eq!(migration.stopped, None, "the guest was never stopped");
    assert_eq!(evidence.announcements_from("a", migration, 0).count(), 0);
    assert_answers(&lab, &guest);
    assert_told(&lab, "a", &["source failed"]);
    assert_told(&lab, "b", &["destination failed"]);
}

#[test]
fn cancelled_in_precopy_nobody_says_a_word() {
    breaks_off_in_precopy("cancelled-precopy", |lab, guest| {
        lab.host("a", &["virsh", "domjobabort", guest.name()]);
    });
}

#[test]
fn the_destinations_qemu_dies_in_precopy_and_nobody_says_a_word() {
    breaks_off_in_precopy("qemu-dies-precopy", |lab, guest| {
        signal(lab, "b", "KILL", &qemu(guest));
    });
}
