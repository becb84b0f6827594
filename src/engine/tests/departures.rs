use super::world::{World, guest};
use crate::engine::{
    Action, Cause, Count, Event, GuestFacts, JobCompleted, Lifecycle, MigrationStatus, Policy,
    Round, RunState,
};
use crate::model::{GuestName, Outcome, Phase, Side};

fn running(number: u8) -> World {
    let mut world = World::new(Policy::default());
    let guests = vec![GuestFacts {
        guest: guest(number),
        name: GuestName::default(),
        state: RunState::Running,
    }];
    world.event(Event::Listed { guests });
    world
}

#[test]
fn a_departure_is_silent_and_recorded_with_its_downtime() {
    let mut world = running(1);
    world.migration(1, MigrationStatus::Setup);
    world.wait(500);
    world.stop(1);
    world.says(1, Lifecycle::SuspendedMigrated);
    world.migration(1, MigrationStatus::Completed);
    world.wait(60);
    world.says(1, Lifecycle::StoppedMigrated);
    let job = JobCompleted {
        migration_out: true,
        success: true,
        downtime_ms: Some(42),
        elapsed_ms: Some(560),
    };
    world.event(Event::JobCompleted {
        guest: guest(1),
        job,
    });
    world.wait(5_000);
    assert!(world.sent.is_empty());
    let snapshot = world.engine.snapshot();
    let record = &snapshot.history[0];
    assert_eq!(
        (record.side, record.outcome),
        (Side::Source, Outcome::Completed)
    );
    assert_eq!(record.measured.downtime.unwrap().as_millis(), 42);
    assert!(
        record
            .phases
            .iter()
            .any(|noted| noted.phase == Phase::Switchover)
    );
    assert!(snapshot.guests.is_empty());
}

#[test]
fn a_departure_ends_without_figures_too() {
    let mut world = running(1);
    world.says(1, Lifecycle::SuspendedMigrated);
    world.says(1, Lifecycle::StoppedMigrated);
    world.wait(999);
    assert!(world.engine.snapshot().history.is_empty());
    world.wait(2);
    assert_eq!(
        world.engine.snapshot().history[0].outcome,
        Outcome::Completed
    );
    assert!(world.engine.poll_timeout().is_none());
}

#[test]
fn a_rollback_is_announced_here_at_once() {
    let mut world = running(1);
    world.migration(1, MigrationStatus::Setup);
    world.wait(500);
    world.stop(1);
    world.says(1, Lifecycle::SuspendedMigrated);
    world.migration(1, MigrationStatus::Failed);
    world.wait(40);
    let at = world.now;
    world.resume(1);
    world.says(1, Lifecycle::ResumedUnpaused);
    assert_eq!(world.sent[0].at, at);
    world.wait(2_000);
    assert_eq!(world.rounds(1).len(), 5);
    assert!(world.sent[0].ticket.cause == Cause::Rollback);
    let record = &world.engine.snapshot().history[0];
    assert_eq!(
        (record.outcome, record.measured.frames),
        (Outcome::RolledBack, 5)
    );
}

#[test]
fn an_operators_suspend_in_mid_copy_is_announced_and_the_migration_goes_on() {
    let mut world = running(1);
    world.migration(1, MigrationStatus::Setup);
    world.wait(100);
    world.stop(1);
    world.says(1, Lifecycle::SuspendedMigrated);
    world.wait(5_000);
    world.resume(1);
    world.says(1, Lifecycle::ResumedUnpaused);
    world.wait(20);
    world.stop(1);
    world.says(1, Lifecycle::SuspendedMigrated);
    let before = world.sent.len();
    world.wait(1_000);
    assert_eq!(world.sent.len(), before, "nothing leaves a stopped source");
    assert!(
        world
            .actions
            .contains(&Action::Count(Count::SchedulesCut, 1))
    );
    world.says(1, Lifecycle::StoppedMigrated);
    world.wait(2_000);
    assert_eq!(
        world.engine.snapshot().history[0].outcome,
        Outcome::Completed
    );
}

#[test]
fn a_cancelled_migration_leaves_the_guest_alone() {
    let mut world = running(1);
    world.migration(1, MigrationStatus::Setup);
    world.wait(100);
    world.migration(1, MigrationStatus::Cancelled);
    world.wait(2_000);
    assert!(world.sent.is_empty());
    assert_eq!(world.engine.snapshot().history[0].outcome, Outcome::Failed);
}

#[test]
fn a_guest_that_leaves_within_its_schedule_takes_the_rest_of_it_along() {
    let mut world = World::new(Policy::default());
    world.arrive(1);
    world.wait(100);
    world.migration(1, MigrationStatus::Setup);
    world.wait(150);
    world.stop(1);
    world.wait(2_000);
    let rounds: Vec<_> = world
        .rounds(1)
        .into_iter()
        .map(|(round, _)| round)
        .collect();
    let expected = [
        Round::Early,
        Round::Scheduled(1),
        Round::Scheduled(2),
        Round::Scheduled(3),
    ];
    assert_eq!(rounds, expected);
    assert!(
        world
            .actions
            .contains(&Action::Count(Count::SchedulesCut, 1))
    );
    let snapshot = world.engine.snapshot();
    assert_eq!(snapshot.history.len(), 1);
    assert_eq!(snapshot.history[0].side, Side::Destination);
    world.migration(1, MigrationStatus::Failed);
    world.resume(1);
    world.wait(2_000);
    assert_eq!(world.sent.last().unwrap().ticket.round, Round::Scheduled(5));
    assert_eq!(
        world.engine.snapshot().history[0].outcome,
        Outcome::RolledBack
    );
}

#[test]
fn libvirt_11s_extra_shutdown_changes_nothing() {
    let mut world = running(1);
    world.migration(1, MigrationStatus::Setup);
    world.stop(1);
    world.says(1, Lifecycle::Shutdown);
    world.says(1, Lifecycle::StoppedMigrated);
    world.wait(2_000);
    assert_eq!(
        world.engine.snapshot().history[0].outcome,
        Outcome::Completed
    );
}

#[test]
fn a_saved_guest_leaves_no_record() {
    let mut world = running(1);
    world.stop(1);
    world.migration(1, MigrationStatus::Setup);
    world.migration(1, MigrationStatus::Completed);
    world.says(1, Lifecycle::Stopped);
    world.wait(2_000);
    assert!(world.sent.is_empty());
    assert!(world.engine.snapshot().history.is_empty());
}

#[test]
fn a_started_guest_gets_one_round() {
    let mut world = World::new(Policy::default());
    world.says(1, Lifecycle::Started);
    world.wait(2_000);
    assert_eq!(world.sent.len(), 1);
    assert_eq!(world.sent[0].ticket.cause, Cause::Start);
    assert!(
        world
            .actions
            .iter()
            .any(|action| matches!(action, Action::Unstage { .. }))
    );
}

#[test]
fn a_guest_that_ends_within_the_rounds_of_its_rollback_is_told_and_counted() {
    let mut world = running(1);
    world.migration(1, MigrationStatus::Setup);
    world.wait(500);
    world.stop(1);
    world.says(1, Lifecycle::SuspendedMigrated);
    world.resume(1);
    world.migration(1, MigrationStatus::Failed);
    world.wait(100);
    world.says(1, Lifecycle::Stopped);
    let outcomes: Vec<_> = world.engine.snapshot().history;
    let outcomes: Vec<_> = outcomes.iter().map(|record| record.outcome).collect();
    assert_eq!(outcomes, [Outcome::RolledBack]);
    assert!(
        world
            .actions
            .contains(&Action::Count(Count::SchedulesCut, 1))
    );
}
