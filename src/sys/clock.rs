//! The one place that reads clocks.

use crate::model::Instant;

/// Now, on the monotonic clock.
#[must_use]
pub fn now() -> Instant {
    Instant::from_nanos(u64::try_from(read(libc::CLOCK_MONOTONIC)).unwrap_or(0))
}

/// How many nanoseconds the realtime clock is ahead of the monotonic one.
#[must_use]
pub fn realtime_offset() -> i64 {
    // The first reading is taken again so that a preemption between the two halves its error.
    let before = read(libc::CLOCK_MONOTONIC);
    let realtime = read(libc::CLOCK_REALTIME);
    let after = read(libc::CLOCK_MONOTONIC);
    realtime - i64::midpoint(before, after)
}

fn read(clock: libc::clockid_t) -> i64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is a live timespec of this frame, and both clocks exist on every Linux, so
    // the call writes it and cannot fail.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}
