//! From an event of a staged guest to the frame in the network, counting allocations.

use allocation_counter::measure;
use macmoved::daemon::HotPath;
use macmoved::emit::RouteChoice;
use macmoved::engine::{Action, Cause, Engine, Event, Lifecycle, Measure, MigrationStatus, Policy};
use macmoved::model::{GuestDescription, Instant};
use macmoved::sys::clock;

use crate::world::{
    GUEST, MAC, Rig, build, guest_talks_at_the_old_host, isolated, plan, port_of, settings, settle,
};

/// A hot path with the guest's frames staged.
fn staged(route: RouteChoice) -> HotPath {
    let rig = Rig::new(settings(route));
    let prepared = rig.stage(&plan("vnet1"));
    assert_eq!(prepared.staging.frames.len(), 1);
    let mut hot = HotPath::new(Engine::new(Policy::default()), rig.emitter);
    hot.handle(Event::Lifecycle {
        guest: GUEST,
        at: clock::now(),
        change: Lifecycle::StartedMigrated,
    });
    let description = GuestDescription {
        uuid: Some(GUEST),
        name: "guest".to_owned().into(),
        interfaces: Vec::new(),
        by_links: false,
    };
    hot.handle(Event::Described {
        guest: GUEST,
        generation: prepared.generation,
        outcome: Ok(description),
    });
    hot.staged(prepared);
    assert_eq!(sent(&mut hot), [], "nothing before the word");
    hot
}

/// What first frames were put down to since the last call.
fn sent(hot: &mut HotPath) -> Vec<Cause> {
    let mut causes = Vec::new();
    while let Some(action) = hot.next_action() {
        if let Action::Measure(Measure::EventToWire(cause), _) = action {
            causes.push(cause);
        }
    }
    causes
}

/// Allocations between an event and the end of all that follows at once.
fn spent(hot: &mut HotPath, event: impl FnOnce(Instant) -> Event) -> u64 {
    let event = event(clock::now());
    measure(|| hot.handle(event)).count_total
}

#[test]
fn from_event_to_send_nothing_is_allocated() {
    isolated("hot_path::from_event_to_send_nothing_is_allocated", || {
        build();
        for route in [RouteChoice::Injection, RouteChoice::Fdb] {
            guest_talks_at_the_old_host();
            let mut hot = staged(route);
            let allocations = spent(&mut hot, |at| Event::Migration {
                guest: GUEST,
                at,
                stamp: at,
                status: MigrationStatus::Completed,
            });
            assert_eq!(sent(&mut hot), [Cause::Completed]);
            assert_eq!(allocations, 0, "{route:?}, completed");
            let allocations = spent(&mut hot, |at| Event::Resumed {
                guest: GUEST,
                at,
                stamp: at,
            });
            assert_eq!(sent(&mut hot), [Cause::Resume]);
            assert_eq!(allocations, 0, "{route:?}, RESUME");
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
