//! libvirt's hook script, as libvirt calls it: whatever the daemon does, it is quick, silent and
//! content.

use std::env;
use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::{Agent, PATIENCE, Place};

const SCRIPT: &str = include_str!("../../hooks/50-macmoved");
pub(super) const MACMOVECTL: &str = env!("CARGO_BIN_EXE_macmovectl");

/// What no user of a machine is.
const NOBODY: u32 = 65_534;

impl Place {
    /// Starts the daemon and waits until it has read every guest. Its words to the service manager
    /// are taken by somebody all the time, for it waits for whoever does not listen.
    pub(super) fn begin(&self) -> Agent {
        let listener = self.notify.try_clone().unwrap();
        thread::spawn(move || while listener.recv(&mut [0; 4096]).is_ok() {});
        let agent = self.start();
        let end = Instant::now() + PATIENCE;
        let resynced = || {
            let answer = self.ask(&["status", "--json"]).stdout;
            let status: Option<serde_json::Value> = serde_json::from_slice(&answer).ok();
            status.is_some_and(|status| status["libvirt"]["resynced"] == true)
        };
        while !resynced() {
            assert!(Instant::now() < end, "the daemon does not begin");
        }
        agent
    }

    /// The script, with another program in place of the installed one.
    pub(super) fn script(&self, program: &str) -> PathBuf {
        // Whoever runs it has to reach it.
        fs::set_permissions(self.directory.path(), Permissions::from_mode(0o755)).unwrap();
        let script = SCRIPT.replace("/usr/bin/macmovectl", program);
        assert_ne!(script, SCRIPT);
        self.program("50-macmoved", &script)
    }

    /// An executable file, written by another process: what this one has open for writing cannot be
    /// executed, and another test's child may hold it open.
    fn program(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        let mut writer = Command::new("install")
            .args(["-m", "755", "/dev/stdin"])
            .arg(&path)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = writer.stdin.take().unwrap();
        input.write_all(text.as_bytes()).unwrap();
        drop(input);
        assert!(writer.wait().unwrap().success());
        path
    }

    pub(super) fn hook(&self, command: &mut Command, xml: &[u8]) -> Output {
        let mut child = command
            .env("MACMOVED_HOOK__SOCKET", self.path("hook.sock"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // libvirt takes a pipe that nobody reads for an early end.
        child.stdin.take().unwrap().write_all(xml).ok();
        child.wait_with_output().unwrap()
    }

    /// Calls the script as libvirt does, and fails unless it is content in silence.
    #[track_caller]
    fn call(&self, operation: &str, xml: &[u8]) {
        let script = self.script(MACMOVECTL);
        let mut command = Command::new(script);
        command.args(["web", operation, phase(operation), "-"]);
        assert_content(&self.hook(&mut command, xml));
    }
}

fn phase(operation: &str) -> &'static str {
    if matches!(operation, "stopped" | "release") {
        "end"
    } else {
        "begin"
    }
}

#[track_caller]
pub(super) fn assert_content(output: &Output) {
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(
        output.stdout.is_empty() && output.stderr.is_empty(),
        "{output:?}"
    );
}

/// The XML of an arriving guest.
pub(super) fn xml(number: usize) -> Vec<u8> {
    format!(
        "<domain type='kvm'><name>web</name><uuid>6d6d0000-0000-4000-9000-{number:012}</uuid>\
         <devices><interface type='bridge'><mac address='52:54:00:00:00:01'/>\
         <source bridge='br0'/><target dev='vnet0'/></interface></devices></domain>"
    )
    .into_bytes()
}

impl Agent {
    /// The sum of all series of a family, or of those that begin so.
    pub(super) fn sum(&self, series: &str) -> u64 {
        let metrics = self.get("/metrics");
        let values = metrics.lines().filter(|line| line.starts_with(series));
        let values = values.filter_map(|line| line.rsplit(' ').next());
        values
            .map(|value| value.trim().parse::<u64>().unwrap())
            .sum()
    }

    #[track_caller]
    pub(super) fn counts(&self, series: &str, expected: u64) {
        let end = Instant::now() + PATIENCE;
        while self.sum(series) != expected && Instant::now() < end {
            thread::sleep(Duration::from_millis(20));
        }
        let metrics = self.get("/metrics");
        let hooks: Vec<_> = metrics
            .lines()
            .filter(|line| line.starts_with("macmove_hook_") && !line.ends_with(" 0"))
            .collect();
        assert_eq!(self.sum(series), expected, "{series}: {hooks:#?}");
    }

    pub(super) fn resident_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line.unwrap()
            .split_whitespace()
            .next()
            .unwrap()
            .parse()
            .unwrap()
    }
}

#[test]
fn every_operation_is_counted_and_a_foretold_guest_is_staged() {
    let place = Place::new();
    let agent = place.begin();
    for operation in [
        "migrate",
        "prepare",
        "start",
        "started",
        "stopped",
        "release",
        "reconnect",
        "attach",
        "restore",
        "nonsense",
    ] {
        place.call(operation, &xml(1));
        let label = if operation == "nonsense" {
            "other"
        } else {
            operation
        };
        agent.counts(
            &format!("macmove_hook_calls_total{{operation=\"{label}\"}}"),
            1,
        );
    }
    agent.counts("macmove_hook_errors_total", 0);
    // Of a guest that runs here it is no news.
    let default = "6695eb01-f6a4-8304-79aa-97f2502e193f";
    let here = format!("<domain><uuid>{default}</uuid></domain>");
    place.call("migrate", here.as_bytes());
    agent.counts("macmove_hook_hints_total{outcome=\"needless\"}", 1);
    let (status, log) = agent.stop();
    assert_eq!(status, Some(0), "{log}");
    assert!(
        !place.path("hook.sock").exists(),
        "the socket is left behind"
    );
}

#[test]
fn the_hook_is_content_whatever_the_daemon_does() {
    let place = Place::new();
    place.call("start", &xml(1));
    let agent = place.begin();
    let mode = fs::symlink_metadata(place.path("hook.sock"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o7777, 0o600);
    agent.signal("STOP");
    // More than may wait for it.
    for _ in 0..100 {
        place.call("reconnect", &xml(1));
    }
    agent.signal("CONT");
    let heard = "macmove_hook_calls_total{operation=\"reconnect\"}";
    let end = Instant::now() + PATIENCE;
    while agent.sum(heard) < 64 {
        assert!(Instant::now() < end, "those that found room are heard");
    }
    agent.signal("KILL");
    drop(agent);
    assert!(place.path("hook.sock").exists(), "a dead one's socket");
    place.call("start", &xml(1));
    let successor = place.begin();
    place.call("start", &xml(1));
    successor.counts("macmove_hook_calls_total{operation=\"start\"}", 1);
    fs::remove_file(place.path("hook.sock")).unwrap();
    place.call("start", &xml(1));
}

#[test]
fn what_is_too_long_is_left_out_and_what_is_no_guest_is_counted() {
    let place = Place::new();
    let agent = place.begin();
    place.call("start", &vec![b'x'; 10 << 20]);
    agent.counts("macmove_hook_errors_total{reason=\"without_xml\"}", 1);
    place.call("start", b"<domain");
    agent.counts("macmove_hook_errors_total{reason=\"xml\"}", 1);
    let mut words = Command::new(place.script(MACMOVECTL));
    // Longer than any that libvirt passes: it is not even sent.
    words.args((0..100).map(|_| "\u{1b}[31m".repeat(1_000)));
    assert_content(&place.hook(&mut words, b""));
    for words in [&[][..], &["--help"], &["--json", "--version"], &["a\nb"; 9]] {
        let mut command = Command::new(MACMOVECTL);
        command.arg("hook").args(words);
        assert_content(&place.hook(&mut command, b""));
    }
    agent.counts("macmove_hook_calls_total{operation=\"other\"}", 4);
    agent.counts("macmove_hook_errors_total", 2);
}

#[test]
fn a_caller_that_is_not_root_is_counted_and_not_heard() {
    let place = Place::new();
    let agent = place.begin();
    // The binary may be where only root can reach it.
    let copy = place.path("macmovectl");
    let copied = Command::new("cp").arg(MACMOVECTL).arg(&copy).status();
    assert!(copied.unwrap().success());
    let script = place.script(copy.to_str().unwrap());
    let call = || {
        let mut command = Command::new(&script);
        command
            .args(["web", "start", "begin", "-"])
            .current_dir("/");
        command.uid(NOBODY).gid(NOBODY);
        assert_content(&place.hook(&mut command, &xml(1)));
    };
    call();
    agent.counts("macmove_hook_errors_total", 0);
    // As where somebody has opened what is closed.
    fs::set_permissions(place.path("hook.sock"), Permissions::from_mode(0o666)).unwrap();
    call();
    agent.counts("macmove_hook_errors_total{reason=\"caller\"}", 1);
    agent.counts("macmove_hook_calls_total", 0);
}

#[test]
fn the_script_is_content_with_a_program_that_fails_in_any_way() {
    let place = Place::new();
    for (name, text) in [
        (
            "talks",
            "#!/bin/sh\necho '<domain/>'\necho no >&2\nexit 3\n",
        ),
        ("killed", "#!/bin/sh\nkill -KILL $$\n"),
        ("broken", "#!/bin/sh\nkill -SEGV $$\n"),
        ("no-interpreter", "#!/nonexistent\n"),
        ("no-program", "\x7fELF, but not really"),
    ] {
        let script = place.script(place.program(name, text).to_str().unwrap());
        assert_content(&place.hook(&mut Command::new(&script), &xml(1)));
        // And where no process can be started at all.
        let mut alone = Command::new("prlimit");
        alone.args([
            "--nproc=0",
            "setpriv",
            "--reuid=65534",
            "--regid=65534",
            "--clear-groups",
        ]);
        assert_content(&place.hook(alone.arg(&script).current_dir("/"), &xml(1)));
    }
    let script = place.script("/nonexistent/macmovectl");
    assert_content(&place.hook(&mut Command::new(script), &xml(1)));
}

#[test]
fn the_hook_is_content_where_no_disk_has_room() {
    let place = Place::new();
    let script = place.script(MACMOVECTL);
    let full = r#"set -e
        mount -t tmpfs -o size=4k full "$1"
        head -c 8192 /dev/zero >"$1/full" 2>"$1/full" || true
        ! echo x >"$1/more" 2>/dev/null
        cd "$1"
        TMPDIR=$1 HOME=$1 exec "$2" web start begin -"#;
    let disk = place.path("disk");
    fs::create_dir(&disk).unwrap();
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "sh", "-c", full, "full"])
        .arg(disk)
        .arg(script);
    assert_content(&place.hook(&mut command, &xml(1)));
}
