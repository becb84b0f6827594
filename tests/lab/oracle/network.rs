//! Rules for the network as a whole.

use std::collections::BTreeMap;

use macmoved::model::MacAddr;

use super::{Expect, Rule, Violation};
use crate::evidence::{Evidence, Frame, Place, RARP, fabric_port, guest_mac};

/// Announcements outside any migration, by the wrong port, or of an address that no guest has; and
/// frames of strangers.
pub(super) fn unasked(evidence: &Evidence) -> Vec<Violation> {
    let guests: Vec<_> = (0..2)
        .flat_map(|nic| {
            evidence
                .guests
                .keys()
                .map(move |&number| guest_mac(nic, number))
        })
        .collect();
    let asked = |frame: &Frame| {
        evidence.migrations.iter().any(|migration| {
            let back = migration
                .returned
                .is_some_and(|returned| frame.at >= returned);
            (0..2).any(|nic| {
                frame.source == guest_mac(nic, migration.guest)
                    && migration.span.contains(&frame.at)
                    && (frame.entered(&fabric_port(&migration.to, nic))
                        || (back && frame.entered(&fabric_port(&migration.from, nic))))
            })
        })
    };
    // The lab's own links have addresses that begin so.
    let lab = |mac: MacAddr| mac.octets().starts_with(&[0x02, 0, 0, 0]);
    let at_port = |frame: &&Frame| matches!(frame.place, Place::Port(_));
    let violation = |frame: &Frame| Violation {
        rule: Rule::Unasked,
        what: frame.to_string(),
    };
    let entered = evidence.frames.iter().filter(at_port);
    entered
        .filter(|frame| {
            let stranger = !guests.contains(&frame.source) && !lab(frame.source);
            stranger || (frame.ethertype == RARP && !asked(frame))
        })
        .map(violation)
        .collect()
}

/// Announcements by each port against the token bucket, in every window.
pub(super) fn paced(evidence: &Evidence, expect: &Expect) -> Vec<Violation> {
    let Some(pacing) = expect.pacing else {
        return Vec::new();
    };
    let announcements = evidence
        .frames
        .iter()
        .filter(|frame| frame.ethertype == RARP);
    let mut ports: BTreeMap<&str, Vec<&Frame>> = BTreeMap::new();
    for frame in announcements {
        if let Place::Port(port) = &frame.place {
            ports.entry(port).or_default().push(frame);
        }
    }
    let mut violations = Vec::new();
    for frames in ports.values() {
        // The first window that each frame overflows is enough to name it.
        for (last, frame) in frames.iter().enumerate() {
            let overflows = |first: &usize| {
                let seconds = frame.at.ms_after(frames[*first].at) / 1e3;
                let allowed = pacing.burst + pacing.frames_per_second * seconds;
                f64::from(u32::try_from(last - first + 1).unwrap_or(u32::MAX)) > allowed + 0.5
            };
            if let Some(first) = (0..=last).find(overflows) {
                let span = frame.at.ms_after(frames[first].at);
                let count = last - first + 1;
                violations.push(Violation {
                    rule: Rule::Pacing,
                    what: format!("{frame} is the {count}th announcement in {span:.3} ms"),
                });
            }
        }
    }
    violations
}
