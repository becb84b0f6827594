//! What was heard of one NIC's IP addresses, and what of it is believed. No IO.

use std::net::Ipv4Addr;
use std::time::Duration;

use super::others::Others;
use super::refused::{Refusals, Refused};
use super::word::Word;
use crate::engine::{Sighting, Standing};
use crate::model::{AddressRefusal, AddressSource, HostIp, Instant, Interface, Lease, MacAddr};

/// How long a guest has to use an address until its own word is believed. It shows an address again
/// whenever a peer looks for it, every half a minute or so (`base_reachable_time`, arp(7); for IPv6
/// RFC 4861 section 6.3.2).
pub(super) const STEADY: Duration = Duration::from_secs(30);

/// How long an address is remembered that the guest does not show again.
pub(super) const SILENCE: Duration = Duration::from_secs(600);

/// How long an address has to last until it is told of as one that waits to be believed: of a guest
/// that changes its address all the time, so many a second are told as are remembered.
pub(super) const SHOWN: Duration = Duration::from_secs(1);

/// How long another station's use of an address speaks against the guest's.
pub(super) const CONTEST: Duration = Duration::from_secs(600);

/// Whose word is listened to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Listens {
    /// DHCP acknowledgements.
    pub dhcp: bool,
    /// ARP and neighbour discovery of the guest.
    pub snoop: bool,
    /// The leases of libvirt's own networks.
    pub lease: bool,
}

impl Listens {
    /// Whether there is anything to listen to at the port of a NIC that is in one of libvirt's own
    /// networks or is not. With leases alone, it is what speaks against them.
    #[must_use]
    pub(super) const fn any(self, in_network: bool) -> bool {
        self.dhcp || self.snoop || (self.lease && in_network)
    }
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
    others: Others,
    refused: Refusals,
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
            others: Others::new(),
            refused: Refusals::new(mac),
            routers: Vec::new(),
        }
    }

    /// Takes in what a frame says; `foreign` is why no guest has its address, where that is so.
    pub fn hear(
        &mut self,
        now: Instant,
        word: Word,
        foreign: Option<AddressRefusal>,
    ) -> Vec<Change> {
        let mut changes = Vec::new();
        match word {
            Word::Claim(ip) if self.listens.snoop => match self.foreign(ip, foreign) {
                None => self.claim(now, ip, &mut changes),
                Some(reason) => {
                    self.refuse(now, ip, AddressSource::Snoop, reason, &mut changes);
                }
            },
            Word::Claim(_) => {}
            Word::Seek(ip) => self.drop_snooped(ip, &mut changes),
            // Of IPv6 nothing else says who has what.
            Word::Other(HostIp::V6(_), _) if !self.listens.snoop => {}
            Word::Other(ip, by) => {
                let entries = &self.entries;
                let own = |ip| entries.iter().any(|entry| entry.ip == ip);
                self.others.note(now, ip, by, own);
            }
            Word::Lease { ip, lasts, routers } => {
                self.routers = routers;
                let (ip, until) = (ip.into(), lasts.map(|lasts| now + lasts));
                match self.foreign(ip, foreign).filter(|_| self.listens.dhcp) {
                    Some(reason) => {
                        self.refuse(now, ip, AddressSource::Dhcp, reason, &mut changes);
                    }
                    None if self.listens.dhcp => self.acknowledged(now, ip, until, &mut changes),
                    None => {}
                }
            }
            Word::Refusal => self.retain(&mut changes, |entry| entry.source != AddressSource::Dhcp),
        }
        self.review(now, &mut changes);
        changes
    }

    /// Takes over what libvirt's DHCP server gave the NIC, all of it, each with the reason why no
    /// guest has it, where there is one.
    pub(super) fn leased(
        &mut self,
        now: Instant,
        leases: &[(Lease, Option<AddressRefusal>)],
    ) -> Vec<Change> {
        let mut changes = Vec::new();
        if !self.listens.lease {
            return changes;
        }
        let stays = |ip| leases.iter().any(|&(lease, _)| HostIp::V4(lease.ip) == ip);
        self.retain(&mut changes, |entry| {
            entry.source != AddressSource::Lease || stays(entry.ip)
        });
        for &(Lease { ip, until }, foreign) in leases {
            let ip = ip.into();
            match self.foreign(ip, foreign) {
                Some(reason) => self.refuse(now, ip, AddressSource::Lease, reason, &mut changes),
                None => self.give(now, ip, AddressSource::Lease, until, &mut changes),
            }
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
        let untold = self.entries.iter().filter(|entry| entry.told.is_none());
        let shown = untold.map(|entry| entry.first + SHOWN);
        let times = ends.chain(shown).chain(self.refused.deadline());
        times.chain(self.others.deadline()).min()
    }

    /// Tells everything again, for an engine that has forgotten it.
    pub(super) fn retell(&mut self, now: Instant) -> Vec<Change> {
        for entry in &mut self.entries {
            entry.told = None;
        }
        let mut changes = self.expire(now);
        changes.extend(self.refused.retell());
        changes
    }

    /// Whether nothing is remembered of the guest's own addresses.
    pub(super) const fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.refused.is_empty()
    }

    /// Takes back everything.
    pub(super) fn forget(&mut self) -> Vec<Change> {
        let mut changes = Vec::new();
        self.retain(&mut changes, |_| false);
        self.refused.retain(&mut changes, |_| false);
        changes
    }

    fn foreign(&self, ip: HostIp, foreign: Option<AddressRefusal>) -> Option<AddressRefusal> {
        let router = ip.v4().is_some_and(|ip| self.routers.contains(&ip.get()));
        foreign.or_else(|| router.then_some(AddressRefusal::Router))
    }

    fn claim(&mut self, now: Instant, ip: HostIp, changes: &mut Vec<Change>) {
        self.pardon(ip, changes);
        let until = Some(now + SILENCE);
        if let Some(entry) = self.entries.iter_mut().find(|entry| entry.ip == ip) {
            entry.last = now;
            if entry.source == AddressSource::Snoop {
                entry.until = until;
            }
            return;
        }
        let weaker = |entry: &Entry| match (ip, entry.ip) {
            (HostIp::V4(_), HostIp::V6(_)) => true,
            (HostIp::V6(_), HostIp::V4(_)) => false,
            // One that changes its address all the time never keeps one for long enough.
            _ => entry.told != Some(Standing::Held),
        };
        if !self.make_room(weaker, changes) {
            let surplus = AddressRefusal::Surplus;
            return self.refuse(now, ip, AddressSource::Snoop, surplus, changes);
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

    /// A DHCP server was heard to give the NIC an address.
    fn acknowledged(
        &mut self,
        now: Instant,
        ip: HostIp,
        until: Option<Instant>,
        changes: &mut Vec<Change>,
    ) {
        // A server gives a NIC one address at a time.
        self.retain(changes, |entry| {
            entry.source != AddressSource::Dhcp || entry.ip == ip
        });
        self.give(now, ip, AddressSource::Dhcp, until, changes);
    }

    /// What a server gives is believed at once. What libvirt says of its own server's leases stands
    /// over what was heard of them.
    fn give(
        &mut self,
        now: Instant,
        ip: HostIp,
        source: AddressSource,
        until: Option<Instant>,
        changes: &mut Vec<Change>,
    ) {
        self.pardon(ip, changes);
        if let Some(entry) = self.entries.iter_mut().find(|entry| entry.ip == ip) {
            if entry.source != AddressSource::Lease && entry.source != source {
                entry.source = source;
                // The source is news, too.
                entry.told = entry.told.filter(|told| *told != Standing::Held);
            }
            (entry.last, entry.until) = (now, until);
            return;
        }
        if !self.make_room(|entry| entry.source == AddressSource::Snoop, changes) {
            return self.refuse(now, ip, source, AddressRefusal::Surplus, changes);
        }
        self.entries.push(Entry {
            ip,
            source,
            first: now,
            last: now,
            until,
            told: None,
        });
    }

    /// Room for one more, by taking out one of the `weaker`: an IPv6 address, of which nothing is
    /// said to the network, before an IPv4 one. False where there is none.
    fn make_room(&mut self, weaker: impl Fn(&Entry) -> bool, changes: &mut Vec<Change>) -> bool {
        if self.entries.len() < Interface::ADDRESSES {
            return true;
        }
        let entries = self.entries.iter().enumerate();
        let weakest = entries
            .filter(|(_, entry)| weaker(entry))
            .min_by_key(|(_, entry)| {
                let held = entry.told == Some(Standing::Held);
                (entry.ip.v4().is_some(), held, entry.last)
            });
        let weakest = weakest.map(|(index, _)| index);
        if let Some(index) = weakest {
            self.remove(index, changes);
        }
        weakest.is_some()
    }

    fn drop_snooped(&mut self, ip: HostIp, changes: &mut Vec<Change>) {
        self.retain(changes, |entry| {
            entry.ip != ip || entry.source != AddressSource::Snoop
        });
    }

    /// Remembers an address that is not believed, for as long as one that is.
    fn refuse(
        &mut self,
        now: Instant,
        ip: HostIp,
        source: AddressSource,
        reason: AddressRefusal,
        changes: &mut Vec<Change>,
    ) {
        self.retain(changes, |entry| entry.ip != ip);
        let until = now + SILENCE;
        let refused = Refused {
            ip,
            source,
            reason,
            until,
        };
        self.refused.add(refused, changes);
    }

    /// Forgets that an address was not believed.
    fn pardon(&mut self, ip: HostIp, changes: &mut Vec<Change>) {
        self.refused.retain(changes, |refused| refused.ip != ip);
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
        self.others.expire(now);
        self.retain(changes, |entry| entry.until.is_none_or(|until| now < until));
        self.refused.retain(changes, |refused| now < refused.until);
        for entry in &mut self.entries {
            let contest = self.others.user_of(entry.ip);
            let given = entry.source != AddressSource::Snoop;
            let proven = given || entry.last.saturating_since(entry.first) >= STEADY;
            let standing = match contest {
                Some(by) => Some(Standing::Contested { by }),
                None if proven => Some(Standing::Held),
                None if entry.told.is_some() || entry.first + SHOWN <= now => {
                    Some(Standing::Waiting)
                }
                None => None,
            };
            // As long as a contest lasts, and when it ends, steadiness begins anew.
            let was_contested = matches!(entry.told, Some(Standing::Contested { .. }));
            if contest.is_some() || (was_contested && !given) {
                entry.first = now;
                entry.last = now;
            }
            // Who else has it may change with every frame.
            let same = standing == entry.told || (contest.is_some() && was_contested);
            if let Some(standing) = standing.filter(|_| !same) {
                changes.push((sighting(self.mac, entry), standing));
                entry.told = Some(standing);
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
