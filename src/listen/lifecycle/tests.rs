use super::{lifecycle, run_state};
use crate::engine::{Lifecycle, RunState};

/// libvirt's numbers, written out: they are its ABI.
#[test]
fn every_event_and_detail_of_libvirt_has_its_word() {
    use Lifecycle as L;
    let table: &[(i32, &[L])] = &[
        (0, &[L::Defined; 4]),
        (1, &[L::Undefined; 2]),
        (
            2,
            &[
                L::Started,
                L::StartedMigrated,
                L::Started,
                L::Started,
                L::Started,
                L::Started,
            ],
        ),
        (
            3,
            &[
                L::SuspendedPaused,
                L::SuspendedMigrated,
                L::SuspendedPaused,
                L::SuspendedPaused,
                L::SuspendedPaused,
                L::SuspendedPaused,
                L::SuspendedPaused,
                L::SuspendedPostcopy,
                L::SuspendedPostcopyError,
                L::SuspendedPaused,
            ],
        ),
        (
            4,
            &[
                L::ResumedUnpaused,
                L::ResumedMigrated,
                L::ResumedUnpaused,
                L::ResumedPostcopy,
                L::ResumedPostcopyError,
            ],
        ),
        (
            5,
            &[
                L::Stopped,
                L::Stopped,
                L::Stopped,
                L::StoppedMigrated,
                L::Stopped,
                L::StoppedFailed,
                L::Stopped,
                L::Stopped,
            ],
        ),
        (6, &[L::Shutdown; 3]),
        (7, &[L::PmSuspended; 2]),
        (8, &[L::Crashed; 2]),
    ];
    for &(event, words) in table {
        for (detail, &word) in (0..).zip(words) {
            assert_eq!(
                lifecycle(event, detail),
                Some(word),
                "event {event} detail {detail}"
            );
        }
    }
}

#[test]
fn an_unknown_detail_promises_the_least() {
    for detail in [-1, 99, i32::MIN, i32::MAX] {
        assert_eq!(lifecycle(2, detail), Some(Lifecycle::Started));
        assert_eq!(lifecycle(3, detail), Some(Lifecycle::SuspendedPaused));
        assert_eq!(lifecycle(4, detail), Some(Lifecycle::ResumedUnpaused));
        assert_eq!(lifecycle(5, detail), Some(Lifecycle::Stopped));
    }
}

#[test]
fn an_unknown_event_has_no_word() {
    for event in [-1, 9, 10, i32::MIN, i32::MAX] {
        assert_eq!(lifecycle(event, 0), None, "event {event}");
    }
}

#[test]
fn every_state_of_libvirt_has_its_word() {
    use RunState as R;
    let table = [
        ((0, 0), R::Off),
        ((1, 0), R::Running),
        ((1, 1), R::Running),
        ((1, 2), R::Running),
        ((1, 6), R::Running),
        ((1, 10), R::RunningPostcopy),
        ((1, 11), R::RunningPostcopy),
        ((2, 0), R::Running),
        ((3, 0), R::Paused),
        ((3, 1), R::Paused),
        ((3, 2), R::PausedMigration),
        ((3, 11), R::Paused),
        ((3, 12), R::PausedPostcopy),
        ((3, 13), R::PausedPostcopy),
        ((3, 14), R::Paused),
        ((4, 1), R::Paused),
        ((5, 4), R::Off),
        ((6, 1), R::Paused),
        ((7, 0), R::Paused),
        ((8, 0), R::Paused),
        ((-1, -1), R::Paused),
    ];
    for ((state, reason), word) in table {
        assert_eq!(
            run_state(state, reason),
            word,
            "state {state} reason {reason}"
        );
    }
}
