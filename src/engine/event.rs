//! Everything that can happen to the engine.

use serde::{Deserialize, Serialize};

use super::{Policy, Sighting, Standing, Ticket};
use crate::model::{
    FrameKind, GuestDescription, GuestId, GuestName, Ifindex, Instant, LinkState, MacAddr, Refusal,
    SendFault, VlanId,
};

/// One input. IO tasks translate into these and decide nothing.
///
/// `at` is when the event entered this process, `stamp` when its originator says it happened;
/// both are on the engine's clock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// The realtime clock is this many nanoseconds ahead of the monotonic one.
    Clock {
        /// Realtime less monotonic, in nanoseconds.
        offset: i64,
    },
    /// A connection to libvirt stands and its events are registered. [`Event::Listed`] follows.
    LibvirtConnected,
    /// The connection to libvirt is gone, or could not be made.
    LibvirtLost,
    /// Every guest that libvirt knows, read after a connection was made.
    Listed {
        /// The guests; one that is not among them does not exist here.
        guests: Vec<GuestFacts>,
    },
    /// libvirt's hook script says that a guest is about to arrive. It is believed for staging only.
    Foretold {
        /// The guest.
        guest: GuestId,
        /// Its XML with the names of its taps, of `start begin`; none of `migrate begin`.
        description: Option<GuestDescription>,
    },
    /// libvirt's hook script says that the guest's QEMU is gone: what it foretold does not come.
    CalledOff {
        /// The guest.
        guest: GuestId,
    },
    /// libvirt's lifecycle event of a guest.
    Lifecycle {
        /// The guest.
        guest: GuestId,
        /// Entry of our callback.
        at: Instant,
        /// What happened.
        change: Lifecycle,
    },
    /// QMP `MIGRATION` of a guest's QEMU.
    Migration {
        /// The guest.
        guest: GuestId,
        /// Entry of our callback.
        at: Instant,
        /// QEMU's own stamp.
        stamp: Instant,
        /// The new status.
        status: MigrationStatus,
    },
    /// QMP `STOP`: the guest's CPUs stopped.
    Stopped {
        /// The guest.
        guest: GuestId,
        /// Entry of our callback.
        at: Instant,
        /// QEMU's own stamp.
        stamp: Instant,
    },
    /// QMP `RESUME`: the guest's CPUs run.
    Resumed {
        /// The guest.
        guest: GuestId,
        /// Entry of our callback.
        at: Instant,
        /// QEMU's own stamp.
        stamp: Instant,
    },
    /// libvirt's job-completed event of an outgoing migration.
    JobCompleted {
        /// The guest.
        guest: GuestId,
        /// Its figures.
        job: JobCompleted,
    },
    /// How an address of a guest that runs here stands; told when that changes.
    Address {
        /// The guest.
        guest: GuestId,
        /// The address.
        sighting: Sighting,
        /// How it stands.
        #[serde(flatten)]
        standing: Standing,
    },
    /// The answer to [`super::Action::Describe`].
    Described {
        /// The guest.
        guest: GuestId,
        /// The generation that asked.
        generation: u64,
        /// What libvirt said.
        outcome: Result<GuestDescription, DescribeFault>,
    },
    /// The answer to [`super::Action::Stage`].
    Staged {
        /// The guest.
        guest: GuestId,
        /// The generation that asked.
        generation: u64,
        /// What stands ready.
        staging: Staging,
    },
    /// The answer to [`super::Action::Send`].
    Sent {
        /// The frame that was asked for.
        ticket: Ticket,
        /// When the sending call returned.
        returned: Instant,
        /// Whether the frame left.
        outcome: Result<(), SendFault>,
    },
    /// A link of this host changed.
    Link(LinkState),
    /// The ledger of lasting changes reports.
    Ledger {
        /// Forwarding entries that were taken back since the last report.
        undone: u64,
        /// Times since then that a change could not be written down or undone.
        faults: u64,
    },
    /// An operator asks for one more round of a guest that runs here.
    Announce {
        /// The guest.
        guest: GuestId,
    },
    /// A queue in front of the engine was full and lost this many inputs.
    Dropped {
        /// Which queue.
        queue: Queue,
        /// How many since the last report.
        count: u64,
    },
    /// New settings hold from here on.
    Policy(Box<Policy>),
    /// The agent ends: nothing may stay staged.
    Ending,
}

/// libvirt's lifecycle events, in libvirt's words, as far as they matter here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lifecycle {
    /// `Defined *`.
    Defined,
    /// `Undefined *`.
    Undefined,
    /// `Started Migrated`: an incoming QEMU stands; the guest does not run.
    StartedMigrated,
    /// `Started Booted`, `Restored`, `From Snapshot`, `Wakeup`.
    Started,
    /// `Suspended Paused` and every other detail without a word of its own here.
    SuspendedPaused,
    /// `Suspended Migrated`: nobody runs the guest here, in an outgoing migration.
    SuspendedMigrated,
    /// `Suspended Post-copy`.
    SuspendedPostcopy,
    /// `Suspended Post-copy Error`.
    SuspendedPostcopyError,
    /// `Resumed Unpaused`, `Resumed From Snapshot`.
    ResumedUnpaused,
    /// `Resumed Migrated`.
    ResumedMigrated,
    /// `Resumed Post-copy`.
    ResumedPostcopy,
    /// `Resumed Post-copy Error`.
    ResumedPostcopyError,
    /// `Stopped Migrated`.
    StoppedMigrated,
    /// `Stopped Failed`.
    StoppedFailed,
    /// `Stopped *` of any other detail.
    Stopped,
    /// `Shutdown *`: the guest's own shutdown, or libvirt 11 in a successful migration.
    Shutdown,
    /// `Crashed *`.
    Crashed,
    /// `PMSuspended *`.
    PmSuspended,
}

/// QEMU's `MigrationStatus` (`qapi/migration.json`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MigrationStatus {
    /// Being prepared.
    Setup,
    /// Memory is being copied.
    Active,
    /// The source's CPUs stopped; devices wait for the word to go on.
    PreSwitchover,
    /// Device state is being copied.
    Device,
    /// The destination runs while memory follows.
    PostcopyActive,
    /// Post-copy lost its connection.
    PostcopyPaused,
    /// Post-copy is being taken up again.
    PostcopyRecover,
    /// All of the guest has arrived.
    Completed,
    /// It broke off.
    Failed,
    /// Cancellation began.
    Cancelling,
    /// It was cancelled.
    Cancelled,
    /// A status that QEMU has grown since.
    Other,
}

/// Figures of libvirt's job-completed event, where it carries them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobCompleted {
    /// Whether the job was an outgoing migration (`VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT`).
    pub migration_out: bool,
    /// Whether it was a success, as far as libvirt says.
    pub success: bool,
    /// Milliseconds that nobody ran the guest.
    pub downtime_ms: Option<u64>,
    /// Milliseconds of the whole job.
    pub elapsed_ms: Option<u64>,
}

/// A guest as a list of all guests has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuestFacts {
    /// The guest.
    pub guest: GuestId,
    /// Its name.
    pub name: GuestName,
    /// Whether its CPUs run.
    pub state: RunState,
}

/// Whether a guest's CPUs run on this host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// They run.
    Running,
    /// They run, and memory still arrives (`VIR_DOMAIN_RUNNING_POSTCOPY`).
    RunningPostcopy,
    /// They stand because of a migration, in or out (`VIR_DOMAIN_PAUSED_MIGRATION`).
    PausedMigration,
    /// They stand because of a post-copy migration.
    PausedPostcopy,
    /// They stand for another reason.
    Paused,
    /// There is no QEMU.
    Off,
}

/// Why libvirt did not describe a guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum DescribeFault {
    /// No such guest here any more.
    #[error("libvirt has no such guest")]
    Gone,
    /// libvirt is not connected, or did not answer.
    #[error("libvirt did not answer")]
    Unavailable,
    /// The XML cannot be read.
    #[error("libvirt's XML cannot be read")]
    Malformed,
}

/// Everything resolved for one guest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Staging {
    /// The frames of one round, in the order in which they go out.
    pub frames: Vec<StagedFrame>,
    /// NICs of the plan that cannot be announced on this host, by their index in the XML.
    pub refused: Vec<(u16, Refusal)>,
}

/// One frame that stands ready. Its index in [`Staging::frames`] names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StagedFrame {
    /// The NIC's index among the `<interface>`s of the XML.
    pub nic: u16,
    /// The guest's address that it announces.
    pub mac: MacAddr,
    /// The VLAN that it is for, where the port filters VLANs.
    pub vlan: Option<VlanId>,
    /// What it says.
    pub kind: FrameKind,
    /// The guest's port, by whose state a retry is timed.
    pub port: Ifindex,
    /// The bridge that the port belongs to.
    pub bridge: Ifindex,
    /// The physical ends that it leaves by and whose pacing it counts against; possibly none.
    pub uplinks: Vec<Ifindex>,
    /// The guest's own bridge has the address behind one of its uplinks: it sends frames for the
    /// guest away from it.
    #[serde(default)]
    pub behind_uplink: bool,
}

/// The bounded queues in front of the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Queue {
    /// libvirt's callbacks.
    Libvirt,
    /// Answers of the libvirt worker.
    Describe,
    /// Answers of the stager.
    Stage,
    /// Netlink notifications.
    Link,
    /// Requests over D-Bus.
    Control,
    /// Frames that wait for pacing.
    Pacing,
    /// Guests beyond the table's size.
    Guests,
    /// Lines of the recorder.
    Record,
    /// Orders to the ledger of lasting changes.
    Ledger,
    /// What libvirt's hook script says, and guests that it alone spoke of.
    Hook,
    /// Orders to what listens for addresses, ports beyond those that it can listen at, and frames
    /// that it did not get to.
    Addresses,
    /// Words to the service manager.
    Notify,
}

impl Queue {
    /// Every queue, for label sets that start at zero.
    pub const ALL: &'static [Self] = &[
        Self::Libvirt,
        Self::Describe,
        Self::Stage,
        Self::Link,
        Self::Control,
        Self::Pacing,
        Self::Guests,
        Self::Record,
        Self::Ledger,
        Self::Hook,
        Self::Addresses,
        Self::Notify,
    ];

    /// The word used in labels.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Libvirt => "libvirt",
            Self::Describe => "describe",
            Self::Stage => "stage",
            Self::Link => "link",
            Self::Control => "control",
            Self::Pacing => "pacing",
            Self::Guests => "guests",
            Self::Record => "record",
            Self::Ledger => "ledger",
            Self::Hook => "hook",
            Self::Addresses => "addresses",
            Self::Notify => "notify",
        }
    }
}
