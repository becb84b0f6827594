//! Rules for what a source says of a guest that has left.

use std::net::Ipv4Addr;

use super::{Expect, Rule, Violation};
use crate::evidence::{ARP, Evidence, Frame, Migration, Place, fabric_port, guest_mac};

/// UNARP of `ip` by `sender` (RFC 1868), 60 octets.
pub(crate) fn unarp(sender: &[u8], ip: Ipv4Addr) -> Vec<u8> {
    let mut octets = vec![0xff; 6];
    octets.extend(sender);
    octets.extend([0x08, 0x06, 0x00, 0x01, 0x08, 0x00, 0, 4, 0, 2]);
    octets.extend(ip.octets());
    octets.extend([0xff; 4]);
    octets.extend([0; 30]);
    octets
}

impl Evidence {
    /// Every UNARP that entered the fabric: an ARP without hardware addresses.
    pub(crate) fn retractions(&self) -> impl Iterator<Item = &Frame> {
        let at_port = |frame: &&Frame| matches!(frame.place, Place::Port(_));
        let ports = self.frames.iter().filter(at_port);
        ports.filter(|frame| frame.ethertype == ARP && frame.octets.get(18) == Some(&0))
    }
}

/// Each address once for each migration, from the source's network, after the guest runs at the
/// destination and as the host itself; and nothing else of the kind.
pub(super) fn retracted(evidence: &Evidence, expect: &Expect) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut asked: Vec<&Frame> = Vec::new();
    for migration in evidence.migrations.iter().filter(|one| left(one)) {
        for &(guest, ip) in &expect.retracted {
            if guest != migration.guest {
                continue;
            }
            let found: Vec<_> = evidence
                .retractions()
                .filter(|frame| is_for(frame, migration, ip))
                .collect();
            if found.len() != 1 {
                let count = found.len();
                let (from, to) = (&migration.from, &migration.to);
                let what = format!("guest {guest}, from {from} to {to}: {count} for {ip}");
                let rule = Rule::RetractionMissing;
                violations.push(Violation { rule, what });
            }
            asked.extend(found);
        }
    }
    let astray = evidence
        .retractions()
        .filter(|frame| !asked.iter().any(|known| std::ptr::eq(*known, *frame)));
    violations.extend(astray.map(|frame| Violation {
        rule: Rule::RetractionAstray,
        what: frame.to_string(),
    }));
    violations
}

/// Whether the guest lives at the destination. One whose post-copy broke and was taken up again does,
/// though the call that began it failed.
const fn left(migration: &Migration) -> bool {
    migration.resumed.is_some() && (migration.succeeded || migration.completed.is_some())
}

/// Whether the frame is the source's whole and right word about `ip`.
fn is_for(frame: &Frame, migration: &Migration, ip: Ipv4Addr) -> bool {
    let sender = frame.source.octets();
    let own = (0..2).all(|nic| guest_mac(nic, migration.guest) != frame.source);
    migration.span.contains(&frame.at)
        && migration.resumed.is_some_and(|resumed| frame.at > resumed)
        && (0..2).any(|nic| frame.entered(&fabric_port(&migration.from, nic)))
        && own
        && frame.octets == unarp(&sender, ip)
}
