//! Bridges whose forwarding tables libvirt manages (`macTableManager='libvirt'`): it writes a static
//! entry for each guest, on a port that neither learns nor is flooded to.
//!
//! libvirt does so right before the guest runs, and not where the bridge knows the address already;
//! so each way begins as after five minutes of silence. A static entry moves with the guest's frames,
//! and never ages.

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

use super::failures::{assert_answers, migrate_slowly};
use super::{ROUNDS_OUT, agents, assert_kept, ways};
use crate::lab::{Guest, Lab, pause};
use crate::oracle::Expect;

/// Where there are bridges.
const PLACES: [&str; 3] = ["fabric", "a", "b"];

/// What others have in the bridges of both hosts.
const OTHERS: [&str; 5] = [
    "02:00:00:00:fe:01 dev up0 master static",
    "02:00:00:00:fe:02 dev up0 master dynamic extern_learn",
    "02:00:00:00:fe:03 dev up0 master static sticky",
    "02:00:00:00:fe:04 dev up0 master dynamic sticky",
    // The guest's own address, in another network.
    "52:54:00:4d:00:01 dev up1 master static",
];

/// How long an agent may take over what is left behind.
const CLEAN: Duration = Duration::from_secs(10);

/// Every entry of every bridge without its age; the guest's port is called `tap`.
type Tables = BTreeSet<String>;

fn tables(lab: &Lab, guest: &Guest) -> Tables {
    let of_place = |place: &&str| {
        let tap = tap(lab, place, guest);
        let table = lab.host(place, &["bridge", "-s", "-d", "fdb", "show"]);
        let lines = table.lines().map(move |line| {
            let mut words: Vec<_> = line.split_whitespace().collect();
            if let Some(used) = words.iter().position(|&word| word == "used") {
                words.drain(used..used + 2);
            }
            for word in &mut words {
                if tap.as_deref() == Some(*word) {
                    *word = "tap";
                }
            }
            words.join(" ")
        });
        let place = (*place).to_owned();
        let lines: Vec<_> = lines.map(|line| format!("{place}: {line}")).collect();
        lines
    };
    PLACES.iter().flat_map(of_place).collect()
}

/// The guest's port on a host, where it has one.
fn tap(lab: &Lab, place: &str, guest: &Guest) -> Option<String> {
    let words = [place, "virsh", "--quiet", "domiflist", guest.name()];
    let output = (place != "fabric").then(|| lab.try_run("host", &words))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let word = text.split_whitespace().next()?;
    Some(word.to_owned())
}

/// What a guest's port brings along.
fn of_port(guest: &Guest, host: &str) -> [String; 4] {
    let libvirts = guest.mac().replacen("52:", "fe:", 1);
    [
        format!("{host}: {} dev tap master br0 static", guest.mac()),
        format!("{host}: {libvirts} dev tap master br0 permanent"),
        format!("{host}: 33:33:00:00:00:01 dev tap self permanent"),
        format!("{host}: 01:00:5e:00:00:01 dev tap self permanent"),
    ]
}

/// Waits until the tables are as expected, and fails with what is otherwise.
#[track_caller]
fn assert_tables(lab: &Lab, guest: &Guest, expected: &Tables) {
    let begin = Instant::now();
    loop {
        let tables = tables(lab, guest);
        if tables == *expected {
            return;
        }
        let missing: Vec<_> = expected.difference(&tables).collect();
        let astray: Vec<_> = tables.difference(expected).collect();
        assert!(
            begin.elapsed() < CLEAN,
            "missing: {missing:#?}\nastray: {astray:#?}"
        );
        pause(100);
    }
}

/// Has a bridge forget where a guest is.
fn forget(lab: &Lab, guest: &Guest, host: &str) {
    let entry = format!("{} dev up0 master", guest.mac());
    lab.host(host, &["sh", "-c", &format!("bridge fdb del {entry}")]);
}

/// A broadcast of the guest, of no known kind.
fn word(mac: &str) -> Vec<u8> {
    let mac = mac.split(':').map(|octet| u8::from_str_radix(octet, 16));
    let mac: Result<Vec<u8>, _> = mac.collect();
    let mut frame = vec![0xff; 6];
    frame.extend(mac.expect("an address"));
    // For local experiments (IEEE 802).
    frame.extend([0x88, 0xb5]);
    frame.resize(60, 0);
    frame
}

/// Three guests in managed bridges with others' entries; the first is the one that moves.
fn scene() -> (Lab, Guest) {
    let lab = Lab::up("managed", 2);
    for host in ["a", "b"] {
        lab.run("managed", &[host]);
    }
    let guests = [1, 2, 3].map(|number| Guest::silent(number).with(&["--managed"]));
    thread::scope(|scope| {
        for (guest, host) in guests.iter().zip(["a", "a", "b"]) {
            scope.spawn(|| lab.start(guest, host));
        }
    });
    for entry in OTHERS {
        for host in ["a", "b"] {
            let add = format!("bridge fdb add {entry}");
            lab.host(host, &["sh", "-c", &add]);
        }
    }
    // Their own network learns of them before anybody looks.
    lab.host("a", &["ping", "-c", "1", "-W", "1", "mm-b"]);
    agents(&lab, "", &[]);
    let [guest, ..] = guests;
    (lab, guest)
}

/// The guest moves. Nothing else changes anywhere.
fn moves(lab: &Lab, guest: &Guest, (from, to): (&str, &str)) {
    forget(lab, guest, to);
    let mut expected = tables(lab, guest);
    let evidence = lab.capture(&format!("to-{to}"), || {
        lab.migrate(guest, from, to, &[]);
        pause(ROUNDS_OUT);
    });
    // Two other guests run beside it.
    let expect = Expect {
        tolerance: 1_000.0,
        ..Expect::default()
    };
    assert_kept(&evidence, &expect);
    let fabric = |host| format!("fabric: {} dev {host}-br0 master fab0", guest.mac());
    for entry in of_port(guest, from).into_iter().chain([fabric(from)]) {
        assert!(expected.remove(&entry), "{entry}: {expected:#?}");
    }
    expected.extend(of_port(guest, to));
    expected.insert(fabric(to));
    // What was static follows the guest, and ages.
    expected.insert(format!("{from}: {} dev up0 master br0", guest.mac()));
    assert_tables(lab, guest, &expected);
    assert_answers(lab, guest);
}

/// The guest talks at a while it is to go to b, and stays after all: b has learned where it is.
fn talks_and_stays(lab: &Lab, guest: &Guest) {
    forget(lab, guest, "b");
    let mut expected = tables(lab, guest);
    let arrived = migrate_slowly(lab, guest, &[], || {
        lab.send("a", "up0", &word(&guest.mac()));
        lab.host("a", &["virsh", "domjobabort", guest.name()]);
    });
    assert!(!arrived, "the migration succeeded");
    expected.insert(format!("b: {} dev up0 master br0", guest.mac()));
    assert_tables(lab, guest, &expected);
    assert_answers(lab, guest);
}

#[test]
fn what_libvirt_wrote_for_a_guest_does_not_stay_behind_and_all_else_does() {
    let (lab, guest) = scene();
    for way in ways().take(2) {
        moves(&lab, &guest, way);
    }
    talks_and_stays(&lab, &guest);
}
