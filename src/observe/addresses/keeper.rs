//! Which ports are listened at.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::{Mutex, mpsc};
use tokio::task::AbortHandle;

use super::book::{Book, Listens};
use super::foreign::Foreign;
use super::tap::{Tap, event};
use crate::engine::{Event, Queue, WatchedNic};
use crate::model::{GuestId, Ifindex, Instant, MacAddr, NicLeases};
use crate::sys::clock;
use crate::sys::packet_ear::PacketEar;

/// Ports that are listened at, each with a descriptor. Beyond them addresses are not learnt, and
/// that is counted.
const PORTS: usize = 4_096;

/// Guests that are remembered, those among them that have left; the one that left first goes first.
const GUESTS: usize = 4_096;

/// How long what was heard of a guest is kept after it left: a guest that comes back has its
/// addresses at once.
const KEPT: Duration = Duration::from_secs(600);

/// What the driver wants.
#[derive(Debug)]
pub(super) enum Order {
    Listen(Listens),
    Watch {
        guest: GuestId,
        nics: Vec<WatchedNic>,
    },
    Unwatch {
        guest: GuestId,
    },
    Leases(Vec<NicLeases>),
}

/// Where a NIC is listened at.
type Place = (MacAddr, Ifindex);

/// One guest.
#[derive(Default)]
struct Watched {
    nics: Vec<WatchedNic>,
    books: BTreeMap<MacAddr, Rc<RefCell<Book>>>,
    /// By the NIC's address and its port.
    ears: Vec<(Place, AbortHandle)>,
    /// When it left.
    left: Option<Instant>,
}

pub(super) struct Keeper {
    listens: Listens,
    foreign: Rc<Mutex<Foreign>>,
    changes: mpsc::Sender<Event>,
    guests: BTreeMap<GuestId, Watched>,
}

impl Keeper {
    pub(super) fn new(listens: Listens, foreign: Foreign, changes: mpsc::Sender<Event>) -> Self {
        Self {
            listens,
            foreign: Rc::new(Mutex::new(foreign)),
            changes,
            guests: BTreeMap::new(),
        }
    }

    /// Follows orders until nobody gives any more.
    pub(super) async fn run(mut self, mut orders: mpsc::Receiver<Order>) {
        while let Some(order) = orders.recv().await {
            let now = clock::now();
            let told = match order {
                Order::Listen(listens) => self.listen(now, listens),
                Order::Watch { guest, nics } => self.watch(now, guest, nics),
                Order::Unwatch { guest } => {
                    self.unwatch(now, guest);
                    Vec::new()
                }
                Order::Leases(leases) => self.leased(now, leases).await,
            };
            for event in told {
                if self.changes.send(event).await.is_err() {
                    return;
                }
            }
        }
    }

    /// What is heard from here on is heard anew.
    fn listen(&mut self, now: Instant, listens: Listens) -> Vec<Event> {
        if listens == self.listens {
            return Vec::new();
        }
        self.listens = listens;
        let mut told = Vec::new();
        for (guest, mut watched) in std::mem::take(&mut self.guests) {
            watched.end();
            for (_, book) in std::mem::take(&mut watched.books) {
                let gone = book.borrow_mut().forget();
                told.extend(gone.into_iter().map(|change| event(guest, change)));
            }
            if watched.left.is_none() {
                told.extend(self.watch(now, guest, watched.nics));
            }
        }
        told
    }

    fn watch(&mut self, now: Instant, guest: GuestId, nics: Vec<WatchedNic>) -> Vec<Event> {
        self.forget_old(now);
        let mut watched = self.guests.remove(&guest).unwrap_or_default();
        let returns = watched.left.take().is_some();
        let stays = |(place, ear): &(Place, AbortHandle)| {
            let stays = nics.iter().any(|nic| (nic.mac, nic.port) == *place);
            if !stays {
                ear.abort();
            }
            stays
        };
        watched.ears.retain(stays);
        watched
            .books
            .retain(|mac, _| nics.iter().any(|nic| nic.mac == *mac));
        let mut told = Vec::new();
        let mut refused = 0;
        for nic in &nics {
            let place = (nic.mac, nic.port);
            let book = watched
                .books
                .entry(nic.mac)
                .or_insert_with(|| Rc::new(RefCell::new(Book::new(nic.mac, self.listens))));
            if returns {
                let again = book.borrow_mut().retell(now);
                told.extend(again.into_iter().map(|change| event(guest, change)));
            }
            let heard = watched.ears.iter().any(|(heard, _)| *heard == place);
            if heard || !self.listens.any(nic.network.is_some()) {
                continue;
            }
            match self.attend(guest, place, Rc::clone(book)) {
                Some(ear) => watched.ears.push((place, ear)),
                None => refused += 1,
            }
        }
        watched.nics = nics;
        self.guests.insert(guest, watched);
        if refused > 0 {
            told.push(Event::Dropped {
                queue: Queue::Addresses,
                count: refused,
            });
        }
        told
    }

    /// Of NICs that are not watched, leases say nothing.
    async fn leased(&self, now: Instant, leases: Vec<NicLeases>) -> Vec<Event> {
        let mut told = Vec::new();
        for NicLeases { guest, mac, leases } in leases {
            let watched = self.guests.get(&guest);
            let book = watched.filter(|watched| watched.left.is_none());
            let Some(book) = book.and_then(|watched| watched.books.get(&mac)) else {
                continue;
            };
            let mut judged = Vec::with_capacity(leases.len());
            for lease in leases {
                let foreign = self.foreign.lock().await.refuses(lease.ip.into()).await;
                judged.push((lease, foreign));
            }
            let changes = book.borrow_mut().leased(now, &judged);
            told.extend(changes.into_iter().map(|change| event(guest, change)));
        }
        told
    }

    fn unwatch(&mut self, now: Instant, guest: GuestId) {
        if let Some(watched) = self.guests.get_mut(&guest) {
            watched.end();
            watched.left = Some(now);
            let silent = |book: &Rc<RefCell<Book>>| book.borrow().is_empty();
            if watched.books.values().all(silent) {
                self.guests.remove(&guest);
            }
        }
        self.forget_old(now);
    }

    fn attend(
        &self,
        guest: GuestId,
        (mac, port): Place,
        book: Rc<RefCell<Book>>,
    ) -> Option<AbortHandle> {
        let ears = self.guests.values().map(|watched| watched.ears.len());
        if ears.sum::<usize>() >= PORTS {
            return None;
        }
        let ear = PacketEar::of_addresses(port, self.listens.snoop);
        let ear = ear
            .inspect_err(|error| {
                tracing::debug!(%guest, %error, "no ear at a guest's port");
            })
            .ok()?;
        let tap = Tap {
            guest,
            mac,
            ear,
            book,
            foreign: Rc::clone(&self.foreign),
            changes: self.changes.clone(),
        };
        Some(tokio::task::spawn_local(tap.listen()).abort_handle())
    }

    /// Forgets those that left long ago, and as many more as there is no room for.
    fn forget_old(&mut self, now: Instant) {
        self.guests
            .retain(|_, watched| watched.left.is_none_or(|left| now < left + KEPT));
        while self.guests.len() >= GUESTS {
            let left = self.guests.iter();
            let left = left.filter_map(|(&id, watched)| Some((watched.left?, id)));
            let Some((_, first)) = left.min() else {
                return;
            };
            self.guests.remove(&first);
        }
    }
}

impl Watched {
    fn end(&mut self) {
        for (_, ear) in self.ears.drain(..) {
            ear.abort();
        }
    }
}
