//! The answer to `macmovectl plan GUEST`: every octet that would leave, and by which way.

use std::collections::BTreeMap;

use tokio::sync::oneshot;

use crate::control::RequestFault;
use crate::emit::{Prepared, Stager};
use crate::engine::{
    HeardAddress, Outline, OutlinedFrame, OutlinedGuest, OutlinedNic, Plan, Policy, StagedNic,
    plan, retractions,
};
use crate::listen::libvirt::FindGuestError;
use crate::model::{FrameKind, GuestDescription, GuestId, HostIpv4, Refusal};

/// What libvirt answers to the question for a guest.
type Found = Result<(GuestId, GuestDescription), FindGuestError>;

/// Stages the guest as if it arrived, and tells what came of it instead of sending; and what would
/// be said of it here if it left.
pub(super) async fn report(
    found: oneshot::Receiver<Found>,
    policy: &Policy,
    stager: &Stager,
    hearsay: &BTreeMap<GuestId, Vec<HeardAddress>>,
) -> Result<String, RequestFault> {
    let answer = found.await.map_err(|_| RequestFault::LibvirtUnavailable)?;
    let (guest, description) = answer.map_err(|fault| match fault {
        FindGuestError::NoSuchGuest => RequestFault::UnknownGuest,
        FindGuestError::NotConnected
        | FindGuestError::Busy
        | FindGuestError::Migrating
        | FindGuestError::Libvirt(_) => RequestFault::LibvirtUnavailable,
        FindGuestError::Xml(_) => RequestFault::Unreadable,
    })?;
    let plan = plan(guest, &description, policy);
    let prepared = stager.stage(guest, 0, &plan).await;
    let heard = hearsay.get(&guest).map(Vec::as_slice).unwrap_or_default();
    let retractions = if policy.retract {
        retractions(&plan, &prepared.staging, heard, &policy.addresses)
    } else {
        Vec::new()
    };
    let outline = outline(guest, description, &plan, &prepared, &retractions);
    serde_json::to_string(&outline).map_err(|_| RequestFault::Unreadable)
}

fn outline(
    guest: GuestId,
    description: GuestDescription,
    plan: &Plan,
    prepared: &Prepared,
    retractions: &[(u16, HostIpv4)],
) -> Outline<StagedNic> {
    let name = Some(description.name.as_str().to_owned());
    let nics = (0..).zip(description.interfaces).map(|(index, interface)| {
        let mut nic = OutlinedNic::from(interface);
        if let Some(refusal) = refusal(index, plan, prepared) {
            nic.announceable = false;
            nic.reason = Some(refusal.to_string());
        }
        let mut nic = staged(index, nic, prepared);
        nic.retractions = retracted(index, prepared, retractions);
        nic
    });
    Outline {
        guest: OutlinedGuest {
            name,
            uuid: Some(guest.to_string()),
        },
        nics: nics.collect(),
    }
}

fn refusal<'a>(index: u16, plan: &'a Plan, prepared: &'a Prepared) -> Option<&'a Refusal> {
    let mut refused = plan.refused.iter().chain(&prepared.staging.refused);
    refused
        .find(|(nic, _)| *nic == index)
        .map(|(_, refusal)| refusal)
}

fn staged(index: u16, nic: OutlinedNic, prepared: &Prepared) -> StagedNic {
    let mut route = None;
    let of_nic = prepared.frames().filter(|(frame, ..)| frame.nic == index);
    let frames = of_nic
        .map(|(frame, octets, way)| {
            route = Some(way.to_string());
            OutlinedFrame {
                kind: frame.kind,
                vlan: frame.vlan,
                octets: octets.to_vec(),
            }
        })
        .collect();
    let place = prepared.places().iter().find(|place| place.nic == index);
    StagedNic {
        nic,
        frames,
        retractions: Vec::new(),
        route,
        port: place.map(|place| place.port.to_string()),
        bridge: place.map(|place| place.bridge.to_string()),
        uplinks: place
            .iter()
            .flat_map(|place| &place.uplinks)
            .map(ToString::to_string)
            .collect(),
    }
}

/// What would be said of one NIC's addresses, for each link that it would leave by.
fn retracted(
    index: u16,
    prepared: &Prepared,
    retractions: &[(u16, HostIpv4)],
) -> Vec<OutlinedFrame> {
    let frames = &prepared.staging.frames;
    let of_nic = retractions.iter().filter_map(|&(frame, ip)| {
        let staged = frames.get(usize::from(frame))?;
        (staged.nic == index).then_some((frame, ip, staged.vlan))
    });
    of_nic
        .flat_map(|(frame, ip, vlan)| {
            let octets = prepared.retraction(frame, ip).into_iter();
            octets.map(move |octets| OutlinedFrame {
                kind: FrameKind::Unarp,
                vlan,
                octets,
            })
        })
        .collect()
}
