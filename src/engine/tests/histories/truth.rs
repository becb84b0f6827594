//! What is really the case, whoever was told.

use super::{GUESTS, HOSTS, NICS};
use crate::engine::{GuestFacts, RunState};
use crate::model::{GuestName, Ifindex, LinkState, PortState};

/// The host's end of one guest's NICs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taps {
    /// The number of the first; the others follow.
    first: u32,
    /// They pass frames.
    pub(super) open: bool,
    /// They are ports of the bridge.
    pub(super) plugged: bool,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Migration {
    pub(super) source: usize,
    pub(super) destination: usize,
}

/// One guest.
#[derive(Clone, Copy, Debug)]
pub(super) struct Body {
    /// How it stands on each host.
    pub(super) at: [RunState; HOSTS],
    pub(super) taps: [Option<Taps>; HOSTS],
    /// The latest migration.
    pub(super) migration: Option<Migration>,
    /// A migration, or an order, is under way.
    pub(super) busy: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Truth {
    pub(super) guests: [Body; GUESTS],
    next_tap: u32,
}

impl Truth {
    pub(super) fn new() -> Self {
        let body = Body {
            at: [RunState::Off; HOSTS],
            taps: [None; HOSTS],
            migration: None,
            busy: false,
        };
        Self {
            guests: [body; GUESTS],
            next_tap: 10,
        }
    }

    /// The host where it is, outside migrations.
    pub(super) fn home(&self, guest: usize) -> Option<(usize, RunState)> {
        let at = self.guests[guest].at;
        let host = at.iter().position(|&state| state != RunState::Off)?;
        Some((host, at[host]))
    }

    pub(super) fn runs(&self, host: usize, guest: usize) -> bool {
        matches!(
            self.guests[guest].at[host],
            RunState::Running | RunState::RunningPostcopy
        )
    }

    /// New taps, under the names that this guest's taps always have here, with other numbers.
    pub(super) fn plug(&mut self, host: usize, guest: usize) {
        let taps = Taps {
            first: self.next_tap,
            open: true,
            plugged: true,
        };
        self.next_tap += u32::try_from(NICS).unwrap();
        self.guests[guest].taps[host] = Some(taps);
    }

    /// What the kernel says of a guest's taps.
    pub(super) fn links(&self, host: usize, guest: usize) -> Vec<LinkState> {
        self.guests[guest].taps[host]
            .map(|taps| taps.links(guest))
            .unwrap_or_default()
    }

    /// What libvirt lists.
    pub(super) fn listed(&self, host: usize) -> Vec<GuestFacts> {
        let facts = |(guest, body): (usize, &Body)| GuestFacts {
            guest: super::guest(guest),
            name: GuestName::default(),
            state: body.at[host],
        };
        let bodies = self.guests.iter().enumerate();
        bodies
            .map(facts)
            .filter(|facts| facts.state != RunState::Off)
            .collect()
    }
}

impl Taps {
    pub(super) fn port(&self, nic: usize) -> Ifindex {
        Ifindex::new(self.first + u32::try_from(nic).unwrap()).unwrap()
    }

    fn links(&self, guest: usize) -> Vec<LinkState> {
        let port = match (self.plugged, self.open) {
            (false, _) => None,
            (true, false) => Some(PortState::Listening),
            (true, true) => Some(PortState::Forwarding),
        };
        let link = |nic| LinkState {
            ifindex: self.port(nic),
            name: super::tap(guest, nic),
            present: true,
            up: true,
            carrier: true,
            master: super::BRIDGE.filter(|_| self.plugged),
            port,
        };
        (0..super::nics(guest)).map(link).collect()
    }
}
