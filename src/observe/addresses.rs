//! Learns which IP addresses guests have while they are here: at their ports, and from leases.
//!
//! ```text
//!  watch, unwatch --> Keeper (a thread) --> Tap: PacketEar --> read --> Book --> Event::Address
//!                            ^               one a port           ^
//!                            +---- leases of libvirt's networks --+
//! ```
//!
//! A guest can send what it likes, so a port gets so much of the thread and no more, and what is
//! believed is decided in [`book`]. Nothing here makes a frame leave.

mod book;
mod dhcp;
mod foreign;
mod keeper;
mod nd;
mod others;
mod read;
mod refused;
mod tap;
mod word;

use std::io;
use std::thread;

use tokio::sync::mpsc;

pub use book::{Book, Change, Listens};
pub use foreign::local_address;
pub use read::{Way, read};
pub use word::Word;

use crate::engine::{Event, Queue, WatchedNic};
use crate::model::{GuestId, NicLeases};
use keeper::{Keeper, Order};

/// Orders that wait for the thread: one for each guest that the engine remembers. When full an
/// order is dropped and counted: a guest's addresses are then not learnt, or listened to for too
/// long.
const ORDERS: usize = 4_096;

/// Changes that wait for the driver. When full the ports wait, and the kernel drops and counts.
const CHANGES: usize = 256;

/// Takes leases from a thread of their own.
#[derive(Clone, Debug)]
pub struct Lessee(mpsc::Sender<Order>);

impl Lessee {
    /// Takes over what a network's server gave, for NICs that are watched. Waits where there is no
    /// room; must not be called on a thread that drives a runtime.
    pub fn take(&self, leases: Vec<NicLeases>) {
        // At the end nobody wants to know any more.
        drop(self.0.blocking_send(Order::Leases(leases)));
    }
}

/// The driver's end.
#[derive(Debug)]
pub struct Addresses {
    orders: mpsc::Sender<Order>,
    changes: mpsc::Receiver<Event>,
    dropped: u64,
}

impl Addresses {
    /// Starts the thread, in the network namespace of the calling one. It ends when this and
    /// every [`Lessee`] of it is dropped.
    ///
    /// # Errors
    ///
    /// Those of starting a thread with a runtime, and of a netlink socket.
    pub fn start(listens: Listens) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (orders, queue) = mpsc::channel(ORDERS);
        let (sender, changes) = mpsc::channel(CHANGES);
        let foreign = {
            let _inside = runtime.enter();
            foreign::Foreign::open()?
        };
        thread::Builder::new()
            .name("addresses".to_owned())
            .spawn(move || {
                let keeper = Keeper::new(listens, foreign, sender);
                let local = tokio::task::LocalSet::new();
                local.block_on(&runtime, keeper.run(queue));
            })?;
        Ok(Self {
            orders,
            changes,
            dropped: 0,
        })
    }

    /// Whose word is listened to, from here on.
    pub fn set_listens(&mut self, listens: Listens) {
        self.order(Order::Listen(listens));
    }

    /// Where leases go.
    #[must_use]
    pub fn lessee(&self) -> Lessee {
        Lessee(self.orders.clone())
    }

    /// Listens for a guest's addresses at these ports and no others.
    pub fn watch(&mut self, guest: GuestId, nics: Vec<WatchedNic>) {
        self.order(Order::Watch { guest, nics });
    }

    /// The guest is gone. What was heard of it is kept for a while, in case it comes back.
    pub fn unwatch(&mut self, guest: GuestId) {
        self.order(Order::Unwatch { guest });
    }

    /// What changed. Safe to cancel.
    pub async fn next(&mut self) -> Event {
        if self.dropped > 0 {
            return Event::Dropped {
                queue: Queue::Addresses,
                count: std::mem::take(&mut self.dropped),
            };
        }
        match self.changes.recv().await {
            Some(event) => event,
            // The thread ends with this only.
            None => std::future::pending().await,
        }
    }

    fn order(&mut self, order: Order) {
        if self.orders.try_send(order).is_err() {
            self.dropped += 1;
        }
    }
}
