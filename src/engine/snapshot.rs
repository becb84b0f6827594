//! An owned picture of the engine for people: status, guests and history.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Round, Standing};
use crate::model::{
    AddressSource, GuestId, GuestName, HostIp, MacAddr, Mode, Outcome, Phase, Refusal, SendFault,
    Side, Timestamp, VlanId,
};

/// What the engine holds at one moment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The connection to libvirt.
    pub libvirt: LibvirtView,
    /// Guests that libvirt has running, paused or arriving here, by UUID.
    pub guests: Vec<GuestView>,
    /// Ended migrations, newest first; the last 256.
    pub history: Vec<Record>,
    /// Frames that wait for pacing.
    pub waiting_frames: u64,
}

/// The connection to libvirt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LibvirtView {
    /// A connection stands.
    pub connected: bool,
    /// And every guest has been read over it.
    pub resynced: bool,
    /// When the state last changed.
    pub since: Timestamp,
    /// Connections made after the first.
    pub reconnects: u64,
}

/// One guest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GuestView {
    /// Its UUID.
    pub uuid: GuestId,
    /// Its name, raw: escape it before it meets a terminal.
    pub name: GuestName,
    /// Where it stands.
    pub phase: GuestPhase,
    /// How its memory travels or travelled, in a migration.
    pub mode: Option<Mode>,
    /// Whether frames stand ready.
    pub staged: bool,
    /// The latest round that left.
    pub round: Option<Round>,
    /// Its addresses; once they stand ready with the VLAN, where the port filters VLANs.
    pub macs: Vec<(MacAddr, Option<VlanId>)>,
    /// Its IP addresses as far as they are known or were heard of.
    #[serde(default)]
    pub addresses: Vec<AddressView>,
    /// NICs that are not announced, by index, and why.
    pub refused: Vec<(u16, Refusal)>,
    /// Steps of the present or latest migration.
    pub phases: Vec<PhaseAt>,
}

/// One IP address of a guest. In JSON `standing` is a word, with `by` beside it where the address
/// is contested and `reason` where it is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressView {
    /// The NIC's own address; none where the settings give the guest an address of whichever NIC.
    pub mac: Option<MacAddr>,
    /// The address.
    pub ip: HostIp,
    /// By whose word.
    pub source: AddressSource,
    /// How it stands.
    #[serde(flatten)]
    pub standing: Standing,
    /// Since when it stands so, as nanoseconds since the Unix epoch; of one that libvirt's XML or
    /// the settings give, when that was read.
    pub since_ns: Timestamp,
}

/// Where a guest stands on this host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GuestPhase {
    /// It runs, and nothing is under way.
    Running,
    /// It is paused, and nothing is under way.
    Paused,
    /// It arrives: QEMU stands, the guest does not run yet.
    Incoming,
    /// It arrived whole and has not been resumed yet.
    ArrivedPaused,
    /// It arrived and its rounds go out.
    Announcing,
    /// It leaves, and runs here still.
    Outgoing,
    /// It leaves, and was stopped here.
    SwitchedOver,
}

/// A step with its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhaseAt {
    /// Which step.
    pub phase: Phase,
    /// When, as nanoseconds since the Unix epoch.
    pub at_ns: Timestamp,
}

/// One ended migration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Counts from 1 at each start of the agent.
    pub id: u64,
    /// The guest.
    pub uuid: GuestId,
    /// Its name, raw: escape it before it meets a terminal.
    pub name: GuestName,
    /// This host's part.
    pub side: Side,
    /// How the memory travelled.
    pub mode: Mode,
    /// How it ended.
    pub outcome: Outcome,
    /// Its steps, in the order in which they happened.
    pub phases: Vec<PhaseAt>,
    /// Its figures.
    pub measured: Measured,
    /// What the other host's agent said; none without a pairing.
    pub peer: Option<()>,
}

/// The figures of a migration, as far as this host has them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Measured {
    /// Entry of our callback to return of the sending call, first announcement.
    pub event_to_wire: Option<Duration>,
    /// QEMU's RESUME stamp to return of the sending call, first frame of the first round.
    pub resume_to_wire: Option<Duration>,
    /// Downtime as libvirt reports it.
    pub downtime: Option<Duration>,
    /// Frames before RESUME.
    pub early_frames: u32,
    /// Frames of the schedule.
    pub frames: u32,
    /// Frames that did not leave in the end.
    pub lost_frames: u32,
    /// Rounds that left whole.
    pub rounds: u8,
    /// Why the latest frame that did not leave at its time did not; it may have left later.
    #[serde(default)]
    pub latest_fault: Option<SendFault>,
    /// Addresses that were retracted.
    #[serde(default)]
    pub retractions: u32,
}
