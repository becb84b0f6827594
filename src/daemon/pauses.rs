//! Pulls and loosens the brake: by order, by file, and when an order's time is over.
//!
//! ```text
//!  control.socket --- BrakeOrder ---+                   +--> Brake (emit): no frame leaves
//!  the file `paused`, each second --+--> Pauses --------+--> watch<Brakes>: status, metrics
//!  an order's end ------------------+       |
//!                                       state directory: the order, for the next start
//! ```
//!
//! It runs on the main thread and shares nothing with the driver but the brake, so that it works
//! while the driver is busy. Files are touched on a thread of their own.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc, watch};
use tokio::task::{JoinError, JoinHandle};
use tokio::time::{MissedTickBehavior, interval, sleep};
use tracing::{debug, error, info, warn};

use super::pause_file::{Mark, PauseFile};
use super::pause_store::{Kept, PauseStore, PauseStoreError};
use super::run_error::chain;
use crate::control::{BRAKE_ORDERS, BrakeFault, BrakeOrder, Brakes, LONGEST_PAUSE, Pause};
use crate::emit::Brake;
use crate::model::{Instant, Timestamp};
use crate::sys::clock;

/// How often the file is looked for. A second is what an operator waits without wondering, and one
/// system call is nothing.
const LOOK: Duration = Duration::from_secs(1);

/// An order to pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Hold {
    until: Option<End>,
}

/// When an order ends by itself. The monotonic clock decides; the other is for people and for the
/// next start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct End {
    at: Instant,
    realtime: Timestamp,
}

impl End {
    fn new(at: Instant) -> Self {
        Self {
            at,
            realtime: Timestamp::of(at, clock::realtime_offset()),
        }
    }
}

/// Everything that says whether the agent is paused.
#[derive(Debug)]
pub(super) struct Pauses {
    brake: Arc<Brake>,
    shown: watch::Sender<Brakes>,
    orders: mpsc::Receiver<BrakeOrder>,
    again: Arc<Notify>,
    file: PauseFile,
    store: PauseStore,
    hold: Option<Hold>,
    mark: Option<Mark>,
}

/// What the rest of the agent has of it.
#[derive(Debug)]
pub(super) struct Levers {
    /// For the emitter.
    pub(super) brake: Arc<Brake>,
    /// For whoever shows the brakes, and for the driver, which sees safe mode begin.
    pub(super) shown: watch::Sender<Brakes>,
    /// For the control socket.
    pub(super) orders: mpsc::Sender<BrakeOrder>,
    /// Asks for a look at the file at once.
    pub(super) look: Arc<Notify>,
}

impl Pauses {
    /// Takes up what was said before the agent started, and pulls the brake if need be.
    pub(super) fn start(file: PauseFile, store: PauseStore) -> (Self, Levers) {
        let (order_sender, orders) = mpsc::channel(BRAKE_ORDERS);
        let levers = Levers {
            brake: Arc::default(),
            shown: watch::Sender::default(),
            orders: order_sender,
            look: Arc::default(),
        };
        let hold = kept(&store);
        let mark = file.look();
        let mut pauses = Self {
            brake: Arc::clone(&levers.brake),
            shown: levers.shown.clone(),
            orders,
            again: Arc::clone(&levers.look),
            file,
            store,
            hold,
            mark,
        };
        pauses.apply();
        (pauses, levers)
    }

    /// Follows orders, the file and the clock.
    pub(super) async fn serve(mut self) -> Infallible {
        let mut ticks = interval(LOOK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // One look at a time: a file system that hangs holds up nothing but the next look.
        let mut look = None;
        loop {
            tokio::select! {
                Some(order) = self.orders.recv() => self.obey(order).await,
                () = end(self.hold) => self.expire().await,
                _ = ticks.tick(), if look.is_none() => look = Some(self.begin_look()),
                () = self.again.notified(), if look.is_none() => look = Some(self.begin_look()),
                found = finish(&mut look) => match found {
                    Ok(mark) => {
                        self.mark = mark;
                        self.apply();
                    }
                    Err(failure) => error!(%failure, "a look at the pause file broke off"),
                },
            }
        }
    }

    async fn obey(&mut self, order: BrakeOrder) {
        let (reply, answer) = match order {
            BrakeOrder::Pause { length, reply } => {
                let until = length.map(|length| End::new(clock::now() + length));
                self.hold = Some(Hold { until });
                // The brake first, for whoever pulls it is in a hurry.
                self.apply();
                let until_ns = until.map(|end| end.realtime);
                let written = self
                    .with_store(move |store| store.write(Kept { until_ns }))
                    .await;
                (reply, written.map_err(BrakeFault::PauseNotKept))
            }
            BrakeOrder::Resume { reply } => {
                self.hold = None;
                if self.brake.safe_mode() {
                    info!("safe mode is over by order");
                }
                self.brake.leave_safe_mode();
                self.apply();
                let cleared = self.with_store(PauseStore::clear).await;
                (reply, cleared.map_err(BrakeFault::ResumeNotKept))
            }
        };
        if let Err(fault) = &answer {
            error!("{fault}");
        }
        if reply.send(answer).is_err() {
            debug!("the caller left before its order was obeyed");
        }
    }

    async fn expire(&mut self) {
        self.hold = None;
        self.apply();
        if let Err(fault) = self.with_store(PauseStore::clear).await {
            // It has an end, which the next start sees to be over.
            warn!("{fault}");
        }
    }

    fn begin_look(&self) -> JoinHandle<Option<Mark>> {
        let file = self.file.clone();
        tokio::task::spawn_blocking(move || file.look())
    }

    /// Does something with the store, away from this thread.
    async fn with_store(
        &self,
        work: impl FnOnce(&PauseStore) -> Result<(), PauseStoreError> + Send + 'static,
    ) -> Result<(), String> {
        let store = self.store.clone();
        match tokio::task::spawn_blocking(move || work(&store)).await {
            Ok(done) => done.map_err(|failure| chain(&failure)),
            Err(failure) => Err(failure.to_string()),
        }
    }

    /// Sets the brake, and shows and tells what changed.
    fn apply(&mut self) {
        let pause = self.pause();
        self.brake.set_paused(pause.is_some());
        let mut before = None;
        self.shown.send_if_modified(|shown| {
            // Read while nobody else can write, so that the last to write is right.
            let safe_mode = self.brake.safe_mode();
            let after = Brakes { pause, safe_mode };
            let changed = *shown != after;
            before = Some(std::mem::replace(shown, after));
            changed
        });
        tell(before.and_then(|brakes| brakes.pause), &self.shown.borrow());
    }

    fn pause(&self) -> Option<Pause> {
        match (&self.mark, self.hold) {
            (Some(mark), _) => Some(Pause::File {
                path: self.file.path().to_owned(),
                reason: mark.reason.clone(),
            }),
            (None, Some(hold)) => Some(Pause::Command {
                until: hold.until.map(|end| end.realtime),
            }),
            (None, None) => None,
        }
    }
}

/// The order of an earlier process, unless its time is over.
fn kept(store: &PauseStore) -> Option<Hold> {
    match store.read() {
        Ok(None) => None,
        Ok(Some(Kept { until_ns: None })) => Some(Hold { until: None }),
        Ok(Some(Kept {
            until_ns: Some(until),
        })) => {
            let now = clock::now();
            let until = until.instant(clock::realtime_offset());
            // A realtime clock that was set back makes no pause longer than any could be ordered.
            let until = until.min(now + LONGEST_PAUSE);
            (until > now).then(|| Hold {
                until: Some(End::new(until)),
            })
        }
        Err(failure) => {
            error!(
                "{}: staying paused until `macmovectl resume`, since somebody may have wanted that",
                chain(&failure)
            );
            Some(Hold { until: None })
        }
    }
}

fn tell(before: Option<Pause>, brakes: &Brakes) {
    match (before, &brakes.pause) {
        (before, Some(now)) if before.as_ref() != Some(now) => match now {
            Pause::Command { until } => warn!(
                until_ns = until.map(Timestamp::as_nanos),
                "paused by order: nothing is sent until `macmovectl resume`"
            ),
            Pause::File { path, .. } => warn!(
                path = %path.display(),
                "paused by a file: nothing is sent until it is deleted"
            ),
        },
        (Some(_), None) => {
            info!("resumed: announcements leave again; what was withheld is not sent later");
        }
        (_, Some(_)) | (None, None) => {}
    }
}

/// Sleeps until an order's time is over; for ever without one.
async fn end(hold: Option<Hold>) {
    match hold.and_then(|hold| hold.until) {
        Some(end) => sleep(end.at.saturating_since(clock::now())).await,
        None => std::future::pending().await,
    }
}

/// Waits for a look that was begun, and takes it; for ever without one.
async fn finish(look: &mut Option<JoinHandle<Option<Mark>>>) -> Result<Option<Mark>, JoinError> {
    let found = match look {
        Some(look) => look.await,
        None => std::future::pending().await,
    };
    *look = None;
    found
}

#[cfg(test)]
mod tests;
