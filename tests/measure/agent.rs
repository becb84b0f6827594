//! The way of an event through the agent, as its driver has it.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use macmoved::daemon::HotPath;
use macmoved::emit::{Emitter, Prepared, RouteChoice};
use macmoved::engine::{Action, Engine, Event, Lifecycle, Measure, Policy};
use macmoved::listen::libvirt::{Access, Hear, Listener, Settings};
use macmoved::model::{GuestDescription, GuestId};
use macmoved::sys::clock;
use tokio::runtime::{Builder, Runtime};

use crate::libvirt::{Libvirt, URI};
use crate::world::{plan, settings};

/// Migrations after which everything is opened anew: the emitter's brake lets 40 frames of one
/// guest through in ten seconds.
const MIGRATIONS: u32 = 32;

pub(crate) struct Agent {
    runtime: Runtime,
    listener: Listener,
    hot: Rc<RefCell<HotPath>>,
    route: RouteChoice,
    prepared: Prepared,
    guest: GuestId,
    migrations: u32,
    event_to_wire: Option<Duration>,
}

impl Agent {
    /// Listens to libvirt, and has the frames for `vnet1` built.
    pub(crate) fn start(route: RouteChoice) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let mut listener = runtime
            .block_on(async { Listener::start(Settings::new(URI, Access::Full)) })
            .unwrap();
        let guest = runtime.block_on(only_guest(&mut listener));
        let emitter = Emitter::open(settings(route)).unwrap();
        let prepared = runtime.block_on(async {
            let stager = emitter.stager().unwrap();
            stager.stage(guest, 0, &plan("vnet1")).await
        });
        assert_eq!(prepared.staging.frames.len(), 1);
        Self {
            runtime,
            hot: hear(&mut listener, route),
            listener,
            route,
            prepared,
            guest,
            migrations: 0,
            event_to_wire: None,
        }
    }

    pub(crate) const fn guest(&self) -> GuestId {
        self.guest
    }

    /// Begins a migration that arrives paused, everything ready.
    pub(crate) fn stage(&mut self, libvirt: &Libvirt) {
        libvirt.suspend();
        self.turn();
        self.migrations += 1;
        if self.migrations.is_multiple_of(MIGRATIONS) {
            self.hot = hear(&mut self.listener, self.route);
        }
        for change in [
            Lifecycle::StoppedFailed,
            Lifecycle::StartedMigrated,
            Lifecycle::SuspendedPaused,
        ] {
            let (guest, at) = (self.guest, clock::now());
            self.handle(Event::Lifecycle { guest, at, change });
        }
        assert!(self.event_to_wire.is_none(), "no word, no frame");
    }

    /// Waits for the word and returns the time from its coming to the return of the send, as the
    /// agent itself measured it.
    pub(crate) fn hear(&mut self) -> Duration {
        loop {
            self.turn();
            if let Some(event_to_wire) = self.event_to_wire.take() {
                return event_to_wire;
            }
        }
    }

    pub(crate) fn stop(self) {
        self.listener.stop();
    }

    /// The driver's loop, once around.
    fn turn(&mut self) {
        self.runtime.block_on(self.listener.ready());
        self.listener.dispatch();
        while let Some(event) = self.listener.next_event() {
            self.handle(event);
        }
        self.follow();
    }

    fn handle(&mut self, event: Event) {
        self.hot.borrow_mut().handle(event);
        self.follow();
    }

    fn follow(&mut self) {
        loop {
            let next = self.hot.borrow_mut().next_action();
            let Some(action) = next else {
                return;
            };
            self.carry_out(&action);
        }
    }

    fn carry_out(&mut self, action: &Action) {
        match *action {
            Action::Describe { guest, generation } => {
                let description = GuestDescription {
                    uuid: Some(guest),
                    name: "guest".to_owned().into(),
                    interfaces: Vec::new(),
                    by_links: false,
                };
                let outcome = Ok(description);
                self.handle(Event::Described {
                    guest,
                    generation,
                    outcome,
                });
            }
            Action::Stage { generation, .. } => {
                let mut prepared = self.prepared.clone();
                prepared.generation = generation;
                self.hot.borrow_mut().staged(prepared);
                self.follow();
            }
            Action::Measure(Measure::EventToWire(_), delay) => self.event_to_wire = Some(delay),
            Action::Send(_)
            | Action::Unstage { .. }
            | Action::Watch { .. }
            | Action::Unwatch { .. }
            | Action::Reached { .. }
            | Action::Refused { .. }
            | Action::Finished(_)
            | Action::Count(..)
            | Action::Measure(..) => {}
        }
    }
}

/// A hot path of its own that hears libvirt.
fn hear(listener: &mut Listener, route: RouteChoice) -> Rc<RefCell<HotPath>> {
    let engine = Engine::new(Policy::default());
    let emitter = Emitter::open(settings(route)).unwrap();
    let hot = Rc::new(RefCell::new(HotPath::new(engine, emitter)));
    listener.hear_by(&(Rc::clone(&hot) as Rc<RefCell<dyn Hear>>));
    hot
}

/// The one guest of the test driver, once libvirt has listed it.
async fn only_guest(listener: &mut Listener) -> GuestId {
    loop {
        listener.ready().await;
        listener.dispatch();
        while let Some(event) = listener.next_event() {
            if let Event::Listed { guests } = event {
                return guests.first().unwrap().guest;
            }
        }
    }
}
