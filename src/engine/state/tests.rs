use super::*;

pub(in crate::engine) const STATES: [State; 11] = [
    State::Absent,
    State::Running,
    State::Paused,
    State::Incoming { certain: true },
    State::Incoming { certain: false },
    State::ArrivedPaused,
    State::Outgoing,
    State::OutgoingPaused { arrived: false },
    State::OutgoingPaused { arrived: true },
    State::SwitchedOver { over: false },
    State::SwitchedOver { over: true },
];

pub(in crate::engine) const SIGNALS: [Signal; 11] = [
    Signal::IncomingStarted,
    Signal::Started,
    Signal::Run,
    Signal::Pause,
    Signal::SwitchOver,
    Signal::Setup,
    Signal::Complete,
    Signal::Broken,
    Signal::GoneMigrated,
    Signal::GoneFailed,
    Signal::GoneOther,
];

/// Walks a story and returns the effects that are not nothing.
fn walk(story: &[Signal]) -> (State, Vec<Effect>) {
    story.iter().fold(
        (State::Absent, Vec::new()),
        |(state, mut effects), &signal| {
            let (next, effect) = state.step(signal);
            if effect != Effect::None {
                effects.push(effect);
            }
            (next, effects)
        },
    )
}

#[test]
fn a_precopy_arrival_is_announced_early_and_whole() {
    use Signal::{Complete, IncomingStarted, Run};
    let (state, effects) = walk(&[IncomingStarted, Complete, Run, Run]);
    assert_eq!(state, State::Running);
    assert_eq!(
        effects,
        [Effect::BeginArrival, Effect::Early, Effect::Arrive]
    );
}

#[test]
fn a_postcopy_arrival_is_announced_once() {
    use Signal::{Complete, IncomingStarted, Run};
    let (state, effects) = walk(&[IncomingStarted, Run, Run, Complete, Run]);
    assert_eq!(state, State::Running);
    assert_eq!(effects, [Effect::BeginArrival, Effect::Arrive]);
}

#[test]
fn a_guest_that_arrives_paused_is_announced_when_it_runs() {
    use Signal::{Complete, IncomingStarted, Pause, Run};
    let (state, effects) = walk(&[IncomingStarted, Complete, Pause, Run]);
    assert_eq!(state, State::Running);
    assert_eq!(
        effects,
        [Effect::BeginArrival, Effect::Early, Effect::Arrive]
    );
}

#[test]
fn a_departure_is_a_switchover_and_an_end() {
    use Signal::{Complete, GoneMigrated, Pause, Setup, Started, SwitchOver};
    let (state, effects) = walk(&[Started, Setup, Pause, SwitchOver, Complete, GoneMigrated]);
    assert_eq!(state, State::Absent);
    assert_eq!(
        effects,
        [
            Effect::Appear,
            Effect::BeginDeparture,
            Effect::Switchover,
            Effect::Depart
        ]
    );
}

#[test]
fn a_rollback_is_a_run_after_a_stop_in_the_same_migration() {
    use Signal::{Broken, Pause, Run, Setup};
    for (story, end) in [
        (&[Run, Setup, Pause, Broken, Run][..], State::Running),
        (&[Run, Setup, Pause, Run, Broken][..], State::Running),
        (&[Run, Setup, Pause, Run][..], State::Outgoing),
    ] {
        let (state, effects) = walk(story);
        assert_eq!(state, end);
        assert_eq!(
            effects
                .iter()
                .filter(|effect| **effect == Effect::Rollback)
                .count(),
            1
        );
    }
    let (state, effects) = walk(&[Run, Setup, Broken, Run]);
    assert_eq!(state, State::Running);
    assert_eq!(effects, [Effect::BeginDeparture, Effect::BreakDeparture]);
}

#[test]
fn a_save_is_no_migration() {
    use Signal::{Complete, GoneOther, Pause, Run, Setup};
    let (state, effects) = walk(&[Run, Pause, Setup, Complete, GoneOther]);
    assert_eq!(state, State::Absent);
    assert_eq!(effects, [Effect::BeginDeparture, Effect::Vanish]);
}

#[test]
fn a_restore_is_a_start() {
    use Signal::{Complete, Run, Setup, Started};
    let (state, effects) = walk(&[Setup, Complete, Run, Started]);
    assert_eq!(state, State::Running);
    assert_eq!(effects, [Effect::Appear]);
}

#[test]
fn an_uncertain_arrival_speaks_only_when_it_runs() {
    let listed = State::Incoming { certain: false };
    assert_eq!(listed.step(Signal::Complete).1, Effect::None);
    assert_eq!(listed.step(Signal::Run).1, Effect::Arrive);
    assert!(!listed.awaits_run());
}

#[test]
fn the_table_is_closed_and_speaks_only_for_guests_that_are_here() {
    for state in STATES {
        for signal in SIGNALS {
            let (next, effect) = state.step(signal);
            assert!(STATES.contains(&next), "{state:?} {signal:?}");
            match effect {
                Effect::Early => assert!(next.awaits_run(), "{state:?} {signal:?}"),
                Effect::Arrive | Effect::Rollback | Effect::Appear => {
                    assert!(next.runs(), "{state:?} {signal:?}");
                }
                Effect::FailArrival | Effect::Depart | Effect::Vanish | Effect::Perish => {
                    assert_eq!(next, State::Absent, "{state:?} {signal:?}");
                }
                Effect::None
                | Effect::BeginArrival
                | Effect::BeginDeparture
                | Effect::Switchover
                | Effect::SuddenSwitchover
                | Effect::Wake
                | Effect::BreakDeparture => {}
            }
        }
        assert_eq!(state.step(Signal::GoneOther).0, State::Absent);
    }
}
