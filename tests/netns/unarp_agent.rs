//! The daemon that honours UNARP, on a host without libvirt.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::honour::{HOLDER, enter, entry, unarp, world};
use crate::world::{isolated, send, sh};

/// How long the daemon may take for anything; seconds of a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

struct Agent<'d> {
    directory: &'d Path,
    process: Child,
}

fn configure(directory: &Path, honour: &str) {
    // A libvirt that is not there and never was.
    let text = format!(
        "{honour}\n[libvirt]\nuri = \"qemu+unix:///system?socket={0}/none\"\n\
         [control]\nsocket = \"{0}/control.sock\"\n\
         [hook]\nsocket = \"{0}/hook.sock\"\n\
         [state]\ndirectory = \"{0}\"\n\
         [metrics]\nlisten = \"127.0.0.1:0\"\n",
        directory.display()
    );
    fs::write(directory.join("macmoved.toml"), text).unwrap();
}

impl<'d> Agent<'d> {
    /// Starts it and waits until it says that it is ready.
    fn start(directory: &'d Path) -> Self {
        let notify = UnixDatagram::bind(directory.join("notify")).unwrap();
        notify.set_read_timeout(Some(PATIENCE)).unwrap();
        let log = fs::File::create(directory.join("log")).unwrap();
        let process = Command::new(env!("CARGO_BIN_EXE_macmoved"))
            .arg("--config")
            .arg(directory.join("macmoved.toml"))
            .env_remove("MACMOVED_TEST_INSIDE_NETNS")
            .env("NOTIFY_SOCKET", directory.join("notify"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let agent = Self { directory, process };
        let mut buffer = [0; 4096];
        loop {
            let length = notify.recv(&mut buffer).unwrap();
            let told = String::from_utf8_lossy(&buffer[..length]);
            if told.lines().any(|line| line == "READY=1") {
                return agent;
            }
        }
    }

    fn ask(&self, arguments: &[&str]) -> String {
        let output = Command::new(env!("CARGO_BIN_EXE_macmovectl"))
            .arg("--socket")
            .arg(self.directory.join("control.sock"))
            .args(arguments)
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    fn status(&self) -> Value {
        serde_json::from_str(&self.ask(&["status", "--json"])).unwrap()
    }

    fn until(&self, what: &str, holds: impl Fn(&Value) -> bool) {
        let begin = Instant::now();
        while !holds(&self.status()) {
            let log = fs::read_to_string(self.directory.join("log")).unwrap();
            let status = self.status();
            assert!(begin.elapsed() < PATIENCE, "{what}: {status}\n{log}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn reload(&self) {
        sh(&format!("kill -HUP {}", self.process.id()));
    }
}

impl Drop for Agent<'_> {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

#[test]
fn without_libvirt_it_is_ready_and_honours_what_a_reload_says() {
    isolated(
        "unarp_agent::without_libvirt_it_is_ready_and_honours_what_a_reload_says",
        || {
            world();
            for address in ["10.0.0.50", "10.0.0.51", "10.0.0.52"] {
                enter("br0", address, HOLDER, "nud reachable");
            }
            let directory = tempfile::tempdir().unwrap();
            configure(directory.path(), "");
            let agent = Agent::start(directory.path());
            assert_eq!(agent.status()["libvirt"]["connected"], false);
            assert_eq!(agent.status()["unarp"], Value::Null);
            assert!(!agent.ask(&["status"]).contains("UNARP"));

            let honour = "[unarp]\nhonour = true\nhonour_prefixes = [\"10.0.0.0/24\"]";
            configure(directory.path(), honour);
            agent.reload();
            agent.until("the reload", |status| status["unarp"]["listening"] == true);
            assert_eq!(agent.status()["warnings"], json!([]));
            send("peer", &unarp(HOLDER, "10.0.0.50"));
            agent.until("an UNARP", |status| status["unarp"]["honoured"] == 1);
            assert_eq!(entry("br0", "10.0.0.50"), "");
            let status = agent.ask(&["status"]);
            let line = "UNARP:     honoured for 10.0.0.0/24; 1 neighbour entry deleted";
            assert!(status.contains(line), "{status}");

            agent.ask(&["pause"]);
            send("peer", &unarp(HOLDER, "10.0.0.51"));
            let paused = json!([{"reason": "paused", "count": 1}]);
            agent.until("a pause", |status| status["unarp"]["refused"] == paused);
            agent.ask(&["resume"]);

            configure(directory.path(), &format!("dry_run = true\n{honour}"));
            agent.reload();
            agent.until("a dry run", |status| status["brakes"]["dry_run"] == true);
            send("peer", &unarp(HOLDER, "10.0.0.52"));
            let both = json!([
                {"reason": "paused", "count": 1}, {"reason": "dry_run", "count": 1},
            ]);
            agent.until("its UNARP", |status| status["unarp"]["refused"] == both);
            for address in ["10.0.0.51", "10.0.0.52"] {
                assert!(entry("br0", address).contains(&HOLDER.to_string()));
            }
        },
    );
}
