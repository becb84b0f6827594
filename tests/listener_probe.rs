//! Prints what a real libvirt says, and how long each word took. Ignored by default: it needs a
//! daemon, and somebody who migrates guests meanwhile.
//!
//! ```text
//! PROBE_URI=qemu:///system PROBE_SECONDS=30 \
//!     cargo test --test listener_probe -- --ignored --nocapture
//! ```
//!
//! Columns: milliseconds since the start; the event; from QEMU's stamp to the entry of our
//! callback and from there to the event in hand, both in microseconds. It fails where fetching an
//! event allocates or where descriptors are left at the end.
#![expect(clippy::print_stdout, reason = "printing is what it is for")]

use std::collections::BTreeMap;
use std::env;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;

use macmoved::engine::Event;
use macmoved::listen::libvirt::{Access, Keepalive, Listener, Settings};
use macmoved::model;
use macmoved::sys::clock;

#[test]
#[ignore = "needs a libvirt daemon named by PROBE_URI"]
fn print_events() {
    let uri = env::var("PROBE_URI").expect("PROBE_URI names the daemon");
    let seconds = env::var("PROBE_SECONDS").map_or(30, |text| text.parse().unwrap());
    // The first runtime of a process leaves its signal pipe behind.
    drop(runtime());
    let before = descriptors();
    let runtime = runtime();
    let mut probe = Probe::new(clock::now());
    let mut settings = Settings::new(uri, Access::Full);
    // Noticed within the length of a probe.
    settings.keepalive = Keepalive {
        interval: Duration::from_secs(1),
        count: 2,
    };
    runtime.block_on(async {
        let mut listener = Listener::start(settings).unwrap();
        let until = Instant::now() + Duration::from_secs(seconds);
        while let Some(left) = until.checked_duration_since(Instant::now()) {
            if tokio::time::timeout(left, listener.ready()).await.is_ok() {
                probe.fetch(&mut listener);
            }
        }
        let started = Instant::now();
        listener.stop();
        println!("stopped in {:?}", started.elapsed());
    });
    drop(runtime);
    probe.summary();
    // What stays is the loop's own: an epoll, a timerfd and an eventfd for the next listener.
    assert_eq!(descriptors(), before + 3, "descriptors are left");
    assert_eq!(probe.allocations, 0, "fetching events allocated");
}

fn runtime() -> Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().unwrap()
}

/// Delays in microseconds, by what they are of.
type Delays = BTreeMap<&'static str, Vec<u64>>;

struct Probe {
    start: model::Instant,
    fetched: Vec<(model::Instant, Event)>,
    allocations: u64,
    delays: Delays,
}

impl Probe {
    fn new(start: model::Instant) -> Self {
        Self {
            start,
            fetched: Vec::with_capacity(8192),
            allocations: 0,
            delays: Delays::new(),
        }
    }

    fn fetch(&mut self, listener: &mut Listener) {
        let info = allocation_counter::measure(|| {
            listener.dispatch();
            while let Some(event) = listener.next_event() {
                self.fetched.push((clock::now(), event));
            }
        });
        // The end of a connection is logged, which allocates and is no announcement.
        let lost = |(_, event): &(_, Event)| matches!(event, Event::LibvirtLost);
        if !self.fetched.iter().any(lost) {
            self.allocations += info.count_total;
        }
        for (at, event) in std::mem::take(&mut self.fetched) {
            self.print(at, &event);
        }
        self.fetched = Vec::with_capacity(8192);
    }

    fn print(&mut self, fetched: model::Instant, event: &Event) {
        let (name, at, stamp) = times(event);
        let entered = at.unwrap_or(fetched);
        let millis = entered.saturating_since(self.start).as_micros();
        let micros = |later: model::Instant, earlier: Option<model::Instant>| {
            earlier.map(|earlier| later.saturating_since(earlier).as_nanos())
        };
        let (queued, held) = (micros(entered, stamp), micros(fetched, at));
        for (key, nanos) in [("stamp to callback", queued), ("callback to event", held)] {
            if let Some(nanos) = nanos {
                let list = self.delays.entry(key).or_default();
                list.push(u64::try_from(nanos).unwrap());
            }
        }
        let thousandth = millis % 1000;
        println!(
            "{:6}.{thousandth:03} {name:10} {queued:?} {held:?} {event:?}",
            millis / 1000
        );
    }

    fn summary(&mut self) {
        for (name, nanos) in &mut self.delays {
            nanos.sort_unstable();
            let at = |part: usize| nanos[(nanos.len() - 1) * part / 100] / 1000;
            let (first, half, most, last) = (at(0), at(50), at(90), at(100));
            println!(
                "{name}: n={} min {first} med {half} p90 {most} max {last} us",
                nanos.len()
            );
        }
        println!("allocations while fetching: {}", self.allocations);
    }
}

fn times(event: &Event) -> (&'static str, Option<model::Instant>, Option<model::Instant>) {
    match event {
        Event::Lifecycle { at, .. } => ("lifecycle", Some(*at), None),
        Event::Migration { at, stamp, .. } => ("MIGRATION", Some(*at), Some(*stamp)),
        Event::Stopped { at, stamp, .. } => ("STOP", Some(*at), Some(*stamp)),
        Event::Resumed { at, stamp, .. } => ("RESUME", Some(*at), Some(*stamp)),
        _ => ("", None, None),
    }
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}
