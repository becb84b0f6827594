//! Histories, many at a time; and one that failed, made small.

use std::fmt;
use std::thread;
use std::time::Duration;

use super::coverage::{self, Coverage};
use super::dice::Dice;
use super::faults::{self, Plant};
use super::laws::{Broken, Judges, Sight};
use super::orders::Order;
use super::realm::Realm;
use super::steps::Step;
use super::{GUESTS, HOSTS};

/// Words that a history says at least, and by how many more it may go on.
const WORDS: u32 = 20;
const MORE: u64 = 40;

/// Steps after which a history ends in any case.
const STEPS: usize = 400;

/// A history that broke a law.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    seed: u64,
    plant: Option<Plant>,
    pub(super) steps: Vec<Step>,
    broken: Broken,
}

/// The history of this seed, up to where it breaks a law.
fn random(seed: u64, realm: &mut Realm) -> Vec<Step> {
    let mut dice = Dice::new(seed);
    let enough = WORDS + u32::try_from(dice.below(MORE)).unwrap();
    let mut steps = Vec::new();
    while realm.broken().is_none() && realm.words < enough && steps.len() < STEPS {
        let step = Step::random(&mut dice);
        steps.push(step);
        realm.take(step);
    }
    realm.end();
    steps
}

/// That history once more, or a part of it.
fn again(steps: &[Step], plant: Option<Plant>, judges: Judges, recording: bool) -> Realm {
    faults::plant(plant);
    let mut realm = Realm::new(plant, judges, recording);
    for &step in steps {
        if realm.broken().is_none() {
            realm.take(step);
        }
    }
    realm.end();
    faults::plant(None);
    realm
}

/// Runs histories on every processor. What they reached, or the first that failed.
pub(super) fn histories(seed: u64, count: u64) -> Result<Coverage, Box<Failure>> {
    let threads = thread::available_parallelism().map_or(1, |number| number.get() as u64);
    let work = |first: u64| {
        let mut reached = Coverage::default();
        for seed in (seed + first..seed + count).step_by(usize::try_from(threads).unwrap()) {
            let mut realm = Realm::new(None, Judges::all(), false);
            let steps = random(seed, &mut realm);
            if let Some(broken) = realm.broken().cloned() {
                let failure = Failure {
                    seed,
                    plant: None,
                    steps,
                    broken,
                };
                return Err(Box::new(failure.minimised()));
            }
            for (law, met) in realm.judges.met() {
                *reached.laws.entry(law).or_default() += met;
            }
        }
        reached.add(coverage::take());
        Ok(reached)
    };
    thread::scope(|scope| {
        let works: Vec<_> = (0..threads)
            .map(|first| scope.spawn(move || work(first)))
            .collect();
        let mut all = Coverage::default();
        for one in works {
            all.add(one.join().unwrap()?);
        }
        Ok(all)
    })
}

impl Failure {
    /// The first history that finds the planted fault by this law.
    pub(super) fn find(seed: u64, count: u64, plant: Plant, law: &str) -> Option<Self> {
        (seed..seed + count).find_map(|seed| {
            faults::plant(Some(plant));
            let mut realm = Realm::new(Some(plant), Judges::only(law), false);
            let steps = random(seed, &mut realm);
            faults::plant(None);
            let broken = realm.broken().cloned()?;
            Some(Self {
                seed,
                plant: Some(plant),
                steps,
                broken,
            })
        })
    }

    /// The same with as few steps as will do: pieces are left out, large ones first, as long as
    /// the same law breaks.
    pub(super) fn minimised(mut self) -> Self {
        let law = self.broken.law;
        let breaks = |steps: &[Step]| {
            let realm = again(steps, self.plant, Judges::only(law), false);
            realm.broken().cloned()
        };
        let mut piece = self.steps.len();
        while piece > 0 {
            let mut at = 0;
            while at < self.steps.len() {
                let mut fewer = self.steps.clone();
                fewer.drain(at..(at + piece).min(fewer.len()));
                if let Some(broken) = breaks(&fewer) {
                    (self.steps, self.broken) = (fewer, broken);
                } else {
                    at += piece;
                }
            }
            piece /= 2;
        }
        self
    }

    /// What each engine was told and did: a file's name and its text.
    pub(super) fn recordings(&self) -> Vec<(String, String)> {
        let judges = Judges::only(self.broken.law);
        let realm = again(&self.steps, self.plant, judges, true);
        let mut files = Vec::new();
        for (host, it) in realm.scene.hosts.iter().enumerate() {
            let lives = it.recording.iter().flat_map(|recording| recording.files());
            for (life, text) in lives.enumerate() {
                files.push((format!("host-{host}-life-{life}.jsonl"), text.clone()));
            }
        }
        files
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {}: {}", self.seed, self.broken.law)?;
        writeln!(f, "{}", self.broken.why)?;
        writeln!(f, "these steps are enough: {:#?}", self.steps)?;
        writeln!(
            f,
            "each text below is a recording for tests/scenarios/NAME/recording.jsonl"
        )?;
        for (name, text) in self.recordings() {
            writeln!(f, "--- {name}")?;
            write!(f, "{text}")?;
        }
        Ok(())
    }
}

/// How long peace lasts until everything is at rest: longer than frames wait for their port.
const PEACE: Duration = Duration::from_secs(70);

/// How long two agents have to act on a list.
const ACT: Duration = Duration::from_secs(5);

const SHORT: Duration = Duration::from_millis(20);

impl Realm {
    /// The end of every history: nothing comes between any more, all that is under way ends, and
    /// libvirt is read again, by an agent that goes on and by one that begins.
    fn end(&mut self) {
        if self.broken().is_some() {
            return;
        }
        self.calm();
        while !self.is_at_rest() && self.broken().is_none() {
            self.pass(ACT);
        }
        self.pass(PEACE);
        self.see(Sight::Quiet);
        let newcomer = usize::from(self.words % 2 == 0);
        self.crash(newcomer, SHORT);
        self.lose(1 - newcomer, SHORT);
        self.pass(ACT);
        self.see(Sight::Resynced);
        for guest in 0..GUESTS {
            self.take(Step::Order {
                guest,
                order: Order::Resume,
                tempo: 0,
            });
        }
        self.pass(ACT);
        self.see(Sight::Woken);
        for host in 0..HOSTS {
            self.lose(host, SHORT);
        }
        self.pass(ACT);
        self.see(Sight::Rested);
    }
}
