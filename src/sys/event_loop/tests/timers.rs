//! Timers: when the loop calls.

use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use super::{Bench, READABLE, SOON, drain_socket, nothing};

#[test]
fn a_zero_timer_armed_by_a_handle_runs_in_the_same_dispatch() {
    let mut bench = Bench::new();
    let (timer, flushed) = bench.timer(-1, |shared, id| shared.update_timeout(id, -1));
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let drain = drain_socket(&ours);
    let (_, read) = bench.handle(ours.as_raw_fd(), READABLE, move |shared, watch| {
        drain(shared, watch);
        shared.update_timeout(timer, 0);
    });
    for round in 1..=3 {
        theirs.write_all(b"x").unwrap();
        assert!(bench.becomes_readable(SOON));
        bench.dispatch();
        assert_eq!((read.calls(), flushed.calls()), (round, round));
    }
    assert!(!bench.becomes_readable(Duration::ZERO));
}

#[test]
fn a_periodic_timer_goes_on_and_a_disabled_one_does_not() {
    let mut bench = Bench::new();
    let (timer, seen) = bench.timer(2, nothing);
    let started = Instant::now();
    while seen.calls() < 3 {
        assert!(bench.becomes_readable(SOON));
        bench.dispatch();
    }
    assert!(started.elapsed() >= Duration::from_millis(6));
    bench.shared.update_timeout(timer, -1);
    let calls = seen.calls();
    // The timerfd may still go off once for what was.
    while bench.becomes_readable(Duration::from_millis(10)) {
        bench.dispatch();
    }
    assert_eq!(seen.calls(), calls);
    assert_eq!(bench.shared.remove_timeout(timer), 0);
    assert_eq!(bench.shared.remove_timeout(timer), -1);
    bench.dispatch();
    assert_eq!(seen.frees(), 1);
    bench.assert_empty();
}

#[test]
fn a_timer_that_is_put_off_does_not_go_off_early() {
    let mut bench = Bench::new();
    let (timer, seen) = bench.timer(5, nothing);
    bench.dispatch();
    bench.shared.update_timeout(timer, 60);
    let started = Instant::now();
    while seen.calls() == 0 {
        assert!(bench.becomes_readable(SOON));
        bench.dispatch();
    }
    assert!(started.elapsed() >= Duration::from_millis(59));
}

#[test]
fn leaving_early_is_remembered() {
    let mut bench = Bench::new();
    let (_, seen) = bench.timer(0, nothing);
    bench.event_loop.dispatch(|| true);
    assert_eq!(seen.calls(), 1);
    assert!(bench.becomes_readable(Duration::ZERO));
    assert!(bench.event_loop.wait(Duration::ZERO));
}
