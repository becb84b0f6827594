//! Drives the lab's commands. What fails, fails the test, with the command's own words.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, UNIX_EPOCH};
use std::{env, fs, process, thread};

use crate::evidence::{Evidence, Stamp, guest_mac};

/// Where a test run keeps its lab, apart from the demo's and from one brought up by hand.
const LAB_DIR: &str = "/run/macmoved-tests";

/// One lab at a time, also where tests run in several threads.
static ONE_LAB: Mutex<()> = Mutex::new(());

/// A lab that stands as long as this.
pub(crate) struct Lab {
    dir: PathBuf,
    evidence: PathBuf,
    _only: MutexGuard<'static, ()>,
}

/// A guest to start.
#[derive(Clone, Debug)]
pub(crate) struct Guest {
    name: String,
    number: u8,
    options: Vec<String>,
}

/// Echo requests on their way from the peer to a guest.
pub(crate) struct Calls<'a> {
    lab: &'a Lab,
    ping: Child,
    pid: String,
}

/// What a host's QEMUs say from a moment on.
pub(crate) struct Watch {
    log: PathBuf,
    from: usize,
}

impl Guest {
    /// A silent guest with one NIC, `number` from 1 to 253.
    pub(crate) fn silent(number: u8) -> Self {
        Self {
            name: format!("guest-{number}"),
            number,
            options: Vec::new(),
        }
    }

    /// With options of `tests/lab/guest`.
    pub(crate) fn with(mut self, options: &[&str]) -> Self {
        self.options
            .extend(options.iter().map(|&option| option.to_owned()));
        self
    }

    /// Under another name.
    pub(crate) fn named(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    /// Its name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Its number.
    pub(crate) const fn number(&self) -> u8 {
        self.number
    }

    /// The MAC address of its first NIC.
    pub(crate) fn mac(&self) -> String {
        guest_mac(0, self.number).to_string()
    }

    /// Its address in guest network `nic`.
    pub(crate) fn address(&self, nic: u8) -> String {
        let net = ["192.0.2", "198.51.100"][usize::from(nic)];
        format!("{net}.{}", self.number)
    }
}

impl Lab {
    /// Brings up a lab of `hosts` hosts for the test `case`.
    pub(crate) fn up(case: &str, hosts: u8) -> Self {
        let only = ONE_LAB.lock().unwrap_or_else(PoisonError::into_inner);
        let evidence = cache().join("evidence").join(case);
        if evidence.exists() {
            fs::remove_dir_all(&evidence).expect("the last run's evidence can be removed");
        }
        let lab = Self {
            dir: env::var_os("LAB_DIR").map_or_else(|| LAB_DIR.into(), PathBuf::from),
            evidence,
            _only: only,
        };
        lab.run("up", &["--hosts", &hosts.to_string()]);
        lab
    }

    /// Starts a guest and waits until it answers.
    pub(crate) fn start(&self, guest: &Guest, host: &str) {
        let number = guest.number.to_string();
        let mut words = vec!["start", &guest.name, host, "--number", &number];
        words.extend(guest.options.iter().map(String::as_str));
        self.run("guest", &words);
    }

    /// Live-migrates a guest.
    pub(crate) fn migrate(&self, guest: &Guest, from: &str, to: &str, options: &[&str]) {
        let mut words = vec![guest.name.as_str(), from, to];
        words.extend(options);
        self.run("migrate", &words);
    }

    /// Tries to; whether it succeeds. It has to end within a minute.
    pub(crate) fn try_migrate(
        &self,
        guest: &Guest,
        from: &str,
        to: &str,
        options: &[&str],
    ) -> bool {
        let ended = self.try_migrate_for(Duration::from_secs(60), guest, (from, to), options);
        let Some(succeeded) = ended else {
            panic!("{}: the migration does not end", guest.name);
        };
        succeeded
    }

    /// Tries to; whether it succeeds, and none where it does not end in time.
    pub(crate) fn try_migrate_for(
        &self,
        limit: Duration,
        guest: &Guest,
        (from, to): (&str, &str),
        options: &[&str],
    ) -> Option<bool> {
        let mut command = self.command("migrate");
        command.args([&guest.name, from, to]).args(options);
        let begin = Instant::now();
        let mut migrate = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the lab's commands can be run");
        while begin.elapsed() < limit {
            if let Some(status) = migrate.try_wait().expect("it is our child") {
                return Some(status.success());
            }
            pause(20);
        }
        migrate.kill().expect("it is our child");
        migrate.wait().expect("it is our child");
        None
    }

    /// A file in `/run` of a host, as it is reached from here.
    pub(crate) fn run_file(&self, host: &str, name: &str) -> PathBuf {
        self.dir.join(host).join("run").join(name)
    }

    /// Listens to what QEMU says on a host from here on.
    pub(crate) fn watch(&self, host: &str) -> Watch {
        let log = self.run_file(host, "qmp.log");
        let from = fs::read(&log).expect("libvirtd runs").len();
        Watch { log, from }
    }

    /// Runs a command on a host, on the peer or in the fabric, and returns what it prints.
    pub(crate) fn host(&self, place: &str, words: &[&str]) -> String {
        let mut all = vec![place];
        all.extend(words);
        self.run("host", &all)
    }

    /// Sends a frame by a packet socket on a link.
    pub(crate) fn send(&self, place: &str, link: &str, frame: &[u8]) {
        let digits: Vec<_> = frame.iter().map(|octet| format!("{octet:02x}")).collect();
        self.run("send", &[place, link, &digits.concat()]);
    }

    /// Starts the agent on a host with a configuration and further options, and waits until it is
    /// ready.
    pub(crate) fn agent(&self, host: &str, configuration: &str, options: &[&str]) {
        self.start_agent("start", host, configuration, options);
    }

    /// The same where libvirt may not answer: waits until the agent lives.
    pub(crate) fn launch_agent(&self, host: &str, configuration: &str) {
        self.start_agent("launch", host, configuration, &[]);
    }

    fn start_agent(&self, verb: &str, host: &str, configuration: &str, options: &[&str]) {
        let file = self.dir.join(format!("{host}.toml"));
        fs::write(&file, configuration).expect("the lab's directory can be written to");
        let file = file.to_str().expect("a plain path");
        let mut words = vec![host, verb, "--config", file];
        words.extend(options);
        self.run("agent", &words);
    }

    /// Waits until the agent of a host is connected to libvirt and knows its guests.
    pub(crate) fn wait_for_agent(&self, host: &str) {
        // It may take a while to hear that libvirt was lost, and half a minute to try again.
        pause(200);
        self.wait_for("agent", &[host, "get", "/-/ready"]);
    }

    /// Runs a command of the lab until it succeeds.
    pub(crate) fn wait_for(&self, command: &str, words: &[&str]) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while !self.try_run(command, words).status.success() {
            assert!(
                Instant::now() < deadline,
                "{command} {words:?} never succeeds"
            );
            pause(100);
        }
    }

    /// What the agent of a host has logged.
    pub(crate) fn log(&self, host: &str) -> String {
        let log = self.dir.join(host).join("run/macmoved.log");
        fs::read_to_string(log).expect("the agent has a log")
    }

    /// When libvirt of a host said `Started Migrated`, to the millisecond in which it was heard.
    pub(crate) fn started_migrated(&self, host: &str) -> Vec<Stamp> {
        let log = self.dir.join(host).join("run/events.log");
        let text = fs::read_to_string(log).expect("libvirt has a listener");
        let lines = text
            .lines()
            .filter(|line| line.ends_with(": Started Migrated"));
        // 2026-11-22 00:50:42.032+0000: event 'lifecycle' for domain 'NAME': Started Migrated
        let stamp = |line: &str| {
            let at = line.split_once("+0000: ")?.0.replacen(' ', "T", 1);
            let at = humantime::parse_rfc3339(&format!("{at}Z")).ok()?;
            let since = at.duration_since(UNIX_EPOCH).ok()?;
            Some(Stamp(i64::try_from(since.as_nanos()).ok()?))
        };
        lines
            .map(|line| stamp(line).expect("a time in UTC"))
            .collect()
    }

    /// Asks the agent of a host by `macmovectl`.
    pub(crate) fn ctl(&self, host: &str, words: &[&str]) -> String {
        let mut all = vec![env!("CARGO_BIN_EXE_macmovectl")];
        all.extend(words);
        self.host(host, &all)
    }

    /// Calls a guest from the peer every `interval`.
    pub(crate) fn call(&self, guest: &Guest, nic: u8, interval: Duration) -> Calls<'_> {
        let seconds = interval.as_secs_f64().to_string();
        let mut ping = self
            .command("host")
            .args([
                "peer",
                "sh",
                "-c",
                "echo $$; exec ping -q -i \"$0\" \"$1\" >/dev/null",
                &seconds,
            ])
            .arg(guest.address(nic))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the peer can be asked");
        let output = ping.stdout.take().expect("it is piped");
        let mut pid = String::new();
        BufReader::new(output)
            .read_line(&mut pid)
            .expect("the shell says its pid");
        let pid = pid.trim().to_owned();
        Calls {
            lab: self,
            ping,
            pid,
        }
    }

    /// Records what happens while `scene` plays, and reads it.
    pub(crate) fn capture(&self, name: &str, scene: impl FnOnce()) -> Evidence {
        let dir = self.evidence.join(name);
        let path = dir.to_str().expect("a plain path");
        self.run("capture", &["start", path]);
        scene();
        self.run("capture", &["stop", path]);
        Evidence::read(&dir).expect("the capture can be read")
    }

    /// Runs a command of the lab that must succeed, and returns what it prints.
    pub(crate) fn run(&self, command: &str, words: &[&str]) -> String {
        let output = self.try_run(command, words);
        assert!(
            output.status.success(),
            "{command} {words:?}: {}\n{}{}",
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Runs a command of the lab that may fail.
    pub(crate) fn try_run(&self, command: &str, words: &[&str]) -> Output {
        let mut command = self.command(command);
        command.args(words).stdin(Stdio::null());
        command.output().expect("the lab's commands can be run")
    }

    fn command(&self, name: impl AsRef<OsStr>) -> Command {
        let lab = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab");
        let mut command = Command::new(lab.join(name.as_ref()));
        command.env("LAB_DIR", &self.dir);
        if env::var_os("LAB_OWNER").is_none() {
            command.env("LAB_OWNER", process::id().to_string());
        }
        command.env("MACMOVED", env!("CARGO_BIN_EXE_macmoved"));
        command.env("MACMOVECTL", env!("CARGO_BIN_EXE_macmovectl"));
        command
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        // A test that failed has said so by now; the next `up` cleans as well.
        if thread::panicking() {
            for host in ["a", "b", "c"] {
                let log = self.dir.join(host).join("run/macmoved.log");
                if let Ok(text) = fs::read_to_string(log) {
                    println!("macmoved of host {host}:\n{text}");
                }
            }
            self.try_run("down", &[]);
        } else {
            self.run("down", &[]);
        }
    }
}

impl Watch {
    /// Waits until it says these words.
    pub(crate) fn wait(&self, words: &str) {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let log = fs::read(&self.log).expect("it was there");
            if String::from_utf8_lossy(&log[self.from..]).contains(words) {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "{} does not say {words}",
                self.log.display()
            );
            pause(5);
        }
    }
}

impl Drop for Calls<'_> {
    fn drop(&mut self) {
        self.lab.try_run("host", &["peer", "kill", &self.pid]);
        self.ping.wait().ok();
    }
}

/// Lets the network be.
pub(crate) fn pause(millis: u64) {
    thread::sleep(Duration::from_millis(millis));
}

/// Writes a line of figures down for `tests/run --measure`.
pub(crate) fn record(line: &str) {
    let file = fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(cache().join("figures.txt"));
    writeln!(file.expect("the cache can be written to"), "{line}").expect("there is room");
}

fn cache() -> PathBuf {
    // CARGO_TARGET_TMPDIR is `tmp` in the target directory.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .parent()
        .expect("a directory in target");
    target.join("lab")
}
