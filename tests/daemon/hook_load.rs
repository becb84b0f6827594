//! libvirt's hook, called often, and how long it takes.

use std::env;
use std::fs;
use std::io::Write;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use super::hooks::{MACMOVECTL, assert_content, xml};
use super::{PATIENCE, Place};

/// Calls in the flood: of a run that accepts a release, and of every other.
const FLOOD: (usize, usize) = (100_000, 2_000);

/// How many times as long as `/bin/true` a hook may take, in the median: in a run that accepts a
/// release, and in every other, where the machine may be busy.
const SLOWER: (u32, u32) = (10, 100);

/// Whether this run accepts a release.
fn accepts() -> bool {
    env::var_os("LAB_FULL").is_some()
}

#[test]
fn a_flood_of_calls_is_counted_and_grows_nothing() {
    let place = Place::new();
    let agent = place.begin();
    let calls = if accepts() { FLOOD.0 } else { FLOOD.1 };
    let before = agent.resident_kib();
    thread::scope(|scope| {
        for thread in 0..4 {
            let place = &place;
            scope.spawn(move || {
                for number in (thread..calls).step_by(4) {
                    let operation = ["migrate", "start"][number / 4 % 2];
                    let mut command = Command::new(MACMOVECTL);
                    command.args(["hook", "web", operation, "begin", "-"]);
                    assert_content(&place.hook(&mut command, &xml(number)));
                }
            });
        }
    });
    // Those that the kernel turned away, while the daemon had no time to accept, nobody can count.
    let calls = calls as u64;
    let end = Instant::now() + PATIENCE;
    while agent.sum("macmove_hook_calls_total") < calls / 2 {
        assert!(Instant::now() < end, "half of them found room");
    }
    assert!(agent.sum("macmove_hook_calls_total") <= calls);
    agent.counts("macmove_hook_errors_total", 0);
    assert!(
        agent.sum("macmove_dropped_total{queue=\"hook\"}") > 0,
        "the table is small"
    );
    let grown = agent.resident_kib().saturating_sub(before);
    assert!(grown < 16 << 10, "{grown} KiB more");
    assert!(agent.get("/-/ready").contains(" 200 "));
}

#[test]
fn the_hook_takes_a_few_times_what_bin_true_takes() {
    let place = Place::new();
    let script = place.script(MACMOVECTL);
    let compare = |daemon: &str| {
        let mut times: [Vec<Duration>; 2] = Default::default();
        for _ in 0..30 {
            for (program, times) in ["/bin/true", script.to_str().unwrap()]
                .iter()
                .zip(&mut times)
            {
                let begin = Instant::now();
                let mut command = Command::new(program);
                command.args(["web", "start", "begin", "-"]);
                assert_content(&place.hook(&mut command, &xml(1)));
                times.push(begin.elapsed());
            }
        }
        let [floor, hook] = times.map(|mut times| {
            times.sort();
            times[times.len() / 2]
        });
        record(&format!(
            "hook, medians of 30 with the daemon {daemon}: {hook:?}, /bin/true {floor:?}, {:.1} \
             times as long",
            hook.as_secs_f64() / floor.as_secs_f64()
        ));
        assert!(
            hook < floor * if accepts() { SLOWER.0 } else { SLOWER.1 },
            "{daemon}: {hook:?}, /bin/true {floor:?}"
        );
    };
    let agent = place.begin();
    compare("alive");
    agent.signal("STOP");
    compare("stopped");
    agent.signal("CONT");
    drop(agent);
    compare("dead");
}

/// Writes a line of figures down for `tests/run --measure`, where the lab's are.
fn record(line: &str) {
    let target = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"))
        .parent()
        .unwrap();
    let cache = target.join("lab");
    fs::create_dir_all(&cache).unwrap();
    let file = fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(cache.join("figures.txt"));
    writeln!(file.unwrap(), "{line}").unwrap();
}
