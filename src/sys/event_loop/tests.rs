//! A bench that plays libvirt: clients that are called back and freed.

mod handles;
mod threads;
mod timers;

use std::ffi::{c_int, c_void};
use std::io::Read;
use std::os::fd::RawFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use virt::sys;

use super::shared::Shared;
use super::{DISPATCHING, EventLoop};

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
