//! Which addresses other stations use, as a NIC's port hears of them. No IO.

use std::collections::VecDeque;

use super::book::CONTEST;
use crate::model::{HostIp, Instant, MacAddr};

/// Other stations of either family that are remembered; the oldest goes first, but for those that
/// contest an address. Those that a guest talks to, its gateway among them, are heard again and
/// again.
pub(super) const MOST: usize = 64;

/// The latest user of each address, the oldest word first.
#[derive(Clone, Debug, Default)]
pub(super) struct Others(VecDeque<(HostIp, MacAddr, Instant)>);

impl Others {
    pub(super) const fn new() -> Self {
        Self(VecDeque::new())
    }

    /// Remembers who uses an address; `contested` says of one whether it is the NIC's, too.
    pub(super) fn note(
        &mut self,
        now: Instant,
        ip: HostIp,
        by: MacAddr,
        contested: impl Fn(HostIp) -> bool,
    ) {
        self.0.retain(|&(other, ..)| other != ip);
        let alike = |other: HostIp| other.v4().is_some() == ip.v4().is_some();
        let beside = self.0.iter().filter(|&&(other, ..)| alike(other));
        if beside.count() >= MOST {
            let idle =
                |&(other, ..): &(HostIp, MacAddr, Instant)| alike(other) && !contested(other);
            let oldest = self.0.iter().position(idle);
            self.0.remove(oldest.unwrap_or_default());
        }
        self.0.push_back((ip, by, now));
    }

    pub(super) fn expire(&mut self, now: Instant) {
        self.0.retain(|&(.., at)| now < at + CONTEST);
    }

    pub(super) fn user_of(&self, ip: HostIp) -> Option<MacAddr> {
        let user = self.0.iter().find(|&&(other, ..)| other == ip);
        user.map(|&(_, by, _)| by)
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.0.front().map(|&(.., at)| at + CONTEST)
    }
}
