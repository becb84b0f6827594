//! Takes forwarding entries back: read, compare, delete; and lets those age that a static entry of
//! a guest left behind an uplink.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::time::Duration;

use futures_util::TryStreamExt;
use netlink_packet_core::{DecodeError, NLM_F_DUMP, NLM_F_REQUEST, Parseable};
use netlink_packet_route::AddressFamily;
use netlink_packet_route::link::{LinkAttribute, LinkMessage};
use netlink_packet_route::neighbour::{
    NeighbourAttribute, NeighbourFlags, NeighbourMessage, NeighbourState,
};
use rtnetlink::Handle;

use super::book::Leftover;
use crate::emit::topology::{Device, Kind, Topology};
use crate::model::{Ifindex, LinkName, MacAddr, VlanId};
use crate::sys::netlink;

/// How long the kernel may take over one guest's entries.
const PATIENCE: Duration = Duration::from_secs(2);

/// Why entries were not taken back.
#[derive(Debug, thiserror::Error)]
pub(super) enum UndoError {
    /// The port, or the deletion.
    #[error("the kernel refused")]
    Refused(#[from] rtnetlink::Error),
    /// The bridge's entries.
    #[error("cannot read the entries of a bridge")]
    Read(#[from] io::Error),
    /// A stuck RTNL lock.
    #[error("the kernel did not answer")]
    Unanswered(#[from] tokio::time::error::Elapsed),
}

/// A forwarding entry of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The address that is behind the port.
    pub mac: MacAddr,
    /// 0 for the one that counts where the bridge does not filter.
    pub vlan: u16,
    /// It ages, and no manager, controller or authenticator has put it there.
    pub dynamic: bool,
    /// It is static, but moves with frames, and no controller has put it there.
    pub fixed: bool,
}

/// What to delete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deletion {
    /// The entries of every VLAN, and the one without.
    Whole,
    /// The entry of one VLAN.
    Vlan(u16),
}

/// Asks the kernel and deletes.
#[derive(Debug)]
pub(super) struct Undoer {
    handle: Handle,
}

impl Undoer {
    /// Opens a netlink socket in the network namespace of the calling thread, and has `runtime`
    /// drive it.
    pub(super) fn start(runtime: &tokio::runtime::Runtime) -> io::Result<Self> {
        let (connection, handle, _) = rtnetlink::new_connection()?;
        runtime.spawn(connection);
        Ok(Self { handle })
    }

    /// Deletes those of the entries that still stand as they were written down: dynamic, on a port
    /// of that number, name and bridge. Returns how many.
    ///
    /// An address that is elsewhere by now is where it belongs, and a port that is gone or left
    /// its bridge took its entries with it.
    pub(super) async fn undo(&self, leftovers: &BTreeSet<Leftover>) -> Result<u64, UndoError> {
        tokio::time::timeout(PATIENCE, self.undo_all(leftovers)).await?
    }

    async fn undo_all(&self, leftovers: &BTreeSet<Leftover>) -> Result<u64, UndoError> {
        let mut by_port = BTreeMap::<_, Vec<_>>::new();
        for leftover in leftovers {
            let place = (leftover.port, leftover.name, leftover.bridge);
            by_port.entry(place).or_default().push(leftover);
        }
        let mut undone = 0;
        for ((port, name, bridge), leftovers) in by_port {
            for leftover in leftovers.iter().filter(|leftover| leftover.fixed) {
                undone += self.let_age(leftover).await?;
            }
            if !self.is_there(port, name, bridge).await? {
                continue;
            }
            let entries = read(Some(port), bridge).await?;
            let entries: Vec<_> = entries.into_iter().map(|(_, entry)| entry).collect();
            for leftover in leftovers {
                for deletion in compare(leftover, &entries) {
                    undone += u64::from(self.delete(leftover, deletion).await?);
                }
            }
        }
        Ok(undone)
    }

    /// Has the bridge's static entry of a guest age, where it has moved from the guest's port to an
    /// uplink. Returns how many.
    async fn let_age(&self, leftover: &Leftover) -> Result<u64, UndoError> {
        let vlan = leftover.vlan.map_or(0, VlanId::get);
        let mut changed = 0;
        for (port, entry) in read(None, leftover.bridge).await? {
            let of_guest = (entry.mac, entry.vlan) == (leftover.mac, vlan);
            if !of_guest || !entry.fixed || port == leftover.port {
                continue;
            }
            let found = self.device(port).await?;
            let uplink = found.is_some_and(|device| {
                device.kind != Kind::Tap
                    && device.state.master == Some(leftover.bridge)
                    && !device.locked
            });
            if uplink {
                self.replace_by_dynamic(port, leftover).await?;
                changed += 1;
            }
        }
        Ok(changed)
    }

    /// The bridge clears what made the entry static where it is written anew as one that is
    /// reachable (`fdb_add_entry` in `net/bridge/br_fdb.c`).
    async fn replace_by_dynamic(
        &self,
        port: Ifindex,
        leftover: &Leftover,
    ) -> Result<(), rtnetlink::Error> {
        let mac = leftover.mac.octets();
        let mut request = self
            .handle
            .neighbours()
            .add_bridge(port.get(), &mac)
            .replace();
        let message = request.message_mut();
        message.header.state = NeighbourState::Reachable;
        message.header.flags = NeighbourFlags::Controller;
        if let Some(vlan) = leftover.vlan {
            message
                .attributes
                .push(NeighbourAttribute::Vlan(vlan.get()));
        }
        request.execute().await
    }

    /// Whether the port is the one that was written down, and nobody authenticates on it.
    async fn is_there(
        &self,
        port: Ifindex,
        name: LinkName,
        bridge: Ifindex,
    ) -> Result<bool, rtnetlink::Error> {
        let device = self.device(port).await?;
        Ok(device.is_some_and(|device| {
            device.state.name == name && device.state.master == Some(bridge) && !device.locked
        }))
    }

    async fn device(&self, port: Ifindex) -> Result<Option<Device>, rtnetlink::Error> {
        let request = self.handle.link().get().match_index(port.get());
        let mut links = std::pin::pin!(request.execute());
        let link = match links.try_next().await {
            Ok(link) => link,
            Err(rtnetlink::Error::NetlinkError(error)) if error.raw_code() == -libc::ENODEV => None,
            Err(error) => return Err(error),
        };
        let mut topology = Topology::default();
        let ifindex = link.and_then(|link| topology.insert(&link));
        Ok(ifindex.and_then(|ifindex| topology.get(ifindex)).cloned())
    }

    /// Whether there was something to delete. The kernel deletes on the named port alone.
    async fn delete(
        &self,
        leftover: &Leftover,
        deletion: Deletion,
    ) -> Result<bool, rtnetlink::Error> {
        let mut message = NeighbourMessage::default();
        message.header.family = AddressFamily::Bridge;
        message.header.ifindex = leftover.port.get();
        message.header.flags = NeighbourFlags::Controller;
        let mac = leftover.mac.octets().to_vec();
        message.attributes = vec![NeighbourAttribute::LinkLayerAddress(mac)];
        if let Deletion::Vlan(vlan) = deletion {
            message.attributes.push(NeighbourAttribute::Vlan(vlan));
        }
        match self.handle.neighbours().del(message).execute().await {
            Ok(()) => Ok(true),
            Err(rtnetlink::Error::NetlinkError(error))
                if matches!(-error.raw_code(), libc::ENOENT | libc::ENODEV) =>
            {
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }
}

/// What may be deleted for the sake of one leftover, of the entries of its port.
///
/// On a bridge that does not filter, the kernel writes the entry for every VLAN of the port beside
/// the one that counts (`br_fdb_add` in `net/bridge/br_fdb.c`), and no request names that one
/// alone; so where a manager has put one of them there, that one is left to age.
fn compare(leftover: &Leftover, entries: &[Entry]) -> Vec<Deletion> {
    let of_guest = || entries.iter().filter(|entry| entry.mac == leftover.mac);
    let Some(vlan) = leftover.vlan else {
        if of_guest().next().is_some() && of_guest().all(|entry| entry.dynamic) {
            return vec![Deletion::Whole];
        }
        let copies = of_guest().filter(|entry| entry.dynamic && entry.vlan != 0);
        return copies.map(|entry| Deletion::Vlan(entry.vlan)).collect();
    };
    of_guest()
        .filter(|entry| entry.dynamic && entry.vlan == vlan.get())
        .map(|entry| Deletion::Vlan(entry.vlan))
        .collect()
}

/// The entries of one port of a bridge, or of all.
async fn read(port: Option<Ifindex>, bridge: Ifindex) -> io::Result<Vec<(Ifindex, Entry)>> {
    // The kernel takes port and bridge from the header and attribute of a link's message
    // (`valid_fdb_dump_legacy` in `net/core/rtnetlink.c`).
    let mut filter = LinkMessage::default();
    filter.header.interface_family = AddressFamily::Bridge;
    filter.header.index = port.map_or(0, Ifindex::get);
    filter.attributes = vec![LinkAttribute::Controller(bridge.get())];
    let flags = NLM_F_REQUEST | NLM_F_DUMP;
    let request = netlink::message(libc::RTM_GETNEIGH, flags, 0, &filter);
    let mut entries = Vec::new();
    let mut unreadable = false;
    netlink::dump(&request, |kind, payload| {
        if kind == libc::RTM_NEWNEIGH {
            match parse(payload) {
                Ok(entry) => {
                    let wanted = |found: &Ifindex| port.is_none_or(|port| port == *found);
                    entries.extend(entry.filter(|(found, _)| wanted(found)));
                }
                Err(_) => unreadable = true,
            }
        }
    })
    .await?;
    // What cannot be read may be what must stay.
    if unreadable {
        return Err(io::ErrorKind::InvalidData.into());
    }
    Ok(entries)
}

/// The entry and its port, where it is one of a bridge's.
///
/// # Errors
///
/// When it cannot be read.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the kernel adds attributes; two matter"
)]
pub fn parse(payload: &[u8]) -> Result<Option<(Ifindex, Entry)>, DecodeError> {
    let message = NeighbourMessage::parse(payload)?;
    let flags = message.header.flags;
    // The device's own filter, not the bridge's table.
    let port = Ifindex::new(message.header.ifindex);
    let port = port.filter(|_| !flags.contains(NeighbourFlags::Own));
    let mut mac = None;
    let mut vlan = 0;
    for attribute in &message.attributes {
        match attribute {
            NeighbourAttribute::LinkLayerAddress(octets) => {
                let octets = <[u8; 6]>::try_from(octets.as_slice()).ok();
                mac = octets.map(MacAddr::new);
            }
            NeighbourAttribute::Vlan(number) => vlan = *number,
            _ => {}
        }
    }
    let ages = matches!(
        message.header.state,
        NeighbourState::Reachable | NeighbourState::Stale
    );
    let foreign = flags.intersects(NeighbourFlags::Sticky | NeighbourFlags::ExtLearned);
    let entry = mac.map(|mac| Entry {
        mac,
        vlan,
        dynamic: ages && !foreign,
        fixed: message.header.state == NeighbourState::Noarp && !foreign,
    });
    Ok(port.zip(entry))
}

#[cfg(test)]
mod tests;
