//! An address that a NIC was heard to have and that is not believed. No IO.

use super::book::Change;
use crate::engine::{Sighting, Standing};
use crate::model::{AddressRefusal, AddressSource, HostIp, Instant, MacAddr};

/// One of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Refused {
    pub(super) ip: HostIp,
    pub(super) source: AddressSource,
    pub(super) reason: AddressRefusal,
    /// When it is forgotten, unless it is heard again.
    pub(super) until: Instant,
}

impl Refused {
    pub(super) const fn change(self, mac: MacAddr) -> Change {
        let Self { reason, .. } = self;
        (self.sighting(mac), Standing::Refused { reason })
    }

    pub(super) const fn gone(self, mac: MacAddr) -> Change {
        (self.sighting(mac), Standing::Gone)
    }

    const fn sighting(self, mac: MacAddr) -> Sighting {
        let Self { ip, source, .. } = self;
        Sighting { mac, ip, source }
    }
}
