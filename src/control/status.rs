//! The answer to "how is it?".

use serde::{Deserialize, Serialize};

use super::{BrakesStatus, View};
use crate::engine::{GuestPhase, GuestView, LibvirtView, Queue, Standing};
use crate::model::{Mode, Outcome, SendFault, Side, Timestamp, UnarpRefusal};

/// The agent in a page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The program's version.
    pub version: String,
    /// When it started, as nanoseconds since the Unix epoch.
    pub since_ns: Timestamp,
    /// What keeps frames from leaving.
    pub brakes: BrakesStatus,
    /// How much of libvirt it uses.
    pub access: String,
    /// The connection to libvirt.
    pub libvirt: LibvirtView,
    /// How many guests stand where.
    pub guests: GuestCounts,
    /// How many addresses of guests are not said anything of.
    #[serde(default)]
    pub addresses: AddressCounts,
    /// Frames that wait for pacing.
    pub waiting_frames: u64,
    /// Migrations since the start; ways of ending that did not occur are left out.
    pub migrations: Vec<MigrationCount>,
    /// Frames that did not leave, by reason; only those that occurred.
    pub faults: Vec<FaultCount>,
    /// Inputs lost, by queue; only those that occurred.
    pub drops: Vec<DropCount>,
    /// What came of the UNARPs of others; none where they are not to be honoured.
    pub unarp: Option<UnarpStatus>,
    /// What the operator should know of the settings.
    pub warnings: Vec<String>,
}

/// Guests by where they stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuestCounts {
    /// They run.
    pub running: u64,
    /// They are paused.
    pub paused: u64,
    /// They arrive.
    pub incoming: u64,
    /// They arrived and are not resumed.
    pub arrived_paused: u64,
    /// Their rounds go out.
    pub announcing: u64,
    /// They leave.
    pub outgoing: u64,
    /// They leave and were stopped here.
    pub switched_over: u64,
}

/// Addresses of guests of which nothing is said, by why.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressCounts {
    /// Another station has them, too.
    pub contested: u64,
    /// They are a router's or this host's, or the settings do not admit them.
    pub refused: u64,
}

/// Migrations that ended in one way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MigrationCount {
    /// This host's part.
    pub side: Side,
    /// How the memory travelled.
    pub mode: Mode,
    /// How they ended.
    pub outcome: Outcome,
    /// How many.
    pub count: u64,
}

/// Frames that did not leave for one reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultCount {
    /// Why.
    pub reason: SendFault,
    /// How many.
    pub count: u64,
}

/// Inputs lost in one queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DropCount {
    /// Which.
    pub queue: Queue,
    /// How many.
    pub count: u64,
}

/// What came of the UNARPs of others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnarpStatus {
    /// Whether they are heard.
    pub listening: bool,
    /// The prefixes in which they are honoured.
    pub prefixes: Vec<String>,
    /// Neighbour entries that were deleted since the start.
    pub honoured: u64,
    /// UNARPs that deleted nothing, by reason; only those that occurred.
    pub refused: Vec<UnarpRefusalCount>,
}

/// UNARPs that deleted nothing for one reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnarpRefusalCount {
    /// Why.
    pub reason: UnarpRefusal,
    /// How many.
    pub count: u64,
}

impl Status {
    /// The status as `view` has it at this moment.
    #[must_use]
    pub fn of(view: &View) -> Self {
        let (snapshot, facts) = (view.snapshot(), view.facts());
        let migrations = view
            .metrics
            .migrations()
            .map(|((side, mode, outcome), count)| MigrationCount {
                side,
                mode,
                outcome,
                count,
            });
        let faults = view
            .metrics
            .frame_errors()
            .map(|(reason, count)| FaultCount { reason, count });
        let drops = view
            .metrics
            .drops()
            .map(|(queue, count)| DropCount { queue, count });
        Self {
            version: facts.version.clone(),
            since_ns: facts.since,
            brakes: BrakesStatus::of(&view.brakes(), facts.dry_run),
            access: facts.access.clone(),
            libvirt: snapshot.libvirt,
            guests: GuestCounts::of(&snapshot.guests),
            addresses: AddressCounts::of(&snapshot.guests),
            waiting_frames: snapshot.waiting_frames,
            migrations: migrations.filter(|ended| ended.count > 0).collect(),
            faults: faults.filter(|fault| fault.count > 0).collect(),
            drops: drops.filter(|dropped| dropped.count > 0).collect(),
            unarp: UnarpStatus::of(view, &facts.honours),
            warnings: facts.warnings.clone(),
        }
    }
}

impl UnarpStatus {
    fn of(view: &View, prefixes: &[String]) -> Option<Self> {
        if prefixes.is_empty() {
            return None;
        }
        let refused = view.metrics.unarps_refused();
        let refused = refused.map(|(reason, count)| UnarpRefusalCount { reason, count });
        Some(Self {
            listening: view.metrics.is_unarp_listening(),
            prefixes: prefixes.to_vec(),
            honoured: view.metrics.unarps_honoured(),
            refused: refused.filter(|refused| refused.count > 0).collect(),
        })
    }
}

impl AddressCounts {
    fn of(guests: &[GuestView]) -> Self {
        let mut counts = Self::default();
        for address in guests.iter().flat_map(|guest| &guest.addresses) {
            match address.standing {
                Standing::Contested { .. } => counts.contested += 1,
                Standing::Refused { .. } => counts.refused += 1,
                Standing::Held | Standing::Waiting | Standing::Gone => {}
            }
        }
        counts
    }
}

impl GuestCounts {
    fn of(guests: &[GuestView]) -> Self {
        let mut counts = Self::default();
        for guest in guests {
            let count = match guest.phase {
                GuestPhase::Running => &mut counts.running,
                GuestPhase::Paused => &mut counts.paused,
                GuestPhase::Incoming => &mut counts.incoming,
                GuestPhase::ArrivedPaused => &mut counts.arrived_paused,
                GuestPhase::Announcing => &mut counts.announcing,
                GuestPhase::Outgoing => &mut counts.outgoing,
                GuestPhase::SwitchedOver => &mut counts.switched_over,
            };
            *count += 1;
        }
        counts
    }
}
