//! A capture of one good migration, and what the oracle says when something is planted in it.

mod retraction;
mod rollback;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use tempfile::tempdir;

use super::{Expect, Pacing, Rule, Violation, announcement, judge};
use crate::evidence::{Evidence, ReadEvidenceError, guest_mac};

/// When the scene begins: Sun Nov 22 00:50:43 2026, in seconds since the Unix epoch.
const BEGIN: i64 = 1_795_308_643;
/// Milliseconds of the scene's steps from there.
const STOP: f64 = 400.0;
const COMPLETED: f64 = 420.0;
const RESUME: f64 = 430.0;
const ROUNDS: [f64; 5] = [430.2, 480.3, 630.4, 880.2, 1_230.1];

/// What the vantage points saw: milliseconds from the begin, and what.
#[derive(Default)]
struct Scene {
    ports: BTreeMap<&'static str, Vec<(f64, Vec<u8>)>>,
    links: BTreeMap<&'static str, Vec<(f64, Sighting)>>,
    fdb: BTreeMap<&'static str, Vec<(f64, String)>>,
    qmp: BTreeMap<&'static str, Vec<(f64, &'static str, u8)>>,
    migrations: Vec<(f64, &'static str, &'static str, u8)>,
}

/// A frame on a link.
struct Sighting {
    link: u8,
    out: bool,
    frame: Vec<u8>,
}

const UPLINK: u8 = 2;
const TAP: u8 = 7;

impl Scene {
    /// Guest 1 goes from a to b and is announced whole.
    fn whole() -> Self {
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

    fn migrate(&mut self, guest: u8, begin: f64, from: &'static str, to: &'static str) {
        self.migrations.push((begin, from, to, guest));
        let at = |step: f64| begin + step;
        self.qmp(from, at(STOP), "STOP", guest);
        self.qmp(to, at(COMPLETED), "MIGRATION", guest);
        self.qmp(to, at(RESUME), "RESUME", guest);
    }

    /// Guest 1 stops at a to go to b, has arrived there whole, and is run again at a.
    fn rolled_back() -> Self {
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

    fn qmp(&mut self, host: &'static str, at: f64, event: &'static str, guest: u8) {
        self.qmp.entry(host).or_default().push((at, event, guest));
    }

    fn port(&mut self, port: &'static str, at: f64, frame: Vec<u8>) {
        self.ports.entry(port).or_default().push((at, frame));
    }

    fn link(&mut self, host: &'static str, at: f64, link: u8, out: bool, frame: Vec<u8>) {
        let sighting = Sighting { link, out, frame };
        self.links.entry(host).or_default().push((at, sighting));
    }

    fn learn(&mut self, place: &'static str, at: f64, guest: u8, port: &str) {
        let line = format!("{} dev {port} master bridge ", guest_mac(0, guest));
        self.fdb.entry(place).or_default().push((at, line));
    }

    /// Writes the files that `capture` writes.
    fn write(&self, dir: &Path) {
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

    fn violations(&self, expect: &Expect) -> Vec<Violation> {
        let dir = tempdir().expect("a directory");
        self.write(dir.path());
        let evidence = Evidence::read(dir.path()).expect("the scene is readable");
        judge(&evidence, expect)
    }

    /// Asserts that the oracle finds what breaks `rule`, and that it says each of `words`.
    #[track_caller]
    fn breaks(&self, rule: Rule, words: &[&str]) {
        self.breaks_under(&Expect::default(), rule, words);
    }

    #[track_caller]
    fn breaks_under(&self, expect: &Expect, rule: Rule, words: &[&str]) {
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
fn name(guest: u8) -> String {
    format!("guest '{guest}': {{\"status\":\"completed\"}} at 1.1 for domain ")
}

fn echo_reply(guest: u8) -> Vec<u8> {
    let mut frame = vec![0x02, 0, 0, 0, 0, 0];
    frame.extend(guest_mac(0, guest).octets());
    frame.extend([0x08, 0x00, 0x45]);
    frame.resize(98, 0);
    frame
}

fn in_order<T>(timed: &[(f64, T)]) -> Vec<&(f64, T)> {
    let mut timed: Vec<_> = timed.iter().collect();
    timed.sort_by(|one, other| one.0.total_cmp(&other.0));
    timed
}

fn micros(millis: f64) -> i64 {
    #[expect(clippy::cast_possible_truncation, reason = "a few seconds")]
    let micros = (millis * 1_000.0).round() as i64;
    micros
}

fn pcap(link_type: u32, records: impl Iterator<Item = (f64, Vec<u8>)>) -> Vec<u8> {
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
fn cooked(sighting: &Sighting) -> Vec<u8> {
    let frame = &sighting.frame;
    let packet_type = if sighting.out { 4 } else { 1 };
    let mut octets = frame[12..14].to_vec();
    octets.extend([0, 0, 0, 0, 0, sighting.link, 0, 1, packet_type, 6]);
    octets.extend(&frame[6..12]);
    octets.extend([0, 0]);
    octets.extend(&frame[14..]);
    octets
}

#[test]
fn a_whole_migration_keeps_every_invariant() {
    assert_eq!(Scene::whole().violations(&Expect::default()), []);
}

#[test]
fn a_frame_from_the_source_after_the_announcement() {
    let mut scene = Scene::whole();
    scene.port("a-br0", 700.0, echo_reply(1));
    scene.breaks(
        Rule::SourceSilent,
        &[
            "port-a-br0.pcap frame 2",
            "fabric port a-br0",
            "+270.000 ms from RESUME",
        ],
    );
    let mut scene = Scene::whole();
    scene.link("a", 700.0, TAP, false, echo_reply(1));
    scene.breaks(
        Rule::SourceSilent,
        &["any-a.pcap frame 2", "in by vnet0 of a"],
    );
}

#[test]
fn a_frame_from_the_destination_before_the_guest_arrived() {
    let mut scene = Scene::whole();
    scene.port("b-br0", COMPLETED - 0.1, announcement(guest_mac(0, 1)));
    scene.breaks(
        Rule::DestinationWaits,
        &["port-b-br0.pcap frame 1", "fabric port b-br0"],
    );
    let mut scene = Scene::whole();
    scene.link("b", COMPLETED - 0.1, TAP, false, echo_reply(1));
    scene.breaks(
        Rule::DestinationWaits,
        &["any-b.pcap frame 1", "in by vnet0 of b"],
    );
}

#[test]
fn a_round_that_is_missing() {
    for lost in 0..ROUNDS.len() {
        let mut scene = Scene::whole();
        let frames = scene.ports.get_mut("b-br0").expect("the announcements");
        frames.remove(1 + lost);
        let round = format!("round {},", lost + 1);
        scene.breaks(Rule::RoundMissing, &[&round, "port b-br0"]);
    }
}

#[test]
fn a_frame_that_is_no_round() {
    for at in [431.0, 700.0, 2_000.0] {
        let mut scene = Scene::whole();
        scene.port("b-br0", at, announcement(guest_mac(0, 1)));
        scene.breaks(Rule::RoundAstray, &["port-b-br0.pcap frame"]);
    }
}

#[test]
fn a_round_that_is_late() {
    let mut scene = Scene::whole();
    scene.ports.get_mut("b-br0").expect("the announcements")[3].0 += 401.0;
    scene.breaks(Rule::RoundMissing, &["round 3,"]);
    scene.breaks(
        Rule::RoundAstray,
        &["port-b-br0.pcap frame 5", "+601.400 ms from RESUME"],
    );
}

#[test]
fn a_second_early_announcement() {
    let mut scene = Scene::whole();
    scene.port("b-br0", COMPLETED + 1.0, announcement(guest_mac(0, 1)));
    scene.breaks(Rule::RoundAstray, &["early", "port-b-br0.pcap frame 2"]);
}

#[test]
fn one_octet_that_is_not_qemus() {
    for at in [0, 13, 21, 31, 42, 59] {
        let mut scene = Scene::whole();
        scene.ports.get_mut("b-br0").expect("the announcements")[2].1[at] ^= 1;
        let octet = format!("differs from octet {at} on");
        // A wrong ethertype makes it another frame altogether, so that a round is missing.
        if at == 13 {
            scene.breaks(Rule::RoundMissing, &["round 2,"]);
        } else {
            scene.breaks(Rule::Octets, &["port-b-br0.pcap frame 3", &octet]);
        }
    }
    let mut scene = Scene::whole();
    scene.ports.get_mut("b-br0").expect("the announcements")[2]
        .1
        .pop();
    scene.breaks(Rule::Octets, &["port-b-br0.pcap frame 3", "octet 59"]);
}

#[test]
fn a_second_move_in_the_fabric() {
    let mut scene = Scene::whole();
    scene.learn("fabric", 600.0, 1, "a-br0");
    scene.breaks(Rule::OneMove, &["fdb-fabric.txt line 4", "port a-br0"]);
}

#[test]
fn announcements_faster_than_pacing() {
    let pacing = |frames_per_second, burst| Expect {
        pacing: Some(Pacing {
            frames_per_second,
            burst,
        }),
        ..Expect::default()
    };
    let scene = Scene::whole();
    assert_eq!(scene.violations(&pacing(20.0, 2.0)), []);
    scene.breaks_under(
        &pacing(20.0, 1.0),
        Rule::Pacing,
        &["port-b-br0.pcap frame 2", "2th announcement"],
    );
}

#[test]
fn a_repeat_before_another_guests_first() {
    let mut scene = Scene::whole();
    scene.migrate(2, 0.0, "a", "b");
    for late in [0.0, 50.0, 200.0, 450.0, 800.0] {
        scene.port(
            "b-br0",
            RESUME + 220.0 + late,
            announcement(guest_mac(0, 2)),
        );
    }
    scene.breaks(
        Rule::FirstsFirst,
        &["port-b-br0.pcap frame 4", "52:54:00:4d:00:01"],
    );
}

#[test]
fn announcements_that_nobody_asked_for() {
    let stranger = || announcement("52:54:00:12:34:56".parse().expect("an address"));
    let mut scene = Scene::whole();
    scene.port("b-br0", 500.0, stranger());
    scene.breaks(
        Rule::Unasked,
        &["port-b-br0.pcap frame 4", "52:54:00:12:34:56"],
    );

    let mut scene = Scene::whole();
    scene.port("a-br0", 50.0, announcement(guest_mac(0, 1)));
    scene.breaks(Rule::Unasked, &["port-a-br0.pcap frame 1"]);

    let mut scene = Scene::whole();
    scene.migrations[0].0 = 50.0;
    scene.port("b-br0", 10.0, announcement(guest_mac(0, 1)));
    scene.breaks(Rule::Unasked, &["port-b-br0.pcap frame 1"]);
}

#[test]
fn any_announcement_where_there_should_be_none() {
    Scene::whole().breaks_under(
        &Expect::silence(),
        Rule::RoundAstray,
        &["port-b-br0.pcap frame 1"],
    );
}

#[test]
fn a_guest_that_leaves_takes_the_rest_of_its_schedule_along() {
    let mut scene = Scene::whole();
    // It stops again 970 ms after it began to run.
    scene.migrate(1, 1_000.0, "b", "a");
    scene.learn("fabric", 1_000.0 + ROUNDS[0] + 0.1, 1, "a-br0");
    for round in ROUNDS {
        scene.port("a-br0", 1_000.0 + round, announcement(guest_mac(0, 1)));
    }
    assert_eq!(scene.violations(&Expect::default()), []);
    scene.migrations[1].0 = 300.0 + 430.0;
    let qmp = scene.qmp.get_mut("b").expect("its events");
    qmp.retain(|event| event.1 != "STOP");
    qmp.push((1_100.0, "STOP", 1));
    qmp.sort_by(|one, other| one.0.total_cmp(&other.0));
    scene.ports.get_mut("b-br0").expect("the rounds").pop();
    assert_eq!(scene.violations(&Expect::default()), []);
    scene.ports.get_mut("b-br0").expect("the rounds").pop();
    scene.breaks(Rule::RoundMissing, &["round 4,"]);
}

#[test]
fn what_is_no_capture_is_refused() {
    let dir = tempdir().expect("a directory");
    Scene::whole().write(dir.path());
    fs::write(dir.path().join("port-b-br0.pcap"), b"not a capture").expect("it can be written");
    let refused = Evidence::read(dir.path());
    assert!(
        matches!(refused, Err(ReadEvidenceError::Pcap(_))),
        "{refused:?}"
    );

    let dir = tempdir().expect("a directory");
    Scene::whole().write(dir.path());
    fs::write(dir.path().join("fdb-fabric.txt"), "gibberish\n").expect("it can be written");
    let refused = Evidence::read(dir.path());
    assert!(
        matches!(refused, Err(ReadEvidenceError::Line { line: 1, .. })),
        "{refused:?}"
    );
}
