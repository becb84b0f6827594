use super::world::{World, guest};
use crate::engine::{Lifecycle, MigrationStatus, Pacing, Policy, Round};

fn slow() -> Policy {
    let pacing = Pacing {
        frames_per_second: 20,
        burst: 1,
        reserve: 100,
    };
    Policy {
        pacing,
        ..Policy::default()
    }
}

#[test]
fn first_frames_of_all_go_before_any_repeat() {
    let mut world = World::new(slow());
    for number in 1..=10 {
        world.says(number, Lifecycle::StartedMigrated);
    }
    world.wait(1_000);
    for number in 1..=10 {
        world.migration(number, MigrationStatus::Completed);
    }
    for number in 1..=10 {
        world.resume(number);
        world.wait(1);
    }
    world.wait(5_000);
    let first_repeat = world
        .sent
        .iter()
        .position(|sent| matches!(sent.ticket.round, Round::Scheduled(2..)))
        .unwrap();
    assert_eq!(first_repeat, 20, "ten early frames and ten first rounds");
    assert_eq!(world.sent.len(), 60, "each announced whole");
}

#[test]
fn an_eleventh_migration_waits_behind_no_repeat() {
    let mut world = World::new(slow());
    for number in 1..=10 {
        world.says(number, Lifecycle::StartedMigrated);
    }
    for number in 1..=10 {
        world.resume(number);
    }
    world.says(11, Lifecycle::StartedMigrated);
    world.wait(220);
    assert!(
        world.engine.snapshot().waiting_frames > 0,
        "repeats are waiting"
    );
    let at = world.now;
    world.resume(11);
    let first = world
        .sent
        .iter()
        .find(|sent| sent.ticket.guest == guest(11))
        .unwrap();
    assert_eq!(first.at, at);
    world.wait(10_000);
    assert_eq!(world.rounds(11).len(), 5);
}

#[test]
fn repeats_never_exceed_their_rate_in_any_window() {
    let mut world = World::new(slow());
    for number in 1..=10 {
        world.says(number, Lifecycle::StartedMigrated);
    }
    for number in 1..=10 {
        world.resume(number);
    }
    world.wait(10_000);
    let repeats: Vec<_> = world
        .sent
        .iter()
        .filter(|sent| matches!(sent.ticket.round, Round::Scheduled(2..)))
        .map(|sent| sent.at)
        .collect();
    assert_eq!(repeats.len(), 40);
    for pair in repeats.windows(2) {
        assert!(pair[1].saturating_since(pair[0]).as_millis() >= 50);
    }
}

#[test]
fn two_nics_double_every_round() {
    let mut world = World::new(Policy::default());
    world.nics = 2;
    world.arrive(1);
    world.wait(2_000);
    assert_eq!(world.sent.len(), 2 + 10);
    assert_eq!(world.engine.snapshot().history[0].measured.rounds, 5);
}
