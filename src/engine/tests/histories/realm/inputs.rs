//! From libvirt's mouth to the engine's ear, and what the engine does about it.

use super::{Item, Realm};
use crate::engine::tests::histories::courses::Word;
use crate::engine::tests::histories::host::Connection;
use crate::engine::tests::histories::laws::Sight;
use crate::engine::tests::histories::steps::Trouble;
use crate::engine::tests::histories::{coverage, guest, number};
use crate::engine::{Action, DescribeFault, Engine, Event, JobCompleted, Round, Ticket};
use crate::model::SendFault;

fn put_back(engine: &mut Engine, aside: Vec<Ticket>) {
    for ticket in aside {
        assert!(engine.waiting.push(ticket));
    }
}

impl Realm {
    /// A word on its way, with what may come between.
    pub(super) fn says(&mut self, host: usize, guest: usize, word: Word) {
        let it = &mut self.scene.hosts[host];
        if it.connection == Connection::None {
            return;
        }
        let trouble = it.trouble();
        let heard = &mut it.heard[guest];
        heard.well &= trouble.is_none();
        match trouble {
            Some(Trouble::Lost) => {}
            Some(Trouble::Late(time)) => {
                heard.in_flight += 1;
                let session = it.session;
                self.plan_in(time, Item::Word(host, session, guest, word));
            }
            Some(Trouble::Swapped) if it.swapped.is_none() => {
                heard.in_flight += 1;
                it.swapped = Some((guest, word));
            }
            Some(Trouble::Doubled) => {
                self.told(host, guest, word);
                self.told(host, guest, word);
            }
            Some(Trouble::Swapped) | None => {
                self.told(host, guest, word);
                let it = &mut self.scene.hosts[host];
                if let Some((guest, word)) = it.swapped.take() {
                    it.heard[guest].in_flight -= 1;
                    it.heard[guest].well = false;
                    self.told(host, guest, word);
                }
            }
        }
    }

    /// A word reaches the listener, and through it the engine.
    pub(super) fn told(&mut self, host: usize, guest: usize, word: Word) {
        match &mut self.scene.hosts[host].connection {
            Connection::None => {}
            Connection::Listing(held) => held.push((guest, word)),
            Connection::Stands => self.input(host, self.event(guest, word)),
        }
    }

    fn event(&self, number: usize, word: Word) -> Event {
        let (guest, at, stamp) = (guest(number), self.scene.now, self.scene.now);
        match word {
            Word::Life(change) => Event::Lifecycle { guest, at, change },
            Word::Qemu(status) => Event::Migration {
                guest,
                at,
                stamp,
                status,
            },
            Word::Stop => Event::Stopped { guest, at, stamp },
            Word::Resume => Event::Resumed { guest, at, stamp },
            Word::Job(success) => Event::JobCompleted {
                guest,
                job: JobCompleted {
                    migration_out: true,
                    success,
                    downtime_ms: Some(30),
                    elapsed_ms: Some(700),
                },
            },
        }
    }

    /// One input to the engine, and all that follows from it at once.
    pub(super) fn input(&mut self, host: usize, mut event: Event) {
        if self.scene.hosts[host].life.is_none() {
            return;
        }
        coverage::event(&event);
        self.see(&Sight::Before {
            host,
            event: Some(&event),
        });
        self.hear(host, &event);
        let now = self.scene.now;
        let it = &mut self.scene.hosts[host];
        if let Some(recording) = &mut it.recording {
            recording.event(now, &event);
        }
        if let Some(plant) = self.plant {
            plant.before(&mut it.engine, &mut event);
            let aside = plant.put_aside(&mut it.engine);
            it.engine.handle_event(now, event.clone());
            put_back(&mut it.engine, aside);
            plant.after(now, &mut it.engine, &event);
        } else {
            it.engine.handle_event(now, event.clone());
        }
        self.act(host);
        self.see(&Sight::After {
            host,
            event: Some(&event),
        });
    }

    pub(super) fn timeout(&mut self, host: usize) {
        self.see(&Sight::Before { host, event: None });
        let now = self.scene.now;
        let it = &mut self.scene.hosts[host];
        if let Some(recording) = &mut it.recording {
            recording.timeout(now);
        }
        let mut aside = Vec::new();
        if let Some(plant) = self.plant {
            plant.before_timeout(&mut it.engine);
            aside = plant.put_aside(&mut it.engine);
        }
        it.engine.handle_timeout(now);
        put_back(&mut it.engine, aside);
        self.act(host);
        self.see(&Sight::After { host, event: None });
    }

    fn hear(&mut self, host: usize, event: &Event) {
        let heard = &mut self.scene.hosts[host].heard;
        let (id, word) = match *event {
            Event::Lifecycle { guest, change, .. } => (guest, Word::Life(change)),
            Event::Migration { guest, status, .. } => (guest, Word::Qemu(status)),
            Event::Stopped { guest, .. } => (guest, Word::Stop),
            Event::Resumed { guest, .. } => (guest, Word::Resume),
            Event::Described {
                guest,
                generation,
                outcome: Err(DescribeFault::Gone),
            } => {
                if generation == self.scene.hosts[host].asked[number(guest)] {
                    self.scene.hosts[host].heard[number(guest)].unknown();
                }
                return;
            }
            Event::Listed { ref guests } => {
                for (index, heard) in heard.iter_mut().enumerate() {
                    let facts = guests.iter().find(|facts| facts.guest == guest(index));
                    let state = facts.map(|facts| facts.state);
                    heard.listed(state.unwrap_or(crate::engine::RunState::Off));
                }
                return;
            }
            _ => return,
        };
        heard[number(id)].word(word);
    }

    fn act(&mut self, host: usize) {
        while let Some(action) = self.scene.hosts[host].engine.poll_action() {
            let times = self.plant.map_or(1, |plant| plant.times(&action));
            for _ in 0..times {
                self.carry_out(host, action.clone());
            }
        }
    }

    fn carry_out(&mut self, host: usize, action: Action) {
        let now = self.scene.now;
        let it = &mut self.scene.hosts[host];
        if let Some(recording) = &mut it.recording {
            recording.action(now, &action);
        }
        self.see(&Sight::Acted {
            host,
            action: &action,
        });
        let it = &mut self.scene.hosts[host];
        let Some(life) = it.life else {
            return;
        };
        let take = it.answers_take;
        match action {
            Action::Describe { guest, generation } => {
                it.asked[number(guest)] = generation;
                self.plan_in(take, Item::Describe(host, life, guest, generation));
            }
            Action::Stage {
                guest,
                generation,
                plan,
            } => self.plan_in(take, Item::Stage(host, life, guest, generation, plan)),
            Action::Unstage { guest, .. } => {
                it.staged.remove(&number(guest));
            }
            Action::Send(ticket) => self.send(host, ticket),
            _ => {}
        }
    }

    fn send(&mut self, host: usize, ticket: Ticket) {
        let guest = number(ticket.guest);
        let nic = usize::from(ticket.frame);
        let outcome = self.fate(host, guest, &ticket);
        let needed = !self.scene.network.leads_to(host, guest, nic);
        // What retracts has the host's own address.
        let teaches = outcome.is_ok() && !matches!(ticket.round, Round::Retraction(_));
        let moved = teaches && self.scene.network.hears(host, guest, nic);
        self.see(&Sight::Fired {
            host,
            guest,
            ticket: &ticket,
            outcome,
            moved,
            needed,
        });
        let now = self.scene.now;
        let sent = Event::Sent {
            ticket,
            returned: now,
            outcome,
        };
        coverage::event(&sent);
        let it = &mut self.scene.hosts[host];
        if let Some(recording) = &mut it.recording {
            recording.event(now, &sent);
        }
        it.engine.handle_event(now, sent);
    }

    /// Whether a frame leaves: the last look before it would.
    fn fate(&self, host: usize, guest: usize, ticket: &Ticket) -> Result<(), SendFault> {
        let it = &self.scene.hosts[host];
        let frame = usize::from(ticket.frame);
        let staged = it.staged.get(&guest);
        let port = staged
            .filter(|(generation, _)| *generation == ticket.generation)
            .and_then(|(_, ports)| ports.get(frame))
            .ok_or(SendFault::NotStaged)?;
        // What retracts leaves by the bridge: the tap is gone.
        if matches!(ticket.round, Round::Retraction(_)) {
            return it.fault.map_or(Ok(()), Err);
        }
        let taps = self.scene.truth.guests[guest].taps[host];
        let taps = taps
            .filter(|taps| taps.port(frame) == *port)
            .ok_or(SendFault::NoDevice)?;
        if !taps.open || !taps.plugged {
            return Err(SendFault::NotForwarding);
        }
        it.fault.map_or(Ok(()), Err)
    }

    pub(in crate::engine::tests::histories) fn see(&mut self, sight: &Sight<'_>) {
        self.judges.see(&self.scene, sight);
    }
}
