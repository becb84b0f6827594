//! The source's word that a guest's addresses have left (RFC 1868).

use std::collections::BTreeSet;

use super::apply::Occasion;
use super::state::State;
use super::{
    AddressPolicy, Cause, Count, Engine, HeardAddress, Plan, PlannedNic, Round, Staging, Standing,
    Ticket,
};
use crate::model::{GuestId, HostIp, HostIpv4, Outcome, SendFault};

/// What a source retracts once the guest has left: addresses, each with the index of the staged
/// frame into whose network that is said. No address twice in one network.
///
/// IPv4 ones only: RFC 1868 has no word for others. An address is of the NIC that libvirt gives it
/// to or that was heard to have it, and of every NIC where only the settings name it. One that
/// another station has, too, or that is a router's or this host's, is left alone.
#[must_use]
pub fn retractions(
    plan: &Plan,
    staging: &Staging,
    heard: &[HeardAddress],
    policy: &AddressPolicy,
) -> Vec<(u16, HostIpv4)> {
    let mut found = Retractions {
        staging,
        heard,
        said: BTreeSet::new(),
        found: Vec::new(),
    };
    for nic in &plan.nics {
        for given in &nic.addresses {
            found.add(nic, given.ip);
        }
        let held = heard
            .iter()
            .filter(|heard| heard.standing == Standing::Held);
        for HeardAddress { sighting, .. } in held {
            let own = sighting.mac == nic.mac && policy.admits(sighting.ip, sighting.source);
            if let Some(ip) = sighting.ip.v4().filter(|_| own) {
                found.add(nic, ip);
            }
        }
    }
    let placed: BTreeSet<HostIpv4> = found.found.iter().map(|&(_, ip)| ip).collect();
    for &ip in plan.given.iter().filter(|ip| !placed.contains(ip)) {
        for nic in &plan.nics {
            found.add(nic, ip);
        }
    }
    found.found
}

struct Retractions<'a> {
    staging: &'a Staging,
    heard: &'a [HeardAddress],
    /// Bridge, VLAN and address.
    said: BTreeSet<(u32, Option<u16>, HostIpv4)>,
    found: Vec<(u16, HostIpv4)>,
}

impl Retractions<'_> {
    /// Adds an address of a NIC, in the VLAN of its untagged frames, which comes first.
    fn add(&mut self, nic: &PlannedNic, ip: HostIpv4) {
        let barred =
            |heard: &HeardAddress| heard.standing.bars() && heard.sighting.ip == HostIp::V4(ip);
        if self.heard.iter().any(barred) {
            return;
        }
        let mut frames = (0..).zip(&self.staging.frames);
        let found = frames.find(|(_, frame)| frame.nic == nic.index);
        if let Some((index, frame)) = found {
            let vlan = frame.vlan.map(crate::model::VlanId::get);
            if self.said.insert((frame.bridge.get(), vlan, ip)) {
                self.found.push((index, ip));
            }
        }
    }
}

impl Engine {
    /// Puts a retraction in line for each address of a guest that lives at another host now.
    pub(super) fn retract(&mut self, id: GuestId, on: Occasion) {
        let Some(guest) = self.guests.get(&id).filter(|_| self.policy.retract) else {
            return;
        };
        let Some(staging) = &guest.staging else {
            // Where it was plugged in is not known any more.
            let heard = guest.addresses.as_slice().iter();
            let held = heard.filter(|heard| {
                heard.standing == Standing::Held && heard.sighting.ip.v4().is_some()
            });
            let known = held.count() + guest.plan.given.len();
            return match u64::try_from(known) {
                Ok(0) | Err(_) => {}
                Ok(known) => self.count(Count::Faults(SendFault::NotStaged), known),
            };
        };
        let heard = guest.addresses.as_slice();
        let generation = guest.generation;
        let found = retractions(&guest.plan, staging, heard, &self.policy.addresses);
        for (frame, ip) in found {
            self.enqueue(Ticket {
                guest: id,
                generation,
                frame,
                round: Round::Retraction(ip),
                cause: Cause::Departure,
                since: on.since,
                attempt: 0,
            });
        }
        self.release(on.now);
    }

    /// Ends a departure once the guest is gone, its addresses are retracted, and libvirt's figures
    /// are there or have been waited for.
    pub(super) fn close_departure_when_done(&mut self, id: GuestId) {
        let Some(guest) = self
            .guests
            .get(&id)
            .filter(|guest| guest.state == State::Absent)
        else {
            return;
        };
        let Some(journal) = &guest.departure else {
            return;
        };
        if guest.outstanding > 0 || !guest.retries.is_empty() {
            return;
        }
        let told = journal.measured.downtime.is_some() || guest.closing.is_none();
        self.unstage(id);
        if told {
            self.close_departure(id, Outcome::Completed);
        }
    }
}
