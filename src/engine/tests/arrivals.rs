use super::world::{World, guest, link, port};
use crate::engine::{
    Action, Cause, Count, DescribeFault, Event, GuestPhase, Lifecycle, Measure, MigrationStatus,
    Policy, Record, Round,
};
use crate::model::{Instant, Mode, Outcome, Phase, SendFault, Side};

const WHOLE: [(Round, u128); 5] = [
    (Round::Scheduled(1), 0),
    (Round::Scheduled(2), 50),
    (Round::Scheduled(3), 200),
    (Round::Scheduled(4), 450),
    (Round::Scheduled(5), 800),
];

fn record(world: &World) -> Record {
    let history = world.engine.snapshot().history;
    assert_eq!(history.len(), 1, "{history:#?}");
    history[0].clone()
}

#[test]
fn precopy_gets_one_early_frame_and_five_rounds_from_resume() {
    let mut world = World::new(Policy::default());
    world.arrive(1);
    world.wait(2_000);
    let rounds = world.rounds(1);
    assert_eq!(rounds[0].0, Round::Early);
    assert_eq!(rounds[1..], WHOLE);
    let record = record(&world);
    assert_eq!(
        (record.side, record.mode),
        (Side::Destination, Mode::Precopy)
    );
    assert_eq!(record.outcome, Outcome::Completed);
    assert_eq!(
        (record.measured.early_frames, record.measured.frames),
        (1, 5)
    );
    assert_eq!(record.measured.rounds, 5);
    let phases: Vec<_> = record.phases.iter().map(|noted| noted.phase).collect();
    assert_eq!(
        phases,
        [
            Phase::Staged,
            Phase::Announced,
            Phase::Resumed,
            Phase::RoundsDone
        ]
    );
    assert!(
        world.engine.poll_timeout().is_none(),
        "nothing is left to do"
    );
}

#[test]
fn rounds_count_from_qemus_stamp_and_not_from_our_hearing_of_it() {
    let mut world = World::new(Policy::default());
    world.says(1, Lifecycle::StartedMigrated);
    let stamp = world.now;
    world.wait(7);
    world.event(Event::Resumed {
        guest: guest(1),
        at: world.now,
        stamp,
    });
    world.wait(2_000);
    let second = world
        .sent
        .iter()
        .find(|sent| sent.ticket.round == Round::Scheduled(2))
        .unwrap();
    assert_eq!(second.at.saturating_since(stamp).as_millis(), 50);
    let resume = world.actions.iter().find_map(|action| match action {
        Action::Measure(Measure::ResumeToWire, delay) => Some(*delay),
        _ => None,
    });
    assert_eq!(resume.unwrap().as_micros(), 7_010);
}

#[test]
fn a_stamp_of_another_time_is_not_believed() {
    let mut world = World::new(Policy::default());
    world.says(1, Lifecycle::StartedMigrated);
    world.wait(100);
    let stamp = Instant::from_nanos(5);
    world.event(Event::Resumed {
        guest: guest(1),
        at: world.now,
        stamp,
    });
    world.wait(2_000);
    assert_eq!(world.rounds(1), WHOLE);
}

#[test]
fn without_qmp_the_lifecycle_event_starts_the_rounds() {
    let mut world = World::new(Policy::default());
    world.says(1, Lifecycle::StartedMigrated);
    world.wait(500);
    world.says(1, Lifecycle::ResumedMigrated);
    world.wait(2_000);
    assert_eq!(world.rounds(1), WHOLE);
    assert_eq!(record(&world).outcome, Outcome::Completed);
    assert!(
        world
            .sent
            .iter()
            .any(|sent| sent.ticket.cause == Cause::Lifecycle)
    );
}

#[test]
fn postcopy_is_announced_at_resume_and_ends_with_its_memory() {
    let mut world = World::new(Policy::default());
    world.says(1, Lifecycle::StartedMigrated);
    world.wait(500);
    world.migration(1, MigrationStatus::PostcopyActive);
    world.resume(1);
    world.says(1, Lifecycle::ResumedPostcopy);
    world.wait(1_500);
    assert!(
        world.engine.snapshot().history.is_empty(),
        "memory still arrives"
    );
    world.migration(1, MigrationStatus::Completed);
    world.says(1, Lifecycle::ResumedMigrated);
    world.wait(2_000);
    assert_eq!(world.rounds(1), WHOLE, "no early frame, no second schedule");
    let record = record(&world);
    assert_eq!(
        (record.mode, record.outcome),
        (Mode::Postcopy, Outcome::Completed)
    );
}

#[test]
fn a_postcopy_that_breaks_and_is_taken_up_again_is_one_arrival() {
    let mut world = World::new(Policy::default());
    world.says(1, Lifecycle::StartedMigrated);
    world.migration(1, MigrationStatus::PostcopyActive);
    world.resume(1);
    world.says(1, Lifecycle::ResumedPostcopy);
    world.wait(1_000);
    world.migration(1, MigrationStatus::PostcopyPaused);
    world.says(1, Lifecycle::ResumedPostcopyError);
    world.wait(3_000);
    world.migration(1, MigrationStatus::Setup);
    world.migration(1, MigrationStatus::PostcopyRecover);
    world.migration(1, MigrationStatus::PostcopyActive);
    world.says(1, Lifecycle::ResumedPostcopy);
    world.wait(500);
    world.migration(1, MigrationStatus::Completed);
    world.says(1, Lifecycle::ResumedMigrated);
    world.wait(2_000);
    assert_eq!(world.rounds(1).len(), 5);
    let snapshot = world.engine.snapshot();
    assert_eq!(snapshot.guests[0].phase, GuestPhase::Running);
    assert!(!snapshot.guests[0].staged);
    assert_eq!(snapshot.history.len(), 1);
    let record = record(&world);
    assert_eq!(
        (record.side, record.mode, record.outcome),
        (Side::Destination, Mode::Postcopy, Outcome::Completed)
    );
}

#[test]
fn a_guest_left_paused_gets_its_rounds_when_it_is_resumed() {
    let mut world = World::new(Policy::default());
    world.says(1, Lifecycle::StartedMigrated);
    world.wait(500);
    world.migration(1, MigrationStatus::Completed);
    world.says(1, Lifecycle::SuspendedPaused);
    world.wait(3_600_000);
    assert_eq!(
        world.rounds(1),
        [(Round::Early, world.sent[0].at.as_nanos().into_ms())]
    );
    world.resume(1);
    world.says(1, Lifecycle::ResumedUnpaused);
    world.wait(2_000);
    assert_eq!(world.rounds(1)[1..], WHOLE);
    assert_eq!(record(&world).measured.frames, 5);
}

trait IntoMs {
    fn into_ms(self) -> u128;
}

impl IntoMs for u64 {
    fn into_ms(self) -> u128 {
        u128::from(self / 1_000_000)
    }
}

#[test]
fn a_guest_that_runs_before_its_frames_stand_ready_is_announced_when_they_do() {
    let mut world = World::new(Policy::default());
    world.slow = true;
    world.arrive(1);
    world.wait(300);
    assert!(world.sent.is_empty());
    world.finish_stagings();
    world.wait(2_000);
    assert_eq!(world.rounds(1), WHOLE, "no early frame after RESUME");
    assert!(world.actions.contains(&Action::Count(Count::StagedLate, 1)));
}

#[test]
fn a_failed_arrival_is_silent_and_forgotten() {
    let mut world = World::new(Policy::default());
    world.says(1, Lifecycle::StartedMigrated);
    world.wait(500);
    world.says(1, Lifecycle::StoppedFailed);
    world.wait(5_000);
    assert!(world.sent.is_empty());
    assert_eq!(record(&world).outcome, Outcome::Failed);
    assert!(world.engine.snapshot().guests.is_empty());
    assert!(
        world
            .actions
            .iter()
            .any(|action| matches!(action, Action::Unstage { .. }))
    );
}

#[test]
fn libvirts_last_word_may_come_after_the_guest_is_gone() {
    let mut world = World::new(Policy::default());
    world.says(1, Lifecycle::StartedMigrated);
    let answer = Event::Described {
        guest: guest(1),
        generation: 1,
        outcome: Err(DescribeFault::Gone),
    };
    world.event(answer);
    world.wait(100);
    world.says(1, Lifecycle::StoppedFailed);
    world.wait(5_000);
    assert_eq!(record(&world).outcome, Outcome::Failed);
}

#[test]
fn frames_wait_for_a_port_that_does_not_pass_them() {
    let mut world = World::new(Policy::default());
    world.event(Event::Link(link(port(1, 0), false)));
    world.fault = Some(SendFault::NotForwarding);
    world.arrive(1);
    world.wait(2_000);
    assert!(world.sent.is_empty());
    assert!(world.engine.snapshot().history.is_empty());
    world.fault = None;
    world.event(Event::Link(link(port(1, 0), false)));
    assert!(world.sent.is_empty());
    world.event(Event::Link(link(port(1, 0), true)));
    assert_eq!(
        world.sent.len(),
        1,
        "one frame for the network to learn from"
    );
    let record = record(&world);
    assert_eq!(record.outcome, Outcome::Completed);
    assert_eq!(record.measured.lost_frames, 4, "the four later rounds");
}

#[test]
fn a_port_that_never_opens_is_given_up_and_told() {
    let mut world = World::new(Policy::default());
    world.fault = Some(SendFault::NoCarrier);
    world.arrive(1);
    world.wait(120_000);
    let record = record(&world);
    assert_eq!(
        (record.measured.frames, record.measured.early_frames),
        (0, 0)
    );
    assert_eq!(record.measured.lost_frames, 6);
    assert!(world.engine.poll_timeout().is_none());
}

#[test]
fn a_paused_agent_goes_on_observing_and_keeps_no_frame_for_later() {
    let mut world = World::new(Policy::default());
    world.fault = Some(SendFault::Paused);
    world.arrive(1);
    world.wait(2_000);
    let record = record(&world);
    assert_eq!(record.outcome, Outcome::Completed);
    assert_eq!(
        (record.measured.frames, record.measured.early_frames),
        (0, 0)
    );
    assert_eq!(record.measured.lost_frames, 6);
    let phases: Vec<_> = record.phases.iter().map(|step| step.phase).collect();
    assert!(phases.contains(&Phase::Staged) && phases.contains(&Phase::Resumed));
    assert!(!phases.contains(&Phase::Announced));
    let counted = Action::Count(Count::Faults(SendFault::Paused), 1);
    let counts = world.actions.iter().filter(|action| **action == counted);
    assert_eq!(counts.count(), 6);
    world.fault = None;
    world.event(Event::Link(link(port(1, 0), true)));
    world.wait(120_000);
    assert!(world.sent.is_empty(), "nothing old is sent");
    world.arrive(2);
    world.wait(2_000);
    assert_eq!(world.rounds(1).len(), 0);
    assert_eq!(world.rounds(2).len(), 6);
}

#[test]
fn a_full_queue_is_tried_again() {
    let mut world = World::new(Policy::default());
    world.fault = Some(SendFault::NoBuffers);
    world.arrive(1);
    world.wait(6);
    world.fault = None;
    world.wait(2_000);
    assert_eq!(
        world.rounds(1).len(),
        6 - 1,
        "the early frame's time is past"
    );
    assert!(world.actions.contains(&Action::Count(Count::Retries, 1)));
}

#[test]
fn a_port_that_is_down_or_a_full_backlog_is_tried_again_and_then_waited_for() {
    for (milliseconds, left) in [(6, 5), (100, 4)] {
        let mut world = World::new(Policy::default());
        world.fault = Some(SendFault::NetDown);
        world.arrive(1);
        world.wait(milliseconds);
        world.fault = None;
        world.wait(2_000);
        // No word of the link: a backlog has none. The first round waits for one in the end.
        let rounds: usize = if milliseconds < 20 { left } else { 3 };
        assert_eq!(world.rounds(1).len(), rounds, "after {milliseconds} ms");
        world.event(Event::Link(link(port(1, 0), true)));
        assert_eq!(world.rounds(1).len(), left);
        let record = record(&world);
        assert_eq!(record.measured.latest_fault, Some(SendFault::NetDown));
    }
}

#[test]
fn what_is_refused_waits_for_no_port() {
    let mut world = World::new(Policy::default());
    world.says(1, Lifecycle::StartedMigrated);
    world.wait(500);
    world.fault = Some(SendFault::Refused);
    world.migration(1, MigrationStatus::Completed);
    world.fault = None;
    world.wait(8);
    world.resume(1);
    world.says(1, Lifecycle::ResumedMigrated);
    world.wait(1_000);
    let record = record(&world);
    assert_eq!(record.measured.rounds, 5);
    assert_eq!(record.measured.lost_frames, 1);
    assert_eq!(record.measured.latest_fault, Some(SendFault::Refused));
}
