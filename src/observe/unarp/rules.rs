//! Whether an UNARP may be acted on. Pure.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use super::HeardUnarp;
use crate::model::{Ifindex, Instant, Keeper, Neighbour, Prefix, UnarpRefusal};
use crate::observe::window::Window;

/// Entries that are looked up in a second for UNARPs of one link. Whoever forges more than these
/// keeps real ones from being honoured, which leaves things as they are without macmoved.
const LOOKUPS: usize = 100;

/// Entries of one link that are deleted in a second: each costs the host an ARP request to
/// everybody, and the weakest switches take about 300 of those a second from all hosts together.
const DELETIONS: usize = 10;

/// How long an address that was deleted stays, if it comes back: enough for the host's own ARP to
/// find it, so that no stream of forgeries keeps an address unresolved.
const AGAIN: Duration = Duration::from_secs(5);

/// The operator's prefixes, and what was done lately. Holds nothing of a link a second after the
/// last UNARP there, nor of an address [`AGAIN`] after its entry was deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    prefixes: Vec<Prefix>,
    links: BTreeMap<Ifindex, Rates>,
    deleted: BTreeMap<(Ifindex, Ipv4Addr), Instant>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Rates {
    lookups: Window,
    deletions: Window,
}

impl Default for Rates {
    fn default() -> Self {
        Self {
            lookups: Window::second(LOOKUPS),
            deletions: Window::second(DELETIONS),
        }
    }
}

impl Rules {
    /// Rules for addresses within `prefixes`.
    #[must_use]
    pub const fn new(prefixes: Vec<Prefix>) -> Self {
        Self {
            prefixes,
            links: BTreeMap::new(),
            deleted: BTreeMap::new(),
        }
    }

    /// Other prefixes. What was done lately still counts.
    pub fn set_prefixes(&mut self, prefixes: Vec<Prefix>) {
        self.prefixes = prefixes;
    }

    /// Whether the kernel may be asked for the entry that the UNARP is about. A yes uses up a
    /// lookup.
    ///
    /// # Errors
    ///
    /// Why not.
    pub fn admit(&mut self, unarp: &HeardUnarp, now: Instant) -> Result<(), UnarpRefusal> {
        let address = IpAddr::V4(unarp.address);
        if !self.prefixes.iter().any(|prefix| prefix.contains(address)) {
            return Err(UnarpRefusal::OutsidePrefixes);
        }
        self.forget(now);
        let lookups = &mut self.links.entry(unarp.link).or_default().lookups;
        if !lookups.wait(now).is_zero() {
            return Err(UnarpRefusal::LookupRate);
        }
        lookups.take(now);
        Ok(())
    }

    /// Whether `entry`, which the kernel has for the UNARP's address and link, may be deleted,
    /// unless a route goes by way of it.
    ///
    /// # Errors
    ///
    /// Why not.
    pub fn judge(
        &self,
        unarp: &HeardUnarp,
        entry: Option<Neighbour>,
        now: Instant,
    ) -> Result<Neighbour, UnarpRefusal> {
        let known = entry.and_then(|entry| Some((entry, entry.mac?)));
        let (entry, mac) = known.ok_or(UnarpRefusal::NoEntry)?;
        if (entry.link, entry.address) != (unarp.link, unarp.address) {
            return Err(UnarpRefusal::NoEntry);
        }
        if mac != unarp.sender {
            return Err(UnarpRefusal::OtherMac);
        }
        match entry.keeper {
            Keeper::Arp => {}
            Keeper::Permanent => return Err(UnarpRefusal::Permanent),
            Keeper::NoArp => return Err(UnarpRefusal::NoArp),
            Keeper::Controller => return Err(UnarpRefusal::Controller),
        }
        let deleted = self.deleted.get(&(unarp.link, unarp.address));
        if deleted.is_some_and(|&at| now < at + AGAIN) {
            return Err(UnarpRefusal::AddressRate);
        }
        let rates = self.links.get(&unarp.link);
        if rates.is_some_and(|rates| !rates.deletions.wait(now).is_zero()) {
            return Err(UnarpRefusal::LinkRate);
        }
        Ok(entry)
    }

    /// Takes note that the entry was deleted.
    pub fn record(&mut self, unarp: &HeardUnarp, now: Instant) {
        self.forget(now);
        self.deleted.insert((unarp.link, unarp.address), now);
        let rates = self.links.entry(unarp.link).or_default();
        rates.deletions.take(now);
    }

    /// Drops what no longer matters.
    fn forget(&mut self, now: Instant) {
        self.deleted.retain(|_, at| now < *at + AGAIN);
        self.links
            .retain(|_, rates| !(rates.lookups.is_idle(now) && rates.deletions.is_idle(now)));
    }
}

#[cfg(test)]
mod tests;
