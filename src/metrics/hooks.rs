//! What libvirt's hook script told, and what came of it.

use std::collections::BTreeMap;

use prometheus::{Error, IntCounter};

use super::Metrics;
use super::catalog;
use super::family::Families;
use crate::model::{HintOutcome, HookFault, HookOperation};

/// Counters of hooks.
#[derive(Debug)]
pub(super) struct HookMetrics {
    calls: BTreeMap<HookOperation, IntCounter>,
    errors: BTreeMap<HookFault, IntCounter>,
    hints: BTreeMap<HintOutcome, IntCounter>,
}

impl HookMetrics {
    pub(super) fn new(families: &Families) -> Result<Self, Error> {
        Ok(Self {
            calls: families.counters(
                &catalog::HOOK_CALLS,
                HookOperation::ALL.iter().map(|&o| (o, [o.label()])),
            )?,
            errors: families.counters(
                &catalog::HOOK_ERRORS,
                HookFault::ALL.iter().map(|&f| (f, [f.label()])),
            )?,
            hints: families.counters(
                &catalog::HOOK_HINTS,
                HintOutcome::ALL.iter().map(|&o| (o, [o.label()])),
            )?,
        })
    }

    pub(super) fn hint(&self, outcome: HintOutcome) -> Option<&IntCounter> {
        self.hints.get(&outcome)
    }
}

impl Metrics {
    /// Counts what came in by the hook socket.
    pub fn hook(&self, told: Result<HookOperation, HookFault>) {
        let counter = match told {
            Ok(operation) => self.hooks.calls.get(&operation),
            Err(fault) => self.hooks.errors.get(&fault),
        };
        if let Some(counter) = counter {
            counter.inc();
        }
    }
}
