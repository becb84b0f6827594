//! Kills at random moments. What holds after each holds whatever the moment was.

use std::fmt;
use std::time::Duration;
use std::{env, thread};

use super::{assert_settled, now, replace_agent};
use crate::cases::failures::{qemu, stage};
use crate::cases::retractions::{KNOWN, known};
use crate::cases::{ROUNDS_OUT, assert_kept_but, count};
use crate::evidence::{Evidence, Place, RARP, fabric_port};
use crate::lab::{Guest, Lab, pause};
use crate::oracle::Rule;

/// The seed of a quick run, which is the same each time; a full one draws its own and says it.
/// `LAB_SEED` replays a run.
const SEED: u64 = 20;

/// Kills fall into this time from the order to migrate on: a migration takes 0.6 to 0.8 s, and
/// then come its rounds.
const SPAN: u64 = 1_800;

/// A sequence of numbers that its begin decides: `SplitMix64` (Steele, Lea, Flood 2014).
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}

/// Who dies, and when.
#[derive(Clone, Copy, Debug)]
struct Point {
    victim: &'static str,
    at_source: bool,
    after: Duration,
}

impl Point {
    fn draw(chance: &mut Chance) -> Self {
        Self {
            victim: ["agent", "libvirtd"][usize::from(chance.below(2) == 1)],
            at_source: chance.below(2) == 1,
            after: Duration::from_millis(chance.below(SPAN)),
        }
    }
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = if self.at_source {
            "source"
        } else {
            "destination"
        };
        let Self { victim, after, .. } = self;
        write!(f, "the {end}'s {victim} after {after:?}")
    }
}

/// Where the guest is by libvirt's word: running, and at all.
struct Whereabouts {
    running: Vec<&'static str>,
    known: Vec<&'static str>,
}

impl Whereabouts {
    fn of(lab: &Lab, guest: &Guest) -> Self {
        let those = |which: &str| {
            let has = |host: &&str| {
                let list = lab.host(host, &["virsh", "list", "--name", which]);
                list.trim() == guest.name()
            };
            ["a", "b"].into_iter().filter(has).collect()
        };
        Self {
            running: those("--state-running"),
            known: those("--all"),
        }
    }
}

/// A migration with a kill in it, and what was seen of it.
fn kill_at(
    lab: &Lab,
    guest: &Guest,
    point: Point,
    (from, to): (&str, &str),
    name: &str,
) -> Evidence {
    let host = if point.at_source { from } else { to };
    lab.capture(name, || {
        thread::scope(|scope| {
            let migration = scope.spawn(|| lab.try_migrate(guest, from, to, &[]));
            thread::sleep(point.after);
            lab.run(point.victim, &[host, "kill"]);
            if point.victim == "agent" {
                lab.agent(host, KNOWN, &[]);
            } else {
                lab.run("libvirtd", &[host, "start"]);
            }
            migration.join().expect("it ends");
        });
        for place in ["a", "b"] {
            lab.wait_for_agent(place);
        }
        pause(ROUNDS_OUT);
    })
}

/// Has libvirtd start without the guest. libvirtd 9.0 holds for ever, also after a restart, what it
/// was about to take in when it was killed: its migration is taken over from the guest's status
/// file, and nobody ends it.
fn forget(lab: &Lab, guest: &Guest, host: &str) {
    let pid_file = qemu(guest);
    let status = pid_file.replace(".pid", ".xml");
    let end = "kill -KILL \"$(cat \"$0\")\"; rm \"$1\"";
    lab.run("libvirtd", &[host, "kill"]);
    lab.host(host, &["sh", "-c", end, &pid_file, &status]);
    lab.run("libvirtd", &[host, "start"]);
}

/// Leaves one guest that runs, and says where. A libvirtd that dies while it hands the guest over
/// may have libvirt leave it stopped at the source, or run it twice; an agent has no part in that.
fn tidy(
    lab: &Lab,
    guest: &Guest,
    point: Point,
    (from, to): (&'static str, &'static str),
) -> &'static str {
    let found = Whereabouts::of(lab, guest);
    if found.known.len() == 1 && found.running.len() == 1 {
        return found.running[0];
    }
    println!(
        "... and libvirt has it on {:?}, running on {:?}",
        found.known, found.running
    );
    assert_eq!(point.victim, "libvirtd", "no agent makes libvirt do so");
    let home = if found.running.contains(&to) {
        to
    } else {
        from
    };
    for host in found
        .known
        .iter()
        .filter(|&&host| host != home || found.running.is_empty())
    {
        // libvirt may end it at the same time.
        lab.try_run("guest", &["stop", guest.name(), host]);
        if Whereabouts::of(lab, guest).known.contains(host) {
            forget(lab, guest, host);
        }
    }
    if found.running.is_empty() {
        lab.start(guest, home);
    }
    home
}

/// Fails unless the guest can be reached, after one more look of its host's agent at most.
fn assert_reachable(lab: &Lab, guest: &Guest, home: &str) {
    let address = guest.address(0);
    let call = ["peer", "ping", "-c", "3", "-i", "0.2", "-W", "1", &address];
    if !lab.try_run("host", &call).status.success() {
        replace_agent(lab, home);
        lab.host("peer", &call[1..]);
    }
}

/// What holds for every capture. Who dies may take rounds and retractions along. Where libvirt lost
/// track of its guest, which was then `tidied` up, it may have run twice, and nobody's frames could
/// be right.
fn assert_sound(evidence: &Evidence, home: &str, tidied: bool) {
    let mut broken = vec![
        Rule::RoundMissing,
        Rule::RoundAstray,
        Rule::RollbackMissing,
        Rule::RetractionMissing,
    ];
    if tidied {
        let twofold = [
            Rule::SourceSilent,
            Rule::DestinationSilent,
            Rule::FabricAstray,
            Rule::OneMove,
            Rule::RetractionAstray,
            Rule::Unasked,
        ];
        broken.extend(twofold);
    }
    assert_kept_but(evidence, &known(), &broken);
    let at_port = |frame: &&crate::evidence::Frame| matches!(frame.place, Place::Port(_));
    let mut announcements = evidence
        .frames
        .iter()
        .filter(|frame| frame.ethertype == RARP)
        .filter(at_port);
    let last = announcements.next_back();
    assert!(
        tidied || last.is_none_or(|last| last.entered(&fabric_port(home, 0))),
        "the guest runs on {home}, and the last word is {last:?}"
    );
}

#[test]
fn whoever_is_killed_whenever_the_guest_is_reachable_where_it_runs() {
    let seed = match env::var("LAB_SEED") {
        Ok(seed) => seed.parse().expect("a number"),
        Err(_) if count(0, 1) == 1 => now().0.unsigned_abs() % 1_000_000,
        Err(_) => SEED,
    };
    let mut chance = Chance(seed);
    let guest = Guest::silent(1);
    let lab = stage("random", &guest);
    let mut home = "a";
    for number in 1..=count(4, 100) {
        let point = Point::draw(&mut chance);
        println!("LAB_SEED={seed}, kill {number}: {point}");
        let way = if home == "a" { ("a", "b") } else { ("b", "a") };
        let evidence = kill_at(&lab, &guest, point, way, &format!("kill-{number}"));
        let untouched = Whereabouts::of(&lab, &guest).known.len() == 1;
        home = tidy(&lab, &guest, point, way);
        assert_sound(&evidence, home, !untouched);
        assert_reachable(&lab, &guest, home);
        assert_settled(&lab, &guest, home);
    }
}
