//! Token buckets: how many frames may leave by one uplink.
//!
//! Each bucket is a virtual clock (the generic cell rate algorithm of ITU-T I.371): it never lets
//! more than `burst + rate * t` frames through in any window of length `t`, and needs no refill
//! timer.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Pacing;
use crate::model::{Ifindex, Instant};

const SECOND: u64 = 1_000_000_000;

/// Uplinks whose buckets are kept: one per physical port, with room for every port of a large host.
const UPLINKS: usize = 1_024;

/// Which frames a send counts among.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// The first frames of a migration; they may use the reserve.
    First,
    /// Every other frame.
    Repeat,
}

/// One bucket.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    /// When the bucket is full again if nothing more leaves.
    full_at: Instant,
    /// Time that one frame takes to come back; none where nothing may leave.
    interval: Option<Duration>,
    /// How far `full_at` may lie ahead with one more frame still let through.
    tolerance: Duration,
}

impl Bucket {
    fn new(rate: u32, burst: u32) -> Self {
        let interval =
            (rate > 0 && burst > 0).then(|| Duration::from_nanos(SECOND.div_ceil(u64::from(rate))));
        let tolerance = interval
            .unwrap_or_default()
            .saturating_mul(burst.saturating_sub(1));
        Self {
            full_at: Instant::ZERO,
            interval,
            tolerance,
        }
    }

    /// When the next frame may leave; none where none ever may.
    fn ready_at(&self) -> Option<Instant> {
        self.interval?;
        let tolerance = u64::try_from(self.tolerance.as_nanos()).unwrap_or(u64::MAX);
        Some(Instant::from_nanos(
            self.full_at.as_nanos().saturating_sub(tolerance),
        ))
    }

    fn is_ready(&self, now: Instant) -> bool {
        self.ready_at().is_some_and(|at| at <= now)
    }

    fn take(&mut self, now: Instant) {
        if let Some(interval) = self.interval {
            self.full_at = self.full_at.max(now) + interval;
        }
    }
}

/// The buckets of one uplink.
#[derive(Clone, Copy, Debug)]
struct Uplink {
    general: Bucket,
    reserve: Bucket,
}

impl Uplink {
    fn new(pacing: Pacing) -> Self {
        Self {
            general: Bucket::new(pacing.frames_per_second, pacing.burst),
            reserve: Bucket::new(pacing.reserve, pacing.reserve),
        }
    }

    fn ready_at(&self, class: Class) -> Option<Instant> {
        let general = self.general.ready_at();
        match class {
            Class::Repeat => general,
            Class::First => [general, self.reserve.ready_at()]
                .into_iter()
                .flatten()
                .min(),
        }
    }

    fn take(&mut self, class: Class, now: Instant) {
        if class == Class::First && self.reserve.is_ready(now) {
            self.reserve.take(now);
        } else {
            self.general.take(now);
        }
    }
}

/// Every uplink's buckets.
#[derive(Clone, Debug)]
pub(crate) struct Pacer {
    pacing: Pacing,
    uplinks: BTreeMap<Ifindex, Uplink>,
}

impl Pacer {
    pub(crate) const fn new(pacing: Pacing) -> Self {
        Self {
            pacing,
            uplinks: BTreeMap::new(),
        }
    }

    /// Makes sure that `uplinks` have buckets, so that [`Pacer::take`] allocates nothing. When the
    /// table is full an uplink in nobody's use goes; its bucket would start full anyway.
    pub(crate) fn prepare(&mut self, uplinks: &[Ifindex], now: Instant) {
        for &uplink in uplinks {
            if self.uplinks.len() >= UPLINKS && !self.uplinks.contains_key(&uplink) {
                self.uplinks
                    .retain(|_, idle| idle.general.full_at > now || idle.reserve.full_at > now);
            }
            self.uplinks
                .entry(uplink)
                .or_insert_with(|| Uplink::new(self.pacing));
        }
    }

    /// New settings; what left already still counts.
    pub(crate) fn configure(&mut self, pacing: Pacing) {
        self.pacing = pacing;
        for uplink in self.uplinks.values_mut() {
            let fresh = Uplink::new(pacing);
            uplink.general = Bucket {
                full_at: uplink.general.full_at,
                ..fresh.general
            };
            uplink.reserve = Bucket {
                full_at: uplink.reserve.full_at,
                ..fresh.reserve
            };
        }
    }

    /// When a frame of this class may leave by all of `uplinks`; none where it never may.
    pub(crate) fn ready_at(&self, uplinks: &[Ifindex], class: Class) -> Option<Instant> {
        uplinks
            .iter()
            .filter_map(|uplink| self.uplinks.get(uplink))
            .map(|uplink| uplink.ready_at(class))
            .try_fold(Instant::ZERO, |latest, at| at.map(|at| latest.max(at)))
    }

    /// Counts a frame that leaves now by all of `uplinks`.
    pub(crate) fn take(&mut self, uplinks: &[Ifindex], class: Class, now: Instant) {
        for uplink in uplinks {
            if let Some(uplink) = self.uplinks.get_mut(uplink) {
                uplink.take(class, now);
            }
        }
    }
}

#[cfg(test)]
mod tests;
