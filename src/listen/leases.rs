//! The leases of libvirt's own networks: which addresses their DHCP servers gave guests' NICs.
//!
//! ```text
//!  watch, unwatch --> thread: agenda --> libvirt, a connection of its own --> take(NicLeases)
//! ```
//!
//! libvirt tells of no lease by itself, so a network that a watched guest is in is asked every half
//! minute. The thread and its connection are apart from those that migrations wait for: a network
//! that is being started keeps whoever asks about it waiting. Where no guest is in such a network,
//! nothing is asked and no connection made.

mod agenda;

use std::collections::BTreeSet;
use std::ffi::CString;
use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;

use self::agenda::Agenda;
use super::libvirt::{Access, Keepalive, Settings};
use crate::engine::WatchedNic;
use crate::model::{Escaped, GuestId, MacAddr, NicLeases};
use crate::sys::clock;
use crate::sys::virt_connection::{Connection, VirtError, c_string};

/// Orders that wait for the thread: one for each guest that the engine remembers. When full an
/// order is refused, and the caller counts it: a guest's leases are then not asked for, or for too
/// long.
const ORDERS: usize = 4_096;

/// What the driver wants.
#[derive(Debug)]
enum Order {
    Want(bool),
    Watch {
        guest: GuestId,
        nics: Vec<(MacAddr, String)>,
    },
    Unwatch {
        guest: GuestId,
    },
}

/// An order that found no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many orders wait for the thread that reads leases")]
pub struct LeasesBusy;

/// The driver's end. The thread ends with it, once libvirt has answered what it was asked.
#[derive(Debug)]
pub struct Leases {
    orders: SyncSender<Order>,
    /// Guests that the thread knows: most hosts have none.
    known: BTreeSet<GuestId>,
}

impl Leases {
    /// Starts the thread, which hands to `take` what the NICs of a network have. It connects as
    /// `settings` say, once there is something to ask.
    ///
    /// libvirt's event loop must be registered: start the listener first.
    ///
    /// # Errors
    ///
    /// Those of starting a thread.
    pub fn start(
        settings: &Settings,
        wanted: bool,
        take: impl Fn(Vec<NicLeases>) + Send + 'static,
    ) -> io::Result<Self> {
        let (orders, queue) = sync_channel(ORDERS);
        let reader = Reader {
            uri: c_string(&settings.uri).unwrap_or_default(),
            access: settings.access,
            keepalive: settings.keepalive,
            connection: None,
            told: false,
            take,
        };
        thread::Builder::new()
            .name("leases".to_owned())
            .spawn(move || reader.run(wanted, &queue))?;
        Ok(Self {
            orders,
            known: BTreeSet::new(),
        })
    }

    /// Whether leases are wanted at all, from here on.
    ///
    /// # Errors
    ///
    /// Where there is no room for the order.
    pub fn set_wanted(&mut self, wanted: bool) -> Result<(), LeasesBusy> {
        self.order(Order::Want(wanted))
    }

    /// Asks for the leases of those of a guest's NICs that are in a network of libvirt's own, at
    /// once and from here on, and of no others.
    ///
    /// # Errors
    ///
    /// Where there is no room for the order.
    pub fn watch(&mut self, guest: GuestId, nics: &[WatchedNic]) -> Result<(), LeasesBusy> {
        let nics: Vec<_> = nics
            .iter()
            .filter_map(|nic| Some((nic.mac, nic.network.clone()?)))
            .collect();
        if nics.is_empty() {
            return self.unwatch(guest);
        }
        self.order(Order::Watch { guest, nics })?;
        self.known.insert(guest);
        Ok(())
    }

    /// The guest is gone.
    ///
    /// # Errors
    ///
    /// Where there is no room for the order.
    pub fn unwatch(&mut self, guest: GuestId) -> Result<(), LeasesBusy> {
        if self.known.contains(&guest) {
            self.order(Order::Unwatch { guest })?;
            self.known.remove(&guest);
        }
        Ok(())
    }

    fn order(&self, order: Order) -> Result<(), LeasesBusy> {
        self.orders.try_send(order).map_err(|_| LeasesBusy)
    }
}

/// What the thread has.
struct Reader<T> {
    uri: CString,
    access: Access,
    keepalive: Keepalive,
    connection: Option<Connection>,
    /// That leases cannot be read was said since they last could.
    told: bool,
    take: T,
}

impl<T: Fn(Vec<NicLeases>)> Reader<T> {
    /// Follows orders, which come first, and asks what is due.
    fn run(mut self, mut wanted: bool, orders: &Receiver<Order>) {
        let mut agenda = Agenda::default();
        loop {
            let due = agenda.due().filter(|_| wanted);
            let order = match due {
                Some(at) => orders.recv_timeout(at.saturating_since(clock::now())),
                None => orders.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match order {
                Ok(Order::Want(now)) => wanted = now,
                Ok(Order::Watch { guest, nics }) => agenda.watch(clock::now(), guest, nics),
                Ok(Order::Unwatch { guest }) => agenda.unwatch(guest),
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {
                    if let Some(network) = agenda.next(clock::now()) {
                        self.ask(&agenda, &network);
                    }
                }
            }
        }
    }

    /// Asks for one network's leases. Without an answer those that were told stand until they end.
    fn ask(&mut self, agenda: &Agenda, network: &str) {
        let Some(name) = c_string(network) else {
            return;
        };
        match self
            .connected()
            .and_then(|connection| connection.leases(&name))
        {
            Ok(leases) => {
                self.told = false;
                let told = agenda.sort(network, &leases, clock::realtime_offset());
                (self.take)(told);
            }
            Err(error) => {
                let network = Escaped(network);
                if self.told {
                    tracing::debug!(%network, %error, "still no leases of a network");
                } else {
                    tracing::warn!(%network, %error, "libvirt does not tell a network's leases");
                    self.told = true;
                }
            }
        }
    }

    fn connected(&mut self) -> Result<&Connection, VirtError> {
        let connection = match self.connection.take().filter(Connection::is_alive) {
            Some(connection) => connection,
            None => self.connect()?,
        };
        Ok(self.connection.insert(connection))
    }

    fn connect(&self) -> Result<Connection, VirtError> {
        let connection = Connection::open(&self.uri, self.access)?;
        let Keepalive { interval, count } = self.keepalive;
        if let Err(error) = connection.set_keepalive(interval, count) {
            tracing::debug!(%error, "no keepalive on the connection for leases");
        }
        Ok(connection)
    }
}
