//! The daemon itself, on libvirt's test driver.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use macmoved::emit::{Ledger, RouteChoice};
use macmoved::engine::Round;
use macmoved::model::GuestId;

use crate::world::{GUEST, MAC, Rig, build, isolated, port_of, sh};

/// The one guest of `test:///default`. It runs.
const DEFAULT_GUEST: &str = "6695eb01-f6a4-8304-79aa-97f2502e193f";

/// How long the daemon may take for anything; seconds of a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

fn start(directory: &Path) -> Child {
    let config = directory.join("macmoved.toml");
    let text = format!(
        "libvirt.uri = \"test:///default\"\n\
         control.socket = \"{0}/control.sock\"\n\
         hook.socket = \"{0}/hook.sock\"\n\
         state.directory = \"{0}\"\n\
         metrics.listen = \"127.0.0.1:0\"\n",
        directory.display()
    );
    fs::write(&config, text).unwrap();
    let log = fs::File::create(directory.join("log")).unwrap();
    Command::new(env!("CARGO_BIN_EXE_macmoved"))
        .arg("--config")
        .arg(&config)
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap()
}

fn until(what: &str, directory: &Path, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        let log = fs::read_to_string(directory.join("log")).unwrap_or_default();
        assert!(start.elapsed() < PATIENCE, "{what}\n{log}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// An entry of `guest` in a bridge and in the ledger, as an agent leaves it that is killed.
fn leave_behind(directory: &Path, guest: GuestId) {
    let mut rig = Rig::staged(RouteChoice::Fdb);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut ledger = Ledger::start(directory.to_owned(), false, Arc::default()).unwrap();
        let leftovers = rig.emitter.prepared(GUEST).unwrap().leftovers();
        // A busy machine may take longer over it than a guest waits.
        let mut tries = 0..50;
        while !ledger.record(guest, leftovers.clone()).await {
            assert!(tries.next().is_some());
        }
        rig.fire(Round::Early).unwrap();
        ledger.close().await;
    });
    assert_eq!(port_of("br0", MAC).as_deref(), Some("vnet1"));
}

#[test]
fn it_takes_back_what_a_killed_one_left_and_ends_on_sigterm() {
    isolated(
        "agent::it_takes_back_what_a_killed_one_left_and_ends_on_sigterm",
        || {
            build();
            for (guest, stays) in [(GUEST, false), (DEFAULT_GUEST.parse().unwrap(), true)] {
                let directory = tempfile::tempdir().unwrap();
                leave_behind(directory.path(), guest);
                let state = directory.path().join("state");
                assert!(state.exists());

                let mut agent = start(directory.path());
                until("the ledger is settled", directory.path(), || {
                    !state.exists()
                });
                assert_eq!(port_of("br0", MAC).is_some(), stays, "{guest}");

                sh(&format!("kill -TERM {}", agent.id()));
                let mut ended = None;
                until("SIGTERM", directory.path(), || {
                    ended = agent.try_wait().unwrap();
                    ended.is_some()
                });
                assert!(ended.unwrap().success());
                assert!(!directory.path().join("control.sock").exists());
                assert!(!state.exists());
            }
        },
    );
}

#[test]
fn a_file_that_is_no_ledger_is_kept_aside_and_nothing_stops() {
    isolated(
        "agent::a_file_that_is_no_ledger_is_kept_aside_and_nothing_stops",
        || {
            build();
            let directory = tempfile::tempdir().unwrap();
            fs::write(directory.path().join("state"), "{\"format\":").unwrap();
            let mut agent = start(directory.path());
            let log = || fs::read_to_string(directory.path().join("log")).unwrap();
            until("it runs", directory.path(), || {
                log().contains("macmoved runs")
            });
            until("it is set aside", directory.path(), || {
                directory.path().join("state.bad").exists()
            });
            sh(&format!("kill -TERM {}", agent.id()));
            assert!(agent.wait().unwrap().success(), "{}", log());
            assert!(log().contains("no ledger"), "{}", log());
        },
    );
}
