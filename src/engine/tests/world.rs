//! A shell that answers the engine on a virtual clock.

use std::time::Duration;

use crate::engine::{
    Action, Engine, Event, GuestFacts, Lifecycle, MigrationStatus, Policy, Round, RunState,
    StagedFrame, Staging, Ticket,
};
use crate::model::{
    AddressSource, Attachment, FrameKind, GivenAddress, GuestDescription, GuestId, GuestName,
    HostIpv4, Ifindex, Instant, Interface, LinkName, LinkState, MacAddr, Nic, PortState, SendFault,
};

/// One frame that the engine let go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) at: Instant,
    pub(crate) ticket: Ticket,
}

pub(crate) struct World {
    pub(crate) engine: Engine,
    pub(crate) now: Instant,
    pub(crate) sent: Vec<Sent>,
    pub(crate) actions: Vec<Action>,
    /// Every send fails with this.
    pub(crate) fault: Option<SendFault>,
    /// libvirt does not answer.
    pub(crate) mute: bool,
    /// Stagings wait for [`World::finish_stagings`].
    pub(crate) slow: bool,
    /// The bridge that stagings find.
    pub(crate) bridge: Ifindex,
    /// The number that stagings find a tap under, where not its own.
    pub(crate) device: Option<Ifindex>,
    /// libvirt names links only.
    pub(crate) by_links: bool,
    /// NICs of each guest.
    pub(crate) nics: u8,
    /// What libvirt gives each of them.
    pub(crate) given: Vec<HostIpv4>,
    stagings: Vec<(GuestId, u64, usize)>,
}

pub(crate) fn guest(number: u8) -> GuestId {
    GuestId::new([number; 16])
}

pub(crate) fn port(number: u8, nic: u8) -> Ifindex {
    Ifindex::new(100 + u32::from(number) * 10 + u32::from(nic)).unwrap()
}

/// The name of the tap with that number.
pub(crate) fn tap(ifindex: Ifindex) -> LinkName {
    format!("vnet{ifindex}").parse().unwrap()
}

/// The bridge of every tap.
pub(crate) const BRIDGE: Option<Ifindex> = Ifindex::new(3);

pub(crate) fn link(ifindex: Ifindex, open: bool) -> LinkState {
    LinkState {
        ifindex,
        name: tap(ifindex),
        present: true,
        up: true,
        carrier: open,
        master: BRIDGE,
        port: Some(PortState::Forwarding),
    }
}

/// Guests from this number on are looked for elsewhere by their own bridge.
pub(crate) const STRAY: u8 = 200;

const fn by_xml(ip: HostIpv4) -> GivenAddress {
    GivenAddress {
        ip,
        source: AddressSource::Xml,
    }
}

const SEND: Duration = Duration::from_micros(10);

impl World {
    pub(crate) fn new(policy: Policy) -> Self {
        Self {
            engine: Engine::new(policy),
            now: Instant::from_nanos(10_000_000_000),
            sent: Vec::new(),
            actions: Vec::new(),
            fault: None,
            mute: false,
            slow: false,
            bridge: BRIDGE.unwrap(),
            device: None,
            by_links: false,
            nics: 1,
            given: Vec::new(),
            stagings: Vec::new(),
        }
    }

    pub(crate) fn event(&mut self, event: Event) {
        self.engine.handle_event(self.now, event);
        self.drain();
    }

    /// libvirt lists these guests and no others.
    pub(crate) fn list(&mut self, guests: &[(u8, RunState)]) {
        let guests = guests.iter().map(|&(number, state)| GuestFacts {
            guest: guest(number),
            name: GuestName::default(),
            state,
        });
        let guests = guests.collect();
        self.event(Event::Listed { guests });
    }

    pub(crate) fn says(&mut self, number: u8, change: Lifecycle) {
        self.event(Event::Lifecycle {
            guest: guest(number),
            at: self.now,
            change,
        });
    }

    pub(crate) fn migration(&mut self, number: u8, status: MigrationStatus) {
        let (at, stamp) = (self.now, self.now);
        self.event(Event::Migration {
            guest: guest(number),
            at,
            stamp,
            status,
        });
    }

    pub(crate) fn resume(&mut self, number: u8) {
        self.event(Event::Resumed {
            guest: guest(number),
            at: self.now,
            stamp: self.now,
        });
    }

    pub(crate) fn stop(&mut self, number: u8) {
        self.event(Event::Stopped {
            guest: guest(number),
            at: self.now,
            stamp: self.now,
        });
    }

    /// A guest arrives by pre-copy and runs.
    pub(crate) fn arrive(&mut self, number: u8) {
        self.says(number, Lifecycle::StartedMigrated);
        self.wait(500);
        self.migration(number, MigrationStatus::Completed);
        self.wait(8);
        self.resume(number);
        self.says(number, Lifecycle::ResumedMigrated);
    }

    /// Lets time pass, waking the engine whenever it asks.
    pub(crate) fn wait(&mut self, milliseconds: u64) {
        let end = self.now + Duration::from_millis(milliseconds);
        while let Some(at) = self.engine.poll_timeout().filter(|&at| at <= end) {
            self.now = self.now.max(at);
            self.engine.handle_timeout(self.now);
            assert!(
                self.engine
                    .poll_timeout()
                    .is_none_or(|next| next > self.now),
                "a timeout that was handled is asked for again"
            );
            // What the answers make due may be due at once.
            self.drain();
        }
        self.now = end;
    }

    pub(crate) fn finish_stagings(&mut self) {
        for (id, generation, nics) in std::mem::take(&mut self.stagings) {
            let staging = self.staging(id, nics);
            self.event(Event::Staged {
                guest: id,
                generation,
                staging,
            });
        }
    }

    pub(crate) fn rounds(&self, number: u8) -> Vec<(Round, u128)> {
        let of_guest = self
            .sent
            .iter()
            .filter(|sent| sent.ticket.guest == guest(number));
        let start = of_guest
            .clone()
            .find(|sent| sent.ticket.round == Round::Scheduled(1))
            .map_or(Instant::ZERO, |sent| sent.at);
        of_guest
            .map(|sent| {
                (
                    sent.ticket.round,
                    sent.at.saturating_since(start).as_millis(),
                )
            })
            .collect()
    }

    fn drain(&mut self) {
        while let Some(action) = self.engine.poll_action() {
            self.actions.push(action.clone());
            match action {
                Action::Describe { .. } if self.mute => {}
                Action::Describe { guest, generation } => {
                    let outcome = Ok(self.description(guest));
                    self.engine.handle_event(
                        self.now,
                        Event::Described {
                            guest,
                            generation,
                            outcome,
                        },
                    );
                }
                Action::Stage {
                    guest,
                    generation,
                    plan,
                } => {
                    self.stagings.push((guest, generation, plan.nics.len()));
                    if !self.slow {
                        self.finish_stagings();
                    }
                }
                Action::Send(ticket) => self.send(ticket),
                Action::Unstage { .. }
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

    fn send(&mut self, ticket: Ticket) {
        let outcome = self.fault.map_or(Ok(()), Err);
        if outcome.is_ok() {
            self.sent.push(Sent {
                at: self.now,
                ticket,
            });
        }
        let returned = self.now + SEND;
        self.engine.handle_event(
            returned,
            Event::Sent {
                ticket,
                returned,
                outcome,
            },
        );
    }

    pub(crate) fn description(&self, id: GuestId) -> GuestDescription {
        let given = self.given.iter().filter(|_| !self.by_links);
        let given: Vec<_> = given.map(|&ip| by_xml(ip)).collect();
        let interfaces = (0..self.nics)
            .map(|nic| Interface {
                mac: None,
                kind: Some("bridge".to_owned()),
                source: Some("br0".to_owned()),
                network: None,
                target: None,
                model: None,
                vlans: Vec::new(),
                addresses: given.clone(),
                nic: Ok(Nic {
                    mac: MacAddr::new([0x52, 0x54, 0, 0, id.octets()[0], nic]),
                    attachment: Attachment::BridgeTap,
                    target: Some(tap(port(id.octets()[0], nic))),
                }),
            })
            .collect();
        let name = GuestName::new(format!("guest-{}", id.octets()[0]));
        GuestDescription {
            uuid: Some(id),
            name,
            interfaces,
            by_links: self.by_links,
        }
    }

    fn staging(&self, id: GuestId, nics: usize) -> Staging {
        let frames = (0..u8::try_from(nics).unwrap())
            .map(|nic| StagedFrame {
                nic: u16::from(nic),
                mac: MacAddr::new([0x52, 0x54, 0, 0, id.octets()[0], nic]),
                vlan: None,
                kind: FrameKind::Rarp,
                port: self.device.unwrap_or_else(|| port(id.octets()[0], nic)),
                bridge: self.bridge,
                uplinks: vec![Ifindex::new(2).unwrap()],
                behind_uplink: id.octets()[0] >= STRAY,
            })
            .collect();
        Staging {
            frames,
            refused: Vec::new(),
        }
    }
}
