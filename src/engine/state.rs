//! Where a guest stands on this host, and how it moves on: the migration state machine.
//!
//! ```text
//!            IncomingStarted            Run: Arrive               MigrationSetup
//!  Absent ------------------> Incoming ---------------> Running <---------------> Outgoing
//!    ^                          |  |                    ^  ^  |   Broken            |  ^
//!    |                    Pause |  | Gone: fail    Run  |  |  | Pause         Pause |  | Run:
//!    |                          v  v                    |  |  v                     v  | rollback
//!    |                 ArrivedPaused --- Run: Arrive ---+  Paused        SwitchedOver -+
//!    +--- Gone --- every state                                               |
//!    +----------------------------- Gone: depart ----------------------------+
//! ```
//!
//! The table knows no time and no guest; it says what follows, and the engine does it.

use serde::{Deserialize, Serialize};

/// Where a guest stands on this host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    /// There is no QEMU for it.
    Absent,
    /// It runs.
    Running,
    /// It stands, and no migration is under way.
    Paused,
    /// An incoming QEMU stands; the guest does not run.
    Incoming {
        /// False where a list showed a guest stopped by a migration: it may as well be leaving,
        /// so only its running again makes us speak.
        certain: bool,
    },
    /// It arrived and was left paused.
    ArrivedPaused,
    /// It leaves and runs here still.
    Outgoing,
    /// It leaves and stood before that began.
    OutgoingPaused {
        /// It has not run here since it arrived.
        arrived: bool,
    },
    /// It leaves and was stopped here.
    SwitchedOver {
        /// QEMU called the migration over, one way or the other.
        over: bool,
    },
}

/// What libvirt or QEMU says, reduced to what the table tells apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// `Started Migrated`.
    IncomingStarted,
    /// `Started *` of any other kind.
    Started,
    /// The CPUs run: QMP `RESUME` or `Resumed *`.
    Run,
    /// The CPUs stand: QMP `STOP` or `Suspended Paused`.
    Pause,
    /// `Suspended Migrated` or `Suspended Post-copy`: they stand because the guest leaves.
    SwitchOver,
    /// QMP `MIGRATION setup`.
    Setup,
    /// QMP `MIGRATION completed`.
    Complete,
    /// QMP `MIGRATION failed` or `cancelled`.
    Broken,
    /// `Stopped Migrated`.
    GoneMigrated,
    /// `Stopped Failed`.
    GoneFailed,
    /// `Stopped *` of any other kind.
    GoneOther,
}

/// What the engine has to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Nothing.
    None,
    /// A guest began to arrive: stage it.
    BeginArrival,
    /// All of it is here and it does not run yet: the early frames.
    Early,
    /// It runs here for the first time since it arrived: the schedule.
    Arrive,
    /// The incoming migration came to nothing.
    FailArrival,
    /// It began to leave: stage it against a rollback.
    BeginDeparture,
    /// The source guest stopped.
    Switchover,
    /// The first sign of a departure is that the guest stopped.
    SuddenSwitchover,
    /// It runs here again after a stop in this migration: announce it here.
    Rollback,
    /// The migration broke off.
    BreakDeparture,
    /// It left.
    Depart,
    /// It started or was restored here.
    Appear,
    /// It runs after it stood, and may have arrived while nobody listened: see where its own
    /// bridge has its addresses.
    Wake,
    /// Its QEMU ended without a migration's blessing.
    Vanish,
    /// Its QEMU ended in failure.
    Perish,
}

impl State {
    /// Whether a frame outside the early ones may speak for the guest.
    pub(crate) const fn runs(self) -> bool {
        matches!(self, Self::Running | Self::Outgoing)
    }

    /// Whether an early frame may speak for the guest.
    pub(crate) const fn awaits_run(self) -> bool {
        matches!(self, Self::Incoming { certain: true } | Self::ArrivedPaused)
    }

    /// Whether the guest is on this host and nowhere else, running or paused.
    pub(crate) const fn stays(self) -> bool {
        match self {
            Self::Running | Self::Paused | Self::Outgoing | Self::OutgoingPaused { .. } => true,
            Self::Absent
            | Self::Incoming { .. }
            | Self::ArrivedPaused
            | Self::SwitchedOver { .. } => false,
        }
    }

    /// Where `signal` leads, and what it asks for.
    pub(crate) const fn step(self, signal: Signal) -> (Self, Effect) {
        match signal {
            Signal::IncomingStarted => (Self::Incoming { certain: true }, Effect::BeginArrival),
            Signal::Started => self.started(),
            Signal::Run => self.run(),
            Signal::Pause => self.pause(),
            Signal::SwitchOver => self.switch_over(),
            Signal::Setup => self.setup(),
            Signal::Complete => self.complete(),
            Signal::Broken => self.broken(),
            Signal::GoneMigrated => (Self::Absent, self.departed()),
            Signal::GoneFailed => (Self::Absent, self.perished()),
            Signal::GoneOther => (Self::Absent, self.vanished()),
        }
    }

    const fn started(self) -> (Self, Effect) {
        match self {
            Self::Absent | Self::Running | Self::Paused => (Self::Running, Effect::Appear),
            Self::Incoming { .. }
            | Self::ArrivedPaused
            | Self::Outgoing
            | Self::OutgoingPaused { .. }
            | Self::SwitchedOver { .. } => (self, Effect::None),
        }
    }

    const fn run(self) -> (Self, Effect) {
        match self {
            Self::Absent | Self::Running => (Self::Running, Effect::None),
            Self::Paused => (Self::Running, Effect::Wake),
            Self::Incoming { .. } | Self::ArrivedPaused => (Self::Running, Effect::Arrive),
            Self::Outgoing => (Self::Outgoing, Effect::None),
            Self::OutgoingPaused { arrived: false } => (Self::Outgoing, Effect::Wake),
            Self::OutgoingPaused { arrived: true } => (Self::Outgoing, Effect::Arrive),
            Self::SwitchedOver { over: false } => (Self::Outgoing, Effect::Rollback),
            Self::SwitchedOver { over: true } => (Self::Running, Effect::Rollback),
        }
    }

    const fn pause(self) -> (Self, Effect) {
        match self {
            Self::Absent | Self::Running | Self::Paused => (Self::Paused, Effect::None),
            Self::Incoming { certain: true } | Self::ArrivedPaused => {
                (Self::ArrivedPaused, Effect::None)
            }
            Self::Outgoing => (Self::SwitchedOver { over: false }, Effect::Switchover),
            // One that may as well be leaving stays that.
            Self::Incoming { certain: false }
            | Self::OutgoingPaused { .. }
            | Self::SwitchedOver { .. } => (self, Effect::None),
        }
    }

    const fn switch_over(self) -> (Self, Effect) {
        match self {
            Self::Running | Self::Paused => {
                (Self::SwitchedOver { over: false }, Effect::SuddenSwitchover)
            }
            // libvirt says it only of a guest that ran: a word of one that stood was lost.
            Self::Outgoing | Self::OutgoingPaused { .. } => {
                (Self::SwitchedOver { over: false }, Effect::Switchover)
            }
            Self::Absent
            | Self::Incoming { .. }
            | Self::ArrivedPaused
            | Self::SwitchedOver { .. } => (self, Effect::None),
        }
    }

    const fn setup(self) -> (Self, Effect) {
        match self {
            Self::Running => (Self::Outgoing, Effect::BeginDeparture),
            Self::Paused => (
                Self::OutgoingPaused { arrived: false },
                Effect::BeginDeparture,
            ),
            Self::ArrivedPaused => (
                Self::OutgoingPaused { arrived: true },
                Effect::BeginDeparture,
            ),
            Self::Absent
            | Self::Incoming { .. }
            | Self::Outgoing
            | Self::OutgoingPaused { .. }
            | Self::SwitchedOver { .. } => (self, Effect::None),
        }
    }

    const fn complete(self) -> (Self, Effect) {
        match self {
            Self::Incoming { certain: true } | Self::ArrivedPaused => (self, Effect::Early),
            Self::SwitchedOver { .. } => (Self::SwitchedOver { over: true }, Effect::None),
            Self::Absent
            | Self::Running
            | Self::Paused
            | Self::Incoming { certain: false }
            | Self::Outgoing
            | Self::OutgoingPaused { .. } => (self, Effect::None),
        }
    }

    const fn broken(self) -> (Self, Effect) {
        match self {
            Self::Outgoing => (Self::Running, Effect::BreakDeparture),
            Self::OutgoingPaused { arrived: false } => (Self::Paused, Effect::BreakDeparture),
            Self::OutgoingPaused { arrived: true } => (Self::ArrivedPaused, Effect::BreakDeparture),
            Self::SwitchedOver { .. } => (Self::SwitchedOver { over: true }, Effect::None),
            Self::Absent
            | Self::Running
            | Self::Paused
            | Self::Incoming { .. }
            | Self::ArrivedPaused => (self, Effect::None),
        }
    }

    const fn departed(self) -> Effect {
        match self {
            Self::Absent => Effect::None,
            Self::Incoming { certain: true } => Effect::FailArrival,
            Self::Running
            | Self::Paused
            | Self::Incoming { certain: false }
            | Self::ArrivedPaused
            | Self::Outgoing
            | Self::OutgoingPaused { .. }
            | Self::SwitchedOver { .. } => Effect::Depart,
        }
    }

    const fn perished(self) -> Effect {
        match self {
            Self::Absent => Effect::None,
            Self::Incoming { .. } => Effect::FailArrival,
            Self::Running
            | Self::Paused
            | Self::ArrivedPaused
            | Self::Outgoing
            | Self::OutgoingPaused { .. }
            | Self::SwitchedOver { .. } => Effect::Perish,
        }
    }

    const fn vanished(self) -> Effect {
        match self {
            Self::Absent => Effect::None,
            Self::Incoming { .. } => Effect::FailArrival,
            // A save looks like a departure of a paused guest until its QEMU ends.
            Self::Running | Self::Paused | Self::ArrivedPaused | Self::OutgoingPaused { .. } => {
                Effect::Vanish
            }
            Self::Outgoing | Self::SwitchedOver { .. } => Effect::Perish,
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
