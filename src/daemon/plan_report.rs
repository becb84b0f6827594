//! The answer to `macmovectl plan GUEST`: every octet that would leave, and by which way.

use std::fmt::Write;

use tokio::sync::oneshot;

use crate::control::RequestFault;
use crate::emit::{Prepared, Stager};
use crate::engine::{
    Outline, OutlinedFrame, OutlinedGuest, OutlinedNic, Plan, Policy, StagedNic, plan,
};
use crate::listen::libvirt::FindGuestError;
use crate::model::{GuestDescription, GuestId, Refusal};

/// What libvirt answers to the question for a guest.
type Found = Result<(GuestId, GuestDescription), FindGuestError>;

/// Stages the guest as if it arrived, and tells what came of it instead of sending.
pub(super) async fn report(
    found: oneshot::Receiver<Found>,
    policy: &Policy,
    stager: &Stager,
) -> Result<String, RequestFault> {
    let answer = found.await.map_err(|_| RequestFault::LibvirtUnavailable)?;
    let (guest, description) = answer.map_err(|fault| match fault {
        FindGuestError::NoSuchGuest => RequestFault::UnknownGuest,
        FindGuestError::NotConnected | FindGuestError::Busy | FindGuestError::Libvirt(_) => {
            RequestFault::LibvirtUnavailable
        }
        FindGuestError::Xml(_) => RequestFault::Unreadable,
    })?;
    let plan = plan(guest, &description, policy);
    let prepared = stager.stage(guest, 0, &plan).await;
    let outline = outline(guest, description, &plan, &prepared);
    serde_json::to_string(&outline).map_err(|_| RequestFault::Unreadable)
}

fn outline(
    guest: GuestId,
    description: GuestDescription,
    plan: &Plan,
    prepared: &Prepared,
) -> Outline<StagedNic> {
    let name = Some(description.name.as_str().to_owned());
    let nics = (0..).zip(description.interfaces).map(|(index, interface)| {
        let mut nic = OutlinedNic::from(interface);
        if let Some(refusal) = refusal(index, plan, prepared) {
            nic.announceable = false;
            nic.reason = Some(refusal.to_string());
        }
        staged(index, nic, prepared)
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
                octets: hexadecimal(octets),
            }
        })
        .collect();
    let place = prepared.places().iter().find(|place| place.nic == index);
    StagedNic {
        nic,
        frames,
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

fn hexadecimal(octets: &[u8]) -> String {
    octets.iter().fold(
        String::with_capacity(octets.len() * 2),
        |mut text, octet| {
            // Writing to a String cannot fail.
            write!(text, "{octet:02x}").unwrap_or_default();
            text
        },
    )
}
