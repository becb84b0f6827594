use std::ffi::{c_int, c_void};
use std::future::Future;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use virt::sys;

use super::epoll::InterestKey;
use super::shared::Shared;
use super::{DISPATCHING, EventLoop, Waker};

const READABLE: c_int = sys::VIR_EVENT_HANDLE_READABLE.cast_signed();
const WRITABLE: c_int = sys::VIR_EVENT_HANDLE_WRITABLE.cast_signed();
const HANGUP: c_int = sys::VIR_EVENT_HANDLE_HANGUP.cast_signed();

/// Far longer than anything here takes, for what must happen.
const SOON: Duration = Duration::from_secs(5);

type Action = Box<dyn Fn(&Shared, c_int) + Send + Sync>;

/// What libvirt would be: an opaque with a callback, freed when the loop says so.
struct Client {
    shared: Arc<Shared>,
    seen: Arc<Seen>,
    action: Action,
}

#[derive(Default)]
struct Seen {
    calls: AtomicUsize,
    frees: AtomicUsize,
    in_call: AtomicBool,
    freed_in_call: AtomicBool,
    freed_off_loop: AtomicBool,
    events: Mutex<Vec<c_int>>,
}

impl Seen {
    fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    fn frees(&self) -> usize {
        self.frees.load(Ordering::SeqCst)
    }
}

impl Client {
    fn run(&self, number: c_int) {
        assert!(DISPATCHING.get(), "a callback off the dispatching thread");
        self.seen.calls.fetch_add(1, Ordering::SeqCst);
        self.seen.in_call.store(true, Ordering::SeqCst);
        // Would hang here if a lock were held.
        drop(self.shared.lock());
        (self.action)(&self.shared, number);
        self.seen.in_call.store(false, Ordering::SeqCst);
    }
}

unsafe extern "C" fn on_handle(watch: c_int, _fd: c_int, events: c_int, opaque: *mut c_void) {
    // SAFETY: the opaque of every handle and timer here is a client that is not freed yet.
    let client = unsafe { &*opaque.cast::<Client>() };
    client.seen.events.lock().unwrap().push(events);
    client.run(watch);
}

unsafe extern "C" fn on_timer(timer: c_int, opaque: *mut c_void) {
    // SAFETY: as above.
    let client = unsafe { &*opaque.cast::<Client>() };
    client.run(timer);
}

unsafe extern "C" fn on_free(opaque: *mut c_void) {
    // SAFETY: as above, and this is called once.
    let client = unsafe { Box::from_raw(opaque.cast::<Client>()) };
    drop(client.shared.lock());
    let seen = &client.seen;
    let in_call = seen.in_call.load(Ordering::SeqCst);
    seen.freed_in_call.fetch_or(in_call, Ordering::SeqCst);
    seen.freed_off_loop
        .fetch_or(!DISPATCHING.get(), Ordering::SeqCst);
    seen.frees.fetch_add(1, Ordering::SeqCst);
}

struct Bench {
    shared: Arc<Shared>,
    event_loop: EventLoop,
    runtime: tokio::runtime::Runtime,
}

impl Bench {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let shared = Arc::new(Shared::new().unwrap());
        let entered = runtime.enter();
        let mut event_loop = EventLoop::over(Arc::clone(&shared)).unwrap();
        drop(entered);
        event_loop.dispatch(|| false);
        Self {
            shared,
            event_loop,
            runtime,
        }
    }

    fn client(
        &self,
        action: impl Fn(&Shared, c_int) + Send + Sync + 'static,
    ) -> (*mut c_void, Arc<Seen>) {
        let seen = Arc::new(Seen::default());
        let client = Client {
            shared: Arc::clone(&self.shared),
            seen: Arc::clone(&seen),
            action: Box::new(action),
        };
        (Box::into_raw(Box::new(client)).cast(), seen)
    }

    fn handle(
        &self,
        fd: RawFd,
        mask: c_int,
        action: impl Fn(&Shared, c_int) + Send + Sync + 'static,
    ) -> (c_int, Arc<Seen>) {
        let (opaque, seen) = self.client(action);
        // SAFETY: the callbacks take a client, which lives until it is freed.
        let watch = unsafe {
            self.shared
                .add_handle(fd, mask, on_handle, opaque, Some(on_free))
        };
        assert!(watch > 0);
        (watch, seen)
    }

    fn timer(
        &self,
        millis: c_int,
        action: impl Fn(&Shared, c_int) + Send + Sync + 'static,
    ) -> (c_int, Arc<Seen>) {
        let (opaque, seen) = self.client(action);
        // SAFETY: as above.
        let id = unsafe {
            self.shared
                .add_timeout(millis, on_timer, opaque, Some(on_free))
        };
        assert!(id > 0);
        (id, seen)
    }

    fn dispatch(&mut self) {
        self.event_loop.dispatch(|| false);
    }

    /// Whether the loop becomes readable within `limit`.
    fn becomes_readable(&self, limit: Duration) -> bool {
        let readable = self.event_loop.readable();
        self.runtime
            .block_on(async { tokio::time::timeout(limit, readable).await.is_ok() })
    }

    fn assert_empty(&self) {
        let state = self.shared.lock();
        assert_eq!(state.handles.len(), (0, 0));
        assert_eq!(state.timers.len(), 0);
        assert!(state.retired.is_empty());
    }
}

fn nothing(_: &Shared, _: c_int) {}

fn drain_socket(socket: &UnixStream) -> impl Fn(&Shared, c_int) + Send + Sync + 'static {
    socket.set_nonblocking(true).unwrap();
    let mut socket = socket.try_clone().unwrap();
    let socket = Mutex::new(move || drop(socket.read(&mut [0; 64])));
    move |_, _| (socket.lock().unwrap())()
}

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
fn leaving_early_is_remembered() {
    let mut bench = Bench::new();
    let (_, seen) = bench.timer(0, nothing);
    bench.event_loop.dispatch(|| true);
    assert_eq!(seen.calls(), 1);
    assert!(bench.becomes_readable(Duration::ZERO));
    assert!(bench.event_loop.wait(Duration::ZERO));
}

#[test]
fn what_is_always_ready_does_not_keep_the_thread() {
    let mut bench = Bench::new();
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    theirs.write_all(b"x").unwrap();
    let (watch, seen) = bench.handle(ours.as_raw_fd(), READABLE, nothing);
    bench.dispatch();
    assert_eq!(seen.calls(), super::PASSES);
    assert!(bench.becomes_readable(Duration::ZERO));
    bench.shared.remove_handle(watch);
    bench.dispatch();
    assert!(!bench.becomes_readable(Duration::ZERO));
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
    let _: Waker = waker;
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

/// The future is `Send` only by accident; what matters is that it can be dropped.
#[test]
fn a_wait_can_be_dropped_before_it_is_polled() {
    let mut bench = Bench::new();
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let (_, seen) = bench.handle(ours.as_raw_fd(), READABLE, drain_socket(&ours));
    {
        let wait: &mut dyn Future<Output = ()> = &mut Box::pin(bench.event_loop.readable());
        let _: &mut dyn Future<Output = ()> = wait;
    }
    theirs.write_all(b"x").unwrap();
    assert!(bench.becomes_readable(SOON));
    bench.dispatch();
    assert_eq!(seen.calls(), 1);
}
