//! Which addresses other stations use, as a NIC's port hears of them. No IO.

use std::collections::VecDeque;

use super::book::CONTEST;
use crate::model::{HostIp, Instant, MacAddr};

/// Other stations that are remembered; the oldest goes first. Those that a guest talks to, its
/// gateway among them, are heard again and again.
pub(super) const MOST: usize = 64;

/// The latest user of each address, the oldest word first.
#[derive(Clone, Debug, Default)]
pub(super) struct Others(VecDeque<(HostIp, MacAddr, Instant)>);

impl Others {
    pub(super) const fn new() -> Self {
        Self(VecDeque::new())
    }

    pub(super) fn note(&mut self, now: Instant, ip: HostIp, by: MacAddr) {
        self.0.retain(|&(other, ..)| other != ip);
        if self.0.len() >= MOST {
            self.0.pop_front();
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
