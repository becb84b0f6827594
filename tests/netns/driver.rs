//! `daemon::driver` without libvirt and without a clock of its own: the real hot path, stager, link
//! watch and metrics, and descriptions that the test makes up.

use std::collections::BTreeMap;
use std::time::Duration;

use macmoved::daemon::HotPath;
use macmoved::emit::{EmitSettings, Emitter, Ledger, Prepared, Stager};
use macmoved::engine::{
    Action, DescribeFault, Engine, Event, Lifecycle, MigrationStatus, Policy, Record,
};
use macmoved::metrics::Metrics;
use macmoved::model::{
    Attachment, GuestDescription, GuestId, GuestName, Instant, Interface, MacAddr, Nic, SendFault,
};
use macmoved::observe::links::Links;
use macmoved::sys::clock;
use tokio::task::JoinSet;

use crate::world::name;

/// The parts that `daemon::run` puts together.
pub(crate) struct Driver {
    pub(crate) hot: HotPath,
    pub(crate) metrics: Metrics,
    /// Where each guest's only NIC is plugged in, by its XML.
    pub(crate) guests: BTreeMap<GuestId, (MacAddr, &'static str)>,
    /// What was taken in so far: events, answers, links.
    pub(crate) events: u64,
    /// The latest guest that was staged, and the latest whose migration ended.
    pub(crate) staged: Option<GuestId>,
    pub(crate) finished: Option<GuestId>,
    pub(crate) ledger: Option<Ledger>,
    links: Links,
    stager: Stager,
    stagings: JoinSet<Prepared>,
    runtime: Option<tokio::runtime::Runtime>,
}

impl Driver {
    pub(crate) fn new(settings: EmitSettings, policy: Policy) -> Self {
        Self::with(settings, policy, || Links::open().unwrap())
    }

    /// With a watch of links of its own.
    pub(crate) fn with(
        settings: EmitSettings,
        policy: Policy,
        open: impl FnOnce() -> Links,
    ) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let entered = runtime.enter();
        let emitter = Emitter::open(settings).unwrap();
        let stager = emitter.stager().unwrap();
        let links = open();
        drop(entered);
        let mut driver = Self {
            hot: HotPath::new(Engine::new(policy), emitter),
            metrics: Metrics::new("test").unwrap(),
            guests: BTreeMap::new(),
            events: 0,
            staged: None,
            finished: None,
            ledger: None,
            links,
            stager,
            stagings: JoinSet::new(),
            runtime: Some(runtime),
        };
        driver.run(Duration::from_millis(100));
        driver
    }

    /// Takes in one event, and does what follows at once, but hears neither links nor stagings.
    pub(crate) fn handle(&mut self, event: Event) {
        self.events += 1;
        self.hot.handle(event);
        self.follow();
    }

    pub(crate) fn says(&mut self, guest: GuestId, change: Lifecycle) {
        let at = clock::now();
        self.handle(Event::Lifecycle { guest, at, change });
    }

    /// The guest arrives by pre-copy, and is staged.
    pub(crate) fn begin(&mut self, guest: GuestId) {
        self.says(guest, Lifecycle::StartedMigrated);
        self.until("the guest is staged", |driver| {
            let guests = driver.hot.engine().snapshot().guests;
            guests.iter().any(|view| view.uuid == guest && view.staged)
        });
    }

    /// All of it is here.
    pub(crate) fn complete(&mut self, guest: GuestId) {
        let at = clock::now();
        self.handle(Event::Migration {
            guest,
            at,
            stamp: at,
            status: MigrationStatus::Completed,
        });
    }

    /// It runs.
    pub(crate) fn resume(&mut self, guest: GuestId) {
        let at = clock::now();
        self.handle(Event::Resumed {
            guest,
            at,
            stamp: at,
        });
        self.says(guest, Lifecycle::ResumedMigrated);
    }

    /// Waits for the record of the guest's migration.
    pub(crate) fn ended(&mut self, guest: GuestId) -> Record {
        let mut record = None;
        self.until("the migration ends", |driver| {
            let history = driver.hot.engine().snapshot().history;
            record = history.into_iter().find(|record| record.uuid == guest);
            record.is_some()
        });
        record.unwrap()
    }

    /// Runs until it holds, for a busy machine's patience and no longer.
    pub(crate) fn until(&mut self, what: &str, mut holds: impl FnMut(&Self) -> bool) {
        let end = clock::now() + Duration::from_secs(20);
        while !holds(self) {
            assert!(clock::now() < end, "{what}");
            self.turn(clock::now() + Duration::from_millis(20));
        }
    }

    /// Runs so long.
    pub(crate) fn run(&mut self, time: Duration) {
        let end = clock::now() + time;
        while clock::now() < end {
            self.turn(end);
        }
    }

    /// How often frames did not leave for this reason.
    pub(crate) fn faults(&self, fault: SendFault) -> u64 {
        let errors = self.metrics.frame_errors();
        errors.filter(|(of, _)| *of == fault).map(|(_, n)| n).sum()
    }

    /// Reasons that were counted, each with its number.
    pub(crate) fn counted(&self) -> Vec<(SendFault, u64)> {
        self.metrics
            .frame_errors()
            .filter(|(_, n)| *n > 0)
            .collect()
    }

    /// Does one thing, or nothing until `end`.
    fn turn(&mut self, end: Instant) {
        let due = self.hot.engine().poll_timeout();
        let until = due.map_or(end, |due| due.min(end));
        let wait = until.saturating_since(clock::now());
        let runtime = self.runtime.take().unwrap();
        runtime.block_on(async {
            tokio::select! {
                biased;
                event = self.links.next() => self.link(event),
                Some(Ok(prepared)) = self.stagings.join_next() => self.staged(prepared).await,
                event = reported(self.ledger.as_mut()) => self.hot.handle(event),
                () = tokio::time::sleep(wait) => {}
            }
            self.hot.timeout();
        });
        self.runtime = Some(runtime);
        self.follow();
    }

    /// Takes in what is said of a link.
    pub(crate) fn link(&mut self, event: Event) {
        self.events += 1;
        self.hot.link(event);
    }

    async fn staged(&mut self, mut prepared: Prepared) {
        self.events += 1;
        self.hot.emitter().locate(&mut prepared);
        let (guest, generation) = (prepared.guest, prepared.generation);
        let awaited = self.hot.engine().awaits(guest, generation);
        if let Some(ledger) = self.ledger.as_mut().filter(|_| awaited) {
            ledger.record(guest, prepared.leftovers()).await;
        }
        self.staged = Some(guest);
        if self.hot.engine().awaits(guest, generation) {
            return self.hot.staged(prepared);
        }
        // The engine counts an answer that comes too late.
        self.hot.handle(Event::Staged {
            guest,
            generation,
            staging: prepared.staging,
        });
    }

    fn follow(&mut self) {
        while let Some(action) = self.hot.next_action() {
            self.metrics.apply(&action);
            match action {
                Action::Describe { guest, generation } => {
                    self.events += 1;
                    let outcome = self.describe(guest);
                    self.hot.handle(Event::Described {
                        guest,
                        generation,
                        outcome,
                    });
                }
                Action::Stage {
                    guest,
                    generation,
                    plan,
                } => {
                    let stager = self.stager.clone();
                    let work = stager.work().clone();
                    self.stagings.spawn_on(
                        async move { stager.stage(guest, generation, &plan).await },
                        &work,
                    );
                }
                Action::Unstage { guest, stays } => {
                    if let Some(ledger) = &mut self.ledger {
                        ledger.settle(guest, stays);
                    }
                }
                Action::Finished(record) => self.finished = Some(record.uuid),
                // Nobody listens for addresses: the kernel takes milliseconds to close an ear
                // (`synchronize_net`), and hundreds of guests a second, which no host has, would
                // outrun that thread.
                Action::Watch { .. }
                | Action::Unwatch { .. }
                | Action::Send(_)
                | Action::Reached { .. }
                | Action::Refused { .. }
                | Action::Count(..)
                | Action::Measure(..) => {}
            }
        }
    }

    fn describe(&self, guest: GuestId) -> Result<GuestDescription, DescribeFault> {
        let &(mac, target) = self.guests.get(&guest).ok_or(DescribeFault::Gone)?;
        let interface = Interface {
            mac: Some(mac.to_string()),
            kind: Some("bridge".to_owned()),
            source: Some("br0".to_owned()),
            network: None,
            target: Some(target.to_owned()),
            model: None,
            vlans: Vec::new(),
            addresses: Vec::new(),
            nic: Ok(Nic {
                mac,
                attachment: Attachment::BridgeTap,
                target: Some(name(target)),
            }),
        };
        Ok(GuestDescription {
            uuid: Some(guest),
            name: GuestName::new(guest.to_string()),
            interfaces: vec![interface],
            by_links: false,
        })
    }
}

/// What the ledger, where one is kept, has to tell.
async fn reported(ledger: Option<&mut Ledger>) -> Event {
    match ledger {
        Some(ledger) => ledger.next().await,
        None => std::future::pending().await,
    }
}
