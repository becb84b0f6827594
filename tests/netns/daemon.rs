//! The daemon itself, as an operator meets it.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::world::sh;

/// A libvirt that is not there.
pub(crate) const NO_LIBVIRT: &str = "qemu+unix:///system?socket=/nonexistent";

/// A running daemon.
pub(crate) struct Daemon<'d> {
    directory: &'d Path,
    child: Child,
}

impl<'d> Daemon<'d> {
    /// Starts it in a directory of its own and waits until it answers.
    pub(crate) fn start(directory: &'d Path, uri: &str) -> Self {
        let configuration = format!(
            "[libvirt]\nuri = \"{uri}\"\n\
             [control]\nsocket = \"{0}/control.sock\"\n\
             [hook]\nsocket = \"{0}/hook.sock\"\n[state]\ndirectory = \"{0}/state\"\n",
            directory.display()
        );
        fs::write(directory.join("macmoved.toml"), configuration).unwrap();
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(directory.join("log"))
            .unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_macmoved"))
            .arg("--config")
            .arg(directory.join("macmoved.toml"))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let daemon = Self { directory, child };
        daemon.wait_for("an answer", |daemon| {
            daemon.ask(&["status"]).status.success()
        });
        daemon
    }

    pub(crate) fn ask(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_macmovectl"))
            .arg("--socket")
            .arg(self.directory.join("control.sock"))
            .args(arguments)
            .output()
            .unwrap()
    }

    pub(crate) fn says(&self, arguments: &[&str]) -> String {
        let output = self.ask(arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    pub(crate) fn brakes(&self) -> Value {
        let status: Value = serde_json::from_str(&self.says(&["status", "--json"])).unwrap();
        status["brakes"].clone()
    }

    /// The value of a metric, with its labels as it stands in `/metrics`.
    pub(crate) fn metric(&self, name: &str) -> String {
        let mut stream = TcpStream::connect("127.0.0.1:11868").unwrap();
        stream
            .write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
            .unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let mut lines = text.lines();
        let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        let in_place = || self.directory.display();
        value
            .unwrap_or_else(|| panic!("{}: no {name}", in_place()))
            .to_owned()
    }

    pub(crate) fn wait_for(&self, what: &str, mut come: impl FnMut(&Self) -> bool) {
        let begin = Instant::now();
        while !come(self) {
            let log = || fs::read_to_string(self.directory.join("log")).unwrap();
            assert!(
                begin.elapsed() < Duration::from_secs(20),
                "{what} did not come\n{}",
                log()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    pub(crate) fn end(mut self, signal: &str) {
        sh(&format!("kill -{signal} {}", self.child.id()));
        self.child.wait().unwrap();
    }
}

impl Drop for Daemon<'_> {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
