//! Puts announcements into the network through what the guest is plugged into.
//!
//! ```text
//!  Plan --> Stager (a task: asks the kernel, builds) --> Prepared
//!                                                           |
//!  Links' notifications --> observe ---------------+    insert
//!                                                  v        v
//!  Ticket ----------> fire: staged? paused? link passes? limiter? --> injection, or
//!                                                                     entry and bridge device
//! ```
//!
//! Everything slow happens in [`Stager`]; [`Emitter::fire`] allocates, opens, resolves and parses
//! nothing. A frame sent by `AF_PACKET` alone, on the bridge, an uplink or the tap, is never the
//! way: the host's own bridge does not learn from it, and with a stale entry there the
//! announcement attracts frames that are then dropped.

mod brake;
mod entry;
mod exit;
mod fault;
mod ledger;
mod limiter;
mod link_table;
mod neighbours;
mod prepared;
mod resolve;
mod route;
mod stage;
mod topology;
mod transmitter;
mod vlan_table;

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

pub use brake::Brake;
pub use entry::{Answer, parse as parse_answer};
pub use ledger::{Entry, Ledger, Leftover, parse_entry};
pub use neighbours::{ForgetError, Neighbours, parse as parse_neighbour};
pub use prepared::{Place, Prepared};
pub use route::{Route, RouteChoice};
pub use stage::Stager;
pub use topology::Topology;
pub use transmitter::OpenEmitterError;
pub use vlan_table::{Membership, VlanTable};

use crate::engine::{Round, Ticket};
use crate::model::{FrameKind, GuestId, Instant, LinkName, LinkState, SendFault};
use crate::sys::clock;
use limiter::{Held, Limiter, Stream};
use link_table::LinkTable;
use transmitter::Transmitter;

/// What an operator chooses.
#[derive(Clone, Debug, Default)]
pub struct EmitSettings {
    /// Log frames at the last point instead of sending them.
    pub dry_run: bool,
    /// Which way to take.
    pub route: RouteChoice,
    /// `[network] uplinks`: takes the place of what is found, where not empty.
    pub uplinks: Vec<LinkName>,
    /// What holds frames back; the opener keeps a hand on it.
    pub brake: Arc<Brake>,
}

/// Sends staged frames, on the driver's thread.
#[derive(Debug)]
pub struct Emitter {
    guests: BTreeMap<GuestId, Prepared>,
    links: LinkTable,
    limiter: Limiter,
    brake: Arc<Brake>,
    transmitter: Transmitter,
    uplinks: Vec<LinkName>,
}

impl Emitter {
    /// Opens everything that sending takes, in the network namespace of the calling thread.
    ///
    /// # Errors
    ///
    /// [`OpenEmitterError`], where no way into the network is left. Without injection the bridge
    /// device stands in, with a warning.
    pub fn open(settings: EmitSettings) -> Result<Self, OpenEmitterError> {
        let transmitter = Transmitter::open(settings.route, settings.dry_run)?;
        Ok(Self {
            guests: BTreeMap::new(),
            links: LinkTable::default(),
            limiter: Limiter::new(Arc::clone(&settings.brake)),
            brake: settings.brake,
            transmitter,
            uplinks: settings.uplinks,
        })
    }

    /// The way of ports that learn: [`Route::Injection`], or [`Route::EntryAndBridge`] where the
    /// kernel refuses that.
    #[must_use]
    pub const fn route(&self) -> Route {
        self.transmitter.route()
    }

    /// A stager for this emitter's ways, with a thread of its own.
    ///
    /// # Errors
    ///
    /// Those of opening a netlink socket and of starting the thread.
    pub fn stager(&self) -> io::Result<Stager> {
        Stager::start(self.route(), self.uplinks.clone())
    }

    /// Holds a guest's frames ready, in place of those of an earlier generation.
    pub fn insert(&mut self, mut prepared: Prepared) {
        if self.limiter.is_crowded() {
            self.limiter.make_room(clock::now(), &self.held());
        }
        for frame in &prepared.frames {
            for stream in streams(frame.stream) {
                self.limiter.prepare(stream, &frame.uplinks);
            }
        }
        for link in &prepared.links {
            self.links.seed(link);
        }
        for frame in &mut prepared.frames {
            frame.seat.life = self.links.life(frame.seat.port);
            for exit in frame.exits.iter_mut().flat_map(|exits| &mut exits.ways) {
                exit.life = self.links.life(exit.link);
            }
        }
        self.guests.insert(prepared.guest, prepared);
    }

    /// What the staged guests' frames need windows for.
    fn held(&self) -> Held {
        let mut held = Held::default();
        for frame in self.guests.values().flat_map(|guest| &guest.frames) {
            held.streams.extend(streams(frame.stream));
            held.uplinks.extend(&frame.uplinks);
        }
        held
    }

    /// Looks where each frame's bridge has its address, and notes those behind an uplink and those
    /// that a static entry keeps on the guest's own port.
    pub fn locate(&mut self, prepared: &mut Prepared) {
        for (staged, frame) in prepared.staging.frames.iter_mut().zip(&mut prepared.frames) {
            let found = self.transmitter.whereabouts(frame);
            staged.behind_uplink =
                found.is_some_and(|found| frame.uplink_ports.contains(&found.port));
            frame.fixed = found.is_some_and(|found| found.fixed && found.port == frame.seat.port);
        }
    }

    /// Forgets a guest's frames.
    pub fn remove(&mut self, guest: GuestId) {
        self.guests.remove(&guest);
    }

    /// What is held ready for a guest.
    #[must_use]
    pub fn prepared(&self, guest: GuestId) -> Option<&Prepared> {
        self.guests.get(&guest)
    }

    /// Takes over what the kernel says of a link.
    pub fn observe(&mut self, link: &LinkState) {
        self.links.observe(link);
    }

    /// Sends the ticket's frame at once.
    ///
    /// # Errors
    ///
    /// Why it did not leave. The port's state is looked at first, since the kernel says yes to
    /// frames that it then drops. [`SendFault::Paused`] and [`SendFault::Limited`] are the brake's.
    pub fn fire(&mut self, ticket: &Ticket, now: Instant) -> Result<(), SendFault> {
        let frame = self
            .guests
            .get_mut(&ticket.guest)
            .filter(|prepared| prepared.generation == ticket.generation)
            .and_then(|prepared| prepared.frames.get_mut(usize::from(ticket.frame)))
            .ok_or(SendFault::NotStaged)?;
        // Ahead of the port's state: what waits for a port would leave after the pause.
        if self.brake.paused() {
            return Err(SendFault::Paused);
        }
        let stream = if let Round::Retraction(_) = ticket.round {
            frame.stream.of(FrameKind::Unarp)
        } else {
            self.links.check(frame.seat)?;
            frame.stream
        };
        self.limiter
            .admit(stream, &frame.uplinks, ticket.round, now)?;
        if let Round::Retraction(ip) = ticket.round {
            self.transmitter.retract(frame, ip, &self.links)?;
        } else {
            self.transmitter.send(frame, ticket.round)?;
        }
        self.limiter.record(stream, &frame.uplinks, now);
        Ok(())
    }

    /// Whether frames are logged at the last point instead of sent, from here on.
    pub const fn set_dry_run(&mut self, dry_run: bool) {
        self.transmitter.set_dry_run(dry_run);
    }

    /// What `[network] uplinks` says, for stagers that are made from here on.
    pub fn set_uplinks(&mut self, uplinks: Vec<LinkName>) {
        self.uplinks = uplinks;
    }

    /// What holds frames back.
    #[must_use]
    pub fn brake(&self) -> &Brake {
        &self.brake
    }
}

/// What is said of the station of an announcement: that it is here, and that it is gone.
const fn streams(announced: Stream) -> [Stream; 2] {
    [announced, announced.of(FrameKind::Unarp)]
}
