//! Handles: whom the loop calls, and whom not.

use std::ffi::c_int;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use super::{
    Bench, Client, HANGUP, READABLE, SOON, WRITABLE, drain_socket, nothing, on_free, on_handle,
};
use crate::sys::event_loop::PASSES;
use crate::sys::event_loop::epoll::InterestKey;
use crate::sys::event_loop::shared::Shared;

#[test]
fn a_readable_descriptor_calls_back_and_a_quiet_one_does_not() {
    let mut bench = Bench::new();
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let (watch, seen) = bench.handle(ours.as_raw_fd(), READABLE, drain_socket(&ours));
    assert!(!bench.becomes_readable(Duration::from_millis(10)));
    for round in 1..=3 {
        theirs.write_all(b"x").unwrap();
        assert!(bench.becomes_readable(SOON), "round {round}");
        bench.dispatch();
        assert_eq!(seen.calls(), round);
        assert!(!bench.becomes_readable(Duration::ZERO));
    }
    assert_eq!(*seen.events.lock().unwrap(), [READABLE; 3]);
    assert_eq!(bench.shared.remove_handle(watch), 0);
    assert_eq!(bench.shared.remove_handle(watch), -1);
    bench.dispatch();
    assert_eq!(seen.frees(), 1);
    bench.assert_empty();
}

#[test]
fn waiting_again_after_a_dropped_wait_loses_nothing() {
    let mut bench = Bench::new();
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let (_, seen) = bench.handle(ours.as_raw_fd(), READABLE, drain_socket(&ours));
    theirs.write_all(b"x").unwrap();
    // Ready, and then dropped before anybody dispatched.
    assert!(bench.becomes_readable(SOON));
    assert!(bench.becomes_readable(SOON));
    bench.dispatch();
    assert_eq!(seen.calls(), 1);
}

#[test]
fn one_descriptor_may_have_two_handles() {
    let mut bench = Bench::new();
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let fd = ours.as_raw_fd();
    let (reader, read) = bench.handle(fd, READABLE, drain_socket(&ours));
    let (writer, written) = bench.handle(fd, WRITABLE, |shared, watch| {
        shared.update_handle(watch, 0);
    });
    bench.dispatch();
    assert_eq!((read.calls(), written.calls()), (0, 1));
    theirs.write_all(b"x").unwrap();
    bench.dispatch();
    assert_eq!((read.calls(), written.calls()), (1, 1));
    bench.shared.update_handle(writer, WRITABLE);
    bench.dispatch();
    assert_eq!((read.calls(), written.calls()), (1, 2));
    assert_eq!(bench.shared.remove_handle(reader), 0);
    assert_eq!(bench.shared.lock().handles.len(), (1, 0));
    bench.shared.update_handle(writer, WRITABLE);
    bench.dispatch();
    assert_eq!((read.calls(), written.calls()), (1, 3));
    assert_eq!(*read.events.lock().unwrap(), [READABLE]);
    assert_eq!(*written.events.lock().unwrap(), [WRITABLE; 3]);
    assert_eq!(bench.shared.remove_handle(writer), 0);
    bench.dispatch();
    bench.assert_empty();
}

#[test]
fn a_handle_that_wants_nothing_hears_no_hangup() {
    let mut bench = Bench::new();
    let (ours, theirs) = UnixStream::pair().unwrap();
    let (watch, seen) = bench.handle(ours.as_raw_fd(), READABLE, |shared, watch| {
        shared.update_handle(watch, 0);
    });
    bench.shared.update_handle(watch, 0);
    drop(theirs);
    assert!(!bench.becomes_readable(Duration::from_millis(10)));
    bench.dispatch();
    assert_eq!(seen.calls(), 0);
    bench.shared.update_handle(watch, READABLE);
    assert!(bench.becomes_readable(SOON));
    bench.dispatch();
    assert_eq!(*seen.events.lock().unwrap(), [READABLE | HANGUP]);
    assert!(!bench.becomes_readable(Duration::ZERO));
}

#[test]
fn a_handle_removed_by_an_earlier_callback_is_not_called() {
    let mut bench = Bench::new();
    let (one, mut wake_one) = UnixStream::pair().unwrap();
    let (two, mut wake_two) = UnixStream::pair().unwrap();
    let watches = Arc::new([AtomicI32::new(0), AtomicI32::new(0)]);
    // Whichever runs first removes both, itself included, and closes nothing yet.
    let remove_both = |watches: &Arc<[AtomicI32; 2]>| {
        let watches = Arc::clone(watches);
        move |shared: &Shared, _: c_int| {
            for watch in watches.iter() {
                assert_eq!(shared.remove_handle(watch.load(Ordering::SeqCst)), 0);
            }
        }
    };
    let (first, seen_one) = bench.handle(one.as_raw_fd(), READABLE, remove_both(&watches));
    let (second, seen_two) = bench.handle(two.as_raw_fd(), READABLE, remove_both(&watches));
    watches[0].store(first, Ordering::SeqCst);
    watches[1].store(second, Ordering::SeqCst);
    wake_one.write_all(b"x").unwrap();
    wake_two.write_all(b"x").unwrap();
    bench.dispatch();
    assert_eq!(seen_one.calls() + seen_two.calls(), 1);
    for seen in [seen_one, seen_two] {
        assert_eq!(seen.frees(), 1);
        assert!(!seen.freed_in_call.load(Ordering::SeqCst));
        assert!(!seen.freed_off_loop.load(Ordering::SeqCst));
    }
    bench.assert_empty();
}

#[test]
fn a_descriptors_number_used_again_gets_no_stale_event() {
    let bench = Bench::new();
    let (ours, _theirs) = UnixStream::pair().unwrap();
    let fd = ours.as_raw_fd();
    let (old, _) = bench.handle(fd, READABLE, nothing);
    bench.shared.remove_handle(old);
    let (_, _) = bench.handle(fd, READABLE, nothing);
    let events = libc::EPOLLIN.cast_unsigned();
    let calls = |generation| {
        let mut calls = Vec::new();
        let key = InterestKey { fd, generation };
        bench.shared.lock().handles.collect(key, events, &mut calls);
        calls.len()
    };
    assert_eq!((calls(1), calls(2)), (0, 1));
}

#[test]
fn a_descriptor_closed_before_its_removal_is_forgotten() {
    let mut bench = Bench::new();
    let (ours, _theirs) = UnixStream::pair().unwrap();
    let (watch, seen) = bench.handle(ours.as_raw_fd(), READABLE, nothing);
    drop(ours);
    assert_eq!(bench.shared.remove_handle(watch), 0);
    bench.dispatch();
    assert_eq!(seen.frees(), 1);
    bench.assert_empty();
}

#[test]
fn what_epoll_refuses_is_refused_and_not_kept() {
    let bench = Bench::new();
    let (opaque, seen) = bench.client(nothing);
    // SAFETY: the client outlives the call; it is freed below, since a refusal does not keep it.
    let watch = unsafe {
        bench
            .shared
            .add_handle(-1, READABLE, on_handle, opaque, Some(on_free))
    };
    assert_eq!(watch, -1);
    assert_eq!(seen.frees(), 0);
    // SAFETY: the pointer is ours again.
    drop(unsafe { Box::from_raw(opaque.cast::<Client>()) });
    bench.assert_empty();
}

#[test]
fn what_is_always_ready_does_not_keep_the_thread() {
    let mut bench = Bench::new();
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    theirs.write_all(b"x").unwrap();
    let (watch, seen) = bench.handle(ours.as_raw_fd(), READABLE, nothing);
    bench.dispatch();
    assert_eq!(seen.calls(), PASSES);
    assert!(bench.becomes_readable(Duration::ZERO));
    bench.shared.remove_handle(watch);
    bench.dispatch();
    assert!(!bench.becomes_readable(Duration::ZERO));
}

#[test]
fn dispatching_allocates_nothing() {
    let mut bench = Bench::new();
    let (timer, flushed) = bench.timer(-1, |shared, id| shared.update_timeout(id, -1));
    let (keepalive, _) = bench.timer(60_000, nothing);
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let drain = drain_socket(&ours);
    let (_, read) = bench.handle(ours.as_raw_fd(), READABLE, move |shared, watch| {
        drain(shared, watch);
        shared.update_handle(watch, READABLE);
        shared.update_timeout(keepalive, 60_000);
        shared.update_timeout(timer, 0);
    });
    // The list of what the test saw may grow; the loop may not.
    read.events.lock().unwrap().reserve(64);
    let info = allocation_counter::measure(|| {
        for _ in 0..20 {
            theirs.write_all(b"x").unwrap();
            assert!(bench.event_loop.wait(SOON));
            bench.dispatch();
        }
    });
    assert_eq!(flushed.calls(), 20);
    assert_eq!(info.count_total, 0);
}
