//! One host: its engine, what stands ready there, and what comes between libvirt and the engine.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::hearsay::Heard;
use super::record::Recording;
use super::steps::Trouble;
use super::{GUESTS, courses::Word};
use crate::engine::{DescribeFault, Engine, Policy};
use crate::model::{Ifindex, SendFault};

/// The listener's connection to libvirt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Connection {
    None,
    /// Guests are being listed: what is heard meanwhile comes after the list.
    Listing(Vec<(usize, Word)>),
    Stands,
}

#[derive(Debug)]
pub(super) struct Host {
    pub(super) engine: Engine,
    /// None while the agent is down; else which one since the beginning.
    pub(super) life: Option<u32>,
    pub(super) lives: u32,
    pub(super) policy: Policy,
    pub(super) connection: Connection,
    /// Counts connections, so that what belongs to an earlier one is known.
    pub(super) session: u32,
    /// What is staged for each guest: the generation, and the port of each frame.
    pub(super) staged: BTreeMap<usize, (u64, Vec<Ifindex>)>,
    pub(super) heard: [Heard; GUESTS],
    /// The number of the latest question about each guest: an answer to an earlier one is outdated.
    pub(super) asked: [u64; GUESTS],
    /// What happens to words to come: how many pass before.
    pub(super) troubles: VecDeque<(u64, Trouble)>,
    /// A word that comes after the next.
    pub(super) swapped: Option<(usize, Word)>,
    pub(super) fault: Option<SendFault>,
    pub(super) answers_take: Duration,
    pub(super) describe_fault: Option<DescribeFault>,
    pub(super) recording: Option<Recording>,
}

/// How long an answer takes where nothing is slow.
pub(super) const ANSWER: Duration = Duration::from_millis(4);

impl Host {
    pub(super) fn new(policy: Policy, recording: bool) -> Self {
        Self {
            engine: Engine::new(policy.clone()),
            life: None,
            lives: 0,
            policy,
            connection: Connection::None,
            session: 0,
            staged: BTreeMap::new(),
            heard: [Heard::default(); GUESTS],
            asked: [0; GUESTS],
            troubles: VecDeque::new(),
            swapped: None,
            fault: None,
            answers_take: ANSWER,
            describe_fault: None,
            recording: recording.then(Recording::default),
        }
    }

    /// The agent is gone, with all it knew.
    pub(super) fn crash(&mut self) {
        self.life = None;
        self.disconnect();
        self.staged.clear();
        for heard in &mut self.heard {
            heard.forget();
        }
    }

    /// The next agent begins.
    pub(super) fn begin(&mut self) {
        self.engine = Engine::new(self.policy.clone());
        self.lives += 1;
        self.life = Some(self.lives);
        if let Some(recording) = &mut self.recording {
            recording.begin(&self.policy);
        }
    }

    pub(super) fn disconnect(&mut self) {
        self.connection = Connection::None;
        self.session += 1;
        self.swapped = None;
        for heard in &mut self.heard {
            heard.well = false;
        }
    }

    /// What happens to the next word.
    pub(super) fn trouble(&mut self) -> Option<Trouble> {
        let (after, trouble) = self.troubles.front_mut()?;
        if *after > 0 {
            *after -= 1;
            return None;
        }
        let trouble = *trouble;
        self.troubles.pop_front();
        Some(trouble)
    }
}
