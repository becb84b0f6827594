//! What other threads do to the loop.

use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::{
    Bench, Client, READABLE, SOON, Seen, drain_socket, nothing, on_free, on_handle, on_timer,
};
use crate::sys::event_loop::shared::Shared;

#[test]
fn another_threads_timer_wakes_the_loop() {
    let mut bench = Bench::new();
    let (timer, seen) = bench.timer(-1, |shared, id| shared.update_timeout(id, -1));
    for round in 1..=50 {
        let shared = Arc::clone(&bench.shared);
        let other = thread::spawn(move || shared.update_timeout(timer, 0));
        assert!(bench.becomes_readable(SOON), "round {round}");
        bench.dispatch();
        other.join().unwrap();
        assert_eq!(seen.calls(), round);
    }
}

#[test]
fn what_another_thread_removes_is_freed_on_this_one() {
    let mut bench = Bench::new();
    let (ours, _theirs) = UnixStream::pair().unwrap();
    let (watch, seen) = bench.handle(ours.as_raw_fd(), READABLE, nothing);
    let shared = Arc::clone(&bench.shared);
    thread::spawn(move || shared.remove_handle(watch))
        .join()
        .unwrap();
    assert_eq!(seen.frees(), 0);
    assert!(bench.becomes_readable(SOON));
    bench.dispatch();
    assert_eq!(seen.frees(), 1);
    assert!(!seen.freed_off_loop.load(Ordering::SeqCst));
    bench.assert_empty();
}

#[test]
fn a_waker_wakes_from_elsewhere_and_not_from_within() {
    let mut bench = Bench::new();
    let waker = bench.event_loop.waker();
    let other = waker.clone();
    thread::spawn(move || other.wake()).join().unwrap();
    assert!(bench.becomes_readable(SOON));
    bench.dispatch();
    assert!(!bench.becomes_readable(Duration::ZERO));
    let within = waker.clone();
    let (timer, seen) = bench.timer(0, move |shared, id| {
        within.wake();
        shared.update_timeout(id, -1);
    });
    bench.dispatch();
    assert_eq!(seen.calls(), 1);
    while bench.becomes_readable(Duration::ZERO) {
        bench.dispatch();
        assert_eq!(seen.calls(), 1);
    }
    bench.shared.remove_timeout(timer);
}

#[test]
fn a_future_that_waits_is_woken_by_a_byte() {
    let mut bench = Bench::new();
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let (_, seen) = bench.handle(ours.as_raw_fd(), READABLE, drain_socket(&ours));
    for _ in 0..20 {
        let writer = theirs.try_clone().unwrap();
        let writer = thread::spawn(move || {
            thread::sleep(Duration::from_millis(1));
            (&writer).write_all(b"x").unwrap();
        });
        let before = seen.calls();
        assert!(bench.becomes_readable(SOON));
        bench.dispatch();
        writer.join().unwrap();
        assert_eq!(seen.calls(), before + 1);
    }
    theirs.flush().unwrap();
}

/// Threads add, update and remove while the loop runs: nothing is lost, leaked or called late.

#[test]
fn threads_may_come_and_go_while_it_runs() {
    let mut bench = Bench::new();
    let started: Vec<_> = (0..4)
        .map(|_| {
            let shared = Arc::clone(&bench.shared);
            let seen = Arc::new(Seen::default());
            let kept = Arc::clone(&seen);
            let thread = thread::spawn(move || churn(&shared, &seen));
            (thread, kept)
        })
        .collect();
    while started.iter().any(|(thread, _)| !thread.is_finished()) {
        if bench.event_loop.wait(Duration::from_millis(1)) {
            bench.dispatch();
        }
    }
    bench.dispatch();
    for (thread, seen) in started {
        thread.join().unwrap();
        assert_eq!(seen.frees(), 2 * ROUNDS);
        assert!(!seen.freed_off_loop.load(Ordering::SeqCst));
        assert!(!seen.freed_in_call.load(Ordering::SeqCst));
    }
    bench.assert_empty();
}

const ROUNDS: usize = 200;

/// One handle and one timer after the other; each must be called before it goes.
fn churn(shared: &Arc<Shared>, seen: &Arc<Seen>) {
    for _ in 0..ROUNDS {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let called = Arc::new(AtomicUsize::new(0));
        let client = || {
            let called = Arc::clone(&called);
            let client = Client {
                shared: Arc::clone(shared),
                seen: Arc::clone(seen),
                action: Box::new(move |_, _| {
                    called.fetch_add(1, Ordering::SeqCst);
                }),
            };
            Box::into_raw(Box::new(client)).cast()
        };
        let (fd, opaque) = (ours.as_raw_fd(), client());
        // SAFETY: the callbacks take a client, which lives until it is freed.
        let watch = unsafe { shared.add_handle(fd, READABLE, on_handle, opaque, Some(on_free)) };
        let opaque = client();
        // SAFETY: as above.
        let timer = unsafe { shared.add_timeout(-1, on_timer, opaque, Some(on_free)) };
        theirs.write_all(b"x").unwrap();
        let limit = Instant::now() + SOON;
        let wait_for = |count| {
            while called.load(Ordering::SeqCst) < count {
                assert!(Instant::now() < limit, "not called");
                thread::yield_now();
            }
        };
        wait_for(1);
        assert_eq!(shared.remove_handle(watch), 0);
        drop(ours);
        let count = called.load(Ordering::SeqCst) + 2;
        shared.update_timeout(timer, 0);
        wait_for(count);
        assert_eq!(shared.remove_timeout(timer), 0);
    }
}
