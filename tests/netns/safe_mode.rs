//! Safe mode: whatever goes round in circles above, no more than so many frames leave.

use std::fmt::Write as _;
use std::fs;
use std::time::Duration;

use macmoved::emit::RouteChoice;
use macmoved::engine::{Lifecycle, Policy, Round, Rounds};
use macmoved::model::{GuestId, MacAddr, SendFault};
use macmoved::sys::clock;

use crate::daemon::Daemon;
use crate::driver::Driver;
use crate::world::{
    Ear, GUEST, MAC, Rig, build, ip, isolated, plan_of, settings, settle, sh, ticket,
};

/// Frames of one MAC, VLAN and kind in ten seconds.
const OF_ONE: usize = 40;

/// Frames by one uplink in a second.
const BY_UPLINK: usize = 2_000;

const OTHER: GuestId = GuestId::new([8; 16]);
const OTHER_MAC: MacAddr = MacAddr::new([0x52, 0x54, 0x00, 0xaa, 0xbb, 0x02]);
const LATER: GuestId = GuestId::new([9; 16]);
const LATER_MAC: MacAddr = MacAddr::new([0x52, 0x54, 0x00, 0xaa, 0xbb, 0x03]);

/// A migration with an early frame, a first round and a repeat.
fn migrates(driver: &mut Driver, guest: GuestId) {
    driver.begin(guest);
    driver.complete(guest);
    driver.resume(guest);
    driver.ended(guest);
}

#[test]
fn a_guest_that_goes_round_in_circles_is_held_to_the_frame() {
    isolated(
        "safe_mode::a_guest_that_goes_round_in_circles_is_held_to_the_frame",
        || {
            build();
            let rounds = Rounds {
                rounds: 2,
                initial: Duration::from_millis(10),
                max: Duration::from_millis(10),
                step: Duration::ZERO,
            };
            let policy = Policy {
                rounds,
                ..Policy::default()
            };
            let mut driver = Driver::new(settings(RouteChoice::Auto), policy);
            let guests = [
                (GUEST, (MAC, "vnet1")),
                (OTHER, (OTHER_MAC, "vnet9")),
                (LATER, (LATER_MAC, "vnet9")),
            ];
            driver.guests.extend(guests);
            let mut peer = Ear::at("peer");

            // The planted loop: somebody moves one guest to and fro faster than any network learns.
            let begin = clock::now();
            for circle in 1..=20 {
                driver.says(GUEST, Lifecycle::StartedMigrated);
                migrates_on(&mut driver, circle);
            }
            let took = clock::now().saturating_since(begin);
            assert!(took < Duration::from_secs(10), "no loop at all: {took:?}");
            assert_eq!(peer.heard_from(MAC).len(), OF_ONE);
            assert!(driver.hot.emitter().brake().safe_mode());
            let asked = 20 * 3;
            let limited = driver.faults(SendFault::Limited);
            assert_eq!(limited, asked - u64::try_from(OF_ONE).unwrap());

            migrates(&mut driver, OTHER);
            let record = driver.ended(OTHER).measured;
            let sent = (record.early_frames, record.frames, record.lost_frames);
            assert_eq!(sent, (1, 1, 1), "first frames only");
            assert_eq!(record.latest_fault, Some(SendFault::Limited));
            assert_eq!(peer.heard_from(OTHER_MAC).len(), 2);

            driver.hot.emitter().brake().leave_safe_mode();
            migrates(&mut driver, LATER);
            let record = driver.ended(LATER).measured;
            let sent = (record.early_frames, record.frames, record.lost_frames);
            assert_eq!(sent, (1, 2, 0), "repeats, too");
            assert_eq!(peer.heard_from(LATER_MAC).len(), 3);
        },
    );
}

/// The guest that has begun to arrive is staged, runs, and leaves again.
fn migrates_on(driver: &mut Driver, circle: usize) {
    driver.until("the guest is staged", |driver| {
        let guests = driver.hot.engine().snapshot().guests;
        guests.iter().any(|view| view.uuid == GUEST && view.staged)
    });
    driver.complete(GUEST);
    driver.resume(GUEST);
    driver.until("the migration ends", |driver| {
        driver.hot.engine().snapshot().history.len() == circle
    });
    driver.says(GUEST, Lifecycle::Stopped);
}

/// Frames that a link has received since it was made.
fn received(links: &str) -> u64 {
    let shown: serde_json::Value = serde_json::from_str(&sh("ip -s -j link show")).unwrap();
    let of_name = |link: &&serde_json::Value| link["ifname"].as_str().unwrap().starts_with(links);
    let all = shown.as_array().unwrap().iter().filter(of_name);
    all.map(|link| link["stats64"]["rx"]["packets"].as_u64().unwrap())
        .sum()
}

#[test]
fn an_uplink_is_held_to_the_frame() {
    isolated("safe_mode::an_uplink_is_held_to_the_frame", || {
        build();
        let nics: Vec<_> = (1..=60)
            .map(|nic| (MacAddr::new([0x52, 0x54, 0, 0xcc, 0, nic]), "vnet1"))
            .collect();
        let mut rig = Rig::new(settings(RouteChoice::Auto));
        let prepared = rig.stage(&plan_of(&nics));
        assert_eq!(prepared.staging.frames.len(), nics.len());
        rig.emitter.insert(prepared);
        let mut peer = Ear::at("peer");
        let now = clock::now();
        let mut fire = |frame: u16, round, now| {
            let mut ticket = ticket(round);
            ticket.frame = frame;
            rig.emitter.fire(&ticket, now)
        };
        let (mut left, mut heard) = (0, 0);
        for _ in 0..OF_ONE {
            for frame in 0..60 {
                left += usize::from(fire(frame, Round::Scheduled(2), now).is_ok());
            }
            // Before the ear is full.
            let announces = |frame: &Vec<u8>| frame.get(12..14) == Some(&[0x80, 0x35]);
            let frames = peer.heard();
            heard += frames.iter().filter(|&frame| announces(frame)).count();
        }
        assert_eq!((left, heard), (BY_UPLINK, BY_UPLINK));
        // Not even a first frame finds room, until the second is over.
        let first = Round::Scheduled(1);
        assert_eq!(fire(59, first, now), Err(SendFault::Limited));
        let later = now + Duration::from_secs(1);
        assert_eq!(fire(59, first, later), Ok(()));
        let repeat = Round::Scheduled(2);
        assert_eq!(fire(59, repeat, later), Err(SendFault::Limited));
        rig.emitter.brake().leave_safe_mode();
        assert_eq!(rig.emitter.fire(&ticket_of(58, repeat), later), Ok(()));
    });
}

fn ticket_of(frame: u16, round: Round) -> macmoved::engine::Ticket {
    macmoved::engine::Ticket {
        frame,
        ..ticket(round)
    }
}

/// Guests with one address between them, each on a bridge of its own that looks for it behind an
/// uplink: more than the limit, so that an agent that starts has more to put right than it may. The
/// bridges themselves say nothing.
const STRAYS: usize = 45;

fn strays() -> String {
    let mut node = "<node>".to_owned();
    let mut links = Vec::new();
    for number in 1..=STRAYS {
        for (one, other) in [("tap", "guest"), ("up", "fabric")] {
            links.push(format!(
                "link add {one}{number} type veth peer name {other}{number}"
            ));
        }
        links.push(format!("link add br{number} type bridge mcast_snooping 0"));
        links.push(format!("link set br{number} up"));
        for port in ["tap", "up"] {
            links.push(format!("link set {port}{number} master br{number} up"));
        }
        for end in ["guest", "fabric"] {
            links.push(format!("link set {end}{number} up"));
        }
        write!(
            node,
            "<domain type='test'><name>guest-{number}</name><memory>1024</memory>\
             <os><type>hvm</type></os><devices><interface type='bridge'>\
             <mac address='{MAC}'/><source bridge='br{number}'/><target dev='tap{number}'/>\
             </interface></devices></domain>"
        )
        .unwrap();
    }
    ip(&links.iter().map(String::as_str).collect::<Vec<_>>());
    settle();
    for number in 1..=STRAYS {
        sh(&format!(
            "bridge fdb add {MAC} dev up{number} master dynamic"
        ));
    }
    node + "</node>"
}

#[test]
fn an_operator_sees_safe_mode_and_ends_it() {
    isolated("safe_mode::an_operator_sees_safe_mode_and_ends_it", || {
        ip(&["link set lo up"]);
        let directory = tempfile::tempdir().unwrap();
        let node = directory.path().join("node.xml");
        fs::write(&node, strays()).unwrap();
        assert_eq!(received("fabric"), 0);
        let daemon = Daemon::start(directory.path(), &format!("test://{}", node.display()));
        let limited = "macmove_frame_errors_total{reason=\"limited\"}";
        let too_many = (STRAYS - OF_ONE).to_string();
        daemon.wait_for("the limit", |daemon| daemon.metric(limited) == too_many);
        daemon.wait_for("safe mode", |daemon| daemon.brakes()["safe_mode"] == true);
        assert_eq!(received("fabric"), u64::try_from(OF_ONE).unwrap());
        assert_eq!(daemon.metric("macmove_safe_mode"), "1");
        let said = daemon.says(&["status"]);
        assert!(said.starts_with("SAFE MODE: "), "{said}");
        assert!(said.contains("announces by first frames only"), "{said}");

        let said = daemon.says(&["resume"]);
        assert!(said.starts_with("resumed; "), "{said}");
        assert_eq!(daemon.brakes()["safe_mode"], false);
        assert_eq!(daemon.metric("macmove_safe_mode"), "0");
        let said = daemon.says(&["status"]);
        assert!(!said.contains("SAFE MODE"), "{said}");
        assert_eq!(received("fabric"), u64::try_from(OF_ONE).unwrap());
        daemon.end("TERM");
    });
}
