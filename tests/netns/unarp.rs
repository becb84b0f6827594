//! UNARPs of others, honoured: which neighbour entries go and which stay.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use macmoved::emit::{ForgetError, Neighbours};
use macmoved::model::Ifindex;
use macmoved::observe::next_hops::{Families, NextHops};
use macmoved::wire::Frame;

use crate::honour::{HOLDER, Listener, OTHER, enter, entry, tagged, unarp, world};
use crate::world::{index, ip, isolated, send, settle};

#[test]
fn an_entry_that_points_to_the_sender_goes_and_no_other() {
    isolated(
        "unarp::an_entry_that_points_to_the_sender_goes_and_no_other",
        || {
            world();
            let listener = Listener::start(&["10.0.0.0/8"]);
            for (link, from, address) in [("br0", "peer", "10.0.0"), ("near", "far", "10.1.0")] {
                // Each its own address: one is deleted once in five seconds.
                for (last, state) in [
                    (50, "reachable"),
                    (51, "stale"),
                    (52, "delay"),
                    (53, "probe"),
                ] {
                    let address = format!("{address}.{last}");
                    enter(link, &address, HOLDER, &format!("nud {state}"));
                    enter(link, "10.0.0.99", HOLDER, "nud reachable");
                    let verdict = listener.verdict(from, &unarp(HOLDER, &address));
                    assert_eq!(verdict, "honoured", "{link} {state}");
                    assert_eq!(entry(link, &address), "", "{link} {state}");
                    assert!(entry(link, "10.0.0.99").contains(&HOLDER.to_string()));
                }
            }
        },
    );
}

#[test]
fn entries_that_are_right_wanted_or_somebody_elses_stay() {
    isolated(
        "unarp::entries_that_are_right_wanted_or_somebody_elses_stay",
        || {
            world();
            let listener = Listener::start(&["10.0.0.0/8"]);
            let cases = [
                ("10.0.0.50", OTHER, "nud reachable", "other_mac"),
                ("10.0.0.51", HOLDER, "nud permanent", "permanent"),
                ("10.0.0.52", HOLDER, "nud noarp", "no_arp"),
                ("10.0.0.53", HOLDER, "nud stale extern_learn", "controller"),
                ("10.0.0.54", OTHER, "nud permanent", "other_mac"),
            ];
            for (address, mac, words, reason) in cases {
                enter("br0", address, mac, words);
                let before = entry("br0", address);
                let verdict = listener.verdict("peer", &unarp(HOLDER, address));
                assert_eq!(verdict, reason);
                assert_eq!(entry("br0", address), before, "{reason}");
            }
            // On another link than the one that heard it, or nowhere.
            enter("near", "10.0.0.60", HOLDER, "nud reachable");
            for address in ["10.0.0.60", "10.0.0.61"] {
                let verdict = listener.verdict("peer", &unarp(HOLDER, address));
                assert_eq!(verdict, "no_entry");
            }
            assert!(entry("near", "10.0.0.60").contains(&HOLDER.to_string()));
            let failed = "neigh replace 10.0.0.62 dev br0 nud failed";
            ip(&[failed]);
            let verdict = listener.verdict("peer", &unarp(HOLDER, "10.0.0.62"));
            assert_eq!(verdict, "no_entry");
        },
    );
}

/// The UNARP for 10.1.0.50 with other octets at an offset.
fn with(offset: usize, octets: &[u8]) -> Vec<u8> {
    let mut frame = unarp(HOLDER, "10.1.0.50");
    frame[offset..offset + octets.len()].copy_from_slice(octets);
    frame
}

/// The UNARP for 10.1.0.50, cut or padded.
fn long(octets: usize) -> Vec<u8> {
    let mut frame = unarp(HOLDER, "10.1.0.50");
    frame.resize(octets, 0);
    frame
}

#[test]
fn forged_and_malformed_unarps_delete_nothing() {
    isolated("unarp::forged_and_malformed_unarps_delete_nothing", || {
        world();
        let listener = Listener::start(&["10.1.0.0/24"]);
        enter("near", "10.1.0.50", HOLDER, "nud reachable");
        enter("near", "10.2.0.50", HOLDER, "nud reachable");
        let both_stand = || {
            ["10.1.0.50", "10.2.0.50"]
                .iter()
                .all(|address| entry("near", address).contains(&HOLDER.to_string()))
        };
        assert!(both_stand());
        let cases = [
            (unarp(OTHER, "10.1.0.50"), "other_mac"),
            (unarp(HOLDER, "10.2.0.50"), "outside_prefixes"),
            (long(29), "truncated"),
            (long(19), "truncated"),
            (long(65), "oversized"),
            (long(1514), "oversized"),
            (with(14, &[0, 6]), "hardware_type"),
            (with(16, &[0x86, 0xdd]), "protocol_type"),
            (with(19, &[16]), "protocol_length"),
            (with(20, &[0, 1]), "operation"),
            (with(26, &[10, 1, 0, 1]), "target"),
            (with(22, &[0; 4]), "host"),
            (with(22, &[224, 0, 0, 1]), "host"),
            (with(0, &[2, 0, 0, 0, 0, 9]), "other_host"),
            (with(0, &[1, 0, 0x5e, 0, 0, 1]), "not_broadcast"),
            (with(6, &[0xff; 6]), "source"),
            (with(6, &[0; 6]), "source"),
            // VLAN 100, of which this host has no device.
            (tagged("10.1.0.50", 100), "other_host"),
        ];
        let mut expected = BTreeMap::new();
        for (frame, reason) in cases {
            assert_eq!(listener.verdict("far", &frame), reason, "{frame:02x?}");
            *expected.entry(reason).or_insert(0) += 1;
        }
        assert_eq!(listener.counts(), expected);
        // Not even heard: ARP as it is every day, RARP, and too short for a length.
        for frame in [
            Frame::garp(HOLDER, "10.1.0.50".parse().unwrap(), None).to_vec(),
            Frame::rarp(HOLDER, None).to_vec(),
            long(18),
        ] {
            send("far", &frame);
        }
        settle();
        assert_eq!(listener.counts(), expected);
        // Our own is heard where it arrives, not where it leaves.
        let own = unarp(HOLDER, "10.1.0.50");
        assert_eq!(listener.verdict("near", &own), "no_entry");
        assert!(both_stand());
        // And the real one.
        assert_eq!(listener.verdict("far", &long(30)), "honoured");
        assert_eq!(entry("near", "10.1.0.50"), "");
    });
}

#[test]
fn a_priority_tag_is_no_vlan() {
    isolated("unarp::a_priority_tag_is_no_vlan", || {
        world();
        let listener = Listener::start(&["10.1.0.0/24"]);
        for (address, tag) in [("10.1.0.50", 0), ("10.1.0.51", 0xe000)] {
            enter("near", address, HOLDER, "nud reachable");
            assert_eq!(listener.verdict("far", &tagged(address, tag)), "honoured");
        }
    });
}

#[test]
fn a_next_hop_stays_by_whatever_route() {
    isolated("unarp::a_next_hop_stays_by_whatever_route", || {
        world();
        let listener = Listener::start(&["10.0.0.0/24"]);
        // Before and after the listener read them; in other tables; one of several; by itself.
        for line in [
            "route add default via 10.0.0.50",
            "route add 192.0.2.0/24 via 10.0.0.51 table 100",
            "route add 198.51.100.0/24 nexthop via 10.0.0.52 nexthop via 10.0.0.53",
            "nexthop add id 7 via 10.0.0.54 dev br0",
            "route add 203.0.113.0/24 nhid 7",
        ] {
            ip(&[line]);
        }
        for last in 50..55 {
            let address = format!("10.0.0.{last}");
            enter("br0", &address, HOLDER, "nud reachable");
            let verdict = listener.verdict("peer", &unarp(HOLDER, &address));
            assert_eq!(verdict, "next_hop", "{address}");
            assert!(entry("br0", &address).contains(&HOLDER.to_string()));
        }
        // One that becomes a next hop by a replacement.
        enter("br0", "10.0.0.60", HOLDER, "nud reachable");
        ip(&["route replace default via 10.0.0.60"]);
        let verdict = listener.verdict("peer", &unarp(HOLDER, "10.0.0.60"));
        assert_eq!(verdict, "next_hop");
        // What is no next hop any more is honoured once the routes were read anew.
        ip(&["route del default"]);
        std::thread::sleep(Duration::from_secs(11));
        enter("br0", "10.0.0.60", HOLDER, "nud reachable");
        let verdict = listener.verdict("peer", &unarp(HOLDER, "10.0.0.60"));
        assert_eq!(verdict, "honoured");
    });
}

#[test]
fn next_hops_are_known_when_notifications_are_lost() {
    isolated(
        "unarp::next_hops_are_known_when_notifications_are_lost",
        || {
            world();
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let mut next_hops = NextHops::with_buffer(Families::Ipv4, 4096).unwrap();
                next_hops.read_all().await.unwrap();
                let routes: Vec<_> = (0..2000)
                    .map(|number| {
                        let (high, low) = (number / 250, number % 250);
                        format!("route add 192.0.{high}.{low}/32 via 10.0.0.9")
                    })
                    .chain(["route add default via 10.0.0.50".to_owned()])
                    .collect();
                ip(&routes.iter().map(String::as_str).collect::<Vec<_>>());
                for (last, expected) in [(9, true), (50, true), (51, false)] {
                    let address = IpAddr::from([10, 0, 0, last]);
                    let found = next_hops.contains(address).await.unwrap();
                    assert_eq!(found, expected, "{address}");
                }
            });
        },
    );
}

#[test]
fn an_entry_that_changed_since_it_was_read_stays() {
    isolated(
        "unarp::an_entry_that_changed_since_it_was_read_stays",
        || {
            world();
            let link = Ifindex::new(index("br0")).unwrap();
            let address = [10, 0, 0, 50].into();
            let mut table = Neighbours::open(Arc::default(), false).unwrap();
            assert_eq!(table.read(link, address).unwrap(), None);
            enter("br0", "10.0.0.50", HOLDER, "nud reachable");
            let read = table.read(link, address).unwrap().unwrap();
            for words in ["nud permanent", "nud noarp", "nud stale extern_learn"] {
                enter("br0", "10.0.0.50", HOLDER, words);
                let outcome = table.forget(&read);
                assert!(matches!(outcome, Err(ForgetError::Changed)), "{words}");
                ip(&["neigh del 10.0.0.50 dev br0"]);
            }
            enter("br0", "10.0.0.50", OTHER, "nud reachable");
            assert!(matches!(table.forget(&read), Err(ForgetError::Changed)));
            assert!(entry("br0", "10.0.0.50").contains(&OTHER.to_string()));
            // What only aged is the same entry.
            enter("br0", "10.0.0.50", HOLDER, "nud stale");
            assert!(table.forget(&read).is_ok());
            assert_eq!(entry("br0", "10.0.0.50"), "");
            assert!(matches!(table.forget(&read), Err(ForgetError::Changed)));
        },
    );
}
