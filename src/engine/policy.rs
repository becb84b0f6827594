//! The engine's own settings.

use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Rounds;
use crate::model::{AddressRefusal, AddressSource, GuestId, GuestName, HostIp, HostIpv4, Prefix};

/// Everything that the engine decides by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// The schedule of an announcement.
    pub rounds: Rounds,
    /// Later announcements while the network is unproven, as times from RESUME.
    pub extend: Vec<Duration>,
    /// Frames that may leave by one uplink.
    pub pacing: Pacing,
    /// Per-guest exceptions, first match first.
    pub guests: Vec<GuestRule>,
    /// Whether the source says that a guest's addresses have left.
    #[serde(default)]
    pub retract: bool,
    /// Which addresses of guests are believed.
    #[serde(default)]
    pub addresses: AddressPolicy,
}

/// Which addresses of guests are believed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressPolicy {
    /// By whose word.
    pub sources: Vec<AddressSource>,
    /// Only addresses in these; empty means all.
    pub prefixes: Vec<Prefix>,
}

/// Token buckets of one uplink.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pacing {
    /// Frames a second, in the long run.
    pub frames_per_second: u32,
    /// Frames that may leave at once after silence.
    pub burst: u32,
    /// Frames a second, and at once, that only first frames of migrations may use.
    pub reserve: u32,
}

impl Default for Pacing {
    /// Below the 300 broadcast frames a second that the weakest switch CPUs take.
    fn default() -> Self {
        Self {
            frames_per_second: 250,
            burst: 50,
            reserve: 100,
        }
    }
}

/// An exception for guests that match.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuestRule {
    /// A UUID, or a glob over the name with `*` and `?`.
    pub pattern: String,
    /// Whether such guests are announced.
    pub announce: bool,
    /// Addresses of such guests, where any are given.
    #[serde(default)]
    pub addresses: Vec<HostIpv4>,
}

impl Default for Policy {
    fn default() -> Self {
        let extend = [1_500, 3_000, 6_000, 12_000]
            .map(Duration::from_millis)
            .to_vec();
        Self {
            rounds: Rounds::default(),
            extend,
            pacing: Pacing::default(),
            guests: Vec::new(),
            retract: true,
            addresses: AddressPolicy::default(),
        }
    }
}

impl Policy {
    /// Whether the settings exclude this guest: the first rule that matches decides.
    #[must_use]
    pub fn excludes(&self, guest: GuestId, name: &GuestName) -> bool {
        self.guests
            .iter()
            .find(|rule| rule.matches(guest, name))
            .is_some_and(|rule| !rule.announce)
    }

    /// The addresses that the settings give this guest: those of the first rule that matches and
    /// has any.
    #[must_use]
    pub fn given(&self, guest: GuestId, name: &GuestName) -> &[HostIpv4] {
        self.guests
            .iter()
            .find(|rule| !rule.addresses.is_empty() && rule.matches(guest, name))
            .map_or(&[], |rule| &rule.addresses)
    }
}

impl Default for AddressPolicy {
    /// Those whose word a guest cannot forge.
    fn default() -> Self {
        use AddressSource as Source;
        Self {
            sources: vec![
                Source::Xml,
                Source::Config,
                Source::Lease,
                Source::Peer,
                Source::Dhcp,
            ],
            prefixes: Vec::new(),
        }
    }
}

impl AddressPolicy {
    /// Whether `source` may say that a guest has `ip`.
    #[must_use]
    pub fn admits(&self, ip: HostIp, source: AddressSource) -> bool {
        self.refuses(ip, source).is_none()
    }

    /// Why `source` may not say that a guest has `ip`; none where it may.
    #[must_use]
    pub fn refuses(&self, ip: HostIp, source: AddressSource) -> Option<AddressRefusal> {
        let address = ip.get();
        let within = |prefix: &Prefix| prefix.contains(address);
        // A link-local address of IPv6 is no HostIp.
        if matches!(address, IpAddr::V4(address) if address.is_link_local()) {
            Some(AddressRefusal::LinkLocal)
        } else if address.is_loopback() {
            Some(AddressRefusal::Loopback)
        } else if !self.sources.contains(&source) {
            Some(AddressRefusal::Source)
        } else if !self.prefixes.is_empty() && !self.prefixes.iter().any(within) {
            Some(AddressRefusal::Prefix)
        } else {
            None
        }
    }
}

impl GuestRule {
    fn matches(&self, guest: GuestId, name: &GuestName) -> bool {
        match self.pattern.parse::<GuestId>() {
            Ok(id) => id == guest,
            Err(_) => glob(self.pattern.as_bytes(), name.as_str().as_bytes()),
        }
    }
}

/// Whether `text` matches `pattern`, where `*` stands for any octets and `?` for any one.
/// Linear in the product of the lengths: after a mismatch only the latest `*` takes one more.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at_pattern, mut at_text) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while at_text < text.len() {
        match pattern.get(at_pattern) {
            Some(b'*') => {
                retry = Some((at_pattern + 1, at_text));
                at_pattern += 1;
            }
            Some(&octet) if octet == b'?' || Some(&octet) == text.get(at_text) => {
                at_pattern += 1;
                at_text += 1;
            }
            Some(_) | None => {
                let Some((after, from)) = retry else {
                    return false;
                };
                retry = Some((after, from + 1));
                at_pattern = after;
                at_text = from + 1;
            }
        }
    }
    pattern.iter().skip(at_pattern).all(|&octet| octet == b'*')
}

#[cfg(test)]
mod tests;
