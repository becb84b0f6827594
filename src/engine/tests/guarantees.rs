//! Properties that hold for any order of events.

use proptest::prelude::*;

use super::world::{World, guest, link, port};
use crate::engine::state::State;
use crate::engine::{
    Event, GuestFacts, Lifecycle, MigrationStatus, Pacing, Policy, Round, RunState,
};
use crate::model::{GuestName, Phase, SendFault};

#[derive(Clone, Copy, Debug)]
enum Step {
    Says(u8, Lifecycle),
    Migration(u8, MigrationStatus),
    Stop(u8),
    Resume(u8),
    Wait(u64),
    Fault(Option<SendFault>),
    Open(u8),
    Slow(bool),
    Lost,
    Listed(RunState),
    /// A hook of this guest, with so many NICs at `start begin`.
    Hook(u8, Option<u8>),
}

fn step() -> impl Strategy<Value = Step> {
    use Lifecycle as L;
    use MigrationStatus as M;
    let who = 1..3_u8;
    let change = prop::sample::select(vec![
        L::StartedMigrated,
        L::Started,
        L::SuspendedPaused,
        L::SuspendedMigrated,
        L::SuspendedPostcopy,
        L::ResumedUnpaused,
        L::ResumedMigrated,
        L::ResumedPostcopy,
        L::StoppedMigrated,
        L::StoppedFailed,
        L::Stopped,
        L::Shutdown,
    ]);
    let status = prop::sample::select(vec![
        M::Setup,
        M::Completed,
        M::Failed,
        M::Cancelled,
        M::PostcopyActive,
    ]);
    let fault = prop::sample::select(vec![
        None,
        Some(SendFault::NoBuffers),
        Some(SendFault::NotForwarding),
        Some(SendFault::Limited),
        Some(SendFault::Paused),
    ]);
    let facts = prop::sample::select(vec![
        RunState::Running,
        RunState::Paused,
        RunState::PausedMigration,
        RunState::Off,
    ]);
    prop_oneof![
        6 => (who.clone(), change).prop_map(|(who, change)| Step::Says(who, change)),
        4 => (who.clone(), status).prop_map(|(who, status)| Step::Migration(who, status)),
        2 => who.clone().prop_map(Step::Stop),
        3 => who.clone().prop_map(Step::Resume),
        4 => (0..1_500_u64).prop_map(Step::Wait),
        1 => fault.prop_map(Step::Fault),
        1 => who.clone().prop_map(Step::Open),
        3 => (who, prop::option::of(1..3_u8)).prop_map(|(who, nics)| Step::Hook(who, nics)),
        1 => any::<bool>().prop_map(Step::Slow),
        1 => Just(Step::Lost),
        1 => facts.prop_map(Step::Listed),
    ]
}

fn take(world: &mut World, step: Step) {
    match step {
        Step::Says(who, change) => world.says(who, change),
        Step::Migration(who, status) => world.migration(who, status),
        Step::Stop(who) => world.stop(who),
        Step::Resume(who) => world.resume(who),
        Step::Wait(milliseconds) => world.wait(milliseconds),
        Step::Fault(fault) => world.fault = fault,
        Step::Open(who) => world.event(Event::Link(link(port(who, 0), true))),
        Step::Slow(slow) => {
            world.slow = slow;
            if !slow {
                world.finish_stagings();
            }
        }
        Step::Lost => {
            world.event(Event::LibvirtLost);
            world.event(Event::LibvirtConnected);
        }
        Step::Hook(who, nics) => {
            let guest = guest(who);
            let before = world.nics;
            world.nics = nics.unwrap_or(before);
            let description = nics.map(|_| world.description(guest));
            world.nics = before;
            world.event(Event::Foretold { guest, description });
        }
        Step::Listed(state) => {
            let facts = |who| GuestFacts {
                guest: guest(who),
                name: GuestName::default(),
                state,
            };
            world.event(Event::Listed {
                guests: vec![facts(1), facts(2)],
            });
        }
    }
}

/// A frame speaks for a guest that is here: arriving whole, or running.
fn check(world: &World, before: usize) {
    for sent in &world.sent[before..] {
        let state = world
            .engine
            .guests
            .get(&sent.ticket.guest)
            .map(|guest| guest.state);
        match sent.ticket.round {
            Round::Early => assert!(state.is_some_and(State::awaits_run), "{sent:?} {state:?}"),
            Round::Scheduled(_) | Round::Single => {
                assert!(state.is_some_and(State::runs), "{sent:?} {state:?}");
            }
            Round::Retraction(_) => {
                assert!(
                    state.is_none_or(|state| state == State::Absent),
                    "{sent:?} {state:?}"
                );
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_history_speaks_only_for_guests_that_are_here_and_comes_to_rest(
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let pacing = Pacing { frames_per_second: 50, burst: 2, reserve: 3 };
        let mut world = World::new(Policy { pacing, ..Policy::default() });
        world.given = vec!["192.0.2.1".parse().unwrap()];
        for step in steps {
            let before = world.sent.len();
            take(&mut world, step);
            // While time passes guests only move by events, so the state after is the state then.
            check(&world, before);
        }
        world.fault = None;
        world.slow = false;
        world.finish_stagings();
        world.wait(120_000);
        prop_assert_eq!(world.engine.poll_timeout(), None);
        prop_assert_eq!(world.engine.snapshot().waiting_frames, 0);
        for guest in world.engine.guests.values() {
            prop_assert_eq!(guest.outstanding, 0);
        }
    }

    #[test]
    fn hooks_change_nothing_of_what_is_sent_where_libvirt_answers(
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let run = |hooks: bool| {
            let mut world = World::new(Policy::default());
            for &step in &steps {
                match step {
                    Step::Slow(_) => {}
                    Step::Hook(..) if !hooks => {}
                    _ => take(&mut world, step),
                }
            }
            world.wait(120_000);
            let sent = world.sent.iter().map(|sent| {
                let ticket = sent.ticket;
                (sent.at, ticket.guest, ticket.frame, ticket.round, ticket.cause)
            });
            let mut guests = world.engine.snapshot().guests;
            for guest in &mut guests {
                // That it is staged sooner is what hooks are for.
                guest.phases.retain(|at| at.phase != Phase::Staged);
            }
            (sent.collect::<Vec<_>>(), guests)
        };
        prop_assert_eq!(run(true), run(false));
    }

    #[test]
    fn a_history_replays_to_the_same_actions(steps in prop::collection::vec(step(), 1..40)) {
        let run = |steps: &[Step]| {
            let mut world = World::new(Policy::default());
            for &step in steps {
                take(&mut world, step);
            }
            world.actions
        };
        prop_assert_eq!(run(&steps), run(&steps));
    }
}
