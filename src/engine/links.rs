//! Links that change under what is staged: frames that waited for their port, and stagings that a
//! change has made wrong.

use std::collections::BTreeMap;

use super::guest::Guest;
use super::state::State;
use super::{Cause, Count, Engine, StagedFrame, Staging};
use crate::model::{GuestId, Ifindex, Instant, LinkName, LinkState, Refusal};

/// Links that are remembered. For one beyond that, staging is taken at its word.
const MAX_LINKS: usize = 16_384;

/// What the kernel last said of one link.
#[derive(Clone, Copy, Debug)]
struct Known {
    name: LinkName,
    master: Option<Ifindex>,
    /// When it was first heard of under this name.
    since: Instant,
}

/// Every link's name and master. Names of taps are used again, and a number may be.
#[derive(Clone, Debug, Default)]
pub(super) struct LinkTable {
    links: BTreeMap<Ifindex, Known>,
}

impl LinkTable {
    /// Takes over what the kernel says. Returns whether the link is another, or elsewhere, than
    /// before.
    fn observe(&mut self, now: Instant, link: &LinkState) -> bool {
        if !link.present {
            return self.links.remove(&link.ifindex).is_some();
        }
        let before = self.links.get(&link.ifindex).copied();
        let since = before
            .filter(|known| known.name == link.name)
            .map_or(now, |known| known.since);
        if before.is_some() || self.links.len() < MAX_LINKS {
            let (name, master) = (link.name, link.master);
            let known = Known {
                name,
                master,
                since,
            };
            self.links.insert(link.ifindex, known);
        }
        before.is_none_or(|known| known.name != link.name || known.master != link.master)
    }

    /// Whether the frame's port is not what the guest's XML, asked for at `question`, calls
    /// `target`: another link has the name, the port is on another bridge, or it came only after
    /// the question and may be another guest's. A port that was not heard of yet is believed.
    fn contradicts(&self, question: Instant, target: LinkName, frame: &StagedFrame) -> bool {
        match self.links.get(&frame.port) {
            Some(known) => {
                known.name != target || known.master != Some(frame.bridge) || known.since > question
            }
            None => self.links.values().any(|known| known.name == target),
        }
    }
}

impl Guest {
    /// Whether what the kernel says of the links speaks against a staging.
    pub(super) fn is_misplaced(&self, staging: &Staging, links: &LinkTable) -> bool {
        staging.frames.iter().any(|frame| {
            self.target_of(frame)
                .is_some_and(|target| links.contradicts(self.question, target, frame))
        })
    }

    /// The name that the XML has for the frame's port.
    fn target_of(&self, frame: &StagedFrame) -> Option<LinkName> {
        let nic = self.plan.nics.iter().find(|nic| nic.index == frame.nic)?;
        Some(nic.target)
    }

    /// Whether a change of this link makes what is staged wrong.
    fn is_unseated_by(&self, link: &LinkState, links: &LinkTable) -> bool {
        // libvirt takes the tap away before it says that the guest is gone.
        let may_be_gone = matches!(
            self.state,
            State::SwitchedOver { .. }
                | State::OutgoingPaused { .. }
                | State::Incoming { certain: false }
        );
        if may_be_gone && link.master.is_none() {
            return false;
        }
        let staged = self.staging.iter().flat_map(|staging| &staging.frames);
        staged.into_iter().any(|frame| {
            let target = self.target_of(frame);
            if frame.port != link.ifindex {
                return link.present && target == Some(link.name);
            }
            !link.present
                || target.is_some_and(|target| links.contradicts(self.question, target, frame))
        })
    }

    /// Whether a NIC was refused for want of just this link.
    fn missed(&self, link: &LinkState, moved: bool) -> bool {
        let mut refused = self.staging.iter().flat_map(|staging| &staging.refused);
        link.present
            && link.master.is_some()
            && refused.any(|(_, refusal)| {
                if let Refusal::NotLinuxBridge { port, .. } = refusal {
                    return moved && *port == link.name;
                }
                matches!(
                    refusal,
                    Refusal::LinkMissing(name) | Refusal::NotEnslaved(name) if *name == link.name
                )
            })
    }
}

impl Engine {
    /// A link changed: frames that waited for it go, and what it makes wrong or possible is
    /// resolved again.
    pub(super) fn link(&mut self, now: Instant, link: &LinkState) {
        let moved = self.links.observe(now, link);
        let mut opened = Vec::new();
        let mut outdated = Vec::new();
        for (&id, guest) in &self.guests {
            let blocked = guest
                .blocked
                .iter()
                .any(|ticket| guest.port_of(ticket) == Some(link.ifindex));
            // What a host says of a guest that left, it says where that was.
            let settled = guest.state == State::Absent && guest.foretold.is_none();
            if !settled && (guest.is_unseated_by(link, &self.links) || guest.missed(link, moved)) {
                outdated.push(id);
            } else if link.passes() && blocked {
                opened.push(id);
            }
        }
        for id in opened {
            self.unblock(id, link);
        }
        for id in outdated {
            self.restage(now, id);
        }
    }

    /// Resolves a guest anew. What was on its way to the old place goes from the new one: with the
    /// next round, or where there is none, in one pass.
    fn restage(&mut self, now: Instant, id: GuestId) {
        let Some(guest) = self.guests.get_mut(&id) else {
            return;
        };
        if !guest.is_idle() && guest.schedule.is_none() {
            if guest.state.awaits_run() {
                guest.early = Some(now);
            } else {
                guest.single.get_or_insert((Cause::Schedule, now));
            }
        }
        guest.forget_parked();
        self.resolve(now, id);
    }

    fn unblock(&mut self, id: GuestId, link: &LinkState) {
        let Some(guest) = self.guests.get_mut(&id) else {
            return;
        };
        let (open, shut): (Vec<_>, Vec<_>) = guest
            .blocked
            .iter()
            .copied()
            .partition(|ticket| guest.port_of(ticket) == Some(link.ifindex));
        guest.blocked.clear();
        guest.blocked.extend(shut);
        if guest.blocked.is_empty() {
            guest.blocked_until = None;
        }
        for ticket in open {
            self.count(Count::Retries, 1);
            self.enqueue(ticket);
        }
    }
}
