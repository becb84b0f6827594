//! One step of a history: whole in itself, so that a history can be had again without it.

use std::time::Duration;

use super::courses::{Course, Hook, Word};
use super::dice::Dice;
use super::orders::Order;
use super::{GUESTS, HOSTS};
use crate::engine::{DescribeFault, Lifecycle, MigrationStatus, Queue, Standing};
use crate::model::{AddressRefusal, MacAddr, SendFault};

/// How an address may come to stand.
const STANDINGS: [Standing; 5] = [
    Standing::Held,
    Standing::Waiting,
    Standing::Contested {
        by: MacAddr::new([2, 0, 0, 0, 0, 1]),
    },
    Standing::Refused {
        reason: AddressRefusal::Host,
    },
    Standing::Gone,
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The guest leaves for the other host. `tempo` is the seed of the times in between.
    Migrate {
        guest: usize,
        course: Course,
        tempo: u64,
    },
    Order {
        guest: usize,
        order: Order,
        tempo: u64,
    },
    /// Something comes between the host's libvirt and its engine, once, when that many more words
    /// have passed.
    Trouble {
        host: usize,
        after: u64,
        trouble: Trouble,
    },
    /// A word from long ago comes once more.
    Rumour {
        host: usize,
        guest: usize,
        word: Word,
    },
    /// The agent dies, or is told to end, and another one begins after that time.
    Crash {
        host: usize,
        down: Duration,
        told: bool,
    },
    /// The connection to libvirt is lost for that time.
    Away {
        host: usize,
        down: Duration,
    },
    /// The queue in front of the engine overflows: it is told, and libvirt is read again.
    Overflow {
        host: usize,
    },
    /// The guest's ports shut, or leave their bridge, for that time.
    Shut {
        guest: usize,
        time: Duration,
    },
    Unplug {
        guest: usize,
        time: Duration,
    },
    /// From here on every frame meets this.
    Send {
        host: usize,
        fault: Option<SendFault>,
    },
    /// From here on answers take that long.
    Answers {
        host: usize,
        take: Duration,
    },
    /// The next description fails like this.
    Describe {
        host: usize,
        fault: DescribeFault,
    },
    /// An operator asks for a round.
    Announce {
        host: usize,
        guest: usize,
    },
    /// New settings, by their number.
    Reload {
        host: usize,
        settings: usize,
    },
    /// The guest is heard to have an address, or to have it no longer.
    Sighted {
        host: usize,
        guest: usize,
        standing: Standing,
    },
    /// Somebody plays libvirt's hook, or an old one comes late.
    Hook {
        host: usize,
        guest: usize,
        hook: Hook,
    },
    /// What concerns no guest.
    Aside {
        host: usize,
        aside: Aside,
    },
    Wait(Duration),
}

/// What may happen to a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    Lost,
    Doubled,
    /// It comes after the next one.
    Swapped,
    Late(Duration),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Aside {
    Clock(i64),
    Ledger,
    Dropped(Queue),
}

/// One word for each signal of the state machine.
const RUMOURS: [Word; 11] = [
    Word::Life(Lifecycle::StartedMigrated),
    Word::Life(Lifecycle::Started),
    Word::Resume,
    Word::Life(Lifecycle::SuspendedPaused),
    Word::Life(Lifecycle::SuspendedMigrated),
    Word::Qemu(MigrationStatus::Setup),
    Word::Qemu(MigrationStatus::Completed),
    Word::Qemu(MigrationStatus::Cancelled),
    Word::Life(Lifecycle::StoppedMigrated),
    Word::Life(Lifecycle::StoppedFailed),
    Word::Life(Lifecycle::Stopped),
];

const TIMES: [u64; 8] = [1, 5, 20, 60, 150, 400, 900, 2_500];

fn time(dice: &mut Dice) -> Duration {
    Duration::from_millis(dice.pick(&TIMES))
}

fn trouble(dice: &mut Dice) -> Trouble {
    match dice.below(4) {
        0 => Trouble::Lost,
        1 => Trouble::Doubled,
        2 => Trouble::Swapped,
        _ => Trouble::Late(time(dice)),
    }
}

fn order(dice: &mut Dice) -> Order {
    let host = dice.index(HOSTS);
    match dice.below(14) {
        0..=2 => Order::Boot(host),
        3 | 4 => Order::Restore(host),
        5 => Order::Shutdown,
        6 => Order::Kill,
        7 => Order::Save,
        8..=11 => Order::Suspend,
        12 => Order::Resume,
        _ => Order::Mention(dice.pick(&[
            Lifecycle::Crashed,
            Lifecycle::PmSuspended,
            Lifecycle::Defined,
            Lifecycle::Undefined,
        ])),
    }
}

fn fault(dice: &mut Dice) -> Option<SendFault> {
    dice.pick(&[
        None,
        None,
        Some(SendFault::NoBuffers),
        Some(SendFault::NetDown),
        Some(SendFault::Limited),
        Some(SendFault::Paused),
    ])
}

fn aside(dice: &mut Dice) -> Aside {
    match dice.below(3) {
        0 => Aside::Clock(1_795_000_000_000_000_000),
        1 => Aside::Ledger,
        _ => Aside::Dropped(dice.pick(&[Queue::Stage, Queue::Link, Queue::Record])),
    }
}

impl Step {
    pub(super) fn random(dice: &mut Dice) -> Self {
        let host = dice.index(HOSTS);
        let guest = dice.index(GUESTS);
        match dice.below(100) {
            0..=23 => Self::Migrate {
                guest,
                // A third of all go well, and some guests arrive to stand.
                course: match dice.below(6) {
                    0 | 1 => Course::Precopy,
                    2 => Course::ArrivesPaused,
                    _ => dice.pick(&Course::ALL),
                },
                tempo: dice.roll(),
            },
            24..=37 => Self::Order {
                guest,
                order: order(dice),
                tempo: dice.roll(),
            },
            38..=47 => Self::Trouble {
                host,
                after: dice.below(12),
                trouble: trouble(dice),
            },
            48..=50 => Self::Crash {
                host,
                down: time(dice),
                told: dice.below(4) == 0,
            },
            51..=53 => Self::Away {
                host,
                down: time(dice),
            },
            54 => Self::Overflow { host },
            55 | 56 => Self::Shut {
                guest,
                time: time(dice),
            },
            57 => Self::Unplug {
                guest,
                time: time(dice),
            },
            58..=60 => Self::Send {
                host,
                fault: fault(dice),
            },
            61 | 62 => Self::Answers {
                host,
                take: time(dice),
            },
            63 => Self::Describe {
                host,
                fault: dice.pick(&[DescribeFault::Unavailable, DescribeFault::Malformed]),
            },
            64..=66 => Self::Announce { host, guest },
            67 | 68 => Self::Reload {
                host,
                settings: dice.index(super::SETTINGS.len()),
            },
            78 => Self::Sighted {
                host,
                guest,
                standing: dice.pick(&STANDINGS),
            },
            79..=81 => Self::Hook {
                host,
                guest,
                hook: dice.pick(&[Hook::MigrateBegin, Hook::StartBegin, Hook::ReleaseEnd]),
            },
            69 => Self::Aside {
                host,
                aside: aside(dice),
            },
            70..=77 => Self::Rumour {
                host,
                guest,
                word: dice.pick(&RUMOURS),
            },
            _ => Self::Wait(time(dice)),
        }
    }
}
