mod told;

use super::world::{World, guest, link, port};
use crate::engine::hint::FORETOLD;
use crate::engine::{
    Action, Count, DescribeFault, Event, GuestFacts, Lifecycle, MigrationStatus, Policy, Queue,
    Round, RunState,
};
use crate::model::{GuestName, HintOutcome, Phase};

impl World {
    fn migrate_begin(&mut self, number: u8) {
        let (guest, description) = (guest(number), None);
        self.event(Event::Foretold { guest, description });
    }

    fn start_begin(&mut self, number: u8) {
        let guest = guest(number);
        let description = Some(self.description(guest));
        self.event(Event::Foretold { guest, description });
    }

    fn hook(&mut self, number: u8) {
        self.migrate_begin(number);
        self.wait(140);
        self.start_begin(number);
        self.wait(1_300);
    }

    fn hints(&self, outcome: HintOutcome) -> usize {
        self.counted(Count::Hints(outcome))
    }

    fn counted(&self, count: Count) -> usize {
        let counts = |action: &&Action| **action == Action::Count(count, 1);
        self.actions.iter().filter(counts).count()
    }

    fn asked(&self) -> usize {
        let asks = |action: &&Action| matches!(action, Action::Describe { .. });
        self.actions.iter().filter(asks).count()
    }

    fn stagings(&self) -> usize {
        let stages = |action: &&Action| matches!(action, Action::Stage { .. });
        self.actions.iter().filter(stages).count()
    }
}

/// The number of the latest question.
fn question(world: &World) -> u64 {
    let asked = world.actions.iter().rev().find_map(|action| match action {
        Action::Describe { generation, .. } => Some(*generation),
        _ => None,
    });
    asked.unwrap()
}

#[test]
fn a_foretold_guest_is_staged_once_and_before_libvirt_speaks_of_it() {
    let mut world = World::new(Policy::default());
    world.hook(1);
    let before = crate::model::Timestamp::of(world.now, 0);
    assert_eq!((world.asked(), world.stagings()), (0, 1));
    world.arrive(1);
    world.wait(2_000);
    assert_eq!((world.asked(), world.stagings()), (1, 1));
    assert_eq!(world.hints(HintOutcome::Confirmed), 1);
    assert_eq!(world.rounds(1).len(), 6);
    let record = &world.engine.snapshot().history[0];
    let staged = record.phases.iter().find(|at| at.phase == Phase::Staged);
    assert!(staged.unwrap().at_ns < before);
    assert!(
        world.engine.poll_timeout().is_none(),
        "nothing is left to do"
    );
}

#[test]
fn an_answer_of_libvirt_that_is_late_holds_up_no_frame() {
    let mut world = World::new(Policy::default());
    world.hook(1);
    world.mute = true;
    world.arrive(1);
    let asked = question(&world);
    let rounds: Vec<_> = world
        .rounds(1)
        .into_iter()
        .map(|(round, _)| round)
        .collect();
    assert_eq!(rounds, [Round::Early, Round::Scheduled(1)]);
    world.wait(100);
    let outcome = Ok(world.description(guest(1)));
    let (guest, generation) = (guest(1), asked);
    world.event(Event::Described {
        guest,
        generation,
        outcome,
    });
    world.wait(2_000);
    assert_eq!(world.rounds(1).len(), 6);
    assert_eq!(world.stagings(), 1);
}

#[test]
fn a_guest_that_libvirt_describes_otherwise_is_staged_anew() {
    let mut world = World::new(Policy::default());
    world.hook(1);
    world.nics = 2;
    world.arrive(1);
    world.wait(2_000);
    assert_eq!(world.stagings(), 2);
    assert_eq!(world.hints(HintOutcome::Differed), 1);
    assert_eq!(world.rounds(1).len(), 12);
}

#[test]
fn a_hook_alone_makes_no_frame_leave_and_is_forgotten() {
    let mut world = World::new(Policy::default());
    world.hook(1);
    world.migration(1, MigrationStatus::Setup);
    world.migration(1, MigrationStatus::Completed);
    world.event(Event::Announce { guest: guest(1) });
    world.wait(58_699);
    assert_eq!(world.hints(HintOutcome::Unconfirmed), 0);
    world.wait(1);
    assert_eq!(world.hints(HintOutcome::Unconfirmed), 1);
    let stays = true;
    let unstaged = Action::Unstage {
        guest: guest(1),
        stays,
    };
    assert!(world.actions.contains(&unstaged), "nothing was left behind");
    assert!(world.sent.is_empty());
    assert!(world.engine.poll_timeout().is_none());
    assert!(world.engine.snapshot().guests.is_empty());
    // What arrives later is as without hooks.
    world.arrive(1);
    world.wait(2_000);
    assert_eq!((world.rounds(1).len(), world.asked()), (6, 1));
}

#[test]
fn a_hint_ends_with_the_start_that_it_belongs_to() {
    let ends: [fn(&mut World); 4] = [
        |world| world.event(Event::CalledOff { guest: guest(1) }),
        |world| world.says(1, Lifecycle::StoppedFailed),
        |world| world.says(1, Lifecycle::Stopped),
        |world| world.says(1, Lifecycle::Undefined),
    ];
    for end in ends {
        let mut world = World::new(Policy::default());
        world.hook(1);
        end(&mut world);
        assert_eq!(world.hints(HintOutcome::Unconfirmed), 1);
        assert!(world.engine.guests.is_empty());
        assert!(world.engine.poll_timeout().is_none());
        let unstaged = |action: &Action| matches!(action, Action::Unstage { .. });
        assert!(world.actions.iter().any(unstaged));
        // The next attempt is as good as the first.
        world.hook(1);
        world.arrive(1);
        world.wait(2_000);
        assert_eq!(world.hints(HintOutcome::Confirmed), 1);
        assert_eq!(world.rounds(1).len(), 6);
    }
}

#[test]
fn a_guest_that_libvirt_has_spoken_of_is_not_called_off_by_a_hook() {
    let mut world = World::new(Policy::default());
    world.hook(1);
    world.says(1, Lifecycle::StartedMigrated);
    world.event(Event::CalledOff { guest: guest(1) });
    world.says(1, Lifecycle::Undefined);
    world.arrive(1);
    world.event(Event::CalledOff { guest: guest(1) });
    world.wait(2_000);
    assert_eq!(world.rounds(1).len(), 6);
    world.event(Event::CalledOff { guest: guest(9) });
}

#[test]
fn an_ordinary_start_is_left_to_libvirt() {
    let mut world = World::new(Policy::default());
    world.start_begin(1);
    assert_eq!(world.stagings(), 0);
    // And where an attempt to migrate came before it.
    world.hook(1);
    world.resume(1);
    world.says(1, Lifecycle::Started);
    assert_eq!(world.hints(HintOutcome::Unconfirmed), 1);
    assert_eq!(world.asked(), 1);
    assert_eq!(world.rounds(1), [(Round::Single, world.rounds(1)[0].1)]);
}

#[test]
fn a_guest_that_is_here_is_not_touched() {
    for moved_on in [false, true] {
        let mut world = World::new(Policy::default());
        world.says(1, Lifecycle::Started);
        if moved_on {
            world.says(1, Lifecycle::SuspendedMigrated);
        }
        let before = (world.engine.snapshot(), world.stagings(), world.sent.len());
        world.hook(1);
        assert_eq!(world.hints(HintOutcome::Needless), 1);
        let after = (world.engine.snapshot(), world.stagings(), world.sent.len());
        assert_eq!(before, after);
    }
}

#[test]
fn a_flood_of_hooks_fills_a_small_table() {
    let mut world = World::new(Policy::default());
    world.slow = true;
    for number in 0..=u8::MAX {
        for _ in 0..4 {
            world.migrate_begin(number);
            world.start_begin(number);
        }
    }
    assert_eq!(world.stagings(), FORETOLD, "one at a time for each");
    let dropped = 4 * (usize::from(u8::MAX) + 1 - FORETOLD);
    assert_eq!(world.counted(Count::Drops(Queue::Hook)), dropped);
    world.wait(60_000);
    assert_eq!(world.hints(HintOutcome::Unconfirmed), FORETOLD);
    assert!(world.sent.is_empty());
}

#[test]
fn an_attempt_that_is_made_anew_is_staged_by_its_own_word() {
    let mut world = World::new(Policy::default());
    world.hook(1);
    world.nics = 2;
    world.hook(1);
    assert_eq!(world.stagings(), 2);
    world.hook(1);
    assert_eq!(world.stagings(), 2, "what stands ready is right");
    world.arrive(1);
    assert_eq!(world.hints(HintOutcome::Confirmed), 1);
    assert_eq!(world.rounds(1).len(), 4);
}

#[test]
fn a_port_that_changes_meanwhile_is_resolved_without_asking_libvirt() {
    let mut world = World::new(Policy::default());
    world.hook(1);
    let mut elsewhere = link(port(1, 0), true);
    elsewhere.master = None;
    world.event(Event::Link(elsewhere));
    world.event(Event::Link(link(port(1, 0), true)));
    world.wait(100);
    assert!(world.stagings() > 1);
    assert_eq!(world.asked(), 0);
    world.arrive(1);
    world.wait(2_000);
    assert_eq!(world.rounds(1).len(), 6);
}

#[test]
fn a_staging_that_ends_after_libvirts_word_is_waited_for() {
    for answered_first in [false, true] {
        let mut world = World::new(Policy::default());
        world.slow = true;
        world.hook(1);
        world.mute = true;
        world.says(1, Lifecycle::StartedMigrated);
        let generation = question(&world);
        if !answered_first {
            world.finish_stagings();
        }
        let outcome = Ok(world.description(guest(1)));
        let guest = guest(1);
        world.event(Event::Described {
            guest,
            generation,
            outcome,
        });
        if answered_first {
            world.finish_stagings();
        }
        world.resume(1);
        assert_eq!(world.sent.len(), 1, "{answered_first}");
        assert_eq!(world.stagings(), 1);
    }
}

#[test]
fn a_staging_that_links_have_belied_is_not_waited_for() {
    let mut world = World::new(Policy::default());
    world.slow = true;
    world.hook(1);
    // The tap came after the hook had spoken of it: the answer may be about another guest's.
    let mut gone = link(port(1, 0), true);
    gone.present = false;
    world.event(Event::Link(gone));
    world.event(Event::Link(link(port(1, 0), true)));
    world.finish_stagings();
    world.slow = false;
    world.says(1, Lifecycle::StartedMigrated);
    world.wait(100);
    world.resume(1);
    world.wait(2_000);
    assert_eq!(world.rounds(1).len(), 5);
}

#[test]
fn libvirt_is_asked_until_it_confirms_and_nothing_is_lost_meanwhile() {
    let mut world = World::new(Policy::default());
    world.hook(1);
    world.mute = true;
    world.says(1, Lifecycle::StartedMigrated);
    for asked in 1..4 {
        assert_eq!(world.asked(), asked);
        let (guest, generation) = (guest(1), question(&world));
        let outcome = Err(DescribeFault::Unavailable);
        world.event(Event::Described {
            guest,
            generation,
            outcome,
        });
        world.wait(200);
    }
    world.resume(1);
    assert_eq!(world.sent.len(), 1);
}

#[test]
fn a_guest_that_libvirt_does_not_know_after_all_is_not_announced() {
    let mut world = World::new(Policy::default());
    world.hook(1);
    world.mute = true;
    world.says(1, Lifecycle::StartedMigrated);
    let (guest, generation) = (guest(1), question(&world));
    let outcome = Err(DescribeFault::Gone);
    world.event(Event::Described {
        guest,
        generation,
        outcome,
    });
    world.migration(1, MigrationStatus::Completed);
    assert!(world.sent.is_empty());
}

#[test]
fn a_list_of_libvirt_ranks_above_a_hook() {
    let mut world = World::new(Policy::default());
    world.hook(1);
    world.hook(2);
    let (guest, name) = (guest(1), GuestName::default());
    let state = RunState::PausedMigration;
    world.event(Event::Listed {
        guests: vec![GuestFacts { guest, name, state }],
    });
    assert_eq!(
        world.hints(HintOutcome::Unconfirmed),
        1,
        "the other may be on its way"
    );
    world.resume(1);
    world.arrive(2);
    assert_eq!((world.rounds(1).len(), world.rounds(2).len()), (4, 2));
}
