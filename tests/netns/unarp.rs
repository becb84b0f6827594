//! UNARPs of others, honoured: which neighbour entries go and which stay.
//!
//! The host has 10.0.0.1 on its bridge, and 10.1.0.1 on a link of its own:
//!
//! ```text
//!  peer ---- up0 - br0 10.0.0.1        far ---- near 10.1.0.1
//! ```
//!
//! What is sent out of `peer` or `far` has one way into the host, and so is heard once.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use macmoved::daemon::{Honour, HonourSettings};
use macmoved::emit::{Brake, ForgetError, Neighbours};
use macmoved::metrics::Metrics;
use macmoved::model::{Ifindex, MacAddr};
use macmoved::observe::next_hops::NextHops;
use macmoved::wire::Frame;
use tokio::sync::{oneshot, watch};

use crate::world::{index, ip, isolated, send, settle, sh};

/// Who holds the addresses by proxy ARP.
pub(crate) const HOLDER: MacAddr = MacAddr::new([2, 0, 0, 0, 0xc5, 1]);
const OTHER: MacAddr = MacAddr::new([2, 0, 0, 0, 0xc5, 2]);

/// How long anything may take; a hundred times what it takes on a machine that does nothing else.
const PATIENCE: Duration = Duration::from_secs(10);

/// What honours UNARPs in the daemon, on a thread of its own.
pub(crate) struct Listener {
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) brake: Arc<Brake>,
    settings: watch::Sender<HonourSettings>,
}

pub(crate) fn settings(prefixes: &[&str]) -> HonourSettings {
    let prefixes = prefixes.iter().map(|prefix| prefix.parse().unwrap());
    HonourSettings {
        prefixes: Some(prefixes.collect()),
        dry_run: false,
    }
}

impl Listener {
    pub(crate) fn start(prefixes: &[&str]) -> Self {
        let metrics = Arc::new(Metrics::new("0").unwrap());
        let brake = Arc::<Brake>::default();
        let settings = settings(prefixes);
        let (started, begun) = oneshot::channel();
        let parts = (Arc::clone(&brake), Arc::clone(&metrics));
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let honour = Honour::start(settings, &parts.0, &parts.1);
                let (honour, settings) = honour.unwrap();
                started.send(settings).unwrap();
                match honour.serve().await {}
            });
        });
        Self {
            metrics,
            brake,
            settings: begun.blocking_recv().unwrap(),
        }
    }

    fn set(&self, settings: HonourSettings) {
        self.settings.send_replace(settings);
        settle();
    }

    /// What was counted so far, without zeroes. Deletions stand under "honoured".
    pub(crate) fn counts(&self) -> BTreeMap<&'static str, u64> {
        let honoured = ("honoured", self.metrics.unarps_honoured());
        let refused = self.metrics.unarps_refused();
        let refused = refused.map(|(refusal, count)| (refusal.label(), count));
        let all = refused.chain([honoured]);
        all.filter(|(_, count)| *count > 0).collect()
    }

    /// What is counted once `total` are.
    pub(crate) fn counted(&self, total: u64) -> BTreeMap<&'static str, u64> {
        let begin = Instant::now();
        loop {
            let counts = self.counts();
            let sum: u64 = counts.values().sum();
            if sum >= total || begin.elapsed() > PATIENCE {
                assert_eq!(sum, total, "{counts:?}");
                return counts;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Sends one frame out of `link` and returns what came of it.
    fn verdict(&self, link: &str, frame: &[u8]) -> &'static str {
        let before = self.counts();
        send(link, frame);
        let after = self.counted(before.values().sum::<u64>() + 1);
        let changed = |(label, count): (&&'static str, &u64)| {
            (before.get(*label) != Some(count)).then_some(*label)
        };
        after.iter().find_map(changed).unwrap()
    }
}

pub(crate) fn unarp(sender: MacAddr, address: &str) -> Vec<u8> {
    Frame::unarp(sender, address.parse().unwrap(), None).to_vec()
}

/// The entry for `address` on `link` as ip(8) shows it; empty where there is none.
pub(crate) fn entry(link: &str, address: &str) -> String {
    sh(&format!("ip neigh show to {address} dev {link} nud all"))
}

/// Writes an entry.
pub(crate) fn enter(link: &str, address: &str, mac: MacAddr, words: &str) {
    ip(&[&format!(
        "neigh replace {address} dev {link} lladdr {mac} {words}"
    )]);
}

pub(crate) fn world() {
    ip(&[
        "link set lo up",
        "link add br0 type bridge",
        "link set br0 up",
        "link add up0 type veth peer name peer",
        "link set up0 master br0 up",
        "link set peer up",
        "link add near type veth peer name far",
        "link set far up",
        "link set near up",
        "addr add 10.0.0.1/24 dev br0",
        "addr add 10.1.0.1/24 dev near",
    ]);
    for link in ["br0", "near"] {
        // Probes that nobody answers end no entry while a test looks at it.
        sh(&format!(
            "echo 1000 > /proc/sys/net/ipv4/neigh/{link}/ucast_solicit"
        ));
    }
    settle();
}

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

/// The UNARP for `address` with a tag as 802.1Q has it.
pub(crate) fn tagged(address: &str, tag: u16) -> Vec<u8> {
    let [high, low] = tag.to_be_bytes();
    let mut frame = unarp(HOLDER, address);
    frame.splice(12..12, [0x81, 0, high, low]);
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
                let mut next_hops = NextHops::with_buffer(4096).unwrap();
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
fn an_entry_goes_once_in_five_seconds() {
    isolated("unarp::an_entry_goes_once_in_five_seconds", || {
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
    isolated("unarp::ten_entries_of_a_link_go_in_a_second", || {
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
        "unarp::a_flood_is_bounded_and_counted_to_the_last_frame",
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
    isolated("unarp::a_pause_and_a_dry_run_withhold", || {
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
    isolated("unarp::settings_can_change_while_it_listens", || {
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
