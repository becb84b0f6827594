//! libvirt's hook script beside real migrations.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::{ROUNDS_OUT, agents, assert_kept, assert_learned, count, ways};
use crate::evidence::{Figures, Stamp};
use crate::lab::{Guest, Lab, pause, record};
use crate::oracle::Expect;

/// How much longer two migrations may take beside agents that are stopped or dead, on a busy
/// machine: each of their twelve hooks would have to hang for as long as any is waited for.
const SLOWER: Duration = Duration::from_secs(3);

/// A lab whose hosts have the hook, with agents that hear it.
fn hooked(case: &str, guest: &Guest) -> Lab {
    let lab = Lab::up(case, 2);
    for host in ["a", "b"] {
        lab.run("hook", &[host]);
    }
    agents(&lab, "", &[]);
    // A guest that starts says that libvirtd has been reloaded.
    lab.start(guest, "a");
    assert!(metric(&lab, "a", "macmove_hook_calls_total{operation=\"start\"}") > 0);
    let status = lab.ctl("a", &["hooks", "status", "--json"]);
    let status: Value = serde_json::from_str(&status).expect("JSON");
    assert_eq!(
        (&status["script"], &status["socket_is"]),
        (&"installed".into(), &"alive".into())
    );
    lab
}

fn metric(lab: &Lab, host: &str, series: &str) -> u64 {
    let metrics = lab.run("agent", &[host, "get", "/metrics"]);
    let value = metrics.lines().find_map(|line| line.strip_prefix(series));
    let value = value.map(|value| value.trim().parse().expect("a number"));
    value.expect("the agent has that metric")
}

fn hints(lab: &Lab, host: &str, outcome: &str) -> u64 {
    metric(
        lab,
        host,
        &format!("macmove_hook_hints_total{{outcome=\"{outcome}\"}}"),
    )
}

/// Sends a signal to the agent of a host.
fn signal(lab: &Lab, host: &str, signal: &str) {
    let kill = format!("kill -{signal} $(cat /run/macmoved.pid)");
    lab.host(host, &["sh", "-c", &kill]);
}

#[test]
fn a_guest_is_staged_before_libvirt_says_that_it_arrives() {
    let guest = Guest::silent(1).with(&["--nics", "2"]);
    let lab = hooked("hooks", &guest);
    let times = count(2, 20);
    let mut ahead = Vec::new();
    let evidence = lab.capture("migrations", || {
        for (from, to) in ways().take(times) {
            lab.migrate(&guest, from, to, &[]);
            pause(ROUNDS_OUT);
            let history = lab.ctl(to, &["history", "--limit", "1", "--json"]);
            let history: Value = serde_json::from_str(&history).expect("JSON");
            let phases = history[0]["phases"].as_array().expect("phases").clone();
            let staged = phases.iter().find(|phase| phase["phase"] == "staged");
            let staged = staged.and_then(|phase| phase["at_ns"].as_i64());
            let started = lab.started_migrated(to).pop().expect("it arrived");
            ahead.push(started.ms_after(Stamp(staged.expect("it was staged"))));
        }
    });
    assert_kept(&evidence, &Expect::default());
    for migration in &evidence.migrations {
        for nic in [0, 1] {
            assert_learned(&Figures::of(&evidence, migration, nic));
        }
    }
    assert!(
        ahead.iter().all(|&millis| millis > 0.0),
        "{ahead:?} ms ahead"
    );
    let confirmed = hints(&lab, "a", "confirmed") + hints(&lab, "b", "confirmed");
    assert_eq!(confirmed, times as u64);
    for host in ["a", "b"] {
        for other in ["differed", "unconfirmed", "needless"] {
            assert_eq!(hints(&lab, host, other), 0, "{other} on {host}");
        }
    }
    ahead.sort_by(f64::total_cmp);
    record(&format!(
        "hooks: staged before libvirt said Started Migrated by {:.0} ms, the median of {times}",
        ahead[times / 2]
    ));
}

#[test]
fn an_xml_that_is_too_long_for_the_hook_is_read_from_libvirt() {
    let guest = Guest::silent(1);
    let lab = hooked("hooks-long", &guest);
    // Longer than the hook reads and than a pipe holds: libvirt meets a closed pipe.
    let long = format!("<notes>{}</notes>", "x".repeat(100_000));
    for key in ["one", "two", "three"] {
        let uri = format!("http://example.org/{key}");
        let words = [
            "virsh",
            "metadata",
            guest.name(),
            &uri,
            "--key",
            key,
            "--set",
            &long,
        ];
        lab.host("a", &[&words[..], &["--live"]].concat());
    }
    let evidence = lab.capture("migration", || {
        lab.migrate(&guest, "a", "b", &[]);
        pause(ROUNDS_OUT);
    });
    assert_kept(&evidence, &Expect::default());
    assert_learned(&Figures::of(&evidence, &evidence.migrations[0], 0));
    let left_out = metric(
        &lab,
        "b",
        "macmove_hook_errors_total{reason=\"without_xml\"}",
    );
    assert_eq!(left_out, 2, "migrate begin and start begin");
    assert_eq!(hints(&lab, "b", "confirmed"), 0);
}

#[test]
fn a_stopped_or_dead_agent_does_not_hold_up_a_migration() {
    let guest = Guest::silent(1);
    let lab = hooked("hooks-stopped", &guest);
    let migrations = || {
        let begin = Instant::now();
        for (from, to) in [("a", "b"), ("b", "a")] {
            lab.migrate(&guest, from, to, &[]);
        }
        begin.elapsed()
    };
    // By turns, so that whatever else the machine does holds up both.
    let mut alive = Vec::new();
    let mut stopped = Vec::new();
    let mut dead = Vec::new();
    for _ in 0..count(2, 10) {
        alive.push(migrations());
        for host in ["a", "b"] {
            signal(&lab, host, "STOP");
        }
        stopped.push(migrations());
        for host in ["a", "b"] {
            signal(&lab, host, "CONT");
            // It hears now what came to pass meanwhile.
            lab.wait_for_agent(host);
            lab.run("agent", &[host, "kill"]);
        }
        dead.push(migrations());
        agents(&lab, "", &[]);
    }
    let quickest = |times: &[Duration]| times.iter().min().copied().unwrap_or_default();
    let beside_a_live_one = quickest(&alive);
    let beside_a_stopped_one = quickest(&stopped);
    let beside_a_dead_one = quickest(&dead);
    record(&format!(
        "hooks: two migrations took {beside_a_live_one:?}, beside stopped agents \
         {beside_a_stopped_one:?}, beside dead ones {beside_a_dead_one:?}"
    ));
    for slower in [beside_a_stopped_one, beside_a_dead_one] {
        assert!(
            slower < beside_a_live_one + SLOWER,
            "{beside_a_live_one:?}, beside stopped agents {beside_a_stopped_one:?}, beside dead \
             ones {beside_a_dead_one:?}"
        );
    }
    lab.migrate(&guest, "a", "b", &[]);
    pause(ROUNDS_OUT);
    let history = lab.ctl("b", &["history", "--limit", "1", "--json"]);
    let history: Value = serde_json::from_str(&history).expect("JSON");
    assert_eq!(history[0]["outcome"], "completed");
    assert_eq!(history[0]["measured"]["rounds"], 5);
}

#[test]
fn a_restart_of_libvirtd_never_ends_a_guest() {
    let guest = Guest::silent(1);
    let lab = hooked("hooks-reconnect", &guest);
    let restart = || {
        lab.run("libvirtd", &["a", "stop"]);
        lab.run("libvirtd", &["a", "start"]);
        let state = lab.host("a", &["virsh", "domstate", guest.name()]);
        assert_eq!(state.trim(), "running");
        lab.host("peer", &["ping", "-c", "1", "-W", "2", &guest.address(0)]);
    };
    restart();
    let reconnects = "macmove_hook_calls_total{operation=\"reconnect\"}";
    assert_eq!(metric(&lab, "a", reconnects), 1);
    signal(&lab, "a", "STOP");
    restart();
    signal(&lab, "a", "CONT");
    lab.run("agent", &["a", "kill"]);
    restart();
    // As if the agent had been uninstalled.
    lab.host("a", &["umount", "--lazy", "/usr/bin"]);
    restart();
}
