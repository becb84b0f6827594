//! What is said of a guest's leftovers when its frames are done with.

use super::world::{World, guest};
use crate::engine::{Action, Event, GuestFacts, Lifecycle, MigrationStatus, Policy, RunState};
use crate::model::GuestName;

/// Whether each guest stayed whose frames were let go of, in order.
fn let_go(world: &World) -> Vec<(u8, bool)> {
    let each = world.actions.iter().filter_map(|action| match action {
        Action::Unstage { guest, stays } => Some((guest.octets()[0], *stays)),
        _ => None,
    });
    each.collect()
}

fn arriving() -> World {
    let mut world = World::new(Policy::default());
    world.says(1, Lifecycle::StartedMigrated);
    world.wait(500);
    world
}

fn listed(world: &mut World, guests: &[(u8, RunState)]) {
    let facts = |&(number, state): &(u8, RunState)| GuestFacts {
        guest: guest(number),
        name: GuestName::default(),
        state,
    };
    let guests = guests.iter().map(facts).collect();
    world.event(Event::Listed { guests });
}

#[test]
fn those_of_a_guest_that_arrived_stay() {
    let mut world = arriving();
    world.migration(1, MigrationStatus::Completed);
    world.resume(1);
    world.says(1, Lifecycle::ResumedMigrated);
    assert_eq!(let_go(&world), []);
    world.wait(2_000);
    assert_eq!(let_go(&world), [(1, true)]);
}

#[test]
fn those_of_a_guest_whose_arrival_fails_are_undone() {
    for (word, early) in [
        (Lifecycle::StoppedFailed, false),
        (Lifecycle::StoppedFailed, true),
        (Lifecycle::Stopped, false),
        (Lifecycle::StoppedMigrated, false),
    ] {
        let mut world = arriving();
        if early {
            world.migration(1, MigrationStatus::Completed);
            assert_eq!(world.sent.len(), 1);
        }
        world.says(1, word);
        assert_eq!(let_go(&world), [(1, false)], "{word:?}");
    }
}

#[test]
fn those_of_a_guest_that_fails_before_it_stands_ready_are_undone() {
    let mut world = World::new(Policy::default());
    world.slow = true;
    world.says(1, Lifecycle::StartedMigrated);
    world.says(1, Lifecycle::StoppedFailed);
    // The shell may be about to write them down.
    assert_eq!(let_go(&world), [(1, false)]);
    assert!(!world.engine.awaits(guest(1), 1));
}

#[test]
fn those_of_a_guest_that_leaves_are_undone_and_of_one_that_rolls_back_stay() {
    for rolls_back in [false, true] {
        let mut world = World::new(Policy::default());
        listed(&mut world, &[(1, RunState::Running)]);
        world.migration(1, MigrationStatus::Setup);
        world.wait(500);
        world.stop(1);
        if rolls_back {
            world.migration(1, MigrationStatus::Failed);
            world.resume(1);
        } else {
            world.says(1, Lifecycle::StoppedMigrated);
        }
        world.wait(3_000);
        // The first time it was only looked at.
        assert_eq!(let_go(&world), [(1, true), (1, rolls_back)]);
    }
}

#[test]
fn those_of_a_guest_that_ended_while_libvirt_was_away_are_undone() {
    let mut world = arriving();
    world.event(Event::LibvirtLost);
    world.event(Event::LibvirtConnected);
    listed(&mut world, &[]);
    assert_eq!(let_go(&world), [(1, false)]);
}

#[test]
fn a_guest_found_in_the_middle_of_a_migration_is_let_go_of_when_that_is_over() {
    for (word, stays) in [
        (Lifecycle::ResumedMigrated, true),
        (Lifecycle::StoppedMigrated, false),
    ] {
        let mut world = World::new(Policy::default());
        world.slow = true;
        listed(&mut world, &[(1, RunState::PausedMigration)]);
        world.finish_stagings();
        world.says(1, word);
        world.wait(2_000);
        assert_eq!(let_go(&world), [(1, stays)], "{word:?}");
    }
}

#[test]
fn at_the_end_of_the_agent_every_guest_is_let_go_of_and_nothing_is_sent_any_more() {
    let mut world = arriving();
    world.migration(1, MigrationStatus::Completed);
    world.arrive(2);
    world.wait(100);
    listed(
        &mut world,
        &[
            (1, RunState::PausedMigration),
            (2, RunState::Running),
            (3, RunState::Running),
        ],
    );
    let before = world.sent.len();
    // The third was only looked at.
    assert_eq!(let_go(&world), [(3, true)]);
    world.event(Event::Ending);
    assert_eq!(let_go(&world), [(3, true), (1, false), (2, true)]);
    world.wait(2_000);
    assert_eq!(world.sent.len(), before);
}
