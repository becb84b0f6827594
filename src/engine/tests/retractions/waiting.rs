use std::net::IpAddr;

use super::{World, finish, hear_of, ip, leave, policy, retracted, running};
use crate::engine::{Action, Count, Lifecycle, Pacing, Policy, Standing};
use crate::model::{HostIp, HostIpv4, SendFault};

/// A running guest with these addresses, where one frame a second leaves.
fn slow(addresses: &[HostIpv4]) -> World {
    let pacing = Pacing {
        frames_per_second: 1,
        burst: 1,
        reserve: 1,
    };
    running(World::new(Policy {
        pacing,
        ..policy(addresses)
    }))
}

#[test]
fn retractions_wait_for_pacing_and_the_record_for_them() {
    let mut world = slow(&[ip(1), ip(2), ip(3)]);
    leave(&mut world);
    finish(&mut world);
    assert_eq!(retracted(&world).len(), 1);
    world.wait(1_500);
    assert!(world.engine.snapshot().history.is_empty());
    assert_eq!(retracted(&world).len(), 2);
    world.wait(1_000);
    assert_eq!(retracted(&world).len(), 3);
    let snapshot = world.engine.snapshot();
    assert_eq!(snapshot.history[0].measured.retractions, 3);
    assert!(snapshot.guests.is_empty() && snapshot.waiting_frames == 0);
}

#[test]
fn a_guest_that_is_back_already_is_not_retracted() {
    let mut world = slow(&[ip(1), ip(2)]);
    leave(&mut world);
    assert_eq!(retracted(&world).len(), 1);
    world.says(1, Lifecycle::StartedMigrated);
    world.wait(10_000);
    assert_eq!(retracted(&world).len(), 1);
    assert_eq!(world.engine.snapshot().history.len(), 1);
    assert_eq!(world.engine.snapshot().waiting_frames, 0);
}

#[test]
fn what_cannot_be_said_any_more_is_counted() {
    let mut world = World::new(policy(&[ip(1)]));
    world.slow = true;
    let mut world = running(world);
    let ipv6 = IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, 7]);
    hear_of(&mut world, HostIp::try_from(ipv6).unwrap(), Standing::Held);
    leave(&mut world);
    finish(&mut world);
    world.finish_stagings();
    world.wait(5_000);
    assert_eq!(retracted(&world), []);
    let fault = Action::Count(Count::Faults(SendFault::NotStaged), 1);
    assert!(world.actions.contains(&fault));
}
