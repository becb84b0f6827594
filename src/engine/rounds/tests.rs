use super::*;

fn offsets(rounds: Rounds) -> Vec<u128> {
    (1..=rounds.rounds)
        .map(|round| rounds.offset(round).unwrap().as_millis())
        .collect()
}

#[test]
fn the_defaults_are_qemus_own_times() {
    assert_eq!(offsets(Rounds::default()), [0, 50, 200, 450, 800]);
    assert_eq!(Rounds::default().offset(0), None);
    assert_eq!(Rounds::default().offset(6), None);
}

#[test]
fn gaps_stop_growing_at_max() {
    let rounds = Rounds {
        max: Duration::from_millis(120),
        ..Rounds::default()
    };
    assert_eq!(offsets(rounds), [0, 50, 170, 290, 410]);
}

#[test]
fn the_longest_schedule_does_not_overflow() {
    let rounds = Rounds {
        initial: Duration::MAX,
        max: Duration::MAX,
        rounds: 255,
        step: Duration::MAX,
    };
    assert_eq!(rounds.offset(255), Some(Duration::MAX));
}
