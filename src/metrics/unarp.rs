//! What came of the UNARPs of others.

use std::collections::BTreeMap;

use prometheus::{Error, IntCounter, IntGauge};

use super::Metrics;
use super::catalog;
use super::family::Families;
use crate::model::UnarpRefusal;

/// Counters of the peer that honours UNARP.
#[derive(Debug)]
pub(super) struct UnarpMetrics {
    honoured: IntCounter,
    refused: BTreeMap<UnarpRefusal, IntCounter>,
    listening: IntGauge,
}

impl UnarpMetrics {
    pub(super) fn new(families: &Families) -> Result<Self, Error> {
        Ok(Self {
            honoured: families.counter(&catalog::UNARP_HONOURED)?,
            refused: families.counters(
                &catalog::UNARP_REFUSED,
                UnarpRefusal::ALL.iter().map(|&r| (r, [r.label()])),
            )?,
            listening: families.gauge(&catalog::UNARP_LISTENING)?,
        })
    }
}

impl Metrics {
    /// Counts a neighbour entry that was deleted.
    pub fn unarp_honoured(&self) {
        self.unarp.honoured.inc();
    }

    /// Counts UNARPs that deleted nothing.
    pub fn unarp_refused(&self, refusal: UnarpRefusal, by: u64) {
        if let Some(counter) = self.unarp.refused.get(&refusal) {
            counter.inc_by(by);
        }
    }

    /// Whether UNARPs are heard.
    pub fn set_unarp_listening(&self, listening: bool) {
        self.unarp.listening.set(i64::from(listening));
    }

    /// Whether UNARPs are heard, by the last word.
    pub fn is_unarp_listening(&self) -> bool {
        self.unarp.listening.get() != 0
    }

    /// Neighbour entries deleted so far.
    pub fn unarps_honoured(&self) -> u64 {
        self.unarp.honoured.get()
    }

    /// UNARPs that deleted nothing, for every reason.
    pub fn unarps_refused(&self) -> impl Iterator<Item = (UnarpRefusal, u64)> {
        let refused = self.unarp.refused.iter();
        refused.map(|(&refusal, counter)| (refusal, counter.get()))
    }
}
