//! Everything the engine asks of the shell.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Plan, Queue, Record};
use crate::model::{
    AddressRefusal, FrameKind, GuestId, HintOutcome, HostIpv4, Ifindex, Instant, MacAddr, Mode,
    Outcome, Phase, Refusal, SendFault, Side,
};

/// One instruction. The shell carries it out and answers where the variant says so.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[must_use]
pub enum Action {
    /// Read the guest's XML from libvirt; answer with [`super::Event::Described`].
    Describe {
        /// The guest.
        guest: GuestId,
        /// Goes back with the answer.
        generation: u64,
    },
    /// Resolve and build all that the plan needs; answer with [`super::Event::Staged`].
    Stage {
        /// The guest.
        guest: GuestId,
        /// Goes back with the answer; replaces whatever an earlier generation staged.
        generation: u64,
        /// What to stage.
        plan: Plan,
    },
    /// Forget what is staged for the guest, and settle what its frames may have left behind.
    Unstage {
        /// The guest.
        guest: GuestId,
        /// It is on this host, running or paused, so that what was left behind is the truth; else
        /// that is to be undone.
        stays: bool,
    },
    /// Listen for the guest's IP addresses at these ports and no others, and tell of changes by
    /// [`super::Event::Address`]; what is known already is told first.
    Watch {
        /// The guest.
        guest: GuestId,
        /// Its NICs.
        nics: Vec<WatchedNic>,
    },
    /// The guest is not here any more: stop listening.
    Unwatch {
        /// The guest.
        guest: GuestId,
    },
    /// Send one staged frame at once; answer with [`super::Event::Sent`].
    Send(Ticket),
    /// A guest reached a phase.
    Reached {
        /// The guest.
        guest: GuestId,
        /// Which phase.
        phase: Phase,
        /// When.
        at: Instant,
    },
    /// A NIC will not be announced.
    Refused {
        /// The guest.
        guest: GuestId,
        /// The NIC's index among the `<interface>`s of the XML.
        nic: u16,
        /// Why.
        refusal: Refusal,
    },
    /// A migration ended and stands in the history.
    Finished(Box<Record>),
    /// Add to a counter.
    Count(Count, u64),
    /// Add to a histogram.
    Measure(Measure, Duration),
}

/// Where a NIC's addresses are listened for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchedNic {
    /// The guest's address.
    pub mac: MacAddr,
    /// Its port on this host.
    pub port: Ifindex,
    /// The network of libvirt's own that it is in, whose leases count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
}

/// A frame on its way, copied through the hot path without allocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    /// The guest.
    pub guest: GuestId,
    /// What must be staged for it.
    pub generation: u64,
    /// The frame's index in [`super::Staging::frames`].
    pub frame: u16,
    /// Which pass over the frames it belongs to.
    pub round: Round,
    /// What set it off.
    pub cause: Cause,
    /// When the event that set it off entered this process; of a later round, when it was due.
    pub since: Instant,
    /// How often this very frame was tried before.
    pub attempt: u8,
}

/// A pass over a guest's frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Round {
    /// Before RESUME: an extra pass that counts as no round.
    Early,
    /// A pass of the schedule, from 1.
    Scheduled(u8),
    /// A single pass outside any migration.
    Single,
    /// No pass: the source's word that this address has left, into the network of the frame that
    /// the ticket names (RFC 1868).
    Retraction(HostIpv4),
}

/// What set an announcement off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The destination's QMP `MIGRATION completed`.
    Completed,
    /// QMP `RESUME`.
    Resume,
    /// libvirt's `Resumed *`.
    Lifecycle,
    /// A later round's time came.
    Schedule,
    /// The guest runs at the source again.
    Rollback,
    /// The guest started or was restored here.
    Start,
    /// What libvirt says after a reconnect.
    Resync,
    /// An operator asked.
    Operator,
    /// The guest has left this host.
    Departure,
}

impl Cause {
    /// Every cause, for label sets that start at zero.
    pub const ALL: &'static [Self] = &[
        Self::Completed,
        Self::Resume,
        Self::Lifecycle,
        Self::Schedule,
        Self::Rollback,
        Self::Start,
        Self::Resync,
        Self::Operator,
        Self::Departure,
    ];

    /// The word used in labels.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Resume => "resume",
            Self::Lifecycle => "lifecycle",
            Self::Schedule => "schedule",
            Self::Rollback => "rollback",
            Self::Start => "start",
            Self::Resync => "resync",
            Self::Operator => "operator",
            Self::Departure => "departure",
        }
    }
}

/// A counter to add to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Count {
    /// Frames that left.
    Frames(FrameKind),
    /// Frames that did not leave, by reason.
    Faults(SendFault),
    /// Frames tried once more.
    Retries,
    /// NICs that will not be announced.
    Refusals,
    /// Migrations that ended.
    Migrations {
        /// This host's part.
        side: Side,
        /// How the memory travelled.
        mode: Mode,
        /// How it ended.
        outcome: Outcome,
    },
    /// Announcements that were cut short: the guest left, stopped or moved on.
    SchedulesCut,
    /// Guests that resumed before all stood ready.
    StagedLate,
    /// Connections to libvirt made after the first.
    Reconnects,
    /// Inputs lost in a full queue.
    Drops(Queue),
    /// Answers to a question that was asked in an earlier generation.
    Stale,
    /// Forwarding entries of ours that were taken back.
    EntriesUndone,
    /// Times that the ledger of lasting changes could not be kept.
    LedgerFaults,
    /// Guests that a hook foretold, by what became of that.
    Hints(HintOutcome),
    /// Addresses that another station than the guest had, too.
    ContestedAddresses,
    /// Addresses that a guest was heard to have and that are not believed, by reason.
    RefusedAddresses(AddressRefusal),
}

/// A histogram to add to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Entry of our callback to return of the sending call, first frame of an announcement.
    EventToWire(Cause),
    /// QEMU's RESUME stamp to return of the sending call, first frame of the first round.
    ResumeToWire,
    /// How late after its due time a later round's first frame left.
    RoundDelay,
    /// Downtime as libvirt reports it.
    Downtime,
    /// From the question for the XML to frames that stand ready.
    Staging,
}
