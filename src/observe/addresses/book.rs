//! What was heard of one NIC's IPv4 addresses, and what of it is believed. No IO.

use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::time::Duration;

use crate::engine::{Sighting, Standing};
use crate::model::{AddressSource, HostIp, Instant, Interface, MacAddr};

/// How long a guest has to use an address until its own word is believed. Its ARP shows an address
/// again whenever a peer looks for it, every half a minute or so (`base_reachable_time`, arp(7)).
pub(super) const STEADY: Duration = Duration::from_secs(30);

/// How long an address is remembered that the guest does not show again.
pub(super) const SILENCE: Duration = Duration::from_secs(600);

/// How long another station's use of an address speaks against the guest's.
pub(super) const CONTEST: Duration = Duration::from_secs(600);

/// Other stations that are remembered; the oldest goes first. Those that a guest talks to, its
/// gateway among them, are heard again and again.
const OTHERS: usize = 64;

/// Whose word is listened to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Listens {
    /// DHCP acknowledgements.
    pub dhcp: bool,
    /// ARP of the guest.
    pub snoop: bool,
}

impl Listens {
    /// Whether there is anything to listen to.
    #[must_use]
    pub const fn any(self) -> bool {
        self.dhcp || self.snoop
    }
}

/// What a frame at the guest's port says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    /// The guest uses the address.
    Claim(HostIp),
    /// The guest looks for the address, so that it is not its own.
    Seek(HostIp),
    /// Another station uses the address.
    Other(HostIp),
    /// A DHCP server gives the guest the address.
    Lease {
        /// The address.
        ip: HostIp,
        /// For how long; none for ever.
        lasts: Option<Duration>,
        /// The guest's routers.
        routers: Vec<Ipv4Addr>,
    },
    /// A DHCP server takes the address back.
    Refusal,
}

/// A change of what is believed.
pub type Change = (Sighting, Standing);

#[derive(Clone, Debug)]
struct Entry {
    ip: HostIp,
    source: AddressSource,
    first: Instant,
    last: Instant,
    /// When it is forgotten; none where a lease is for ever.
    until: Option<Instant>,
    /// What was told of it.
    told: Option<Standing>,
}

/// One NIC's.
#[derive(Clone, Debug)]
pub struct Book {
    mac: MacAddr,
    listens: Listens,
    entries: Vec<Entry>,
    others: VecDeque<(HostIp, Instant)>,
    routers: Vec<Ipv4Addr>,
}

impl Book {
    /// An empty one, for the NIC with address `mac`.
    #[must_use]
    pub const fn new(mac: MacAddr, listens: Listens) -> Self {
        Self {
            mac,
            listens,
            entries: Vec::new(),
            others: VecDeque::new(),
            routers: Vec::new(),
        }
    }

    /// Takes in what a frame says. A `foreign` address is one that no guest has: this host's own, or
    /// one that its routes go by way of.
    pub fn hear(&mut self, now: Instant, word: Word, foreign: bool) -> Vec<Change> {
        let mut changes = Vec::new();
        match word {
            Word::Claim(ip) => {
                let foreign = foreign || self.routers.contains(&ip.get());
                if self.listens.snoop && !foreign {
                    self.claim(now, ip, &mut changes);
                }
            }
            Word::Seek(ip) => self.drop_snooped(ip, &mut changes),
            Word::Other(ip) => self.note_other(now, ip),
            Word::Lease { ip, lasts, routers } => {
                self.routers = routers;
                let foreign = foreign || self.routers.contains(&ip.get());
                if self.listens.dhcp && !foreign {
                    self.lease(now, ip, lasts, &mut changes);
                }
            }
            Word::Refusal => self.retain(&mut changes, |entry| entry.source != AddressSource::Dhcp),
        }
        self.review(now, &mut changes);
        changes
    }

    /// Forgets what is too old.
    pub fn expire(&mut self, now: Instant) -> Vec<Change> {
        let mut changes = Vec::new();
        self.review(now, &mut changes);
        changes
    }

    /// When [`Book::expire`] has something to do.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        let ends = self.entries.iter().filter_map(|entry| entry.until);
        let contests = self.others.iter().map(|&(_, at)| at + CONTEST);
        ends.chain(contests).min()
    }

    /// Tells everything again, for an engine that has forgotten it.
    pub(super) fn retell(&mut self, now: Instant) -> Vec<Change> {
        for entry in &mut self.entries {
            entry.told = None;
        }
        self.expire(now)
    }

    /// Whether nothing is remembered of the guest's own addresses.
    pub(super) const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Takes back everything.
    pub(super) fn forget(&mut self) -> Vec<Change> {
        let mut changes = Vec::new();
        self.retain(&mut changes, |_| false);
        changes
    }

    fn claim(&mut self, now: Instant, ip: HostIp, changes: &mut Vec<Change>) {
        let until = Some(now + SILENCE);
        if let Some(entry) = self.entries.iter_mut().find(|entry| entry.ip == ip) {
            entry.last = now;
            if entry.source == AddressSource::Snoop {
                entry.until = until;
            }
            return;
        }
        if self.entries.len() >= Interface::ADDRESSES {
            // One that changes its address all the time never keeps one for long enough.
            let unproven = self.entries.iter().enumerate();
            let unproven = unproven.filter(|(_, entry)| entry.told != Some(Standing::Held));
            let oldest = unproven.min_by_key(|(_, entry)| entry.last);
            let Some((oldest, _)) = oldest else {
                return;
            };
            self.remove(oldest, changes);
        }
        self.entries.push(Entry {
            ip,
            source: AddressSource::Snoop,
            first: now,
            last: now,
            until,
            told: None,
        });
    }

    fn lease(
        &mut self,
        now: Instant,
        ip: HostIp,
        lasts: Option<Duration>,
        changes: &mut Vec<Change>,
    ) {
        // A server gives a NIC one address at a time.
        self.retain(changes, |entry| {
            entry.source != AddressSource::Dhcp || entry.ip == ip
        });
        let until = lasts.map(|lasts| now + lasts);
        if let Some(entry) = self.entries.iter_mut().find(|entry| entry.ip == ip) {
            (entry.source, entry.last, entry.until) = (AddressSource::Dhcp, now, until);
            return;
        }
        if self.entries.len() >= Interface::ADDRESSES {
            let snooped = |entry: &Entry| entry.source == AddressSource::Snoop;
            let Some(index) = self.entries.iter().position(snooped) else {
                return;
            };
            self.remove(index, changes);
        }
        self.entries.push(Entry {
            ip,
            source: AddressSource::Dhcp,
            first: now,
            last: now,
            until,
            told: None,
        });
    }

    fn drop_snooped(&mut self, ip: HostIp, changes: &mut Vec<Change>) {
        self.retain(changes, |entry| {
            entry.ip != ip || entry.source != AddressSource::Snoop
        });
    }

    fn note_other(&mut self, now: Instant, ip: HostIp) {
        self.others.retain(|&(other, _)| other != ip);
        if self.others.len() >= OTHERS {
            self.others.pop_front();
        }
        self.others.push_back((ip, now));
    }

    fn retain(&mut self, changes: &mut Vec<Change>, keep: impl Fn(&Entry) -> bool) {
        while let Some(index) = self.entries.iter().position(|entry| !keep(entry)) {
            self.remove(index, changes);
        }
    }

    fn remove(&mut self, index: usize, changes: &mut Vec<Change>) {
        let entry = self.entries.remove(index);
        if entry.told.is_some() {
            changes.push((sighting(self.mac, &entry), Standing::Gone));
        }
    }

    /// Says of each entry how it stands, where that is news.
    fn review(&mut self, now: Instant, changes: &mut Vec<Change>) {
        self.others.retain(|&(_, at)| now < at + CONTEST);
        self.retain(changes, |entry| entry.until.is_none_or(|until| now < until));
        for entry in &mut self.entries {
            let contested = self.others.iter().any(|&(ip, _)| ip == entry.ip);
            let proven = entry.source == AddressSource::Dhcp
                || entry.last.saturating_since(entry.first) >= STEADY;
            let standing = match (contested, proven) {
                (true, _) => Some(Standing::Contested),
                (false, true) => Some(Standing::Held),
                // A contest that is over proves nothing.
                (false, false) => entry.told.map(|_| Standing::Gone),
            };
            // As long as a contest lasts, and when it ends, steadiness begins anew.
            if contested || standing == Some(Standing::Gone) {
                entry.first = now;
                entry.last = now;
            }
            if let Some(standing) = standing.filter(|_| standing != entry.told) {
                changes.push((sighting(self.mac, entry), standing));
                entry.told = (standing != Standing::Gone).then_some(standing);
            }
        }
    }
}

fn sighting(mac: MacAddr, entry: &Entry) -> Sighting {
    Sighting {
        mac,
        ip: entry.ip,
        source: entry.source,
    }
}

#[cfg(test)]
mod tests;
