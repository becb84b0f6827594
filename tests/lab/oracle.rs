//! Judges a capture: does what the vantage points saw keep the design's invariants?
//!
//! It knows nothing of the code under test. A verdict names the frame, or what is missing, and the
//! place.

mod case;
mod network;
pub(crate) mod retraction;
mod rollback;

use std::fmt;
use std::net::Ipv4Addr;

use macmoved::model::MacAddr;

use crate::evidence::{Evidence, ROUNDS};
use case::Case;

/// What a capture is held to.
#[derive(Clone, Debug)]
pub(crate) struct Expect {
    /// When rounds go, in milliseconds from RESUME. Empty: nobody announces.
    pub(crate) rounds: Vec<f64>,
    /// How many announcements may go before RESUME, per MAC.
    pub(crate) early: usize,
    /// How far from its time a round may be, in milliseconds.
    pub(crate) tolerance: f64,
    /// How long the first announcement may take while repeats of other guests go, in milliseconds.
    pub(crate) first_within: f64,
    /// How many announcements may enter the fabric by one port.
    pub(crate) pacing: Option<Pacing>,
    /// Addresses that the source retracts, with their guest's number.
    pub(crate) retracted: Vec<(u8, Ipv4Addr)>,
}

/// A token bucket.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pacing {
    /// Frames in any second, in the long run.
    pub(crate) frames_per_second: f64,
    /// Frames at once.
    pub(crate) burst: f64,
}

/// A broken invariant.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Violation {
    /// Which.
    pub(crate) rule: Rule,
    /// What broke it, where and when.
    pub(crate) what: String,
}

/// The invariants, with their numbers in the design.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// 1: after the destination's first announcement nothing leaves the source for the guest.
    SourceSilent,
    /// 2: nothing leaves the destination for the guest before it arrived whole.
    DestinationWaits,
    /// 3: every round goes, at its time.
    RoundMissing,
    /// 3: nothing but the rounds and the early announcement goes.
    RoundAstray,
    /// 3: an announcement has the octets of QEMU's.
    Octets,
    /// 4: once the guest is back at the source, every round goes from there, at its time.
    RollbackMissing,
    /// 4: and nothing from the destination, but an early announcement on its way.
    DestinationSilent,
    /// 4: and the fabric has the guest behind the source again.
    FabricAstray,
    /// 5: one move in the fabric's FDB per migration and MAC, and one for a rollback.
    OneMove,
    /// 6: pacing holds in every window.
    Pacing,
    /// 6: first frames go before repeats.
    FirstsFirst,
    /// Each known address of a guest that left is retracted, once.
    RetractionMissing,
    /// Nothing else is.
    RetractionAstray,
    /// 10: only guests that are here, and only when they arrive.
    Unasked,
}

impl Rule {
    const fn number(self) -> u8 {
        match self {
            Self::SourceSilent => 1,
            Self::DestinationWaits => 2,
            Self::RoundMissing | Self::RoundAstray | Self::Octets => 3,
            Self::RollbackMissing | Self::DestinationSilent | Self::FabricAstray => 4,
            Self::OneMove => 5,
            Self::Pacing | Self::FirstsFirst => 6,
            Self::Unasked | Self::RetractionMissing | Self::RetractionAstray => 10,
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "invariant {} ({:?}): {}",
            self.rule.number(),
            self.rule,
            self.what
        )
    }
}

impl Default for Expect {
    /// QEMU's schedule, one early announcement, and what a busy machine needs, or one whose CPUs are
    /// taken from it for a moment. How punctual rounds are is held in `cases/announce.rs`.
    fn default() -> Self {
        Self {
            rounds: ROUNDS.to_vec(),
            early: 1,
            tolerance: 400.0,
            first_within: 100.0,
            pacing: None,
            retracted: Vec::new(),
        }
    }
}

impl Expect {
    /// Nobody announces.
    pub(crate) fn silence() -> Self {
        Self {
            rounds: Vec::new(),
            early: 0,
            ..Self::default()
        }
    }
}

/// QEMU's announcement of a MAC (`net/announce.c`), 60 octets.
pub(crate) fn announcement(mac: MacAddr) -> Vec<u8> {
    let mac = mac.octets();
    let mut octets = vec![0xff; 6];
    octets.extend(mac);
    octets.extend([0x80, 0x35, 0x00, 0x01, 0x08, 0x00, 6, 4, 0, 3]);
    octets.extend(mac);
    octets.extend([0; 4]);
    octets.extend(mac);
    octets.extend([0; 4]);
    octets.extend([0; 18]);
    octets
}

/// Every violation, migration by migration.
pub(crate) fn judge(evidence: &Evidence, expect: &Expect) -> Vec<Violation> {
    let mut violations = Vec::new();
    for migration in &evidence.migrations {
        for nic in evidence.nics(migration.guest) {
            violations.extend(Case::of(evidence, expect, migration, nic).violations());
        }
    }
    violations.extend(network::unasked(evidence));
    violations.extend(network::paced(evidence, expect));
    violations.extend(retraction::retracted(evidence, expect));
    violations
}

#[cfg(test)]
mod tests;
