//! Event to wire: from the entry of libvirt's callback to the return of the call that sends.
//!
//! libvirt's own test driver resumes a domain, and its event goes the whole way: libvirt's event
//! loop, callback, engine, emitter, bridge. Beside it, interleaved and at the same pace, a minimal
//! loop makes the same system calls when a pipe wakes it: no runtime, no engine, everything open.
//! Each sample finds the caches as a few idle milliseconds leave them.
//!
//! Needs root. `cargo bench --bench event_to_wire [-- SAMPLES]`.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a measurement that cannot go on has to fail, and to say why"
)]

mod agent;
mod floor;
mod libvirt;
mod sleeper;
#[path = "../netns/world.rs"]
#[expect(dead_code, reason = "the tests look at more of it")]
mod world;

use std::process::{Command, ExitCode};
use std::time::Duration;

use macmoved::emit::RouteChoice;

use self::agent::Agent;
use self::libvirt::Libvirt;
use self::sleeper::Sleeper;

/// Samples of each kind and route.
const SAMPLES: usize = 1_000;

/// Idle time before each sample, and up to [`SPREAD`] more, so that no timer's beat is met.
const PAUSE: Duration = Duration::from_millis(2);
const SPREAD: Duration = Duration::from_millis(3);

/// What the median may be of the minimal loop's before this fails: ten times what a release has to
/// keep, for a machine that does other things meanwhile.
const BOUND: f64 = 15.0;

const INSIDE: &str = "MACMOVED_MEASURE_INSIDE_NETNS";

/// The figures of one route.
#[derive(Default)]
struct Samples {
    /// Callback to return of the send.
    wire: Vec<Duration>,
    /// The minimal loop.
    floor: Vec<Duration>,
}

fn main() -> ExitCode {
    if std::env::var_os(INSIDE).is_none() {
        return enter();
    }
    let samples = std::env::args()
        .skip(1)
        .find_map(|word| word.parse().ok())
        .unwrap_or(SAMPLES);
    world::build();
    let by_injection = measure(RouteChoice::Injection, samples);
    let by_bridge = measure(RouteChoice::Fdb, samples);
    let faster = if by_injection.0 < by_bridge.0 {
        "injection"
    } else {
        "entry and bridge"
    };
    println!("the faster route: {faster}");
    if by_injection.1.max(by_bridge.1) > BOUND {
        eprintln!("a median is beyond {BOUND} times the minimal loop's");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// Runs this program in a network namespace of its own.
fn enter() -> ExitCode {
    let status = Command::new("unshare")
        .args(["--net", "--"])
        .arg(std::env::current_exe().unwrap())
        .args(std::env::args().skip(1))
        .env(INSIDE, "1")
        .status()
        .unwrap();
    if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Takes and prints one route's samples; returns its median in microseconds and the ratio to the
/// minimal loop's.
fn measure(route: RouteChoice, count: usize) -> (f64, f64) {
    let mut agent = Agent::start(route);
    let libvirt = Libvirt::open(agent.guest());
    let sleeper = Sleeper::start(route);
    let mut samples = Samples::default();
    for sample in 0..count {
        agent.stage(&libvirt);
        let pause = PAUSE + SPREAD * u32::try_from(sample % 16).unwrap() / 16;
        libvirt.resume_after(pause);
        samples.wire.push(agent.hear());
        std::thread::sleep(pause);
        samples.floor.push(sleeper.wake());
    }
    agent.stop();
    report(route, &mut samples)
}

fn report(route: RouteChoice, samples: &mut Samples) -> (f64, f64) {
    let name = match route {
        RouteChoice::Injection | RouteChoice::Auto => "injection",
        RouteChoice::Fdb => "entry and bridge",
    };
    println!("by {name}, {} samples", samples.wire.len());
    println!(
        "{:<42} {:>8} {:>8} {:>8}",
        "microseconds", "p10", "median", "p90"
    );
    let line = |what: &str, samples: &mut [Duration]| {
        samples.sort_unstable();
        let [low, median, high] =
            [10, 50, 90].map(|percent| samples[samples.len() * percent / 100].as_secs_f64() * 1e6);
        println!("{what:<42} {low:>8.2} {median:>8.2} {high:>8.2}");
        median
    };
    let wire = line("event to wire", &mut samples.wire);
    let floor = line("minimal loop", &mut samples.floor);
    println!("{:<42} {:>17.2}", "ratio of the medians", wire / floor);
    (wire, wire / floor)
}
