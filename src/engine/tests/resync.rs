use super::world::{STRAY, World, guest};
use crate::engine::{
    Action, Cause, Count, DescribeFault, Event, GuestPhase, Lifecycle, MigrationStatus, Policy,
    Round, RunState,
};
use crate::model::{Outcome, Side};

/// What the engine remembers of ended migrations.
fn told(world: &World) -> Vec<(Side, Outcome)> {
    let history = world.engine.snapshot().history;
    history
        .iter()
        .map(|record| (record.side, record.outcome))
        .collect()
}

#[test]
fn an_arrival_that_was_found_under_way_is_announced_and_told() {
    let mut world = World::new(Policy::default());
    world.event(Event::LibvirtConnected);
    world.list(&[(STRAY, RunState::PausedMigration)]);
    world.wait(500);
    world.migration(STRAY, MigrationStatus::Completed);
    world.wait(8);
    assert!(world.sent.is_empty(), "it may as well be leaving");
    world.resume(STRAY);
    world.says(STRAY, Lifecycle::ResumedMigrated);
    world.wait(2_000);
    assert_eq!(world.rounds(STRAY).len(), 5);
    assert_eq!(told(&world), [(Side::Destination, Outcome::Completed)]);
}

#[test]
fn a_departure_that_was_found_under_way_is_told() {
    for number in [1, STRAY] {
        let mut world = World::new(Policy::default());
        world.event(Event::LibvirtConnected);
        world.list(&[(number, RunState::PausedMigration)]);
        world.wait(60);
        world.migration(number, MigrationStatus::Completed);
        world.says(number, Lifecycle::StoppedMigrated);
        world.wait(2_000);
        assert!(world.sent.is_empty());
        assert_eq!(told(&world), [(Side::Source, Outcome::Completed)]);
        assert!(world.engine.snapshot().guests.is_empty());
    }
}

/// One that had its place here is announced where it is again, but is no arrival.
#[test]
fn a_rollback_that_was_found_under_way_is_announced_whole() {
    let mut world = World::new(Policy::default());
    world.event(Event::LibvirtConnected);
    world.list(&[(1, RunState::PausedMigration)]);
    world.wait(60);
    world.resume(1);
    world.says(1, Lifecycle::ResumedUnpaused);
    world.wait(2_000);
    assert_eq!(world.rounds(1).len(), 5);
    assert_eq!(told(&world), []);
}

/// libvirt cancels a migration when it starts again, and says no word of it.
#[test]
fn a_departure_that_libvirt_forgot_is_over() {
    let mut world = World::new(Policy::default());
    world.event(Event::LibvirtConnected);
    world.list(&[(1, RunState::Running), (2, RunState::Paused)]);
    for number in [1, 2] {
        world.migration(number, MigrationStatus::Setup);
    }
    world.wait(500);
    world.event(Event::LibvirtLost);
    world.event(Event::LibvirtConnected);
    world.list(&[(1, RunState::Running), (2, RunState::Paused)]);
    world.wait(2_000);
    assert!(world.sent.is_empty());
    assert_eq!(told(&world), [(Side::Source, Outcome::Unknown); 2]);
    let guests = world.engine.snapshot().guests;
    let phases: Vec<_> = guests
        .iter()
        .map(|view| (view.phase, view.staged))
        .collect();
    assert_eq!(
        phases,
        [(GuestPhase::Running, false), (GuestPhase::Paused, false)]
    );
}

/// A guest that stands in its departure.
fn stopped_to_leave() -> World {
    let mut world = World::new(Policy::default());
    world.event(Event::LibvirtConnected);
    world.list(&[(1, RunState::Running)]);
    world.migration(1, MigrationStatus::Setup);
    world.wait(500);
    world.stop(1);
    world
}

#[test]
fn a_rollback_whose_rounds_go_when_libvirt_is_lost_stays_one() {
    let mut world = stopped_to_leave();
    world.resume(1);
    world.wait(100);
    world.event(Event::LibvirtLost);
    world.event(Event::LibvirtConnected);
    world.list(&[(1, RunState::Running)]);
    world.wait(2_000);
    assert_eq!(world.rounds(1).len(), 5);
    assert_eq!(told(&world), [(Side::Source, Outcome::RolledBack)]);
}

/// A libvirt that dies while the guest stands ends the migration when it starts again.
#[test]
fn a_rollback_that_only_a_list_shows_is_over_with_its_rounds() {
    let mut world = stopped_to_leave();
    world.event(Event::LibvirtLost);
    world.wait(400);
    world.event(Event::LibvirtConnected);
    world.list(&[(1, RunState::Running)]);
    world.wait(2_000);
    assert_eq!(world.rounds(1).len(), 5);
    assert_eq!(told(&world), [(Side::Source, Outcome::RolledBack)]);
    assert_eq!(world.engine.snapshot().guests[0].phase, GuestPhase::Running);
}

/// libvirt ends a half-arrived guest when it starts again, and says no word of it.
#[test]
fn an_arrival_that_libvirt_knows_no_more_is_forgotten() {
    let mut world = World::new(Policy::default());
    world.says(1, Lifecycle::StartedMigrated);
    world.wait(500);
    world.event(Event::LibvirtLost);
    world.event(Event::LibvirtConnected);
    world.list(&[(1, RunState::PausedMigration)]);
    let answer = Event::Described {
        guest: guest(1),
        generation: 1,
        outcome: Err(DescribeFault::Gone),
    };
    world.event(answer);
    world.wait(999);
    assert!(world.engine.snapshot().history.is_empty());
    world.wait(2);
    assert_eq!(world.engine.snapshot().history[0].outcome, Outcome::Unknown);
    assert!(world.engine.snapshot().guests.is_empty());
    assert!(world.sent.is_empty());
    assert!(world.engine.poll_timeout().is_none());
}

/// A restore looks like an arrival to QEMU.
#[test]
fn what_begins_after_libvirt_had_no_such_guest_is_about_another() {
    let mut world = World::new(Policy::default());
    world.mute = true;
    world.says(1, Lifecycle::StartedMigrated);
    world.says(1, Lifecycle::SuspendedPaused);
    let answer = Event::Described {
        guest: guest(1),
        generation: 1,
        outcome: Err(DescribeFault::Gone),
    };
    world.event(answer);
    world.mute = false;
    world.wait(400);
    world.migration(1, MigrationStatus::Setup);
    world.wait(10);
    world.event(Event::LibvirtLost);
    world.event(Event::LibvirtConnected);
    world.list(&[(1, RunState::Paused)]);
    world.migration(1, MigrationStatus::Completed);
    assert!(world.sent.is_empty());
    assert_eq!(told(&world), [(Side::Destination, Outcome::Unknown)]);
}

#[test]
fn a_guest_that_came_while_libvirt_was_away_gets_one_round() {
    let mut world = World::new(Policy::default());
    world.event(Event::LibvirtConnected);
    world.says(1, Lifecycle::StartedMigrated);
    world.event(Event::LibvirtLost);
    world.event(Event::LibvirtConnected);
    world.list(&[(1, RunState::Running), (2, RunState::Running)]);
    world.wait(2_000);
    let rounds: Vec<_> = world.sent.iter().map(|sent| sent.ticket).collect();
    assert_eq!(rounds.len(), 1);
    assert_eq!(
        (rounds[0].guest, rounds[0].cause),
        (guest(1), Cause::Resync)
    );
    assert!(world.actions.contains(&Action::Count(Count::Reconnects, 1)));
    assert!(world.engine.snapshot().libvirt.resynced);
}

#[test]
fn a_guest_that_its_own_bridge_looks_for_elsewhere_gets_one_round() {
    let mut world = World::new(Policy::default());
    world.event(Event::LibvirtConnected);
    world.list(&[(1, RunState::Running), (STRAY, RunState::Running)]);
    world.wait(5_000);
    assert_eq!(world.sent.len(), 1);
    let ticket = world.sent[0].ticket;
    assert_eq!((ticket.guest, ticket.round), (guest(STRAY), Round::Single));
    assert_eq!(ticket.cause, Cause::Resync);
    assert!(
        !world
            .engine
            .snapshot()
            .guests
            .iter()
            .any(|view| view.staged)
    );
}

#[test]
fn healthy_guests_cause_no_frame_at_the_start() {
    let mut world = World::new(Policy::default());
    world.event(Event::LibvirtConnected);
    let guests: Vec<_> = (0..STRAY)
        .map(|number| (number, RunState::Running))
        .collect();
    world.list(&guests);
    world.wait(60_000);
    assert!(world.sent.is_empty());
    assert_eq!(world.engine.snapshot().guests.len(), usize::from(STRAY));
}
