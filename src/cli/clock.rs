//! Times and durations for people.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::model::Timestamp;

/// The realtime clock.
pub(super) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let nanos = since.unwrap_or_default().as_nanos();
    Timestamp::from_nanos(i64::try_from(nanos).unwrap_or(i64::MAX))
}

/// A moment in UTC to the millisecond.
pub(super) struct Moment(pub(super) Timestamp);

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = u64::try_from(self.0.as_nanos()).ok();
        match nanos.and_then(|nanos| UNIX_EPOCH.checked_add(Duration::from_nanos(nanos))) {
            Some(time) => humantime::format_rfc3339_millis(time).fmt(f),
            None => f.write_str("before 1970"),
        }
    }
}

/// How long ago a moment was, to the two coarsest units.
pub(super) struct Age {
    pub(super) of: Timestamp,
    pub(super) now: Timestamp,
}

impl fmt::Display for Age {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.now.as_nanos().saturating_sub(self.of.as_nanos());
        match u64::try_from(nanos) {
            Ok(nanos) => write!(f, "{} ago", coarse(Duration::from_nanos(nanos))),
            Err(_) => f.write_str("in the future"),
        }
    }
}

/// How much time is left until a moment, to the two coarsest units.
pub(super) struct Left {
    pub(super) until: Timestamp,
    pub(super) now: Timestamp,
}

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.until.as_nanos().saturating_sub(self.now.as_nanos());
        let nanos = u64::try_from(nanos).unwrap_or(0);
        write!(f, "{} left", coarse(Duration::from_nanos(nanos)))
    }
}

/// A long duration, to its two coarsest units.
pub(super) fn coarse(duration: Duration) -> String {
    let whole = humantime::format_duration(Duration::from_secs(duration.as_secs())).to_string();
    let units: Vec<&str> = whole.split(' ').take(2).collect();
    units.join(" ")
}

/// A short duration in milliseconds, to the microsecond.
pub(super) struct Millis(pub(super) Duration);

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.0.as_micros();
        write!(f, "{}.{:03} ms", micros / 1_000, micros % 1_000)
    }
}

#[cfg(test)]
mod tests;
