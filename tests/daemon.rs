//! The daemon as systemd and an operator meet it, on libvirt's test driver, in a network namespace
//! of its own. Needs root.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on has to fail, and to say why"
)]

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

#[path = "daemon/hook_load.rs"]
mod hook_load;
#[path = "daemon/hooks.rs"]
mod hooks;

/// Ten times what the slowest step takes on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(20);

const WATCHDOG: Duration = Duration::from_millis(200);

struct Place {
    directory: TempDir,
    notify: UnixDatagram,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let notify = UnixDatagram::bind(directory.path().join("notify")).unwrap();
        notify.set_read_timeout(Some(PATIENCE)).unwrap();
        let place = Self { directory, notify };
        place.configure("");
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn configure(&self, more: &str) {
        let directory = self.directory.path().display();
        let text = format!(
            "{more}\n[libvirt]\nuri = \"test:///default\"\n\
             [control]\nsocket = \"{directory}/control.sock\"\n\
             [hook]\nsocket = \"{directory}/hook.sock\"\n\
             [state]\ndirectory = \"{directory}/state\"\n"
        );
        fs::write(self.path("macmoved.toml"), text).unwrap();
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_macmoved"));
        command
            .arg("--config")
            .arg(self.path("macmoved.toml"))
            .env_clear();
        command
    }

    /// Starts the daemon as systemd would.
    fn start(&self) -> Agent {
        let mut command = Command::new("unshare");
        command
            .args([
                "--net",
                "--",
                "sh",
                "-c",
                r#"ip link set lo up && exec "$@""#,
                "start",
            ])
            .arg(env!("CARGO_BIN_EXE_macmoved"))
            .arg("--config")
            .arg(self.path("macmoved.toml"))
            .env("NOTIFY_SOCKET", self.path("notify"))
            .env("WATCHDOG_USEC", WATCHDOG.as_micros().to_string())
            .env_remove("WATCHDOG_PID")
            .stderr(Stdio::piped());
        Agent(command.spawn().unwrap())
    }

    /// Waits for a word to the service manager; returns the message that holds it.
    fn told(&self, word: &str) -> String {
        let end = Instant::now() + PATIENCE;
        let mut buffer = [0; 4096];
        while Instant::now() < end {
            let length = self.notify.recv(&mut buffer).unwrap();
            let message = String::from_utf8_lossy(&buffer[..length]).into_owned();
            if message.lines().any(|line| line.starts_with(word)) {
                return message;
            }
        }
        panic!("{word} was never said");
    }

    fn ask(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_macmovectl"))
            .arg("--socket")
            .arg(self.path("control.sock"))
            .args(arguments)
            .output()
            .unwrap()
    }
}

struct Agent(Child);

impl Agent {
    fn signal(&self, name: &str) {
        let pid = self.0.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-s", name, &pid])
                .status()
                .unwrap()
                .success()
        );
    }

    /// Ends it and returns its exit status and its log.
    fn stop(mut self) -> (Option<i32>, String) {
        self.signal("TERM");
        let mut log = String::new();
        self.0
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut log)
            .unwrap();
        (self.0.wait().unwrap().code(), log)
    }

    /// What its HTTP server says to a GET.
    fn get(&self, path: &str) -> String {
        let pid = self.0.id().to_string();
        let request = format!("GET {path} HTTP/1.0\r\n\r\n");
        let mut asking = Command::new("nsenter")
            .args([
                "--net",
                "--target",
                &pid,
                "--",
                "busybox",
                "nc",
                "127.0.0.1",
                "11868",
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        asking
            .stdin
            .take()
            .unwrap()
            .write_all(request.as_bytes())
            .unwrap();
        String::from_utf8(asking.wait_with_output().unwrap().stdout).unwrap()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

#[test]
fn systemd_hears_ready_status_watchdog_reload_and_stop() {
    let place = Place::new();
    let agent = place.start();
    place.told("READY=1");
    place.told("STATUS=connected to libvirt");
    let begin = Instant::now();
    for _ in 0..3 {
        place.told("WATCHDOG=1");
    }
    assert!(
        begin.elapsed() < WATCHDOG * 30,
        "the watchdog is fed too rarely"
    );
    assert!(agent.get("/-/ready").contains(" 200 "));
    assert!(
        agent
            .get("/metrics")
            .contains("\nmacmove_libvirt_connected 1\n")
    );
    agent.signal("HUP");
    place.told("RELOADING=1");
    place.told("READY=1");
    let (status, log) = agent.stop();
    assert_eq!(status, Some(0), "{log}");
    assert!(place.told("STOPPING=1").contains("STOPPING=1"));
    assert!(
        !place.path("control.sock").exists(),
        "the socket is left behind"
    );
}

#[test]
fn a_broken_file_at_reload_changes_nothing() {
    let place = Place::new();
    let agent = place.start();
    place.told("STATUS=connected to libvirt");
    place.configure("dry_run = true\n[announce]\nrouns = 3");
    agent.signal("HUP");
    place.told("RELOADING=1");
    place.told("READY=1");
    let status = place.ask(&["status", "--json"]);
    let status: serde_json::Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!(status["brakes"]["dry_run"], false);
    place.configure("dry_run = true");
    agent.signal("HUP");
    place.told("RELOADING=1");
    place.told("READY=1");
    let status = place.ask(&["status", "--json"]);
    let status: serde_json::Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!(status["brakes"]["dry_run"], true);
    let (_, log) = agent.stop();
    assert!(log.contains("macmoved.toml:3:1: announce.rouns"), "{log}");
}

#[test]
fn systemd_hears_of_a_pause_and_of_its_end() {
    let place = Place::new();
    let agent = place.start();
    place.told("STATUS=connected to libvirt");
    assert_eq!(place.ask(&["pause"]).status.code(), Some(0));
    place.told("STATUS=PAUSED; connected to libvirt");
    // Paused, the agent is as ready as ever.
    assert!(agent.get("/-/ready").contains(" 200 "));
    assert_eq!(place.ask(&["resume"]).status.code(), Some(0));
    place.told("STATUS=connected to libvirt");
    fs::write(place.path("paused"), "").unwrap();
    agent.signal("HUP");
    place.told("STATUS=PAUSED; connected to libvirt");
    let (status, log) = agent.stop();
    assert_eq!(status, Some(0));
    for word in ["paused by order", "resumed", "paused by a file"] {
        assert!(log.contains(word), "{word}: {log}");
    }
}

#[test]
fn the_tool_hears_of_guests_and_plans() {
    let place = Place::new();
    let agent = place.start();
    place.told("STATUS=connected to libvirt");
    let guests = place.ask(&["guests", "--json"]);
    let guests: serde_json::Value = serde_json::from_slice(&guests.stdout).unwrap();
    assert_eq!(guests[0]["name"], "test");
    let plan = place.ask(&["plan", "test", "--json"]);
    let plan: serde_json::Value = serde_json::from_slice(&plan.stdout).unwrap();
    assert_eq!(plan["guest"]["name"], "test");
    let unknown = place.ask(&["plan", "nobody"]);
    assert_eq!(unknown.status.code(), Some(66));
    assert!(place.ask(&["history"]).status.success());
    drop(agent);
    assert_eq!(place.ask(&["status"]).status.code(), Some(69));
}

#[test]
fn a_wrong_setting_is_one_line_and_78() {
    let place = Place::new();
    place.configure("[announce]\nrounds = 51");
    for arguments in [&[][..], &["--check"]] {
        let output = place.command().args(arguments).output().unwrap();
        let log = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(78), "{log}");
        assert!(log.contains("macmoved.toml:2:"), "{log}");
        assert_eq!(log.lines().count(), 1, "{log}");
    }
    let missing = Command::new(env!("CARGO_BIN_EXE_macmoved"))
        .args(["--config", "/nonexistent/macmoved.toml"])
        .output()
        .unwrap();
    assert_eq!(missing.status.code(), Some(78));
}

#[test]
fn a_second_agent_is_refused_in_the_same_network_namespace() {
    let place = Place::new();
    let agent = place.start();
    place.told("READY=1");
    let other = Place::new();
    let pid = agent.0.id().to_string();
    let output = Command::new("nsenter")
        .args(["--net", "--target", &pid, "--"])
        .arg(env!("CARGO_BIN_EXE_macmoved"))
        .arg("--config")
        .arg(other.path("macmoved.toml"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(69));
    assert!(String::from_utf8_lossy(&output.stderr).contains("another macmoved"));
}

#[test]
fn a_usage_error_is_64_and_help_is_none() {
    let run = |argument: &str| {
        Command::new(env!("CARGO_BIN_EXE_macmoved"))
            .arg(argument)
            .output()
            .unwrap()
    };
    assert_eq!(run("--nonsense").status.code(), Some(64));
    assert_eq!(run("--help").status.code(), Some(0));
    assert!(String::from_utf8_lossy(&run("--version").stdout).starts_with("macmoved 0."));
}
