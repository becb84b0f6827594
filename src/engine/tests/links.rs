//! Links that change under a guest: nothing goes to the wrong place, and all goes to the right one.

use super::world::{World, guest, link, port, tap};
use crate::engine::{
    Action, DescribeFault, Event, Lifecycle, MigrationStatus, Policy, Round, Staging,
};
use crate::model::{GuestDescription, GuestName, Ifindex, LinkState};

fn ifindex(number: u32) -> Ifindex {
    Ifindex::new(number).unwrap()
}

/// The tap of the first guest, as it stands.
fn plugged() -> LinkState {
    link(port(1, 0), true)
}

fn gone() -> LinkState {
    LinkState {
        present: false,
        up: false,
        carrier: false,
        master: None,
        port: None,
        ..plugged()
    }
}

fn on_bridge(bridge: u32) -> LinkState {
    LinkState {
        master: Ifindex::new(bridge),
        ..plugged()
    }
}

fn questions(world: &World) -> usize {
    let asked = |action: &&Action| matches!(action, Action::Describe { .. });
    world.actions.iter().filter(asked).count()
}

/// A guest that arrives, with its tap told before the question.
fn arriving() -> World {
    let mut world = World::new(Policy::default());
    world.event(Event::Link(plugged()));
    world.wait(1);
    world.says(1, Lifecycle::StartedMigrated);
    assert_eq!(questions(&world), 1);
    world.wait(1);
    world
}

fn generation(world: &World) -> u64 {
    world.sent.last().unwrap().ticket.generation
}

#[test]
fn a_change_that_moves_nothing_asks_nothing() {
    let mut world = arriving();
    for open in [false, true] {
        world.event(Event::Link(link(port(1, 0), open)));
    }
    world.event(Event::Link(link(port(2, 0), true)));
    assert_eq!(questions(&world), 1);
    world.resume(1);
    assert_eq!(generation(&world), 1);
}

#[test]
fn whatever_moves_the_port_of_an_arriving_guest_is_resolved_anew() {
    let renamed = LinkState {
        name: "tap7".parse().unwrap(),
        ..plugged()
    };
    let successor = LinkState {
        ifindex: ifindex(777),
        ..plugged()
    };
    for change in [on_bridge(4), gone(), renamed, successor] {
        let mut world = arriving();
        world.slow = true;
        world.event(Event::Link(change));
        assert_eq!(questions(&world), 2, "{change:?}");
        // Until that is answered nothing leaves.
        world.migration(1, MigrationStatus::Completed);
        world.resume(1);
        assert!(world.sent.is_empty(), "{change:?}");
    }
}

#[test]
fn a_port_on_another_bridge_is_announced_there() {
    let mut world = arriving();
    world.bridge = ifindex(4);
    world.event(Event::Link(on_bridge(4)));
    world.resume(1);
    assert_eq!((questions(&world), generation(&world)), (2, 2));
    world.wait(1_000);
    assert_eq!(world.rounds(1).len(), 5);
}

#[test]
fn a_move_in_mid_schedule_loses_no_round() {
    let mut world = arriving();
    world.resume(1);
    world.says(1, Lifecycle::ResumedMigrated);
    world.wait(60);
    assert_eq!(world.sent.len(), 2);
    world.bridge = ifindex(4);
    world.event(Event::Link(on_bridge(4)));
    world.wait(2_000);
    assert_eq!(generation(&world), 2);
    let expected = [0, 50, 200, 450, 800];
    let rounds: Vec<_> = (1..).map(Round::Scheduled).zip(expected).collect();
    assert_eq!(world.rounds(1), rounds);
    let history = world.engine.snapshot().history;
    assert_eq!(history.len(), 1);
    assert_eq!(history[0].measured.lost_frames, 0);
}

#[test]
fn frames_that_wait_for_a_port_go_where_it_went() {
    let mut world = arriving();
    world.fault = Some(crate::model::SendFault::NotForwarding);
    world.resume(1);
    world.wait(2_000);
    assert!(world.sent.is_empty());
    world.fault = None;
    world.bridge = ifindex(4);
    world.event(Event::Link(on_bridge(4)));
    assert_eq!((world.sent.len(), generation(&world)), (1, 2));
}

#[test]
fn a_tap_that_comes_back_is_announced_and_not_before() {
    let mut world = arriving();
    world.slow = true;
    world.event(Event::Link(gone()));
    let generation = world.engine.guests[&guest(1)].generation;
    let refused = vec![(0, crate::model::Refusal::LinkMissing(tap(port(1, 0))))];
    let frames = Vec::new();
    let staging = Staging { frames, refused };
    world.event(Event::Staged {
        guest: guest(1),
        generation,
        staging,
    });
    world.resume(1);
    assert!(world.sent.is_empty());
    world.wait(10);
    world.slow = false;
    let back = LinkState {
        ifindex: ifindex(777),
        ..plugged()
    };
    world.device = Some(ifindex(777));
    world.event(Event::Link(back));
    world.wait(40);
    assert_eq!(world.sent.len(), 1);
    assert_eq!(world.sent[0].ticket.round, Round::Scheduled(2));
}

#[test]
fn an_answer_that_a_change_has_overtaken_is_asked_for_again() {
    let other = LinkState {
        name: "tap7".parse().unwrap(),
        ..plugged()
    };
    let number_reused = [gone(), plugged()];
    let name_reused = [
        gone(),
        LinkState {
            ifindex: ifindex(777),
            ..plugged()
        },
    ];
    let changes: [&[LinkState]; 4] = [&[on_bridge(4)], &[other], &number_reused, &name_reused];
    for changes in changes {
        let mut world = World::new(Policy::default());
        world.event(Event::Link(plugged()));
        world.wait(1);
        world.slow = true;
        world.says(1, Lifecycle::StartedMigrated);
        world.resume(1);
        world.wait(1);
        for &change in changes {
            world.event(Event::Link(change));
        }
        world.finish_stagings();
        assert!(world.sent.is_empty(), "{changes:?}");
        assert_eq!(questions(&world), 1, "{changes:?}");
        world.wait(10);
        assert_eq!(questions(&world), 2, "{changes:?}");
    }
}

#[test]
fn a_tap_that_goes_with_its_departing_guest_asks_nothing() {
    let mut world = World::new(Policy::default());
    world.event(Event::Link(plugged()));
    world.says(1, Lifecycle::Started);
    world.wait(1_000);
    world.migration(1, MigrationStatus::Setup);
    let before = questions(&world);
    world.wait(1);
    world.stop(1);
    let alone = LinkState {
        master: None,
        port: None,
        ..plugged()
    };
    world.event(Event::Link(alone));
    world.event(Event::Link(gone()));
    assert_eq!(questions(&world), before);
    world.says(1, Lifecycle::StoppedMigrated);
    assert_eq!(world.engine.snapshot().guests, []);
}

#[test]
fn an_answer_meets_no_guest_that_left_and_came_back() {
    let mut world = World::new(Policy::default());
    world.slow = true;
    world.says(1, Lifecycle::StartedMigrated);
    let first = world.engine.guests[&guest(1)].generation;
    world.says(1, Lifecycle::StoppedFailed);
    world.says(1, Lifecycle::StartedMigrated);
    let second = world.engine.guests[&guest(1)].generation;
    assert_ne!(first, second);
    assert!(!world.engine.awaits(guest(1), first));
    assert!(world.engine.awaits(guest(1), second));
    let description = GuestDescription {
        uuid: Some(guest(1)),
        name: GuestName::default(),
        interfaces: Vec::new(),
        by_links: false,
    };
    for outcome in [Ok(description), Err(DescribeFault::Gone)] {
        world.event(Event::Described {
            guest: guest(1),
            generation: first,
            outcome,
        });
    }
    world.finish_stagings();
    world.resume(1);
    assert_eq!(generation(&world), second);
}
