//! From a plan and the host's links to frames and their ways: no IO.

use std::collections::BTreeSet;

use super::entry::EntryRequest;
use super::exit::{self, Exit, Exits};
use super::limiter::Stream;
use super::link_table::Seat;
use super::prepared::{Frame, Place, Prepared};
use super::route::Route;
use super::topology::{Device, Filtering, Kind, Topology};
use super::vlan_table::{Membership, VlanTable};
use crate::engine::{Plan, PlannedNic, StagedFrame, Staging};
use crate::model::{FrameKind, GuestId, Ifindex, LinkName, MacAddr, Refusal, VlanId};
use crate::wire;

/// Frames of one guest in one round. Five rounds of 64 take more than a second of default pacing;
/// a trunk port with more VLANs than that belongs to a router, which announces itself.
const MAX_FRAMES: usize = 64;

/// The host at the moment of staging, and the settings.
#[derive(Clone, Copy, Debug)]
pub(super) struct Host<'a> {
    pub(super) topology: &'a Topology,
    /// Read where a bridge of the plan filters VLANs.
    pub(super) vlans: &'a VlanTable,
    /// [`Route::Injection`] or [`Route::EntryAndBridge`].
    pub(super) route: Route,
    /// `[network] uplinks`.
    pub(super) uplinks: &'a [LinkName],
}

/// Resolves every NIC of the plan.
pub(super) fn resolve(guest: GuestId, generation: u64, plan: &Plan, host: Host<'_>) -> Prepared {
    let mut staging = Staging::default();
    let mut places = Vec::new();
    let mut links = Vec::new();
    let mut queues = Vec::new();
    let mut taken = BTreeSet::new();
    let macs = plan.nics.iter().map(|nic| nic.mac).collect();
    let targets = plan.nics.iter().map(|nic| nic.target).collect();
    for nic in &plan.nics {
        let (port, bridge) = match host.find(nic) {
            Ok(found) => found,
            Err(refusal) => {
                staging.refused.push((nic.index, refusal));
                continue;
            }
        };
        if !taken.insert((bridge.state.ifindex, nic.mac)) {
            staging.refused.push((nic.index, Refusal::DuplicateMac));
            continue;
        }
        let uplinks = host
            .topology
            .uplinks(bridge.state.ifindex, &targets, host.uplinks);
        let site = Site {
            nic,
            port,
            bridge,
            uplinks: &uplinks,
            macs: &macs,
        };
        let (frames, refusals) = host.frames(site);
        let refusals = refusals.into_iter().map(|refusal| (nic.index, refusal));
        staging.refused.extend(refusals);
        places.push(site.place());
        links.extend([port.state, bridge.state]);
        links.extend(uplinks.iter().map(|uplink| uplink.state));
        queues.push((nic.index, frames));
    }

    let frames = interleave(&mut staging, queues);
    Prepared {
        guest,
        generation,
        staging,
        frames,
        places,
        links,
    }
}

/// The frames of all NICs in one order: one of each, then the second of each, so that a trunk's
/// tail delays only itself. What the schedule does not hold is refused.
fn interleave(staging: &mut Staging, queues: Vec<(u16, Vec<Frame>)>) -> Vec<Frame> {
    let mut queues: Vec<_> = queues
        .into_iter()
        .map(|(nic, frames)| (nic, frames.into_iter().peekable()))
        .collect();
    let mut frames = Vec::new();
    while frames.len() < MAX_FRAMES {
        let before = frames.len();
        for (nic, queue) in &mut queues {
            if let Some(frame) = queue.next_if(|_| frames.len() < MAX_FRAMES) {
                staging.frames.push(frame.staged(*nic));
                frames.push(frame);
            }
        }
        if frames.len() == before {
            break;
        }
    }
    for (nic, mut queue) in queues {
        if queue.peek().is_some() {
            staging.refused.push((nic, Refusal::TooMany));
        }
    }
    frames
}

/// Where one NIC is plugged in.
#[derive(Clone, Copy, Debug)]
struct Site<'a> {
    nic: &'a PlannedNic,
    port: &'a Device,
    bridge: &'a Device,
    uplinks: &'a [&'a Device],
    /// The addresses of the guest's NICs.
    macs: &'a BTreeSet<MacAddr>,
}

impl<'a> Host<'a> {
    /// The NIC's port and bridge, where an announcement may go that way.
    fn find(&self, nic: &PlannedNic) -> Result<(&'a Device, &'a Device), Refusal> {
        let name = nic.target;
        let port = self
            .topology
            .named(name)
            .ok_or(Refusal::LinkMissing(name))?;
        let master = port.state.master.ok_or(Refusal::NotEnslaved(name))?;
        let bridge = self.topology.get(master).ok_or(Refusal::Unanswered(name))?;
        if !matches!(bridge.kind, Kind::Bridge { .. }) {
            return Err(Refusal::NotLinuxBridge {
                port: name,
                master: bridge.state.name,
            });
        }
        if port.locked {
            return Err(Refusal::LockedPort(name));
        }
        match self.topology.owner(nic.mac, port.state.ifindex) {
            Some(owner) => Err(Refusal::MacOfHostLink(owner.state.name)),
            None => Ok((port, bridge)),
        }
    }

    /// The NIC's frames, and what cannot be said for it.
    fn frames(&self, site: Site<'_>) -> (Vec<Frame>, Vec<Refusal>) {
        let Kind::Bridge {
            filtering: Some(filtering),
        } = site.bridge.kind
        else {
            let form = Form {
                vlan: None,
                as_guest: Tag::Untagged,
                as_bridge: Some(Tag::Untagged),
            };
            return (vec![self.frame(site, form)], Vec::new());
        };
        let none = Membership::default();
        let port = self.vlans.get(site.port.state.ifindex).unwrap_or(&none);
        let bridge = self.vlans.get(site.bridge.state.ifindex).unwrap_or(&none);
        let mut frames = Vec::new();
        let mut refusals = Vec::new();
        for form in forms(filtering, port, bridge) {
            if self.route == Route::EntryAndBridge && form.as_bridge.is_none() {
                let (bridge, vlan) = (site.bridge.state.name, form.vlan);
                refusals.extend(vlan.map(|vlan| Refusal::BridgeOutsideVlan { bridge, vlan }));
            } else {
                frames.push(self.frame(site, form));
            }
        }
        if frames.is_empty() && refusals.is_empty() {
            refusals.push(Refusal::NoVlan(site.port.state.name));
        }
        refusals.truncate(MAX_FRAMES);
        (frames, refusals)
    }

    fn frame(&self, site: Site<'_>, form: Form) -> Frame {
        let (port, bridge) = (site.port.state.ifindex, site.bridge.state.ifindex);
        let octets = |tag: Tag| wire::Frame::rarp(site.nic.mac, tag.vlan()).to_vec();
        Frame {
            stream: Stream {
                mac: site.nic.mac,
                vlan: form.vlan,
                kind: FrameKind::Rarp,
            },
            seat: Seat {
                port,
                name: site.port.state.name,
                bridge,
                life: 0,
            },
            uplinks: self.bottoms(site.uplinks),
            uplink_ports: site.uplinks.iter().map(|link| link.state.ifindex).collect(),
            learns: site.port.learns,
            route: match self.route {
                Route::EntryAndBridge => Route::EntryAndBridge,
                Route::Injection | Route::EntryAndInjection if site.port.learns => Route::Injection,
                Route::Injection | Route::EntryAndInjection => Route::EntryAndInjection,
            },
            as_guest: octets(form.as_guest),
            as_bridge: form.as_bridge.map(octets),
            exits: self.exits(site, form),
            entry: EntryRequest::new(port, bridge, site.nic.mac, form.vlan),
            fixed: false,
        }
    }

    /// How the host itself speaks into the VLAN of `form`.
    fn exits(&self, site: Site<'_>, form: Form) -> Option<Exits> {
        let own = [site.bridge]
            .into_iter()
            .chain(site.uplinks.iter().copied());
        let sender = exit::sender(own.map(|device| device.address), site.macs)?;
        let ways = match (form.as_bridge, form.vlan) {
            (Some(tag), _) => vec![Exit::new(site.bridge.state.ifindex, tag.vlan())],
            (None, Some(vlan)) => {
                let tags_are_ours = matches!(
                    site.bridge.kind,
                    Kind::Bridge {
                        filtering: Some(Filtering::Customer)
                    }
                );
                let way = |uplink: &&Device| {
                    let uplink = uplink.state.ifindex;
                    let membership = self.vlans.get(uplink)?;
                    let tag = (!membership.untagged.contains(&vlan)).then_some(vlan);
                    let reaches = membership.members.contains(&vlan);
                    (reaches && (tag.is_none() || tags_are_ours)).then(|| Exit::new(uplink, tag))
                };
                site.uplinks.iter().filter_map(way).collect()
            }
            (None, None) => Vec::new(),
        };
        (!ways.is_empty()).then_some(Exits { sender, ways })
    }

    fn bottoms(&self, uplinks: &[&Device]) -> Vec<Ifindex> {
        let bottoms: BTreeSet<_> = uplinks
            .iter()
            .map(|uplink| self.topology.bottom(uplink))
            .collect();
        bottoms.into_iter().collect()
    }
}

impl Site<'_> {
    fn place(&self) -> Place {
        Place {
            nic: self.nic.index,
            port: self.port.state.name,
            bridge: self.bridge.state.name,
            uplinks: self.uplinks.iter().map(|link| link.state.name).collect(),
            learns: self.port.learns,
        }
    }
}

impl Frame {
    fn staged(&self, nic: u16) -> StagedFrame {
        StagedFrame {
            nic,
            mac: self.stream.mac,
            vlan: self.stream.vlan,
            kind: self.stream.kind,
            port: self.seat.port,
            bridge: self.seat.bridge,
            uplinks: self.uplinks.clone(),
            behind_uplink: false,
        }
    }
}

/// Whether a frame names its VLAN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tag {
    Untagged,
    Tagged(VlanId),
}

impl Tag {
    const fn vlan(self) -> Option<VlanId> {
        match self {
            Self::Untagged => None,
            Self::Tagged(vlan) => Some(vlan),
        }
    }
}

/// How the frame of one VLAN has to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Form {
    /// The VLAN, where the bridge filters.
    vlan: Option<VlanId>,
    /// How the guest's port takes it.
    as_guest: Tag,
    /// How the bridge device takes it; none where that is not in the VLAN.
    as_bridge: Option<Tag>,
}

/// The frames that put a station into every VLAN of its port: untagged for the PVID, which comes
/// first, and tagged for the others.
///
/// The bridge device is a station of its own, with its own PVID. A frame that it sends untagged is
/// in that one, and a tagged one is dropped unless the bridge device is a member
/// (`br_allowed_ingress`).
fn forms(filtering: Filtering, port: &Membership, bridge: &Membership) -> Vec<Form> {
    let untagged = port.pvid.into_iter();
    let tagged = port
        .members
        .iter()
        .copied()
        // A guest behind a provider bridge writes no provider tags.
        .filter(|&vlan| Some(vlan) != port.pvid && filtering == Filtering::Customer);
    untagged
        .map(|vlan| (vlan, Tag::Untagged))
        .chain(tagged.map(|vlan| (vlan, Tag::Tagged(vlan))))
        .map(|(vlan, as_guest)| Form {
            vlan: Some(vlan),
            as_guest,
            as_bridge: if bridge.pvid == Some(vlan) {
                Some(Tag::Untagged)
            } else {
                (bridge.members.contains(&vlan) && filtering == Filtering::Customer)
                    .then_some(Tag::Tagged(vlan))
            },
        })
        .collect()
}

#[cfg(test)]
mod tests;
