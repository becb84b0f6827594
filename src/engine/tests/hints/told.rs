use super::World;
use crate::engine::tests::world::{guest, port, tap};
use crate::engine::{Count, Event, Lifecycle, Policy, Staging};
use crate::model::{HintOutcome, Refusal};

/// The guest is staged, and its only NIC has no tap.
fn find_no_tap(world: &mut World) {
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
}

#[test]
fn what_speaks_against_a_nic_is_told_once_and_on_libvirts_word() {
    let mut world = World::new(Policy::default());
    world.slow = true;
    world.hook(1);
    find_no_tap(&mut world);
    assert_eq!(world.counted(Count::Refusals), 0);
    world.says(1, Lifecycle::StartedMigrated);
    assert_eq!(world.counted(Count::Refusals), 1);
}

#[test]
fn what_libvirt_never_confirms_is_told_when_the_arrival_is_over() {
    let mut world = World::new(Policy::default());
    (world.slow, world.mute) = (true, true);
    world.hook(1);
    world.says(1, Lifecycle::StartedMigrated);
    find_no_tap(&mut world);
    world.resume(1);
    assert_eq!(world.counted(Count::Refusals), 0);
    world.says(1, Lifecycle::ResumedMigrated);
    world.wait(2_000);
    assert_eq!(world.engine.snapshot().history.len(), 1);
    assert_eq!(world.counted(Count::Refusals), 1);
    assert_eq!(world.hints(HintOutcome::Unconfirmed), 1);
}
