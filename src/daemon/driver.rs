//! The only loop: waits for whatever comes, feeds the [`HotPath`] and does what else follows.
//!
//! libvirt's events reach the hot path within libvirt's callbacks, in [`Listener::dispatch`].

use std::cell::{RefCell, RefMut};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{Interval, MissedTickBehavior};

use super::hearing::Hearing;
use super::hot_path::HotPath;
use super::narrate::narrate;
use super::notify::Notifier;
use super::plan_report;
use super::stagings::{Stage, Stagings};
use super::status_line::status_line;
use crate::control::{Brakes, Request};
use crate::emit::{Ledger, Stager};
use crate::engine::{Action, Count, Event, Policy, Queue, Snapshot};
use crate::listen::libvirt::{Hear, Listener};
use crate::metrics::Metrics;
use crate::model::{Instant, LinkName};
use crate::observe::addresses::Listens;
use crate::observe::links::Links;
use crate::sys::clock;
use crate::sys::timer::Timer;

/// How long a change may wait until people see it; a burst of events makes one snapshot.
const PUBLISH: Duration = Duration::from_millis(20);

/// How long the first frames of migrations may hold up the end.
const LAST_FRAMES: Duration = Duration::from_secs(1);

/// How much the realtime clock may move against the monotonic one before the engine hears of it:
/// well below the millisecond that stamps are compared in.
const CLOCK_SLIP: u64 = 100_000;

/// What the main thread tells the driver.
#[derive(Debug)]
pub(super) enum Order {
    /// New settings.
    Reload {
        /// What the engine decides by.
        policy: Box<Policy>,
        /// Whether frames are logged instead of sent.
        dry_run: bool,
        /// `[network] uplinks`.
        uplinks: Vec<LinkName>,
        /// Whose word about addresses is listened to.
        listens: Listens,
    },
    /// Finish first frames and end.
    Stop,
}

/// Everything the loop needs.
#[derive(Debug)]
pub(super) struct Parts {
    /// What decides and sends.
    pub(super) hot: Rc<RefCell<HotPath>>,
    /// What resolves.
    pub(super) stager: Stager,
    /// What remembers lasting changes.
    pub(super) ledger: Ledger,
    /// What hears libvirt.
    pub(super) listener: Listener,
    /// What hears the kernel.
    pub(super) links: Links,
    /// What hears the guests.
    pub(super) hearing: Hearing,
    /// What counts.
    pub(super) metrics: Arc<Metrics>,
    /// Where pictures go.
    pub(super) snapshots: watch::Sender<Arc<Snapshot>>,
    /// Where the brakes are shown: the emitter says whether it is in safe mode.
    pub(super) brakes: watch::Sender<Brakes>,
    /// Where hints of libvirt's hook script come from.
    pub(super) hints: mpsc::Receiver<Event>,
    /// Where requests come from.
    pub(super) requests: mpsc::Receiver<Request>,
    /// Where orders come from.
    pub(super) orders: mpsc::Receiver<Order>,
    /// systemd.
    pub(super) notifier: Notifier,
}

pub(super) struct Driver {
    parts: Parts,
    timer: Timer,
    stagings: Stagings,
    /// When the next snapshot is due; none while nothing changed.
    publish_at: Option<Instant>,
    offset: i64,
    brakes: watch::Receiver<Brakes>,
    status: String,
    stop_by: Option<Instant>,
    /// libvirt is to be read again and had no room for the question.
    relist: bool,
}

impl Driver {
    pub(super) fn new(mut parts: Parts, timer: Timer) -> Self {
        let hearer = Rc::clone(&parts.hot) as Rc<RefCell<dyn Hear>>;
        parts.listener.hear_by(&hearer);
        Self {
            brakes: parts.brakes.subscribe(),
            parts,
            timer,
            stagings: Stagings::default(),
            publish_at: None,
            offset: 0,
            status: String::new(),
            stop_by: None,
            relist: false,
        }
    }

    /// Runs until told to stop.
    pub(super) async fn run(mut self) {
        let mut watchdog = self.parts.notifier.watchdog_interval().map(ticks);
        self.check_clock();
        self.publish();
        while !self.is_over() {
            let deadline = self.deadline();
            tokio::select! {
                biased;
                () = self.parts.listener.ready() => self.parts.listener.dispatch(),
                () = self.timer.until(deadline) => self.hot().timeout(),
                event = self.parts.links.next() => self.link(event),
                stage = self.stagings.next() => self.staged(stage),
                Some(order) = self.parts.orders.recv() => self.order(order),
                Some(request) = self.parts.requests.recv() => self.request(request),
                Some(hint) = self.parts.hints.recv() => self.handle(hint),
                event = self.parts.ledger.next() => self.handle(event),
                event = self.parts.hearing.next() => self.handle(event),
                Ok(()) = self.brakes.changed() => self.touch(),
                () = tick(watchdog.as_mut()) => self.watchdog(),
            }
            while let Some(event) = self.parts.listener.next_event() {
                self.handle(event);
            }
            self.follow();
            self.publish_if_due();
        }
        self.handle(Event::Ending);
        self.publish();
        self.parts.ledger.close().await;
        self.parts.listener.stop();
    }

    fn is_over(&self) -> bool {
        self.stop_by
            .is_some_and(|by| self.hot().engine().first_frames_waiting() == 0 || by <= clock::now())
    }

    fn hot(&self) -> RefMut<'_, HotPath> {
        self.parts.hot.borrow_mut()
    }

    fn deadline(&self) -> Option<Instant> {
        let engine = self.hot().engine().poll_timeout();
        [engine, self.publish_at, self.stop_by]
            .into_iter()
            .flatten()
            .min()
    }

    fn handle(&mut self, event: Event) {
        let lost_events = matches!(
            event,
            Event::Dropped {
                queue: Queue::Libvirt,
                ..
            }
        );
        let listed = if let Event::Listed { guests } = &event {
            Some(guests.clone())
        } else {
            None
        };
        self.hot().handle(event);
        self.follow();
        if let Some(guests) = listed {
            self.parts.ledger.listed(&guests);
        }
        // What was lost cannot be known, so libvirt is read again.
        if lost_events {
            self.relist = !self.parts.listener.request_list();
        }
    }

    /// Carries out what the engine wants beyond sending.
    fn follow(&mut self) {
        if self.hot().take_changed() {
            self.touch();
        }
        loop {
            let next = self.hot().next_action();
            let Some(action) = next else {
                return;
            };
            self.carry_out(action);
        }
    }

    fn carry_out(&mut self, action: Action) {
        self.parts.metrics.apply(&action);
        narrate(&action);
        match action {
            Action::Describe { guest, generation } => {
                self.check_clock();
                self.parts.listener.describe(guest, generation);
            }
            Action::Stage {
                guest,
                generation,
                plan,
            } => {
                let stager = &self.parts.stager;
                if !self.stagings.begin(stager, guest, generation, plan) {
                    self.count_drop(Queue::Stage);
                }
            }
            Action::Unstage { guest, stays } => self.parts.ledger.settle(guest, stays),
            Action::Watch { guest, nics } => self.parts.hearing.watch(guest, &nics),
            Action::Unwatch { guest } => self.parts.hearing.unwatch(guest),
            Action::Send(_)
            | Action::Reached { .. }
            | Action::Refused { .. }
            | Action::Finished(_)
            | Action::Count(..)
            | Action::Measure(..) => {}
        }
    }

    fn link(&mut self, event: Event) {
        self.hot().link(event);
        self.follow();
    }

    fn staged(&mut self, stage: Stage) {
        let (Stage::Resolved(prepared) | Stage::Recorded(prepared, _)) = &stage;
        let (guest, generation) = (prepared.guest, prepared.generation);
        let awaited = self.hot().engine().awaits(guest, generation);
        match stage {
            // Ordered only while the guest is awaited, so that the order to settle comes after.
            Stage::Resolved(mut prepared) if awaited => {
                self.hot().emitter().locate(&mut prepared);
                let written = self.parts.ledger.record(guest, prepared.leftovers());
                return self.stagings.record(prepared, written);
            }
            Stage::Recorded(prepared, written) if awaited => {
                if !written {
                    let (undone, faults) = (0, 1);
                    self.handle(Event::Ledger { undone, faults });
                }
                self.hot().staged(prepared);
                self.follow();
            }
            // The engine counts an answer that comes too late.
            Stage::Resolved(prepared) | Stage::Recorded(prepared, _) => {
                let staging = prepared.staging;
                self.handle(Event::Staged {
                    guest,
                    generation,
                    staging,
                });
            }
        }
        self.stagings.end(&self.parts.stager, guest);
    }

    fn order(&mut self, order: Order) {
        match order {
            Order::Reload {
                policy,
                dry_run,
                uplinks,
                listens,
            } => {
                self.parts.hearing.set_listens(listens);
                self.hot().emitter().set_dry_run(dry_run);
                self.parts.ledger.set_dry_run(dry_run);
                self.hot().emitter().set_uplinks(uplinks.clone());
                self.parts.stager.set_uplinks(uplinks);
                self.handle(Event::Policy(policy));
            }
            Order::Stop => self.stop_by = Some(clock::now() + LAST_FRAMES),
        }
    }

    fn request(&mut self, request: Request) {
        match request {
            Request::Plan { guest, reply } => {
                let (found, answer) = tokio::sync::oneshot::channel();
                self.parts.listener.find(&guest, found);
                let stager = self.parts.stager.clone();
                let policy = self.hot().engine().policy().clone();
                let hearsay = self.hot().engine().hearsay();
                // As many at a time as the control socket has callers and libvirt's worker takes.
                let work = stager.work().clone();
                work.spawn(async move {
                    let report = plan_report::report(answer, &policy, &stager, &hearsay).await;
                    if reply.send(report).is_err() {
                        tracing::debug!("the caller left before its plan was ready");
                    }
                });
            }
        }
    }

    /// Tells the engine how the clocks stand, where that changed.
    fn check_clock(&mut self) {
        let offset = clock::realtime_offset();
        if offset.abs_diff(self.offset) > CLOCK_SLIP {
            self.offset = offset;
            self.handle(Event::Clock { offset });
        }
    }

    fn watchdog(&mut self) {
        if !self.parts.notifier.watchdog() {
            self.count_drop(Queue::Notify);
        }
    }

    /// Counts what the engine need not know of.
    fn count_drop(&self, queue: Queue) {
        let action = Action::Count(Count::Drops(queue), 1);
        self.parts.metrics.apply(&action);
    }

    fn touch(&mut self) {
        if self.publish_at.is_none() {
            self.publish_at = Some(clock::now() + PUBLISH);
        }
    }

    fn publish_if_due(&mut self) {
        if self.publish_at.is_some_and(|at| at <= clock::now()) {
            self.publish();
        }
    }

    fn publish(&mut self) {
        self.publish_at = None;
        if self.relist {
            self.relist = !self.parts.listener.request_list();
        }
        let dropped = self.hot().take_unrecorded();
        if dropped > 0 {
            self.handle(Event::Dropped {
                queue: Queue::Record,
                count: dropped,
            });
        }
        let snapshot = Arc::new(self.hot().engine().snapshot());
        self.parts.metrics.observe(&snapshot);
        let mut hot = self.parts.hot.borrow_mut();
        let brake = hot.emitter().brake();
        self.parts.brakes.send_if_modified(|shown| {
            // Read while nobody else can write, so that the last to write is right.
            let now = brake.safe_mode();
            std::mem::replace(&mut shown.safe_mode, now) != now
        });
        let status = status_line(brake, &snapshot);
        self.parts.snapshots.send_replace(snapshot);
        drop(hot);
        if status != self.status {
            if self.parts.notifier.status(&status) {
                self.status = status;
            } else {
                // Said with the next snapshot.
                self.count_drop(Queue::Notify);
            }
        }
    }
}

fn ticks(period: Duration) -> Interval {
    let mut interval = tokio::time::interval(period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

async fn tick(interval: Option<&mut Interval>) {
    match interval {
        Some(interval) => {
            interval.tick().await;
        }
        None => std::future::pending().await,
    }
}
