//! One guest's frames, ready to leave.

use std::collections::BTreeSet;

use super::Route;
use super::entry::EntryRequest;
use super::exit::{Exits, Retraction};
use super::ledger::Leftover;
use super::limiter::Stream;
use super::link_table::Seat;
use crate::engine::{StagedFrame, Staging};
use crate::model::{GuestId, HostIpv4, Ifindex, LinkName, LinkState};

/// What [`super::Stager::stage`] made of a plan; [`super::Emitter::insert`] makes it ready to fire.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// The guest.
    pub guest: GuestId,
    /// The generation that asked for it.
    pub generation: u64,
    /// What the engine has to know of it.
    pub staging: Staging,
    pub(super) frames: Vec<Frame>,
    pub(super) places: Vec<Place>,
    /// The links that the frames depend on, as they were found.
    pub(super) links: Vec<LinkState>,
}

/// Where one NIC is plugged in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The NIC's index among the `<interface>`s of the XML.
    pub nic: u16,
    /// The guest's port.
    pub port: LinkName,
    /// Its bridge.
    pub bridge: LinkName,
    /// The links by which frames leave the bridge for the network; possibly none.
    pub uplinks: Vec<LinkName>,
    /// Whether the bridge learns from what the port receives.
    pub learns: bool,
}

/// One frame and all that its ways take.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    pub(super) stream: Stream,
    pub(super) seat: Seat,
    /// As in [`StagedFrame::uplinks`].
    pub(super) uplinks: Vec<Ifindex>,
    /// The bridge's own ports that lead there.
    pub(super) uplink_ports: Vec<Ifindex>,
    pub(super) learns: bool,
    pub(super) route: Route,
    /// The frame as the guest would send it.
    pub(super) as_guest: Vec<u8>,
    /// The frame as the bridge device has to send it, where it is in the frame's VLAN.
    pub(super) as_bridge: Option<Vec<u8>>,
    pub(super) entry: EntryRequest,
    /// A static entry had the address on the guest's port when it was staged.
    pub(super) fixed: bool,
    /// How the host itself speaks into the frame's network, where it can.
    pub(super) exits: Option<Exits>,
}

impl Frame {
    /// The octets that leave by the frame's route.
    pub(super) fn octets(&self) -> &[u8] {
        match self.route {
            Route::Injection | Route::EntryAndInjection => &self.as_guest,
            Route::EntryAndBridge => self.as_bridge.as_deref().unwrap_or_default(),
        }
    }
}

impl Prepared {
    /// The frames of a round, in the order in which they go out: what the engine knows of each,
    /// its octets, and its way.
    pub fn frames(&self) -> impl Iterator<Item = (&StagedFrame, &[u8], Route)> {
        self.staging
            .frames
            .iter()
            .zip(&self.frames)
            .map(|(staged, frame)| (staged, frame.octets(), frame.route))
    }

    /// What the source would say about `ip` into the network of one frame: octets for each link
    /// that it would leave by; none where the host has no way there.
    #[must_use]
    pub fn retraction(&self, frame: u16, ip: HostIpv4) -> Vec<Vec<u8>> {
        let exits = self
            .frames
            .get(usize::from(frame))
            .and_then(|frame| frame.exits.as_ref());
        let octets = |exits: &Exits| {
            let ways = exits.ways.iter();
            ways.map(|exit| {
                Retraction::new(exits.sender, ip, exit.tag)
                    .octets()
                    .to_vec()
            })
            .collect()
        };
        exits.map(octets).unwrap_or_default()
    }

    /// The entries that these frames may leave in their bridges: written, or learned from what was
    /// injected.
    #[must_use]
    pub fn leftovers(&self) -> BTreeSet<Leftover> {
        let leftover = |frame: &Frame| Leftover {
            port: frame.seat.port,
            name: frame.seat.name,
            bridge: frame.seat.bridge,
            mac: frame.stream.mac,
            vlan: frame.stream.vlan,
            fixed: frame.fixed,
        };
        self.frames.iter().map(leftover).collect()
    }

    /// Where the NICs that have frames are plugged in, in document order.
    #[must_use]
    pub fn places(&self) -> &[Place] {
        &self.places
    }
}
