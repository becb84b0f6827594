//! What the rest of the agent answers the engine, by what is the case at that time.

use std::net::Ipv4Addr;

use super::{Item, Realm};
use crate::engine::tests::histories::host::Connection;
use crate::engine::tests::histories::{BRIDGE, UPLINK, nics, number, tap};
use crate::engine::{DescribeFault, Event, Plan, RunState, StagedFrame, Staging};
use crate::model::{
    AddressSource, Attachment, FrameKind, GivenAddress, GuestDescription, GuestId, GuestName,
    HostIpv4, Ifindex, Interface, MacAddr, Nic, Refusal,
};

impl Realm {
    pub(super) fn describe(&mut self, host: usize, life: u32, guest: GuestId, generation: u64) {
        if self.scene.hosts[host].life != Some(life) {
            return;
        }
        let index = number(guest);
        let it = &mut self.scene.hosts[host];
        let outcome = if let Some(fault) = it.describe_fault.take() {
            Err(fault)
        } else if it.connection == Connection::None {
            Err(DescribeFault::Unavailable)
        } else if self.scene.truth.guests[index].at[host] == RunState::Off {
            Err(DescribeFault::Gone)
        } else {
            Ok(description(index))
        };
        self.input(
            host,
            Event::Described {
                guest,
                generation,
                outcome,
            },
        );
    }

    pub(super) fn stage(
        &mut self,
        host: usize,
        life: u32,
        guest: GuestId,
        generation: u64,
        plan: &Plan,
    ) {
        if self.scene.hosts[host].life != Some(life) {
            return;
        }
        let index = number(guest);
        let staging = self.staging(host, index, plan);
        let it = &mut self.scene.hosts[host];
        if it.engine.awaits(guest, generation) {
            let ports = staging.frames.iter().map(|frame| frame.port).collect();
            it.staged.insert(index, (generation, ports));
        }
        self.input(
            host,
            Event::Staged {
                guest,
                generation,
                staging,
            },
        );
    }

    fn staging(&self, host: usize, guest: usize, plan: &Plan) -> Staging {
        let mut staging = Staging::default();
        for nic in &plan.nics {
            let index = usize::from(nic.index);
            match self.scene.truth.guests[guest].taps[host] {
                None => staging
                    .refused
                    .push((nic.index, Refusal::LinkMissing(nic.target))),
                Some(taps) if !taps.plugged => staging
                    .refused
                    .push((nic.index, Refusal::NotEnslaved(nic.target))),
                Some(taps) => staging.frames.push(StagedFrame {
                    nic: nic.index,
                    mac: nic.mac,
                    vlan: None,
                    kind: FrameKind::Rarp,
                    port: taps.port(index),
                    bridge: BRIDGE.unwrap(),
                    uplinks: vec![Ifindex::new(UPLINK).unwrap()],
                    behind_uplink: self.scene.network.is_stray(host, guest, index),
                }),
            }
        }
        staging
    }

    /// Nothing is left that anybody waits for.
    pub(in crate::engine::tests::histories) fn is_at_rest(&self) -> bool {
        !self.agenda.values().any(|item| {
            matches!(
                item,
                Item::Fact(..) | Item::Begin(_) | Item::Connect(..) | Item::Read(..)
            )
        })
    }
}

pub(super) fn description(guest: usize) -> GuestDescription {
    let interface = |nic: usize| Interface {
        mac: None,
        kind: None,
        source: None,
        network: None,
        target: None,
        model: None,
        vlans: Vec::new(),
        addresses: vec![GivenAddress {
            ip: ip(guest, nic, 1),
            source: AddressSource::Xml,
        }],
        nic: Ok(Nic {
            mac: mac(guest, nic),
            attachment: Attachment::BridgeTap,
            target: Some(tap(guest, nic)),
        }),
    };
    GuestDescription {
        uuid: Some(super::super::guest(guest)),
        name: GuestName::default(),
        interfaces: (0..nics(guest)).map(interface).collect(),
        by_links: false,
    }
}

/// An address of this NIC.
pub(super) fn ip(guest: usize, nic: usize, last: u8) -> HostIpv4 {
    let octet = |number: usize| u8::try_from(number).unwrap();
    let address = Ipv4Addr::new(192, octet(guest), octet(nic), last);
    HostIpv4::try_from(address).unwrap()
}

pub(super) fn mac(guest: usize, nic: usize) -> MacAddr {
    let octet = |number: usize| u8::try_from(number).unwrap();
    MacAddr::new([0x52, 0x54, 0, 0, octet(guest), octet(nic)])
}
