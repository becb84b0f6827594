//! Brakes: nothing leaves while the agent is paused, and an order outlasts its process.

use std::fs;

use macmoved::emit::RouteChoice;
use macmoved::engine::Round;
use macmoved::model::SendFault;
use macmoved::wire::Frame;
use serde_json::{Value, json};

use crate::daemon::{Daemon, NO_LIBVIRT};
use crate::world::{
    Ear, MAC, Rig, build, ears, guest_talks_at_the_old_host, ip, isolated, port_of, settle, sh,
};

const ROUTES: [RouteChoice; 2] = [RouteChoice::Injection, RouteChoice::Fdb];
const EVERY_ROUND: [Round; 4] = [
    Round::Early,
    Round::Scheduled(1),
    Round::Scheduled(2),
    Round::Single,
];

#[test]
fn a_paused_agent_sends_nothing_anywhere_and_changes_nothing() {
    isolated(
        "brakes::a_paused_agent_sends_nothing_anywhere_and_changes_nothing",
        || {
            build();
            for route in ROUTES {
                for learning in ["on", "off"] {
                    sh(&format!("bridge link set dev vnet1 learning {learning}"));
                    guest_talks_at_the_old_host();
                    let mut rig = Rig::staged(route);
                    let before = sh("bridge fdb show");
                    let mut ears = ears();
                    rig.emitter.brake().set_paused(true);
                    for round in EVERY_ROUND {
                        assert_eq!(rig.fire(round), Err(SendFault::Paused), "{route:?}");
                    }
                    for ear in &mut ears {
                        assert!(ear.heard_from(MAC).is_empty(), "{ear:?}");
                    }
                    assert_eq!(sh("bridge fdb show"), before);

                    rig.emitter.brake().set_paused(false);
                    for ear in &mut ears {
                        assert!(
                            ear.heard_from(MAC).is_empty(),
                            "nothing old leaves: {ear:?}"
                        );
                    }
                    let mut peer = Ear::at("peer");
                    rig.fire(Round::Scheduled(1)).unwrap();
                    let octets = Frame::rarp(MAC, None).to_vec();
                    assert_eq!(peer.heard_from(MAC), [octets]);
                    assert_eq!(port_of("br0", MAC).as_deref(), Some("vnet1"));
                    assert_eq!(port_of("fabric", MAC).as_deref(), Some("p-up"));
                }
            }
        },
    );
}

#[test]
fn a_pause_counts_before_the_ports_state() {
    isolated("brakes::a_pause_counts_before_the_ports_state", || {
        build();
        for route in ROUTES {
            let mut rig = Rig::staged(route);
            sh("bridge link set dev vnet1 state 0");
            rig.follow();
            rig.emitter.brake().set_paused(true);
            // A fault of the port would have the engine send the frame when the port opens.
            assert_eq!(rig.fire(Round::Scheduled(1)), Err(SendFault::Paused));
            rig.emitter.brake().set_paused(false);
            assert_eq!(rig.fire(Round::Scheduled(1)), Err(SendFault::NotForwarding));
            sh("bridge link set dev vnet1 state 3");
        }
    });
}

#[test]
fn what_a_pause_withholds_uses_up_no_limit() {
    isolated("brakes::what_a_pause_withholds_uses_up_no_limit", || {
        build();
        let mut rig = Rig::staged(RouteChoice::Auto);
        rig.emitter.brake().set_paused(true);
        for _ in 0..100 {
            assert_eq!(rig.fire(Round::Scheduled(2)), Err(SendFault::Paused));
        }
        rig.emitter.brake().set_paused(false);
        assert!(!rig.emitter.brake().safe_mode());
        assert_eq!(rig.fire(Round::Scheduled(2)), Ok(()));
    });
}

#[test]
fn a_brake_allocates_nothing() {
    isolated("brakes::a_brake_allocates_nothing", || {
        build();
        for route in ROUTES {
            let mut rig = Rig::staged(route);
            for paused in [true, false] {
                rig.emitter.brake().set_paused(paused);
                let mut outcome = Err(SendFault::Other);
                let spent = allocation_counter::measure(|| {
                    outcome = rig.fire(Round::Scheduled(1));
                });
                assert_eq!(outcome.is_err(), paused);
                assert_eq!(spent.count_total, 0, "{route:?}, paused: {paused}");
            }
        }
    });
}

#[test]
fn an_operator_pauses_restarts_and_resumes_the_daemon() {
    isolated(
        "brakes::an_operator_pauses_restarts_and_resumes_the_daemon",
        || {
            ip(&["link set lo up"]);
            let directory = tempfile::tempdir().unwrap();
            let daemon = Daemon::start(directory.path(), NO_LIBVIRT);
            let free = json!({
                "paused": false, "paused_by": null, "until_ns": null, "file": null,
                "reason": null, "safe_mode": false, "dry_run": false,
            });
            assert_eq!(daemon.brakes(), free);
            assert_eq!(daemon.metric("macmove_paused"), "0");

            let said = daemon.says(&["pause"]);
            assert!(said.starts_with("PAUSED: nothing is sent"), "{said}");
            assert_eq!(daemon.metric("macmove_paused"), "1");
            // To the service manager a crash is a restart, too.
            daemon.end("TERM");
            let daemon = Daemon::start(directory.path(), NO_LIBVIRT);
            assert_eq!(daemon.brakes()["paused_by"], "command");
            daemon.end("KILL");
            let daemon = Daemon::start(directory.path(), NO_LIBVIRT);
            assert!(daemon.says(&["status"]).starts_with("PAUSED: "));
            assert_eq!(daemon.metric("macmove_paused"), "1");

            let said = daemon.says(&["pause", "--for", "1h", "--json"]);
            let said: Value = serde_json::from_str(&said).unwrap();
            assert!(said["until_ns"].is_number(), "{said}");
            assert!(daemon.says(&["status"]).contains("(59m 59s left)"));
            let said = daemon.says(&["resume"]);
            assert!(said.starts_with("resumed; "), "{said}");
            assert_eq!(daemon.brakes(), free);
            assert_eq!(daemon.metric("macmove_paused"), "0");
            daemon.end("TERM");
            assert_eq!(Daemon::start(directory.path(), NO_LIBVIRT).brakes(), free);
        },
    );
}

#[test]
fn a_file_pauses_the_daemon_while_it_is_there() {
    isolated("brakes::a_file_pauses_the_daemon_while_it_is_there", || {
        ip(&["link set lo up"]);
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("paused");
        fs::write(&file, "fabric \u{1b}[2J work\nfrom nine to five\n").unwrap();
        let daemon = Daemon::start(directory.path(), NO_LIBVIRT);
        let by_file = json!({
            "paused": true, "paused_by": "file", "until_ns": null, "file": file,
            "reason": "fabric \u{1b}[2J work", "safe_mode": false, "dry_run": false,
        });
        assert_eq!(daemon.brakes(), by_file);
        let status = daemon.says(&["status"]);
        let reason = "reason:    fabric \\u{1b}[2J work";
        assert_eq!(status.lines().nth(1), Some(reason), "{status}");

        let refused = daemon.ask(&["resume"]);
        assert_eq!(refused.status.code(), Some(75));
        let said = String::from_utf8(refused.stderr).unwrap();
        assert_eq!(
            said,
            format!("macmovectl: still paused: delete {}\n", file.display())
        );

        fs::remove_file(&file).unwrap();
        daemon.wait_for("the end of the pause", |daemon| {
            daemon.brakes()["paused"] == false
        });
        fs::write(&file, "").unwrap();
        daemon.wait_for("a pause", |daemon| daemon.brakes()["paused"] == true);
        settle();
        daemon.end("TERM");
    });
}
