//! What hears of guests' addresses: at their ports, and by the leases of libvirt's networks.

use std::io;

use crate::engine::{Event, Queue, WatchedNic};
use crate::listen::leases::{Leases, LeasesBusy};
use crate::listen::libvirt::Settings;
use crate::model::GuestId;
use crate::observe::addresses::{Addresses, Listens};

#[derive(Debug)]
pub(super) struct Hearing {
    addresses: Addresses,
    leases: Leases,
    /// Orders about leases that found no room.
    dropped: u64,
}

impl Hearing {
    /// Starts both, in the network namespace of the calling thread. libvirt's event loop must be
    /// registered.
    ///
    /// # Errors
    ///
    /// Those of [`Addresses::start`] and [`Leases::start`].
    pub(super) fn start(listens: Listens, settings: &Settings) -> io::Result<Self> {
        let addresses = Addresses::start(listens)?;
        let lessee = addresses.lessee();
        let take = move |leases| lessee.take(leases);
        Ok(Self {
            addresses,
            leases: Leases::start(settings, listens.lease, take)?,
            dropped: 0,
        })
    }

    pub(super) fn set_listens(&mut self, listens: Listens) {
        self.addresses.set_listens(listens);
        let room = self.leases.set_wanted(listens.lease);
        self.note(room);
    }

    /// Ports first: what a lease says of a NIC that is not known is not heard.
    pub(super) fn watch(&mut self, guest: GuestId, nics: &[WatchedNic]) {
        self.addresses.watch(guest, nics.to_vec());
        let room = self.leases.watch(guest, nics);
        self.note(room);
    }

    pub(super) fn unwatch(&mut self, guest: GuestId) {
        self.addresses.unwatch(guest);
        let room = self.leases.unwatch(guest);
        self.note(room);
    }

    /// What changed. Safe to cancel.
    pub(super) async fn next(&mut self) -> Event {
        if self.dropped > 0 {
            return Event::Dropped {
                queue: Queue::Addresses,
                count: std::mem::take(&mut self.dropped),
            };
        }
        self.addresses.next().await
    }

    fn note(&mut self, room: Result<(), LeasesBusy>) {
        self.dropped += u64::from(room.is_err());
    }
}
