//! What a migration has been through so far, kept for history.

use std::time::Duration;

use super::{Measured, PhaseAt};
use crate::model::{Mode, Phase, Side, Timestamp};

/// Each phase is noted once, so nothing is allocated while a migration runs.
const PHASES: usize = Phase::ALL.len();

/// One migration of one guest, from this host's side.
#[derive(Clone, Debug)]
pub(crate) struct Journal {
    pub(crate) side: Side,
    pub(crate) mode: Mode,
    pub(crate) measured: Measured,
    /// The guest ran here again after a stop.
    pub(crate) rolled_back: bool,
    phases: Vec<PhaseAt>,
}

impl Journal {
    pub(crate) fn new(side: Side) -> Self {
        Self {
            side,
            mode: Mode::Precopy,
            measured: Measured::default(),
            rolled_back: false,
            phases: Vec::with_capacity(PHASES),
        }
    }

    /// Notes a phase; true the first time.
    pub(crate) fn reach(&mut self, phase: Phase, at_ns: Timestamp) -> bool {
        let first = self.phases.iter().all(|noted| noted.phase != phase);
        if first {
            self.phases.push(PhaseAt { phase, at_ns });
        }
        first
    }

    pub(crate) fn phases(&self) -> &[PhaseAt] {
        &self.phases
    }

    /// The phases in the order in which they happened.
    pub(crate) fn into_phases(mut self) -> Vec<PhaseAt> {
        self.phases.sort_by_key(|noted| noted.at_ns);
        self.phases
    }

    pub(crate) fn set_downtime(&mut self, milliseconds: Option<u64>) {
        self.measured.downtime = milliseconds.map(Duration::from_millis);
    }
}
