use super::{Qmp, stamp};
use crate::engine::{Event, MigrationStatus};
use crate::model::{GuestId, Instant};

const GUEST: GuestId = GuestId::new([7; 16]);

fn migration(details: &str) -> Option<Qmp> {
    Qmp::read(b"MIGRATION", Some(details.as_bytes()))
}

#[test]
fn every_status_of_qemu_has_its_word() {
    use MigrationStatus as S;
    let table = [
        ("setup", S::Setup),
        ("active", S::Active),
        ("pre-switchover", S::PreSwitchover),
        ("device", S::Device),
        ("postcopy-active", S::PostcopyActive),
        ("postcopy-paused", S::PostcopyPaused),
        ("postcopy-recover", S::PostcopyRecover),
        ("postcopy-recover-setup", S::PostcopyRecover),
        ("completed", S::Completed),
        ("failed", S::Failed),
        ("cancelling", S::Cancelling),
        ("cancelled", S::Cancelled),
        ("colo", S::Other),
        ("wait-unplug", S::Other),
        ("none", S::Other),
    ];
    for (word, status) in table {
        let details = format!("{{\"status\":\"{word}\"}}");
        assert_eq!(migration(&details), Some(Qmp::Migration(status)), "{word}");
        let spaced = format!("{{ \"status\": \"{word}\" }}");
        assert_eq!(migration(&spaced), Some(Qmp::Migration(status)), "{word}");
    }
}

#[test]
fn further_members_and_space_do_not_matter() {
    let details = "{ \"extra\": {\"a\": [1, null]}, \"status\" : \"completed\", \"n\": 1e3 }";
    assert_eq!(
        migration(details),
        Some(Qmp::Migration(MigrationStatus::Completed))
    );
}

#[test]
fn what_cannot_be_read_is_another_status() {
    let other = Some(Qmp::Migration(MigrationStatus::Other));
    let unreadable = [
        "",
        "{",
        "{}",
        "[]",
        "null",
        "{\"status\":3}",
        "{\"status\":\"comple",
        "{\"status\":\"\\u0063ompleted\"}",
    ];
    for details in unreadable {
        assert_eq!(migration(details), other, "{details}");
    }
    assert_eq!(Qmp::read(b"MIGRATION", Some(b"\xff\xfe")), other);
    assert_eq!(Qmp::read(b"MIGRATION", None), other);
}

#[test]
fn other_events_are_none() {
    for name in [
        "",
        "MIGRATION_PASS",
        "migration",
        "STOPPED",
        "RESUME ",
        "SHUTDOWN",
    ] {
        assert_eq!(Qmp::read(name.as_bytes(), None), None, "{name}");
    }
}

#[test]
fn each_event_keeps_its_times() {
    let (at, stamp) = (Instant::from_nanos(20), Instant::from_nanos(10));
    let event = |qmp: Qmp| qmp.event(GUEST, at, stamp);
    let guest = GUEST;
    assert_eq!(event(Qmp::Stop), Event::Stopped { guest, at, stamp });
    assert_eq!(event(Qmp::Resume), Event::Resumed { guest, at, stamp });
    let status = MigrationStatus::Completed;
    assert_eq!(
        event(Qmp::Migration(status)),
        Event::Migration {
            guest,
            at,
            stamp,
            status
        }
    );
    assert_eq!(Qmp::read(b"STOP", Some(b"{}")), Some(Qmp::Stop));
    assert_eq!(Qmp::read(b"RESUME", None), Some(Qmp::Resume));
}

#[test]
fn a_stamp_is_moved_to_the_engines_clock() {
    let at = Instant::from_nanos(5_000_000_000);
    let offset = 1_000_000_000;
    assert_eq!(
        stamp(5, 250_001, offset, at),
        Instant::from_nanos(4_250_001_000)
    );
}

#[test]
fn a_stamp_that_cannot_be_is_the_callbacks_entry() {
    let at = Instant::from_nanos(5_000_000_000);
    assert_eq!(stamp(-1, u32::MAX, 0, at), at, "QEMU did not know");
    assert_eq!(stamp(6, 0, 0, at), at, "from the future");
    assert_eq!(stamp(i64::MAX, u32::MAX, i64::MIN, at), at, "out of range");
    assert_eq!(stamp(0, 0, i64::MAX, at), Instant::ZERO, "before the clock");
}

#[test]
fn reading_allocates_nothing() {
    let details = b"{\"status\": \"pre-switchover\", \"more\": 1}";
    let info = allocation_counter::measure(|| {
        assert!(Qmp::read(b"MIGRATION", Some(details)).is_some());
        assert!(Qmp::read(b"STOP", None).is_some());
    });
    assert_eq!(info.count_total, 0);
}
