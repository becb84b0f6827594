//! Which networks are asked for their leases when, and whose they are. No IO.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::{GuestId, Instant, Interface, Lease, MacAddr, NicLeases, Timestamp};
use crate::sys::virt_leases::RawLease;

/// Between two questions about a network. dnsmasq gives no lease of less than two minutes
/// (dnsmasq(8)), which is renewed after one: so it is seen to be.
const PACE: Duration = Duration::from_secs(30);

/// Between two questions about a network when guests come: hundreds come at once.
const AGAIN: Duration = Duration::from_secs(1);

/// Networks that are asked: more than hosts have. Guests of any beyond them have no leases.
const NETWORKS: usize = 64;

/// The guests' NICs with their networks, and when each network is asked next.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    guests: BTreeMap<GuestId, Vec<(MacAddr, String)>>,
    networks: BTreeMap<String, Times>,
}

#[derive(Clone, Copy, Debug)]
struct Times {
    asked: Option<Instant>,
    due: Instant,
}

impl Agenda {
    /// A guest has these NICs and no others; their networks are asked soon.
    pub(super) fn watch(&mut self, now: Instant, guest: GuestId, nics: Vec<(MacAddr, String)>) {
        for (_, network) in &nics {
            if let Some(times) = self.networks.get_mut(network) {
                let soon = times.asked.map_or(now, |asked| asked + AGAIN);
                times.due = times.due.min(soon);
            } else if self.networks.len() < NETWORKS {
                let (asked, due) = (None, now);
                self.networks.insert(network.clone(), Times { asked, due });
            } else {
                tracing::debug!(%guest, "too many networks; this one's leases are not read");
            }
        }
        self.guests.insert(guest, nics);
        self.forget_networks();
    }

    pub(super) fn unwatch(&mut self, guest: GuestId) {
        self.guests.remove(&guest);
        self.forget_networks();
    }

    /// When a network is to be asked.
    pub(super) fn due(&self) -> Option<Instant> {
        self.networks.values().map(|times| times.due).min()
    }

    /// The network that is to be asked now, if one is; it counts as asked.
    pub(super) fn next(&mut self, now: Instant) -> Option<String> {
        let due = self
            .networks
            .iter_mut()
            .filter(|(_, times)| times.due <= now);
        let (network, times) = due.min_by_key(|(_, times)| times.due)?;
        *times = Times {
            asked: Some(now),
            due: now + PACE,
        };
        Some(network.clone())
    }

    /// What each NIC in the network has by its leases, also those that have nothing. `offset` is
    /// the realtime clock less the monotonic one.
    ///
    /// A MAC address that two guests of the network have says nothing of either.
    pub(super) fn sort(&self, network: &str, leases: &[RawLease], offset: i64) -> Vec<NicLeases> {
        let mut given: BTreeMap<MacAddr, Vec<Lease>> = BTreeMap::new();
        for lease in leases {
            let mac = lease.mac.parse::<MacAddr>().ok();
            if let Some((mac, lease)) = mac.zip(understand(lease, offset)) {
                let of_mac = given.entry(mac).or_default();
                let known = of_mac.iter().any(|known| known.ip == lease.ip);
                if !known && of_mac.len() < Interface::ADDRESSES {
                    of_mac.push(lease);
                }
            }
        }
        let members = || {
            let guests = self.guests.iter();
            guests.flat_map(|(&guest, nics)| {
                let inside = nics.iter().filter(|(_, name)| name == network);
                inside.map(move |&(mac, _)| (guest, mac))
            })
        };
        let mut count: BTreeMap<MacAddr, usize> = BTreeMap::new();
        for (_, mac) in members() {
            *count.entry(mac).or_default() += 1;
        }
        members()
            .map(|(guest, mac)| {
                let alone = count.get(&mac) == Some(&1);
                let leases = given.get(&mac).filter(|_| alone);
                NicLeases {
                    guest,
                    mac,
                    leases: leases.cloned().unwrap_or_default(),
                }
            })
            .collect()
    }

    fn forget_networks(&mut self) {
        let guests = &self.guests;
        self.networks.retain(|network, _| {
            let mut nics = guests.values().flatten();
            nics.any(|(_, name)| name == network)
        });
    }
}

/// A lease of an address that a host can have; its end on the monotonic clock.
fn understand(lease: &RawLease, offset: i64) -> Option<Lease> {
    let ip = lease.ip.parse().ok()?;
    let until = (lease.expiry > 0).then(|| {
        let nanos = lease.expiry.saturating_mul(1_000_000_000);
        Timestamp::from_nanos(nanos).instant(offset)
    });
    Some(Lease { ip, until })
}

#[cfg(test)]
mod tests;
