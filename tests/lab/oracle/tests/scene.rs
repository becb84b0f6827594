//! A capture, made up.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use tempfile::tempdir;

use crate::evidence::{Evidence, guest_mac};
use crate::oracle::{Expect, Rule, Violation, announcement, judge};

/// When the scene begins: Sun Nov 22 00:50:43 2026, in seconds since the Unix epoch.
pub(super) const BEGIN: i64 = 1_795_308_643;
/// Milliseconds of the scene's steps from there.
pub(super) const STOP: f64 = 400.0;
pub(super) const COMPLETED: f64 = 420.0;
pub(super) const RESUME: f64 = 430.0;
pub(super) const ROUNDS: [f64; 5] = [430.2, 480.3, 630.4, 880.2, 1_230.1];

/// What the vantage points saw: milliseconds from the begin, and what.
#[derive(Default)]
pub(super) struct Scene {
    pub(super) ports: BTreeMap<&'static str, Vec<(f64, Vec<u8>)>>,
    pub(super) links: BTreeMap<&'static str, Vec<(f64, Sighting)>>,
    pub(super) fdb: BTreeMap<&'static str, Vec<(f64, String)>>,
    pub(super) qmp: BTreeMap<&'static str, Vec<(f64, &'static str, u8)>>,
    pub(super) migrations: Vec<(f64, &'static str, &'static str, u8)>,
}

/// A frame on a link.
pub(super) struct Sighting {
    pub(super) link: u8,
    pub(super) out: bool,
    pub(super) frame: Vec<u8>,
}

pub(super) const UPLINK: u8 = 2;
pub(super) const TAP: u8 = 7;

impl Scene {
    /// Guest 1 goes from a to b and is announced whole.
    pub(super) fn whole() -> Self {
        let mut scene = Self::default();
        scene.migrate(1, 0.0, "a", "b");
        scene.port("a-br0", 100.0, echo_reply(1));
        scene.port("b-br0", COMPLETED + 0.5, announcement(guest_mac(0, 1)));
        scene.link(
            "b",
            COMPLETED + 0.4,
            TAP,
            false,
            announcement(guest_mac(0, 1)),
        );
        scene.link(
            "b",
            COMPLETED + 0.5,
            UPLINK,
            true,
            announcement(guest_mac(0, 1)),
        );
        // The flood reaches the source, whose bridge learns from it.
        scene.link(
            "a",
            COMPLETED + 0.6,
            UPLINK,
            false,
            announcement(guest_mac(0, 1)),
        );
        scene.learn("fabric", COMPLETED + 0.7, 1, "b-br0");
        scene.learn("a", COMPLETED + 0.8, 1, "up0");
        for round in ROUNDS {
            scene.port("b-br0", round, announcement(guest_mac(0, 1)));
        }
        scene
    }

    pub(super) fn migrate(&mut self, guest: u8, begin: f64, from: &'static str, to: &'static str) {
        self.migrations.push((begin, from, to, guest));
        let at = |step: f64| begin + step;
        self.qmp(from, at(STOP), "STOP", guest);
        self.qmp(to, at(COMPLETED), "MIGRATION", guest);
        self.qmp(to, at(RESUME), "RESUME", guest);
    }

    /// Guest 1 stops at a to go to b, has arrived there whole, and is run again at a.
    pub(super) fn rolled_back() -> Self {
        let mut scene = Self::default();
        scene.migrations.push((0.0, "a", "b", 1));
        scene.qmp("a", STOP, "STOP", 1);
        scene.qmp("b", COMPLETED, "MIGRATION", 1);
        scene.qmp("a", RESUME, "RESUME", 1);
        scene.port("b-br0", COMPLETED + 0.5, announcement(guest_mac(0, 1)));
        scene.learn("fabric", COMPLETED + 0.6, 1, "b-br0");
        for round in ROUNDS {
            scene.port("a-br0", round, announcement(guest_mac(0, 1)));
        }
        scene.learn("fabric", ROUNDS[0] + 0.1, 1, "a-br0");
        scene.port("a-br0", 2_000.0, echo_reply(1));
        scene
    }

    pub(super) fn qmp(&mut self, host: &'static str, at: f64, event: &'static str, guest: u8) {
        self.qmp.entry(host).or_default().push((at, event, guest));
    }

    pub(super) fn port(&mut self, port: &'static str, at: f64, frame: Vec<u8>) {
        self.ports.entry(port).or_default().push((at, frame));
    }

    pub(super) fn link(
        &mut self,
        host: &'static str,
        at: f64,
        link: u8,
        out: bool,
        frame: Vec<u8>,
    ) {
        let sighting = Sighting { link, out, frame };
        self.links.entry(host).or_default().push((at, sighting));
    }

    pub(super) fn learn(&mut self, place: &'static str, at: f64, guest: u8, port: &str) {
        let line = format!("{} dev {port} master bridge ", guest_mac(0, guest));
        self.fdb.entry(place).or_default().push((at, line));
    }

    /// Writes the files that `capture` writes.
    pub(super) fn write(&self, dir: &Path) {
        let write = |name: &str, octets: &[u8]| {
            fs::write(dir.join(name), octets).expect("the directory is there");
        };
        for (port, frames) in &self.ports {
            let records = in_order(frames).into_iter();
            let records = records.map(|(at, frame)| (*at, frame.clone()));
            write(&format!("port-{port}.pcap"), &pcap(1, records));
        }
        for (host, sightings) in &self.links {
            let records = in_order(sightings).into_iter();
            let records = records.map(|(at, sighting)| (*at, cooked(sighting)));
            write(&format!("any-{host}.pcap"), &pcap(276, records));
            let names = "2: up0@if5: <UP>\nDeleted 7: vnet0: <UP>\n";
            write(&format!("links-{host}.txt"), names.as_bytes());
        }
        for (place, changes) in &self.fdb {
            let mut text = String::new();
            for (at, line) in in_order(changes) {
                let micros = micros(*at);
                let (second, rest) = (43 + micros / 1_000_000, micros % 1_000_000);
                writeln!(
                    text,
                    "Timestamp: Sun Nov 22 00:50:{second} 2026 {rest} usec\n{line}"
                )
                .expect("a string takes it");
            }
            write(&format!("fdb-{place}.txt"), text.as_bytes());
        }
        for (host, events) in &self.qmp {
            let mut accounts = BTreeMap::<_, String>::new();
            for (at, event, guest) in events {
                let micros = micros(*at);
                let (second, rest) = (BEGIN + micros / 1_000_000, micros % 1_000_000);
                let data = match *event {
                    "MIGRATION" => r#", "data": {"status": "completed"}"#,
                    _ => "",
                };
                let text = accounts
                    .entry(guest)
                    .or_insert_with(|| "{\"return\": {}}\n".to_owned());
                writeln!(
                    text,
                    r#"{{"timestamp": {{"seconds": {second}, "microseconds": {rest}}}, "event": "{event}"{data}}}"#
                )
                .expect("a string takes it");
            }
            for (guest, text) in accounts {
                write(&format!("qmp-{host}-{guest}.txt"), text.as_bytes());
            }
        }
        let mut text = String::new();
        fs::create_dir(dir.join("guests")).expect("the directory is there");
        for (at, from, to, guest) in &self.migrations {
            let begin = BEGIN * 1_000_000 + micros(*at);
            let name = name(*guest);
            writeln!(text, "{begin} {begin} 0 {from} {to} {name}").expect("a string takes it");
            write(&format!("guests/{guest}"), format!("1 {name}").as_bytes());
        }
        write("migrations.txt", text.as_bytes());
    }

    pub(super) fn violations(&self, expect: &Expect) -> Vec<Violation> {
        let dir = tempdir().expect("a directory");
        self.write(dir.path());
        let evidence = Evidence::read(dir.path()).expect("the scene is readable");
        judge(&evidence, expect)
    }

    /// Asserts that the oracle finds what breaks `rule`, and that it says each of `words`.
    #[track_caller]
    pub(super) fn breaks(&self, rule: Rule, words: &[&str]) {
        self.breaks_under(&Expect::default(), rule, words);
    }

    #[track_caller]
    pub(super) fn breaks_under(&self, expect: &Expect, rule: Rule, words: &[&str]) {
        let violations = self.violations(expect);
        let named = violations.iter().any(|violation| {
            violation.rule == rule && words.iter().all(|word| violation.what.contains(word))
        });
        assert!(
            named,
            "{rule:?} with {words:?} is not among {violations:#?}"
        );
    }
}

/// A name that a log could be misread by.
pub(super) fn name(guest: u8) -> String {
    format!("guest '{guest}': {{\"status\":\"completed\"}} at 1.1 for domain ")
}

pub(super) fn echo_reply(guest: u8) -> Vec<u8> {
    let mut frame = vec![0x02, 0, 0, 0, 0, 0];
    frame.extend(guest_mac(0, guest).octets());
    frame.extend([0x08, 0x00, 0x45]);
    frame.resize(98, 0);
    frame
}

pub(super) fn in_order<T>(timed: &[(f64, T)]) -> Vec<&(f64, T)> {
    let mut timed: Vec<_> = timed.iter().collect();
    timed.sort_by(|one, other| one.0.total_cmp(&other.0));
    timed
}

pub(super) fn micros(millis: f64) -> i64 {
    #[expect(clippy::cast_possible_truncation, reason = "a few seconds")]
    let micros = (millis * 1_000.0).round() as i64;
    micros
}

pub(super) fn pcap(link_type: u32, records: impl Iterator<Item = (f64, Vec<u8>)>) -> Vec<u8> {
    let words =
        |words: &[u32]| -> Vec<u8> { words.iter().flat_map(|word| word.to_ne_bytes()).collect() };
    let mut file = words(&[0xa1b2_3c4d, 0x0004_0002, 0, 0, 128, link_type]);
    for (at, octets) in records {
        let micros = micros(at);
        let seconds = u32::try_from(BEGIN + micros / 1_000_000).expect("before 2106");
        let nanos = u32::try_from(micros % 1_000_000 * 1_000).expect("below a second");
        let length = u32::try_from(octets.len()).expect("a frame");
        file.extend(words(&[seconds, nanos, length, length]));
        file.extend(octets);
    }
    file
}

/// The frame as the kernel's cooked captures have it.
pub(super) fn cooked(sighting: &Sighting) -> Vec<u8> {
    let frame = &sighting.frame;
    let packet_type = if sighting.out { 4 } else { 1 };
    let mut octets = frame[12..14].to_vec();
    octets.extend([0, 0, 0, 0, 0, sighting.link, 0, 1, packet_type, 6]);
    octets.extend(&frame[6..12]);
    octets.extend([0, 0]);
    octets.extend(&frame[14..]);
    octets
}
