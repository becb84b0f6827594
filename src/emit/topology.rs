//! The host's links at one moment, as far as an announcement's way depends on them.

use std::collections::{BTreeMap, BTreeSet};

use netlink_packet_route::link::{
    BridgePortState, InfoBridge, InfoBridgePort, InfoData, InfoKind, InfoPortData, LinkAttribute,
    LinkFlags, LinkInfo, LinkMessage, VlanProtocol,
};

use crate::model::{Ifindex, LinkName, LinkState, MacAddr, PortState};

/// How many VLAN devices may stand on each other before the walk down gives up. The kernel stops
/// at 8 nested devices (`MAX_NEST_DEV` in `include/linux/netdevice.h`).
const MAX_NESTING: usize = 8;

/// Every link of the network namespace.
#[derive(Clone, Debug, Default)]
pub struct Topology {
    devices: BTreeMap<Ifindex, Device>,
}

/// One link.
#[derive(Clone, Debug)]
pub(super) struct Device {
    pub(super) state: LinkState,
    pub(super) address: Option<MacAddr>,
    pub(super) kind: Kind,
    /// `IFLA_LINK`, where the link below is in the same network namespace.
    lower: Option<Ifindex>,
    /// `IFLA_BRPORT_LEARNING`; true where it is no port of a Linux bridge.
    pub(super) learns: bool,
    /// `IFLA_BRPORT_LOCKED`.
    pub(super) locked: bool,
}

/// What a link is, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A Linux bridge.
    Bridge {
        /// How it tells VLANs apart, where it does.
        filtering: Option<Filtering>,
    },
    /// A tun or tap device.
    Tap,
    /// An 802.1Q device upon another.
    Vlan,
    /// Anything else.
    Other,
}

/// Which tags a filtering bridge reads (`IFLA_BR_VLAN_PROTOCOL`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Filtering {
    /// 802.1Q.
    Customer,
    /// 802.1ad: a frame with an 802.1Q tag counts as untagged.
    Provider,
}

impl Topology {
    /// Takes over one `RTM_NEWLINK`. A message about no link, or without a name, says nothing.
    pub fn insert(&mut self, message: &LinkMessage) -> Option<Ifindex> {
        let device = Device::parse(message)?;
        let ifindex = device.state.ifindex;
        self.devices.insert(ifindex, device);
        Some(ifindex)
    }

    /// Forgets the link of that name.
    pub(super) fn remove(&mut self, name: LinkName) {
        self.devices.retain(|_, device| device.state.name != name);
    }

    pub(super) fn get(&self, ifindex: Ifindex) -> Option<&Device> {
        self.devices.get(&ifindex)
    }

    pub(super) fn named(&self, name: LinkName) -> Option<&Device> {
        self.devices
            .values()
            .find(|device| device.state.name == name)
    }

    /// A link other than `except` whose own address is `mac`.
    pub(super) fn owner(&self, mac: MacAddr, except: Ifindex) -> Option<&Device> {
        self.devices
            .values()
            .find(|device| device.address == Some(mac) && device.state.ifindex != except)
    }

    /// The links by which frames leave `bridge` for the network: its ports that are neither taps
    /// nor named in `guests`. `chosen`, where anything stands there, overrides: those of them that
    /// are ports or upper devices of the bridge, or else all that exist.
    pub(super) fn uplinks(
        &self,
        bridge: Ifindex,
        guests: &BTreeSet<LinkName>,
        chosen: &[LinkName],
    ) -> Vec<&Device> {
        if chosen.is_empty() {
            return self
                .devices
                .values()
                .filter(|device| device.state.master == Some(bridge))
                .filter(|device| device.kind != Kind::Tap && !guests.contains(&device.state.name))
                .collect();
        }
        let existing = || chosen.iter().filter_map(|&name| self.named(name));
        let near: Vec<_> = existing()
            .filter(|device| device.state.master == Some(bridge) || device.lower == Some(bridge))
            .collect();
        if near.is_empty() {
            existing().collect()
        } else {
            near
        }
    }

    /// The physical end of an uplink, by which VLAN devices upon the same link share its pacing.
    pub(super) fn bottom(&self, uplink: &Device) -> Ifindex {
        let mut at = uplink;
        for _ in 0..MAX_NESTING {
            let below = at.lower.and_then(|lower| self.devices.get(&lower));
            match (at.kind, below) {
                (Kind::Vlan, Some(below)) => at = below,
                (Kind::Vlan | Kind::Bridge { .. } | Kind::Tap | Kind::Other, _) => break,
            }
        }
        at.state.ifindex
    }
}

impl Device {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the kernel has some seventy link attributes and adds more; eight matter"
    )]
    fn parse(message: &LinkMessage) -> Option<Self> {
        let ifindex = Ifindex::new(message.header.index)?;
        let mut name = None;
        let mut address = None;
        let mut master = None;
        let mut lower = None;
        let mut foreign = false;
        let mut info = Info::default();
        for attribute in &message.attributes {
            match attribute {
                LinkAttribute::IfName(text) => name = text.parse().ok(),
                LinkAttribute::Address(octets) => {
                    address = <[u8; 6]>::try_from(octets.as_slice())
                        .ok()
                        .map(MacAddr::new);
                }
                LinkAttribute::Controller(index) => master = Ifindex::new(*index),
                LinkAttribute::Link(index) => lower = Ifindex::new(*index),
                LinkAttribute::LinkNetNsId(_) => foreign = true,
                LinkAttribute::LinkInfo(infos) => infos.iter().for_each(|item| info.take(item)),
                _ => {}
            }
        }
        Some(Self {
            state: LinkState {
                ifindex,
                name: name?,
                present: true,
                up: message.header.flags.contains(LinkFlags::Up),
                carrier: message.header.flags.contains(LinkFlags::LowerUp),
                master,
                port: info.port,
            },
            address,
            kind: info.kind(),
            lower: lower.filter(|_| !foreign),
            learns: info.learns.unwrap_or(true),
            locked: info.locked,
        })
    }
}

/// What `IFLA_LINKINFO` says.
#[derive(Debug, Default)]
struct Info {
    kind: Option<Kind>,
    filtering: bool,
    provider: bool,
    port: Option<PortState>,
    learns: Option<bool>,
    locked: bool,
}

impl Info {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the kernel adds attributes; these are the ones that matter"
    )]
    fn take(&mut self, item: &LinkInfo) {
        match item {
            LinkInfo::Kind(InfoKind::Bridge) => self.kind = Some(Kind::Bridge { filtering: None }),
            LinkInfo::Kind(InfoKind::Tun) => self.kind = Some(Kind::Tap),
            LinkInfo::Kind(InfoKind::Vlan) => self.kind = Some(Kind::Vlan),
            LinkInfo::Data(InfoData::Bridge(settings)) => {
                for setting in settings {
                    match setting {
                        InfoBridge::VlanFiltering(on) => self.filtering = *on,
                        InfoBridge::VlanProtocol(tag) => {
                            self.provider = *tag == VlanProtocol::Ieee8021Ad;
                        }
                        _ => {}
                    }
                }
            }
            LinkInfo::PortData(InfoPortData::BridgePort(settings)) => {
                for setting in settings {
                    match setting {
                        InfoBridgePort::State(state) => self.port = port_state(*state),
                        InfoBridgePort::Learning(on) => self.learns = Some(*on),
                        InfoBridgePort::Locked(on) => self.locked = *on,
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }

    fn kind(&self) -> Kind {
        match self.kind {
            Some(Kind::Bridge { .. }) => Kind::Bridge {
                filtering: self.filtering.then_some(if self.provider {
                    Filtering::Provider
                } else {
                    Filtering::Customer
                }),
            },
            Some(kind @ (Kind::Tap | Kind::Vlan | Kind::Other)) => kind,
            None => Kind::Other,
        }
    }
}

const fn port_state(state: BridgePortState) -> Option<PortState> {
    match state {
        BridgePortState::Disabled => Some(PortState::Disabled),
        BridgePortState::Listening => Some(PortState::Listening),
        BridgePortState::Learning => Some(PortState::Learning),
        BridgePortState::Forwarding => Some(PortState::Forwarding),
        BridgePortState::Blocking => Some(PortState::Blocking),
        BridgePortState::Other(_) | _ => None,
    }
}

#[cfg(test)]
pub(super) mod tests;
