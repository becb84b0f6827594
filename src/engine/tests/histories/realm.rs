//! Two hosts, two guests and what lies between them, on a virtual clock.

use std::collections::BTreeMap;
use std::time::Duration;

use super::courses::{Fact, Script, Word};
use super::faults::Plant;
use super::host::Host;
use super::laws::{Broken, Judges, Sight};
use super::network::Network;
use super::orders::Order;
use super::steps::{Aside, Step};
use super::truth::{Migration, Truth};
use super::{GUESTS, HOSTS};
use crate::engine::{Event, GuestFacts, Plan, RunState, Sighting};
use crate::model::{AddressSource, GuestId, Instant};

/// What is to happen at a time.
#[derive(Debug)]
enum Item {
    Fact(usize, Fact),
    /// A word that was late, of that session.
    Word(usize, u32, usize, Word),
    /// An answer to that life's engine.
    Describe(usize, u32, GuestId, u64),
    Stage(usize, u32, GuestId, u64, Plan),
    Begin(usize),
    Connect(usize, u32),
    Read(usize, u32),
    Listed(usize, u32, Vec<GuestFacts>),
    Open(usize, usize),
    Plug(usize, usize),
}

/// Everything that a law may look at.
#[derive(Debug)]
pub(super) struct Scene {
    pub(super) now: Instant,
    pub(super) truth: Truth,
    pub(super) network: Network,
    pub(super) hosts: [Host; HOSTS],
}

#[derive(Debug)]
pub(super) struct Realm {
    pub(super) scene: Scene,
    pub(super) judges: Judges,
    pub(super) plant: Option<Plant>,
    /// Words that libvirt and QEMU said.
    pub(super) words: u32,
    agenda: BTreeMap<(Instant, u64), Item>,
    turns: u64,
}

/// How long a list takes from the question to the engine, with reading in between.
const LIST: Duration = Duration::from_millis(3);

impl Realm {
    /// Each guest runs on a host of its own, the network knows it, and both agents are up.
    pub(super) fn new(plant: Option<Plant>, judges: Judges, recording: bool) -> Self {
        let host = |index: usize| Host::new(super::settings(index), recording);
        let scene = Scene {
            now: Instant::from_nanos(10_000_000_000),
            truth: Truth::new(),
            network: Network::default(),
            hosts: [host(0), host(1)],
        };
        let mut realm = Self {
            scene,
            judges,
            plant,
            words: 0,
            agenda: BTreeMap::new(),
            turns: 0,
        };
        for guest in 0..GUESTS {
            let host = guest % HOSTS;
            realm.fact(guest, Fact::Is(host, RunState::Running));
            realm.fact(guest, Fact::Speaks(host));
        }
        for host in 0..HOSTS {
            realm.begin(host);
        }
        realm.pass(Duration::from_millis(100));
        realm
    }

    pub(super) fn broken(&self) -> Option<&Broken> {
        self.judges.broken.as_ref()
    }

    pub(super) fn take(&mut self, step: Step) {
        match step {
            Step::Migrate {
                guest,
                course,
                tempo,
            } => {
                let body = &self.scene.truth.guests[guest];
                let Some((source, state)) = self.scene.truth.home(guest).filter(|_| !body.busy)
                else {
                    return;
                };
                let mut script = Script::new(source, 1 - source, tempo);
                script.migration(course, state == RunState::Paused);
                self.scene.truth.guests[guest].migration = Some(Migration {
                    source,
                    destination: 1 - source,
                });
                self.play(guest, script);
                self.see(&Sight::Departs { guest });
            }
            Step::Order {
                guest,
                order,
                tempo,
            } => self.order(guest, order, tempo),
            Step::Trouble {
                host,
                after,
                trouble,
            } => self.scene.hosts[host].troubles.push_back((after, trouble)),
            Step::Rumour { host, guest, word } => {
                self.scene.hosts[host].heard[guest].well = false;
                self.told(host, guest, word);
            }
            Step::Crash { host, down, told } => {
                if told {
                    self.input(host, Event::Ending);
                }
                self.crash(host, down);
            }
            Step::Away { host, down } => self.lose(host, down),
            Step::Overflow { host } => self.overflow(host),
            Step::Shut { guest, time } => self.change_taps(guest, time, false),
            Step::Unplug { guest, time } => self.change_taps(guest, time, true),
            Step::Send { host, fault } => self.scene.hosts[host].fault = fault,
            Step::Answers { host, take } => self.scene.hosts[host].answers_take = take,
            Step::Describe { host, fault } => self.scene.hosts[host].describe_fault = Some(fault),
            Step::Announce { host, guest } => {
                let guest = super::guest(guest);
                self.input(host, Event::Announce { guest });
            }
            Step::Reload { host, settings } => {
                let policy = super::settings(settings);
                self.scene.hosts[host].policy = policy.clone();
                self.input(host, Event::Policy(Box::new(policy)));
            }
            Step::Sighted {
                host,
                guest,
                standing,
            } => {
                let sighting = Sighting {
                    mac: answers::mac(guest, 0),
                    ip: answers::ip(guest, 0, 2).into(),
                    source: AddressSource::Dhcp,
                };
                let guest = super::guest(guest);
                self.input(
                    host,
                    Event::Address {
                        guest,
                        sighting,
                        standing,
                    },
                );
            }
            Step::Hook { host, guest, hook } => self.hook(host, guest, hook),
            Step::Aside { host, aside } => self.input(
                host,
                match aside {
                    Aside::Clock(offset) => Event::Clock { offset },
                    Aside::Ledger => Event::Ledger {
                        undone: 1,
                        faults: 1,
                    },
                    Aside::Dropped(queue) => Event::Dropped { queue, count: 3 },
                },
            ),
            Step::Wait(time) => self.pass(time),
        }
    }

    fn order(&mut self, guest: usize, order: Order, tempo: u64) {
        if self.scene.truth.guests[guest].busy {
            return;
        }
        let here = self.scene.truth.home(guest);
        let mut script = Script::new(0, 1, tempo);
        script.order(order, here);
        self.play(guest, script);
    }

    fn play(&mut self, guest: usize, script: Script) {
        self.scene.truth.guests[guest].busy = true;
        let mut at = self.scene.now;
        for (pause, fact) in script.facts {
            at = at + pause;
            self.plan(at, Item::Fact(guest, fact));
        }
    }

    fn plan(&mut self, at: Instant, item: Item) {
        self.turns += 1;
        self.agenda.insert((at, self.turns), item);
    }

    fn plan_in(&mut self, time: Duration, item: Item) {
        self.plan(self.scene.now + time, item);
    }

    /// Lets time pass, with all that happens in it.
    pub(super) fn pass(&mut self, time: Duration) {
        let end = self.scene.now + time;
        while self.judges.broken.is_none() {
            let item = self.agenda.first_key_value().map(|(&(at, _), _)| at);
            let wakes = self
                .scene
                .hosts
                .iter()
                .enumerate()
                .filter_map(|(host, it)| {
                    it.life?;
                    Some((it.engine.poll_timeout()?.max(self.scene.now), host))
                });
            let wake = wakes.min().filter(|&(at, _)| at <= end);
            match (item.filter(|&at| at <= end), wake) {
                (Some(at), wake) if wake.is_none_or(|(wake, _)| at <= wake) => {
                    self.scene.now = self.scene.now.max(at);
                    if let Some((_, item)) = self.agenda.pop_first() {
                        self.happen(item);
                    }
                }
                (_, Some((at, host))) => {
                    self.scene.now = at;
                    self.timeout(host);
                }
                _ => break,
            }
        }
        self.scene.now = end;
    }

    fn happen(&mut self, item: Item) {
        match item {
            Item::Fact(guest, fact) => self.fact(guest, fact),
            Item::Word(host, session, guest, word) => {
                self.scene.hosts[host].heard[guest].in_flight -= 1;
                if self.scene.hosts[host].session == session {
                    self.told(host, guest, word);
                }
            }
            Item::Describe(host, life, guest, generation) => {
                self.describe(host, life, guest, generation);
            }
            Item::Stage(host, life, guest, generation, plan) => {
                self.stage(host, life, guest, generation, &plan);
            }
            Item::Begin(host) => self.begin(host),
            Item::Connect(host, session) => {
                if self.scene.hosts[host].session == session {
                    self.connect(host);
                }
            }
            Item::Read(host, session) => {
                let guests = self.scene.truth.listed(host);
                self.plan_in(LIST, Item::Listed(host, session, guests));
            }
            Item::Listed(host, session, guests) => {
                if self.scene.hosts[host].session == session {
                    self.list(host, guests);
                }
            }
            Item::Open(host, guest) => {
                if let Some(taps) = &mut self.scene.truth.guests[guest].taps[host] {
                    taps.open = true;
                    self.tell_links(host, guest);
                }
            }
            Item::Plug(host, guest) => {
                if let Some(taps) = &mut self.scene.truth.guests[guest].taps[host] {
                    taps.plugged = true;
                    self.tell_links(host, guest);
                }
            }
        }
    }

    /// No more trouble from here on, and what was slow or shut is not any more.
    pub(super) fn calm(&mut self) {
        for host in 0..HOSTS {
            let it = &mut self.scene.hosts[host];
            it.troubles.clear();
            it.fault = None;
            it.describe_fault = None;
            it.answers_take = super::host::ANSWER;
            if let Some((guest, word)) = it.swapped.take() {
                it.heard[guest].in_flight -= 1;
                self.told(host, guest, word);
            }
        }
    }
}

mod agents;
mod answers;
mod facts;
mod inputs;
