//! The ledger of lasting changes: what the frames of staged guests may leave behind in this host's
//! bridges, written down before it can happen and undone after, also by the successor of a killed
//! agent.
//!
//! ```text
//!  driver: record --+                              +-- STATE/state, replaced whole
//!          settle --+--> orders --> thread: Book --+
//!          listed --+   (bounded)     |            +-- read, compare, delete (netlink)
//!          next  <-------- reports <--+
//! ```
//!
//! A guest's entries are settled once: where it stays on this host they are the truth and are
//! struck out; else they are taken back. A thread of its own keeps the file and asks the kernel,
//! since the directory is the operator's choice and may be on a slow disk, and since a bridge may
//! have many entries; neither may hold up another guest's frames.
//!
//! A pause stops taking back, too: what is due then waits for its end, or for the next start.
//!
//! Announcing matters more than the ledger: where it cannot be written, frames go all the same. The
//! entries are dynamic, so that a bridge forgets them within minutes by itself.

mod book;
mod file;
mod undo;

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

pub use book::Leftover;
pub use undo::{Entry, parse as parse_entry};

use super::brake::Brake;
use crate::engine::{Event, GuestFacts, Queue, RunState};
use crate::model::GuestId;
use book::Book;
use file::StateFile;
use undo::Undoer;

/// Orders that wait for the thread: one for each guest that the engine remembers. When full an
/// order is dropped and counted: what it says of is then announced without having been written
/// down, or stays in the file until the next start.
const ORDERS: usize = 4_096;

/// Orders that are carried out before the file is written once for all of them.
const BATCH: usize = 256;

/// Reports that wait for the driver. When full the next one tells of both.
const REPORTS: usize = 16;

/// How long a staged guest waits until its entries are written down. Writing takes less than a
/// millisecond on /run; a machine that is busy beyond reason may put it off a hundred times longer.
const PATIENCE: Duration = Duration::from_millis(200);

/// How often a pause is looked at that something waits for.
const LOOK: Duration = Duration::from_secs(1);

/// How long an end waits for the last entries to be taken back.
const LAST_ENTRIES: Duration = Duration::from_secs(1);

/// Something to write down or to strike out.
#[derive(Debug)]
enum Order {
    Record {
        guest: GuestId,
        leftovers: BTreeSet<Leftover>,
        done: oneshot::Sender<()>,
    },
    /// The guest's frames are done with.
    Settle { guest: GuestId, stays: bool },
    /// An earlier agent's entries can be judged: these guests are here, and of those nobody knows.
    Judge {
        here: Vec<GuestId>,
        unclear: Vec<GuestId>,
    },
}

/// The driver's end of the ledger.
#[derive(Debug)]
pub struct Ledger {
    orders: mpsc::Sender<Order>,
    reports: mpsc::Receiver<Event>,
    ended: oneshot::Receiver<()>,
    /// Orders that found no room.
    dropped: u64,
    dry_run: bool,
}

impl Ledger {
    /// Reads what an earlier agent left in `directory`, and begins to keep the ledger there. In a
    /// dry run nothing is taken back.
    ///
    /// # Errors
    ///
    /// Those of starting a thread with a runtime. A directory or file that cannot be used is a
    /// fault that is logged and counted.
    pub fn start(directory: PathBuf, dry_run: bool, brake: Arc<Brake>) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (orders, queue) = mpsc::channel(ORDERS);
        let (sender, reports) = mpsc::channel(REPORTS);
        let (end, ended) = oneshot::channel();
        let undoer = {
            let _inside = runtime.enter();
            Undoer::start(&runtime)?
        };
        thread::Builder::new()
            .name("ledger".to_owned())
            .spawn(move || {
                let file = StateFile::new(directory);
                let keeper = Keeper::new(file, undoer, brake, sender);
                runtime.block_on(keeper.run(queue));
                // Nobody waits for it where the driver gave up.
                end.send(()).ok();
            })?;
        Ok(Self {
            orders,
            reports,
            ended,
            dropped: 0,
            dry_run,
        })
    }

    /// Whether what was changed stays as it is, from here on.
    pub const fn set_dry_run(&mut self, dry_run: bool) {
        self.dry_run = dry_run;
    }

    /// Writes down what a guest's frames may leave behind, beside what is written of it already.
    /// The order stands when this returns; the future tells when it is carried out, or false where
    /// that takes too long to wait for.
    pub fn record(
        &mut self,
        guest: GuestId,
        leftovers: BTreeSet<Leftover>,
    ) -> impl Future<Output = bool> + Send + 'static {
        let (done, written) = oneshot::channel();
        self.order(Order::Record {
            guest,
            leftovers,
            done,
        });
        async move { matches!(tokio::time::timeout(PATIENCE, written).await, Ok(Ok(()))) }
    }

    /// Strikes out what a guest's frames left behind where it `stays` on this host, and takes it
    /// back where not.
    pub fn settle(&mut self, guest: GuestId, stays: bool) {
        if self.dry_run && !stays {
            tracing::info!(%guest, "dry run: what its frames left behind would be taken back");
        }
        let stays = stays || self.dry_run;
        self.order(Order::Settle { guest, stays });
    }

    /// libvirt listed every guest: what an earlier agent wrote down is settled by that, but for
    /// guests that stand in the middle of a migration, which are settled when that is over.
    pub fn listed(&mut self, guests: &[GuestFacts]) {
        if self.dry_run {
            return;
        }
        let those = |wanted: &[RunState]| {
            let of_state = guests.iter().filter(|facts| wanted.contains(&facts.state));
            of_state.map(|facts| facts.guest).collect()
        };
        self.order(Order::Judge {
            here: those(&[
                RunState::Running,
                RunState::RunningPostcopy,
                RunState::Paused,
            ]),
            unclear: those(&[RunState::PausedMigration, RunState::PausedPostcopy]),
        });
    }

    /// What is to be counted. Safe to cancel.
    pub async fn next(&mut self) -> Event {
        if self.dropped > 0 {
            return Event::Dropped {
                queue: Queue::Ledger,
                count: std::mem::take(&mut self.dropped),
            };
        }
        match self.reports.recv().await {
            Some(report) => report,
            // The thread ends with the ledger only.
            None => std::future::pending().await,
        }
    }

    /// Carries out what was ordered, and ends.
    pub async fn close(self) {
        drop(self.orders);
        if tokio::time::timeout(LAST_ENTRIES, self.ended)
            .await
            .is_err()
        {
            tracing::warn!("not all forwarding entries were taken back; the next start does it");
        }
    }

    fn order(&mut self, order: Order) {
        if self.orders.try_send(order).is_err() {
            self.dropped += 1;
        }
    }
}

/// The thread's end.
struct Keeper {
    book: Book,
    file: StateFile,
    undoer: Undoer,
    brake: Arc<Brake>,
    reports: mpsc::Sender<Event>,
    undone: u64,
    faults: u64,
}

impl Keeper {
    fn new(
        mut file: StateFile,
        undoer: Undoer,
        brake: Arc<Brake>,
        reports: mpsc::Sender<Event>,
    ) -> Self {
        let loaded = file.load();
        let faults = u64::from(loaded.is_err());
        Self {
            book: loaded.map(Book::inherited).unwrap_or_default(),
            file,
            undoer,
            brake,
            reports,
            undone: 0,
            faults,
        }
    }

    /// Orders first, since staged guests wait for them; entries are taken back in between.
    async fn run(mut self, mut orders: mpsc::Receiver<Order>) {
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            self.report();
            let doomed = self.book.next_doomed();
            let paused = self.brake.paused();
            if let Some((guest, doomed)) = doomed.filter(|_| !paused) {
                while batch.len() < BATCH
                    && let Ok(order) = orders.try_recv()
                {
                    batch.push(order);
                }
                if batch.is_empty() {
                    self.undo(guest, &doomed).await;
                }
            } else {
                let order = orders.recv_many(&mut batch, BATCH);
                if let Ok(0) = tokio::time::timeout(LOOK, order).await {
                    break;
                }
            }
            let mut written = Vec::new();
            for order in batch.drain(..) {
                written.extend(self.carry_out(order).await);
            }
            self.store();
            for done in written {
                // A guest that did not wait so long is announced already.
                done.send(()).ok();
            }
        }
        self.report();
    }

    async fn carry_out(&mut self, order: Order) -> Option<oneshot::Sender<()>> {
        match order {
            Order::Record {
                guest,
                leftovers,
                done,
            } => {
                // What is to go must be gone before the guest's frames make it anew.
                if self.brake.paused() {
                    self.book.spare(guest);
                } else if let Some(doomed) = self.book.doomed(guest) {
                    self.undo(guest, &doomed).await;
                }
                if !self.book.add(guest, leftovers) {
                    self.faults += 1;
                    tracing::warn!(%guest, "the ledger is full; announcing all the same");
                }
                return Some(done);
            }
            Order::Settle { guest, stays: true } => self.book.strike(guest),
            Order::Settle {
                guest,
                stays: false,
            } => self.book.doom(guest),
            Order::Judge { here, unclear } => self.book.judge(&here, &unclear),
        }
        None
    }

    async fn undo(&mut self, guest: GuestId, doomed: &BTreeSet<Leftover>) {
        match self.undoer.undo(doomed).await {
            Ok(0) => {}
            Ok(entries) => {
                self.undone += entries;
                tracing::info!(%guest, entries, "forwarding entries were taken back");
            }
            Err(error) => {
                self.faults += 1;
                let error = &error as &dyn std::error::Error;
                tracing::warn!(%guest, error, "forwarding entries stay until they age");
            }
        }
        self.book.bury(guest);
    }

    fn store(&mut self) {
        if self.book.take_changed() && self.file.store(self.book.entries()).is_err() {
            self.faults += 1;
        }
    }

    fn report(&mut self) {
        if self.undone == 0 && self.faults == 0 {
            return;
        }
        let report = Event::Ledger {
            undone: self.undone,
            faults: self.faults,
        };
        if self.reports.try_send(report).is_ok() {
            (self.undone, self.faults) = (0, 0);
        }
    }
}

#[cfg(test)]
mod tests;
