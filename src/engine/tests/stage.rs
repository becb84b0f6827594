use super::world::{World, guest, link, port, tap};
use crate::engine::{Action, Count, DescribeFault, Event, Lifecycle, Policy, Staging};
use crate::model::Refusal;

#[test]
fn answers_to_an_earlier_question_are_counted_and_left() {
    let mut world = World::new(Policy::default());
    world.says(1, Lifecycle::StartedMigrated);
    world.event(Event::Staged {
        guest: guest(1),
        generation: 0,
        staging: Staging::default(),
    });
    assert!(world.actions.contains(&Action::Count(Count::Stale, 1)));
    world.resume(1);
    assert_eq!(world.sent.len(), 1);
}

#[test]
fn libvirt_is_asked_again_while_it_does_not_answer() {
    let mut world = World::new(Policy::default());
    world.slow = true;
    world.says(1, Lifecycle::StartedMigrated);
    let generation = world.actions.iter().find_map(|action| match action {
        Action::Stage { generation, .. } => Some(*generation),
        _ => None,
    });
    let outcome = Err(DescribeFault::Unavailable);
    world.event(Event::Described {
        guest: guest(1),
        generation: generation.unwrap(),
        outcome,
    });
    world.wait(199);
    let asked = |world: &World| {
        world
            .actions
            .iter()
            .filter(|action| matches!(action, Action::Describe { .. }))
            .count()
    };
    assert_eq!(asked(&world), 1);
    world.wait(1);
    assert_eq!(asked(&world), 2);
}

#[test]
fn a_link_that_appears_late_is_resolved_again() {
    let mut world = World::new(Policy::default());
    world.slow = true;
    world.says(1, Lifecycle::StartedMigrated);
    let refused = vec![(0, Refusal::LinkMissing(tap(port(1, 0))))];
    let staging = Staging {
        frames: Vec::new(),
        refused,
    };
    world.event(Event::Staged {
        guest: guest(1),
        generation: 1,
        staging,
    });
    world.slow = false;
    world.event(Event::Link(link(port(1, 0), true)));
    world.resume(1);
    assert_eq!(world.sent.len(), 1);
}

#[test]
fn a_guest_with_nothing_to_announce_ends_all_the_same() {
    let mut world = World::new(Policy::default());
    world.nics = 0;
    world.arrive(1);
    world.wait(2_000);
    assert!(world.sent.is_empty());
    assert_eq!(world.engine.snapshot().history.len(), 1);
    assert!(world.engine.poll_timeout().is_none());
}
