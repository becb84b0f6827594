//! What a list of all guests sets right, and what words that were lost must not lead to.

use super::world::{STRAY, World, guest, link, port};
use crate::engine::{
    Action, Cause, Count, DescribeFault, Event, GuestFacts, Lifecycle, MigrationStatus, Pacing,
    Policy, Round, RunState,
};
use crate::model::{GuestName, Outcome, SendFault, Side};

fn listed(world: &mut World, number: u8, state: RunState) {
    let guests = vec![GuestFacts {
        guest: guest(number),
        name: GuestName::default(),
        state,
    }];
    world.event(Event::Listed { guests });
}

fn found(number: u8, state: RunState) -> World {
    let mut world = World::new(Policy::default());
    listed(&mut world, number, state);
    world
}

fn outcomes(world: &World) -> Vec<(Side, Outcome)> {
    let history = world.engine.snapshot().history;
    history
        .iter()
        .map(|record| (record.side, record.outcome))
        .collect()
}

fn was_cut(world: &World) -> bool {
    let cut = Action::Count(Count::SchedulesCut, 1);
    world.actions.contains(&cut)
}

#[test]
fn a_guest_that_was_found_standing_is_looked_at_when_it_runs() {
    // It may have arrived while nobody listened.
    for (number, frames) in [(1, 0), (STRAY, 1)] {
        let mut world = found(number, RunState::Paused);
        world.resume(number);
        world.says(number, Lifecycle::ResumedUnpaused);
        world.wait(2_000);
        assert_eq!(world.sent.len(), frames);
    }
}

#[test]
fn a_departure_that_a_list_shows_to_be_over_is_ended_and_the_guest_looked_at() {
    let mut world = found(STRAY, RunState::Running);
    world.migration(STRAY, MigrationStatus::Setup);
    world.wait(100);
    let before = world.sent.len();
    listed(&mut world, STRAY, RunState::Running);
    assert_eq!(outcomes(&world), [(Side::Source, Outcome::Unknown)]);
    assert_eq!(world.sent.len(), before + 1);
    assert_eq!(world.sent[before].ticket.cause, Cause::Resync);
}

#[test]
fn a_guest_that_a_list_shows_stopped_by_a_migration_is_not_spoken_for_until_it_runs() {
    for leaves in [false, true] {
        let mut world = found(1, RunState::Running);
        if leaves {
            world.migration(1, MigrationStatus::Setup);
        }
        listed(&mut world, 1, RunState::PausedMigration);
        world.event(Event::Announce { guest: guest(1) });
        world.wait(100);
        assert!(world.sent.is_empty());
        world.resume(1);
        assert_eq!(world.sent[0].ticket.cause, Cause::Rollback);
    }
}

#[test]
fn a_postcopy_whose_end_was_missed_is_ended_by_a_list() {
    let mut world = World::new(Policy::default());
    world.says(1, Lifecycle::StartedMigrated);
    world.resume(1);
    world.says(1, Lifecycle::ResumedPostcopy);
    world.wait(2_000);
    listed(&mut world, 1, RunState::RunningPostcopy);
    assert_eq!(outcomes(&world), []);
    listed(&mut world, 1, RunState::Running);
    assert_eq!(outcomes(&world), [(Side::Destination, Outcome::Completed)]);
}

#[test]
fn a_destination_that_is_found_in_postcopy_and_takes_it_up_again_does_not_depart() {
    let mut world = found(1, RunState::RunningPostcopy);
    world.migration(1, MigrationStatus::Setup);
    world.migration(1, MigrationStatus::Completed);
    world.stop(1);
    world.resume(1);
    assert!(world.sent.is_empty());
    assert_eq!(outcomes(&world), []);
}

#[test]
fn a_single_round_that_waits_for_its_port_outlives_a_migration_that_breaks_off() {
    let mut world = found(1, RunState::Running);
    world.migration(1, MigrationStatus::Setup);
    world.fault = Some(SendFault::NotForwarding);
    world.event(Event::Announce { guest: guest(1) });
    world.migration(1, MigrationStatus::Cancelled);
    world.fault = None;
    world.event(Event::Link(link(port(1, 0), true)));
    assert_eq!(world.rounds(1).len(), 1);
    assert_eq!(world.engine.poll_timeout(), None);
}

#[test]
fn a_guest_that_arrived_paused_and_did_not_leave_again_gets_its_rounds_when_it_runs() {
    let mut world = World::new(Policy::default());
    world.says(1, Lifecycle::StartedMigrated);
    world.migration(1, MigrationStatus::Completed);
    world.says(1, Lifecycle::SuspendedPaused);
    world.migration(1, MigrationStatus::Setup);
    world.migration(1, MigrationStatus::Cancelled);
    world.resume(1);
    world.wait(2_000);
    let whole = |&&(round, _): &&(Round, u128)| matches!(round, Round::Scheduled(_));
    assert_eq!(world.rounds(1).iter().filter(whole).count(), 5);
    let ends = [
        (Side::Destination, Outcome::Completed),
        (Side::Source, Outcome::Failed),
    ];
    assert_eq!(outcomes(&world), ends);
}

#[test]
fn a_guest_that_leaves_without_having_run_is_not_announced_early_by_its_source() {
    let mut world = World::new(Policy::default());
    world.says(1, Lifecycle::StartedMigrated);
    // That all of it arrived was not heard.
    listed(&mut world, 1, RunState::Paused);
    world.migration(1, MigrationStatus::Setup);
    world.migration(1, MigrationStatus::Completed);
    assert!(world.sent.is_empty());
}

#[test]
fn a_guest_that_may_be_leaving_is_not_announced_early_though_it_is_paused() {
    let mut world = found(1, RunState::PausedMigration);
    world.says(1, Lifecycle::SuspendedPaused);
    world.migration(1, MigrationStatus::Completed);
    assert!(world.sent.is_empty());
    world.resume(1);
    assert_eq!(world.sent.len(), 1);
}

#[test]
fn a_guest_that_was_thought_to_stand_rolls_back_when_it_was_stopped_to_leave() {
    let mut world = found(1, RunState::Paused);
    world.migration(1, MigrationStatus::Setup);
    world.says(1, Lifecycle::SuspendedMigrated);
    world.migration(1, MigrationStatus::Failed);
    world.resume(1);
    assert_eq!(world.sent[0].ticket.cause, Cause::Rollback);
}

#[test]
fn a_schedule_whose_guest_cannot_be_read_is_cut_and_counted() {
    let mut world = World::new(Policy::default());
    world.slow = true;
    world.says(1, Lifecycle::StartedMigrated);
    world.resume(1);
    let (guest, generation) = (guest(1), 1);
    let outcome = Err(DescribeFault::Malformed);
    world.event(Event::Described {
        guest,
        generation,
        outcome,
    });
    assert!(was_cut(&world));
    world.says(1, Lifecycle::ResumedMigrated);
    assert_eq!(outcomes(&world).len(), 1);
}

#[test]
fn a_last_round_that_waits_for_pacing_when_the_guest_leaves_is_counted() {
    let pacing = Pacing {
        frames_per_second: 1,
        burst: 1,
        reserve: 1,
    };
    let policy = Policy {
        pacing,
        ..Policy::default()
    };
    for paused in [false, true] {
        let mut world = World::new(policy.clone());
        world.arrive(1);
        world.wait(900);
        assert!(!was_cut(&world));
        if paused {
            world.stop(1);
            world.wait(2_000);
        } else {
            world.says(1, Lifecycle::SuspendedMigrated);
        }
        assert!(was_cut(&world), "{paused}");
        assert_eq!(world.engine.snapshot().waiting_frames, 0);
        assert_eq!(outcomes(&world).len(), 1);
    }
}

#[test]
fn a_guest_that_left_and_comes_back_is_not_resolved_anew_for_its_retraction() {
    let mut world = found(1, RunState::Running);
    world.given = vec!["192.0.2.7".parse().unwrap()];
    world.migration(1, MigrationStatus::Setup);
    world.says(1, Lifecycle::SuspendedMigrated);
    world.fault = Some(SendFault::NoBuffers);
    world.says(1, Lifecycle::StoppedMigrated);
    // Its tap is made anew, under the name that it had.
    world.event(Event::Link(link(port(1, 0), true)));
    world.wait(2_000);
    assert_eq!(outcomes(&world), [(Side::Source, Outcome::Completed)]);
    assert_eq!(world.engine.poll_timeout(), None);
}

#[test]
fn an_arrival_whose_schedule_a_pause_cuts_is_ended() {
    let mut world = World::new(Policy::default());
    world.arrive(1);
    world.wait(100);
    world.stop(1);
    world.wait(2_000);
    assert!(was_cut(&world));
    assert_eq!(outcomes(&world), [(Side::Destination, Outcome::Completed)]);
}
