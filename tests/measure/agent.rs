//! The way of an event through the agent, as its driver has it.

use macmoved::emit::{Emitter, Prepared, RouteChoice};
use macmoved::engine::{Action, Engine, Event, Lifecycle, Policy};
use macmoved::listen::libvirt::{Access, Listener, Settings};
use macmoved::model::{GuestDescription, GuestId, Instant};
use macmoved::sys::clock;
use tokio::runtime::{Builder, Runtime};

use crate::libvirt::{Libvirt, URI};
use crate::world::{plan, settings};

/// Migrations after which the emitter is opened anew: its brake lets 40 frames of one guest through
/// in ten seconds.
const MIGRATIONS: u32 = 32;

/// One announcement.
pub(crate) struct Sent {
    /// Entry of libvirt's callback.
    pub(crate) at: Instant,
    /// When the engine got the event.
    pub(crate) heard: Instant,
    /// When the emitter was called.
    pub(crate) fired: Instant,
    /// When it returned.
    pub(crate) returned: Instant,
}

pub(crate) struct Agent {
    runtime: Runtime,
    listener: Listener,
    engine: Engine,
    emitter: Emitter,
    route: RouteChoice,
    prepared: Prepared,
    migrations: u32,
    guest: GuestId,
    sent: Option<Sent>,
}

impl Agent {
    /// Listens to libvirt, and has the frames for `vnet1` built.
    pub(crate) fn start(route: RouteChoice) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let mut listener = runtime
            .block_on(async { Listener::start(Settings::new(URI, Access::Full)) })
            .unwrap();
        let mut engine = Engine::new(Policy::default());
        let guest = runtime.block_on(only_guest(&mut listener, &mut engine));
        let emitter = Emitter::open(settings(route)).unwrap();
        let prepared = runtime.block_on(async {
            let (stager, connection) = emitter.stager().unwrap();
            tokio::spawn(connection);
            stager.stage(guest, 0, &plan("vnet1")).await
        });
        assert_eq!(prepared.staging.frames.len(), 1);
        Self {
            runtime,
            listener,
            engine,
            emitter,
            route,
            prepared,
            migrations: 0,
            guest,
            sent: None,
        }
    }

    pub(crate) fn guest(&self) -> GuestId {
        self.guest
    }

    /// Ends the last migration and begins one that arrives paused, everything ready.
    pub(crate) fn stage(&mut self, libvirt: &Libvirt) {
        self.migrations += 1;
        if self.migrations.is_multiple_of(MIGRATIONS) {
            self.emitter = Emitter::open(settings(self.route)).unwrap();
        }
        libvirt.suspend();
        self.turn(|event| {
            matches!(
                event,
                Event::Lifecycle {
                    change: Lifecycle::SuspendedPaused,
                    ..
                }
            )
        });
        for change in [Lifecycle::StoppedFailed, Lifecycle::StartedMigrated] {
            let at = clock::now();
            let guest = self.guest;
            self.handle(Event::Lifecycle { guest, at, change });
        }
        assert!(self.sent.is_none(), "nothing is sent before the word");
    }

    /// Waits for the word and returns what followed.
    pub(crate) fn hear(&mut self) -> Sent {
        self.turn(|event| {
            matches!(
                event,
                Event::Lifecycle {
                    change: Lifecycle::ResumedUnpaused,
                    ..
                }
            )
        });
        self.sent.take().expect("the first round leaves at once")
    }

    pub(crate) fn stop(self) {
        self.listener.stop();
    }

    /// Runs the driver's loop until libvirt has said `word`.
    fn turn(&mut self, word: impl Fn(&Event) -> bool) {
        let mut said = false;
        while !said {
            self.runtime.block_on(self.listener.ready());
            self.listener.dispatch();
            while let Some(event) = self.listener.next_event() {
                said |= word(&event);
                self.handle(event);
            }
        }
    }

    fn handle(&mut self, event: Event) {
        let now = clock::now();
        self.engine.handle_event(now, event);
        while let Some(action) = self.engine.poll_action() {
            self.carry_out(&action, now);
        }
    }

    fn carry_out(&mut self, action: &Action, heard: Instant) {
        match action {
            &Action::Send(ticket) => {
                let fired = clock::now();
                let outcome = self.emitter.fire(&ticket, fired);
                let returned = clock::now();
                assert_eq!(outcome, Ok(()));
                self.sent = Some(Sent {
                    at: ticket.since,
                    heard,
                    fired,
                    returned,
                });
                let sent = Event::Sent {
                    ticket,
                    returned,
                    outcome,
                };
                self.engine.handle_event(returned, sent);
            }
            &Action::Describe { guest, generation } => {
                let description = GuestDescription {
                    uuid: Some(guest),
                    name: "guest".to_owned().into(),
                    interfaces: Vec::new(),
                };
                let outcome = Ok(description);
                self.handle(Event::Described {
                    guest,
                    generation,
                    outcome,
                });
            }
            &Action::Stage {
                guest, generation, ..
            } => {
                let mut prepared = self.prepared.clone();
                prepared.generation = generation;
                let staging = prepared.staging.clone();
                self.emitter.insert(prepared);
                self.handle(Event::Staged {
                    guest,
                    generation,
                    staging,
                });
            }
            &Action::Unstage { guest, .. } => self.emitter.remove(guest),
            Action::Reached { .. }
            | Action::Refused { .. }
            | Action::Finished(_)
            | Action::Count(..)
            | Action::Measure(..) => {}
        }
    }
}

/// The one guest of the test driver, once libvirt has listed it.
async fn only_guest(listener: &mut Listener, engine: &mut Engine) -> GuestId {
    loop {
        listener.ready().await;
        listener.dispatch();
        while let Some(event) = listener.next_event() {
            let mut guest = None;
            if let Event::Listed { guests } = &event {
                guest = guests.first().map(|facts| facts.guest);
            }
            engine.handle_event(clock::now(), event);
            while engine.poll_action().is_some() {}
            if let Some(guest) = guest {
                return guest;
            }
        }
    }
}
