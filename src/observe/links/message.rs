//! `RTM_NEWLINK` and `RTM_DELLINK` as far as [`LinkState`] goes.
//!
//! Read attribute by attribute rather than as a whole message, so that one attribute that a newer
//! kernel writes differently cannot hide a link.

use netlink_packet_core::{NlaBuffer, NlasIterator};
use netlink_packet_route::link::LinkHeader;
use netlink_packet_route::{AddressFamily, link::LinkFlags};

use crate::model::{Ifindex, LinkName, LinkState, PortState};

/// `IFLA_BRPORT_STATE` (`include/uapi/linux/if_link.h`).
const IFLA_BRPORT_STATE: u16 = 1;
/// `IFLA_INFO_SLAVE_KIND` of a bridge's port.
const BRIDGE: &[u8] = b"bridge\0";
/// Octets of `struct ifinfomsg`.
const HEADER: usize = 16;

/// What one message says of one link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) ifindex: Ifindex,
    pub(super) told: Told,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// It no longer exists.
    Gone,
    /// It left its bridge (`RTM_DELLINK` of family `AF_BRIDGE`).
    LeftBridge,
    /// All of its state.
    Whole(Facts),
    /// A bridge's own message (family `AF_BRIDGE`), which tells of the port only where it carries
    /// `IFLA_PROTINFO`: bridges send one of themselves too, and so do network cards with a bridge
    /// of their own.
    Bridge(Facts),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Facts {
    name: Option<LinkName>,
    up: bool,
    carrier: bool,
    master: Option<Ifindex>,
    port: Option<PortState>,
}

impl Change {
    /// The link's state once this is taken into account; none where nothing is known of it.
    pub(super) fn onto(&self, before: Option<LinkState>) -> Option<LinkState> {
        match &self.told {
            Told::Gone => before.map(|link| LinkState {
                present: false,
                up: false,
                carrier: false,
                master: None,
                port: None,
                ..link
            }),
            Told::LeftBridge => before.map(|link| LinkState {
                master: None,
                port: None,
                ..link
            }),
            Told::Whole(facts) => self.state(facts, before),
            Told::Bridge(facts) if facts.port.is_some() => self.state(facts, before),
            Told::Bridge(facts) => before.map(|link| LinkState {
                up: facts.up,
                carrier: facts.carrier,
                ..link
            }),
        }
    }

    fn state(&self, facts: &Facts, before: Option<LinkState>) -> Option<LinkState> {
        Some(LinkState {
            ifindex: self.ifindex,
            name: facts.name.or_else(|| before.map(|link| link.name))?,
            present: true,
            up: facts.up,
            carrier: facts.carrier,
            master: facts.master,
            port: facts.port,
        })
    }
}

/// Reads a message of type `kind`; none for other types and for what cannot be read.
pub(super) fn parse(kind: u16, payload: &[u8]) -> Option<Change> {
    if !matches!(kind, libc::RTM_NEWLINK | libc::RTM_DELLINK) {
        return None;
    }
    let header = LinkHeader::parse(payload).ok()?;
    let ifindex = Ifindex::new(header.index)?;
    let bridge = header.interface_family == AddressFamily::Bridge;
    let told = match (kind, bridge) {
        (libc::RTM_DELLINK, false) => Told::Gone,
        (libc::RTM_DELLINK, true) => Told::LeftBridge,
        (_, false) => Told::Whole(facts(&header, payload)),
        (_, true) => Told::Bridge(facts(&header, payload)),
    };
    Some(Change { ifindex, told })
}

fn facts(header: &LinkHeader, payload: &[u8]) -> Facts {
    let mut facts = Facts {
        name: None,
        up: header.flags.contains(LinkFlags::Up),
        carrier: header.flags.contains(LinkFlags::LowerUp),
        master: None,
        port: None,
    };
    for attribute in attributes(payload.get(HEADER..).unwrap_or_default()) {
        let value = attribute.value();
        match attribute.kind() {
            libc::IFLA_IFNAME => facts.name = text(value).and_then(|name| name.parse().ok()),
            libc::IFLA_MASTER => facts.master = word(value).and_then(Ifindex::new),
            libc::IFLA_LINKINFO => facts.port = facts.port.or_else(|| port_in_link_info(value)),
            libc::IFLA_PROTINFO => facts.port = facts.port.or_else(|| port_state(value)),
            _ => {}
        }
    }
    facts
}

/// The state in `IFLA_LINKINFO`, where that is of a Linux bridge's port.
fn port_in_link_info(value: &[u8]) -> Option<PortState> {
    let find = |kind| attributes(value).find(|attribute| attribute.kind() == kind);
    let of_bridge = find(libc::IFLA_INFO_SLAVE_KIND)?.value() == BRIDGE;
    let data = find(libc::IFLA_INFO_SLAVE_DATA).filter(|_| of_bridge)?;
    port_state(data.value())
}

/// The state among `IFLA_BRPORT_*` attributes.
fn port_state(value: &[u8]) -> Option<PortState> {
    let state = attributes(value).find(|attribute| attribute.kind() == IFLA_BRPORT_STATE)?;
    match state.value() {
        [0] => Some(PortState::Disabled),
        [1] => Some(PortState::Listening),
        [2] => Some(PortState::Learning),
        [3] => Some(PortState::Forwarding),
        [4] => Some(PortState::Blocking),
        _ => None,
    }
}

/// The attributes up to the first that cannot be read.
fn attributes(octets: &[u8]) -> impl Iterator<Item = NlaBuffer<&[u8]>> {
    NlasIterator::new(octets).map_while(Result::ok)
}

fn text(value: &[u8]) -> Option<&str> {
    std::str::from_utf8(value.strip_suffix(&[0])?).ok()
}

fn word(value: &[u8]) -> Option<u32> {
    value.try_into().ok().map(u32::from_ne_bytes)
}
