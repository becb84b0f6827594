//! The switches between the hosts, which learn from frames: the fabric, and each host's bridge.

use super::{GUESTS, HOSTS, NICS};

/// Where a host's bridge looks for an address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Behind {
    /// It floods.
    #[default]
    Anywhere,
    Tap,
    Uplink,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Network {
    /// The host that the fabric sends to.
    fabric: [[Option<usize>; NICS]; GUESTS],
    bridges: [[[Behind; NICS]; GUESTS]; HOSTS],
}

impl Network {
    /// A frame of this address enters at this host and goes everywhere. Whether the fabric moved
    /// the address.
    pub(super) fn hears(&mut self, host: usize, guest: usize, nic: usize) -> bool {
        for (index, bridge) in self.bridges.iter_mut().enumerate() {
            bridge[guest][nic] = if index == host {
                Behind::Tap
            } else {
                Behind::Uplink
            };
        }
        self.fabric[guest][nic]
            .replace(host)
            .is_some_and(|before| before != host)
    }

    /// A tap goes away, or shuts, and takes what was learned behind it along.
    pub(super) fn forgets(&mut self, host: usize, guest: usize) {
        for behind in &mut self.bridges[host][guest] {
            if *behind == Behind::Tap {
                *behind = Behind::Anywhere;
            }
        }
    }

    pub(super) fn is_stray(&self, host: usize, guest: usize, nic: usize) -> bool {
        self.bridges[host][guest][nic] == Behind::Uplink
    }

    /// Whether frames for this address find it at this host.
    pub(super) fn leads_to(&self, host: usize, guest: usize, nic: usize) -> bool {
        self.fabric[guest][nic].is_none_or(|to| to == host) && !self.is_stray(host, guest, nic)
    }
}
