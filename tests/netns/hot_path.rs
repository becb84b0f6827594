//! From an event of a staged guest to the frame in the network, counting allocations.

use crate::world::{
    GUEST, MAC, Rig, build, guest_talks_at_the_old_host, isolated, port_of, settle,
};
use allocation_counter::{AllocationInfo, measure};
use macmoved::emit::RouteChoice;
use macmoved::engine::{Action, Engine, Event, Lifecycle, MigrationStatus, Policy, Round, Ticket};
use macmoved::model::GuestDescription;
use macmoved::sys::clock;

/// Does what the driver does until the engine has no more to say; returns what was sent.
fn drain(engine: &mut Engine, rig: &mut Rig) -> Option<Ticket> {
    let mut sent = None;
    while let Some(action) = engine.poll_action() {
        if let Action::Send(ticket) = action {
            let outcome = rig.emitter.fire(&ticket, clock::now());
            sent = outcome.is_ok().then_some(ticket);
            break;
        }
    }
    sent
}

/// An engine that knows of the rig's staged guest.
fn staged(rig: &Rig) -> Engine {
    let mut engine = Engine::new(Policy::default());
    let now = clock::now();
    let change = Lifecycle::StartedMigrated;
    engine.handle_event(
        now,
        Event::Lifecycle {
            guest: GUEST,
            at: now,
            change,
        },
    );
    let description = GuestDescription {
        uuid: Some(GUEST),
        name: "guest".to_owned().into(),
        interfaces: Vec::new(),
    };
    let described = Event::Described {
        guest: GUEST,
        generation: 1,
        outcome: Ok(description),
    };
    engine.handle_event(now, described);
    let staging = rig.emitter.prepared(GUEST).unwrap().staging.clone();
    assert_eq!(staging.frames.len(), 1);
    engine.handle_event(
        now,
        Event::Staged {
            guest: GUEST,
            generation: 1,
            staging,
        },
    );
    while let Some(action) = engine.poll_action() {
        assert!(
            !matches!(action, Action::Send(_)),
            "nothing before the word"
        );
    }
    engine
}

fn step(
    engine: &mut Engine,
    rig: &mut Rig,
    event: impl FnOnce(macmoved::model::Instant) -> Event,
) -> (AllocationInfo, Option<Ticket>) {
    let mut sent = None;
    let allocations = measure(|| {
        let now = clock::now();
        engine.handle_event(now, event(now));
        sent = drain(engine, rig);
    });
    if let Some(ticket) = sent {
        let returned = clock::now();
        engine.handle_event(
            returned,
            Event::Sent {
                ticket,
                returned,
                outcome: Ok(()),
            },
        );
        assert_eq!(drain(engine, rig), None);
    }
    (allocations, sent)
}

#[test]
fn from_event_to_send_nothing_is_allocated() {
    isolated("hot_path::from_event_to_send_nothing_is_allocated", || {
        build();
        for route in [RouteChoice::Injection, RouteChoice::Fdb] {
            guest_talks_at_the_old_host();
            let mut rig = Rig::staged(route);
            let mut engine = staged(&rig);
            let (allocations, sent) = step(&mut engine, &mut rig, |at| Event::Migration {
                guest: GUEST,
                at,
                stamp: at,
                status: MigrationStatus::Completed,
            });
            assert_eq!(sent.unwrap().round, Round::Early);
            assert_eq!(allocations.count_total, 0, "{route:?}, completed");
            let (allocations, sent) = step(&mut engine, &mut rig, |at| Event::Resumed {
                guest: GUEST,
                at,
                stamp: at,
            });
            assert_eq!(sent.unwrap().round, Round::Scheduled(1));
            assert_eq!(allocations.count_total, 0, "{route:?}, RESUME");
            settle();
            assert_eq!(port_of("br0", MAC).as_deref(), Some("vnet1"));
            assert_eq!(port_of("fabric", MAC).as_deref(), Some("p-up"));
        }
    });
}

#[test]
fn the_counter_counts() {
    assert!(measure(|| drop(std::hint::black_box(Box::new(7)))).count_total > 0);
}
