//! What migrations really do, event by event, as libvirt 9.0 and 11.3 were seen to do it.

use std::time::Duration;

use super::dice::Dice;
use crate::engine::{Lifecycle, MigrationStatus, RunState};

/// How a migration goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Course {
    Precopy,
    /// Cancelled, or the destination's QEMU dies, before the source is stopped.
    CancelledInPrecopy,
    DestinationDiesInPrecopy,
    /// The source's QEMU dies, and with it the guest.
    SourceDies,
    /// The same afterwards, and after the destination said that all has arrived.
    CancelledAfterStop,
    DestinationDiesAfterStop,
    DestinationDiesWhole,
    /// The destination's libvirtd dies before it lets the guest run.
    FinishFails,
    /// `--suspend`: the guest is left paused at the destination.
    ArrivesPaused,
    /// An operator suspends and resumes the guest while it is copied.
    OperatorSuspends,
    Postcopy,
    /// Post-copy loses its connection and is taken up again.
    PostcopyRecovers,
    PostcopyDestinationDies,
}

impl Course {
    pub(super) const ALL: [Self; 13] = [
        Self::Precopy,
        Self::CancelledInPrecopy,
        Self::DestinationDiesInPrecopy,
        Self::SourceDies,
        Self::CancelledAfterStop,
        Self::DestinationDiesAfterStop,
        Self::DestinationDiesWhole,
        Self::FinishFails,
        Self::ArrivesPaused,
        Self::OperatorSuspends,
        Self::Postcopy,
        Self::PostcopyRecovers,
        Self::PostcopyDestinationDies,
    ];
}

/// One word of libvirt or QEMU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    Life(Lifecycle),
    Qemu(MigrationStatus),
    Stop,
    Resume,
    /// Job-completed of an outgoing migration, a success or not.
    Job(bool),
}

/// A hook that says something of a guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hook {
    MigrateBegin,
    StartBegin,
    ReleaseEnd,
}

/// One thing that happens to a guest at a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fact {
    /// So it stands there from here on.
    Is(usize, RunState),
    /// And this is said of it.
    Says(usize, Word),
    /// The guest itself sends a frame.
    Speaks(usize),
    /// libvirt's hook says that it is about to arrive, or what its taps are.
    Hook(usize, Hook),
    /// The host's libvirtd is away for that long.
    Deaf(usize, Duration),
    /// Nothing more follows.
    Over,
}

/// What happens, each with the time after the one before.
#[derive(Debug)]
pub(super) struct Script {
    pub(super) facts: Vec<(Duration, Fact)>,
    pause: Duration,
    dice: Dice,
    source: usize,
    destination: usize,
}

impl Script {
    pub(super) fn new(source: usize, destination: usize, tempo: u64) -> Self {
        Self {
            facts: Vec::with_capacity(40),
            pause: Duration::ZERO,
            dice: Dice::new(tempo),
            source,
            destination,
        }
    }

    /// Waits `least` to `most` milliseconds.
    pub(super) fn wait(&mut self, least: u64, most: u64) {
        let micros = least * 1_000 + self.dice.below((most - least) * 1_000 + 1);
        self.pause += Duration::from_micros(micros);
    }

    pub(super) fn fact(&mut self, fact: Fact) {
        self.facts.push((std::mem::take(&mut self.pause), fact));
    }

    pub(super) fn is(&mut self, host: usize, state: RunState) {
        self.fact(Fact::Is(host, state));
    }

    pub(super) fn life(&mut self, host: usize, change: Lifecycle) {
        self.fact(Fact::Says(host, Word::Life(change)));
    }

    pub(super) fn qemu(&mut self, host: usize, status: MigrationStatus) {
        self.fact(Fact::Says(host, Word::Qemu(status)));
    }

    pub(super) fn runs(&mut self, host: usize, state: RunState, change: Lifecycle) {
        self.is(host, state);
        self.fact(Fact::Says(host, Word::Resume));
        self.wait(0, 3);
        self.life(host, change);
    }

    /// The migration of a guest that runs, or stands, at the source.
    pub(super) fn migration(&mut self, course: Course, stands: bool) {
        use Lifecycle as L;
        use MigrationStatus as M;
        let source = self.source;
        self.begin();
        match course {
            Course::CancelledInPrecopy => {
                self.qemu(source, M::Cancelling);
                self.qemu(source, M::Cancelled);
                self.wait(0, 20);
                self.destination_fails();
                self.fact(Fact::Says(source, Word::Job(false)));
            }
            Course::DestinationDiesInPrecopy => {
                self.destination_fails();
                self.qemu(source, M::Failed);
            }
            Course::SourceDies => {
                self.is(source, RunState::Off);
                self.life(source, L::StoppedFailed);
                self.wait(0, 20);
                self.destination_fails();
            }
            _ if stands => {
                self.whole();
                self.stands_at_destination();
                self.leave();
            }
            Course::Precopy => {
                self.stop();
                self.whole();
                self.arrive();
                self.leave();
            }
            Course::CancelledAfterStop => {
                self.stop();
                self.qemu(source, M::Cancelled);
                self.destination_fails();
                self.rolls_back(L::ResumedMigrated);
            }
            Course::DestinationDiesAfterStop => {
                self.stop();
                self.destination_fails();
                self.qemu(source, M::Failed);
                self.rolls_back(L::ResumedUnpaused);
            }
            Course::DestinationDiesWhole => {
                self.stop();
                self.whole();
                self.wait(0, 100);
                self.destination_fails();
                self.rolls_back(L::ResumedMigrated);
            }
            Course::FinishFails => self.finish_fails(),
            Course::ArrivesPaused => {
                self.stop();
                self.whole();
                self.stands_at_destination();
                self.leave();
            }
            Course::OperatorSuspends => {
                self.stop();
                self.wait(0, 1_500);
                self.rolls_back(L::ResumedUnpaused);
                self.wait(1, 900);
                self.stop();
                self.whole();
                self.arrive();
                self.leave();
            }
            Course::Postcopy => {
                self.postcopy();
                self.wait(50, 900);
                self.memory_follows();
            }
            Course::PostcopyRecovers => {
                self.postcopy();
                self.connection_breaks();
                self.wait(50, 1_500);
                self.recover();
                self.memory_follows();
            }
            Course::PostcopyDestinationDies => {
                self.postcopy();
                self.wait(10, 300);
                self.destination_fails();
                self.qemu(source, M::PostcopyPaused);
                self.life(source, L::SuspendedPostcopyError);
                self.wait(100, 900);
                self.is(source, RunState::Off);
                self.life(source, L::Stopped);
            }
        }
        self.wait(0, 1);
        self.fact(Fact::Over);
    }

    fn begin(&mut self) {
        let (source, destination) = (self.source, self.destination);
        // Every other host has our hook.
        let hooked = self.dice.below(2) == 0;
        if hooked {
            self.fact(Fact::Hook(destination, Hook::MigrateBegin));
            self.wait(1, 100);
        }
        self.is(destination, RunState::PausedMigration);
        if hooked {
            self.wait(1, 30);
            self.fact(Fact::Hook(destination, Hook::StartBegin));
        }
        self.wait(5, 300);
        self.qemu(destination, MigrationStatus::Setup);
        self.wait(0, 10);
        self.life(destination, Lifecycle::StartedMigrated);
        self.qemu(destination, MigrationStatus::Active);
        self.wait(0, 20);
        self.qemu(source, MigrationStatus::Setup);
        self.qemu(source, MigrationStatus::Active);
        self.wait(10, 500);
    }

    fn stop(&mut self) {
        let source = self.source;
        self.is(source, RunState::PausedMigration);
        self.fact(Fact::Says(source, Word::Stop));
        self.wait(0, 5);
        self.life(source, Lifecycle::SuspendedMigrated);
        self.qemu(source, MigrationStatus::PreSwitchover);
        self.wait(0, 3);
        self.qemu(source, MigrationStatus::Device);
        self.wait(5, 200);
    }

    fn whole(&mut self) {
        let (source, destination) = (self.source, self.destination);
        self.qemu(destination, MigrationStatus::Completed);
        self.wait(0, 5);
        self.qemu(source, MigrationStatus::Completed);
        self.wait(0, 30);
    }

    fn arrive(&mut self) {
        let destination = self.destination;
        self.runs(destination, RunState::Running, Lifecycle::ResumedMigrated);
    }

    fn stands_at_destination(&mut self) {
        let destination = self.destination;
        self.is(destination, RunState::Paused);
        self.life(destination, Lifecycle::SuspendedPaused);
    }

    fn leave(&mut self) {
        let source = self.source;
        self.wait(10, 60);
        self.is(source, RunState::Off);
        if self.dice.below(2) == 0 {
            // As libvirt 11 does.
            self.life(source, Lifecycle::Shutdown);
        }
        self.wait(5, 200);
        self.life(source, Lifecycle::StoppedMigrated);
        self.fact(Fact::Says(source, Word::Job(true)));
    }

    fn destination_fails(&mut self) {
        let destination = self.destination;
        self.is(destination, RunState::Off);
        self.life(destination, Lifecycle::StoppedFailed);
    }

    fn rolls_back(&mut self, change: Lifecycle) {
        let source = self.source;
        self.wait(1, 40);
        self.runs(source, RunState::Running, change);
    }

    fn finish_fails(&mut self) {
        let (source, destination) = (self.source, self.destination);
        self.stop();
        self.whole();
        self.fact(Fact::Deaf(destination, Duration::from_millis(2_500)));
        self.wait(1_900, 2_100);
        // libvirtd ends it while it starts itself, and says nothing.
        self.is(destination, RunState::Off);
        self.wait(0, 5);
        self.runs(source, RunState::Running, Lifecycle::ResumedMigrated);
    }

    fn postcopy(&mut self) {
        let (source, destination) = (self.source, self.destination);
        self.stop();
        self.is(source, RunState::PausedPostcopy);
        self.qemu(source, MigrationStatus::PostcopyActive);
        self.life(source, Lifecycle::SuspendedPostcopy);
        self.qemu(destination, MigrationStatus::PostcopyActive);
        self.wait(0, 20);
        self.runs(
            destination,
            RunState::RunningPostcopy,
            Lifecycle::ResumedPostcopy,
        );
    }

    fn connection_breaks(&mut self) {
        let (source, destination) = (self.source, self.destination);
        self.wait(10, 300);
        self.qemu(source, MigrationStatus::PostcopyPaused);
        self.life(source, Lifecycle::SuspendedPostcopyError);
        self.qemu(destination, MigrationStatus::PostcopyPaused);
        self.life(destination, Lifecycle::ResumedPostcopyError);
    }

    fn recover(&mut self) {
        let (source, destination) = (self.source, self.destination);
        self.qemu(destination, MigrationStatus::Setup);
        self.qemu(destination, MigrationStatus::PostcopyRecover);
        self.qemu(source, MigrationStatus::Setup);
        self.qemu(source, MigrationStatus::PostcopyRecover);
        self.life(source, Lifecycle::SuspendedPostcopy);
        self.life(destination, Lifecycle::ResumedPostcopy);
        self.wait(10, 300);
    }

    fn memory_follows(&mut self) {
        let (source, destination) = (self.source, self.destination);
        self.is(destination, RunState::Running);
        self.qemu(destination, MigrationStatus::Completed);
        self.life(destination, Lifecycle::ResumedMigrated);
        self.qemu(source, MigrationStatus::Completed);
        self.leave();
    }
}
