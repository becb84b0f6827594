//! UNARPs of others, honoured: how many, and when not at all.

use std::time::{Duration, Instant};

use macmoved::daemon::HonourSettings;

use crate::honour::{HOLDER, Listener, OTHER, PATIENCE, enter, entry, settings, unarp, world};
use crate::world::{index, ip, isolated, send, settle, sh};

#[test]
fn an_entry_goes_once_in_five_seconds() {
    isolated("unarp_rates::an_entry_goes_once_in_five_seconds", || {
        world();
        let listener = Listener::start(&["10.0.0.0/24"]);
        let verdict = || {
            enter("br0", "10.0.0.50", HOLDER, "nud reachable");
            listener.verdict("peer", &unarp(HOLDER, "10.0.0.50"))
        };
        let begin = Instant::now();
        assert_eq!(verdict(), "honoured");
        loop {
            match verdict() {
                "honoured" => break,
                other => assert_eq!(other, "address_rate"),
            }
            assert!(entry("br0", "10.0.0.50").contains(&HOLDER.to_string()));
            assert!(begin.elapsed() < PATIENCE);
        }
        assert!(begin.elapsed() >= Duration::from_secs(5));
    });
}

#[test]
fn ten_entries_of_a_link_go_in_a_second() {
    isolated("unarp_rates::ten_entries_of_a_link_go_in_a_second", || {
        world();
        let listener = Listener::start(&["10.0.0.0/24"]);
        let addresses: Vec<_> = (50..90).map(|last| format!("10.0.0.{last}")).collect();
        let lines: Vec<_> = addresses
            .iter()
            .map(|address| format!("neigh replace {address} dev br0 lladdr {HOLDER} nud stale"))
            .collect();
        ip(&lines.iter().map(String::as_str).collect::<Vec<_>>());
        let begin = Instant::now();
        for address in &addresses {
            send("peer", &unarp(HOLDER, address));
        }
        let counts = listener.counted(40);
        let seconds = begin.elapsed().as_secs() + 1;
        let honoured = counts["honoured"];
        assert!((10..=10 * seconds).contains(&honoured), "{counts:?}");
        let left = sh("ip neigh show dev br0 nud stale").lines().count();
        assert_eq!(u64::try_from(left).unwrap(), 40 - honoured);
        assert_eq!(counts.get("link_rate").copied().unwrap_or(0), 40 - honoured);
    });
}

#[test]
fn a_flood_is_bounded_and_counted_to_the_last_frame() {
    isolated(
        "unarp_rates::a_flood_is_bounded_and_counted_to_the_last_frame",
        || {
            const FLOOD: u64 = 20_000;
            world();
            let listener = Listener::start(&["10.1.0.0/24"]);
            enter("near", "10.1.0.50", OTHER, "nud reachable");
            let arrived = || -> u64 {
                let links = sh("cat /proc/net/dev");
                let near = links.lines().find(|line| line.contains("near:"));
                let packets = near.unwrap().split_whitespace().nth(2);
                packets.unwrap().parse().unwrap()
            };
            let before = arrived();
            let packets = macmoved::sys::packet::PacketSocket::open().unwrap();
            let (far, frame) = (index("far"), unarp(HOLDER, "10.1.0.50"));
            for _ in 0..FLOOD {
                packets.send(far, &frame).unwrap();
            }
            let counts = listener.counted(arrived() - before);
            assert!(counts.contains_key("overrun"), "{counts:?}");
            assert!(counts.contains_key("lookup_rate"), "{counts:?}");
            assert!(!counts.contains_key("honoured"), "{counts:?}");
            assert!(entry("near", "10.1.0.50").contains(&OTHER.to_string()));
            // When it is over, all is as before.
            std::thread::sleep(Duration::from_secs(1));
            enter("near", "10.1.0.51", HOLDER, "nud reachable");
            let verdict = listener.verdict("far", &unarp(HOLDER, "10.1.0.51"));
            assert_eq!(verdict, "honoured");
        },
    );
}

#[test]
fn a_pause_and_a_dry_run_withhold() {
    isolated("unarp_rates::a_pause_and_a_dry_run_withhold", || {
        world();
        let listener = Listener::start(&["10.0.0.0/24"]);
        enter("br0", "10.0.0.50", HOLDER, "nud reachable");
        let frame = unarp(HOLDER, "10.0.0.50");
        listener.brake.set_paused(true);
        assert_eq!(listener.verdict("peer", &frame), "paused");
        listener.brake.set_paused(false);
        let dry = |dry_run| HonourSettings {
            dry_run,
            ..settings(&["10.0.0.0/24"])
        };
        listener.set(dry(true));
        assert_eq!(listener.verdict("peer", &frame), "dry_run");
        assert!(entry("br0", "10.0.0.50").contains(&HOLDER.to_string()));
        listener.set(dry(false));
        // What was withheld used up no rate.
        assert_eq!(listener.verdict("peer", &frame), "honoured");
        assert_eq!(entry("br0", "10.0.0.50"), "");
    });
}

#[test]
fn settings_can_change_while_it_listens() {
    isolated("unarp_rates::settings_can_change_while_it_listens", || {
        world();
        let listener = Listener::start(&["10.0.0.0/24"]);
        assert!(listener.metrics.is_unarp_listening());
        enter("br0", "10.0.0.50", HOLDER, "nud reachable");
        let frame = unarp(HOLDER, "10.0.0.50");
        listener.set(settings(&["10.1.0.0/24"]));
        assert_eq!(listener.verdict("peer", &frame), "outside_prefixes");
        listener.set(HonourSettings {
            prefixes: None,
            dry_run: false,
        });
        assert!(!listener.metrics.is_unarp_listening());
        assert!(!sh("cat /proc/net/packet").contains("0806"));
        let before = listener.counts();
        send("peer", &frame);
        settle();
        assert_eq!(listener.counts(), before);
        listener.set(settings(&["10.0.0.0/24"]));
        assert!(listener.metrics.is_unarp_listening());
        assert_eq!(listener.verdict("peer", &frame), "honoured");
    });
}
