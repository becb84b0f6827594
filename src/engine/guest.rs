//! One guest as the engine remembers it.

use super::addresses::AddressBook;
use super::journal::Journal;
use super::state::State;
use super::{AddressPolicy, Cause, GuestPhase, GuestView, Plan, Staging, Ticket, WatchedNic};
use crate::model::{GuestDescription, GuestId, GuestName, Ifindex, Instant, Refusal};

/// Frames of one guest that may wait for a retry or an open port at a time; a schedule's first
/// round of a guest with as many addresses. More are given up and counted as lost.
pub(crate) const PARKED_FRAMES: usize = 256;

/// A running schedule.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Schedule {
    /// When the first round was due: RESUME.
    pub(crate) start: Instant,
    /// When the event that set it off entered this process.
    pub(crate) since: Instant,
    /// The round that is due next, from 1.
    pub(crate) next: u8,
    /// What set it off.
    pub(crate) cause: Cause,
}

/// A frame that is tried again later.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Retry {
    pub(crate) at: Instant,
    pub(crate) ticket: Ticket,
}

/// What a plan is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Basis {
    /// The guest's XML.
    Xml,
    /// Its links alone, without what only the XML tells.
    Links,
}

impl Basis {
    pub(crate) const fn of(description: &GuestDescription) -> Self {
        if description.by_links {
            Self::Links
        } else {
            Self::Xml
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Guest {
    pub(crate) name: GuestName,
    pub(crate) state: State,
    /// Counts stagings; an answer or a ticket of an earlier one is stale.
    pub(crate) generation: u64,
    /// When the staging under way was asked for.
    pub(crate) asked: Option<Instant>,
    /// When what is staged, or under way, was asked for.
    pub(crate) question: Instant,
    /// When libvirt is asked again after it did not answer.
    pub(crate) ask_again: Option<Instant>,
    /// Only a hook spoke of it so far; when that is forgotten.
    pub(crate) foretold: Option<Instant>,
    /// What is staged, or under way, is what a hook said; libvirt was asked about it by this number.
    pub(crate) confirming: Option<u64>,
    /// What its plan is of.
    pub(crate) basis: Basis,
    /// libvirt was asked for its XML beside that by this number.
    pub(crate) learning: Option<u64>,
    /// libvirt has no such guest: unless it says by then how the guest ended, it never will.
    pub(crate) gone: Option<Instant>,
    pub(crate) plan: Plan,
    pub(super) addresses: AddressBook,
    /// Where its addresses are listened for.
    pub(super) watched: Vec<WatchedNic>,
    pub(crate) staging: Option<Staging>,
    /// When that stood ready.
    pub(crate) staged_at: Instant,
    /// The early frames were called for at this time, by this cause.
    pub(crate) early: Option<Instant>,
    /// The early frames were handed out.
    pub(crate) early_sent: bool,
    pub(crate) schedule: Option<Schedule>,
    /// A single round is to go out as soon as all stands ready.
    pub(crate) single: Option<(Cause, Instant)>,
    /// It is being staged only to see whether its own bridge looks for it elsewhere.
    pub(crate) inspected: bool,
    pub(crate) arrival: Option<Journal>,
    /// The journal of what was found in mid-migration and looks as if it arrived: its own bridge
    /// looked for it elsewhere. A guest that leaves has had its place here.
    pub(crate) found: Option<Journal>,
    /// No part of it has yet to come.
    pub(crate) arrived_whole: bool,
    pub(crate) departure: Option<Journal>,
    /// When a departure is closed without libvirt's figures.
    pub(crate) closing: Option<Instant>,
    /// Frames handed out and not answered, or waiting.
    pub(crate) outstanding: u32,
    /// Frames that left, by round.
    pub(crate) sent_by_round: Vec<u32>,
    pub(crate) last_round: Option<super::Round>,
    /// When the latest frame left.
    pub(crate) last_sent: Instant,
    /// When QEMU says that the guest began to run.
    pub(crate) resumed_at: Option<Instant>,
    pub(crate) retries: Vec<Retry>,
    /// Frames that wait for their port to pass frames.
    pub(crate) blocked: Vec<Ticket>,
    /// When those are given up.
    pub(crate) blocked_until: Option<Instant>,
}

impl Guest {
    pub(crate) fn new(name: GuestName, state: State) -> Self {
        Self {
            name,
            state,
            generation: 0,
            asked: None,
            question: Instant::ZERO,
            ask_again: None,
            foretold: None,
            confirming: None,
            basis: Basis::Xml,
            learning: None,
            gone: None,
            plan: Plan::default(),
            addresses: AddressBook::default(),
            watched: Vec::new(),
            staging: None,
            staged_at: Instant::ZERO,
            early: None,
            early_sent: false,
            schedule: None,
            single: None,
            inspected: false,
            arrival: None,
            found: None,
            arrived_whole: true,
            departure: None,
            closing: None,
            outstanding: 0,
            sent_by_round: Vec::new(),
            last_round: None,
            last_sent: Instant::ZERO,
            resumed_at: None,
            retries: Vec::new(),
            blocked: Vec::new(),
            blocked_until: None,
        }
    }

    /// The migration that frames of this guest belong to.
    pub(crate) fn journal_mut(&mut self) -> Option<&mut Journal> {
        self.arrival.as_mut().or(self.departure.as_mut())
    }

    /// Reserves all that the hot path writes to.
    pub(crate) fn reserve(&mut self, rounds: u8) {
        let frames = self
            .staging
            .as_ref()
            .map_or(0, |staging| staging.frames.len());
        let parked = frames
            .saturating_mul(usize::from(rounds))
            .min(PARKED_FRAMES);
        self.retries
            .reserve(parked.saturating_sub(self.retries.len()));
        self.blocked
            .reserve(parked.saturating_sub(self.blocked.len()));
        self.sent_by_round.clear();
        self.sent_by_round.resize(usize::from(rounds), 0);
    }

    /// Whether nothing of this guest is left to do or to tell.
    pub(crate) fn is_over(&self) -> bool {
        self.state == State::Absent
            && self.arrival.is_none()
            && self.departure.is_none()
            && self.foretold.is_none()
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.schedule.is_none()
            && self.single.is_none()
            && self.outstanding == 0
            && self.retries.is_empty()
            && self.blocked.is_empty()
    }

    /// When something of this guest is due next.
    pub(crate) fn deadline(&self, rounds: super::Rounds) -> Option<Instant> {
        let round = self
            .schedule
            .filter(|_| self.staging.is_some())
            .and_then(|schedule| Some(schedule.start + rounds.offset(schedule.next)?));
        let retry = self.retries.iter().map(|retry| retry.at).min();
        let others = [
            self.closing,
            self.ask_again,
            self.foretold,
            self.gone,
            self.blocked_until,
        ];
        others.into_iter().chain([round, retry]).flatten().min()
    }

    /// The port that a staged frame enters by.
    pub(crate) fn port_of(&self, ticket: &Ticket) -> Option<Ifindex> {
        let staging = self
            .staging
            .as_ref()
            .filter(|_| ticket.generation == self.generation)?;
        staging
            .frames
            .get(usize::from(ticket.frame))
            .map(|frame| frame.port)
    }

    /// Forgets frames that wait for anything but pacing.
    pub(crate) fn forget_parked(&mut self) {
        self.retries.clear();
        self.blocked.clear();
        self.blocked_until = None;
    }

    /// Refusals by the XML and by the host, in document order.
    pub(crate) fn refusals(&self) -> Vec<(u16, Refusal)> {
        let staged = self.staging.iter().flat_map(|staging| &staging.refused);
        let mut refused: Vec<_> = self.plan.refused.iter().chain(staged).cloned().collect();
        refused.sort_by_key(|&(nic, _)| nic);
        refused
    }

    /// The picture of this guest for people; none once it is gone.
    pub(crate) fn view(
        &self,
        uuid: GuestId,
        policy: &AddressPolicy,
        offset: i64,
    ) -> Option<GuestView> {
        let phase = match self.state {
            State::Absent => return None,
            State::Running if self.schedule.is_some() => GuestPhase::Announcing,
            State::Running => GuestPhase::Running,
            State::Paused => GuestPhase::Paused,
            State::Incoming { .. } => GuestPhase::Incoming,
            State::ArrivedPaused => GuestPhase::ArrivedPaused,
            State::Outgoing | State::OutgoingPaused { .. } => GuestPhase::Outgoing,
            State::SwitchedOver { .. } => GuestPhase::SwitchedOver,
        };
        let journal = self.departure.as_ref().or(self.arrival.as_ref());
        let frames = self.staging.iter().flat_map(|staging| &staging.frames);
        Some(GuestView {
            uuid,
            name: self.name.clone(),
            phase,
            mode: journal.map(|journal| journal.mode),
            staged: self.staging.is_some(),
            round: self.last_round,
            macs: if self.staging.is_some() {
                frames.map(|frame| (frame.mac, frame.vlan)).collect()
            } else {
                self.plan.nics.iter().map(|nic| (nic.mac, None)).collect()
            },
            addresses: self.address_views(policy, offset),
            refused: self.refusals(),
            phases: journal
                .map(|journal| journal.phases().to_vec())
                .unwrap_or_default(),
        })
    }
}
