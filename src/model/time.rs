//! Two clocks as plain numbers, so that the engine can be driven, recorded and replayed
//! without one.

use std::ops::Add;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Nanoseconds on the host's monotonic clock.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Instant(u64);

/// Nanoseconds since the Unix epoch on the host's realtime clock, for people and other hosts.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Instant {
    /// The start of the clock.
    pub const ZERO: Self = Self(0);

    /// An instant this many nanoseconds after the start of the clock.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the start of the clock.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// The instant that long before; the start of the clock where that is closer.
    #[must_use]
    pub fn saturating_sub(self, duration: Duration) -> Self {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        Self(self.0.saturating_sub(nanos))
    }

    /// Time since `earlier`; zero where `earlier` is later.
    #[must_use]
    pub const fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(nanos))
    }
}

impl Timestamp {
    /// A timestamp this many nanoseconds after the Unix epoch.
    #[must_use]
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the Unix epoch.
    #[must_use]
    pub const fn as_nanos(self) -> i64 {
        self.0
    }

    /// What the realtime clock says at `instant`, where it runs `offset` nanoseconds ahead of the
    /// monotonic one.
    #[must_use]
    pub fn of(instant: Instant, offset: i64) -> Self {
        Self(
            i64::try_from(instant.0)
                .unwrap_or(i64::MAX)
                .saturating_add(offset),
        )
    }

    /// The instant at which the realtime clock says this; the inverse of [`Timestamp::of`].
    #[must_use]
    pub fn instant(self, offset: i64) -> Instant {
        Instant(u64::try_from(self.0.saturating_sub(offset)).unwrap_or(0))
    }
}
