//! RFC 1868's own scene: a guest moves from one communication server to another.
//!
//! ```text
//!   host A 10.0.0.1 (here) ---+                +--- CS1 10.0.0.11 ---+
//!                             +--- fabric -----+                     +--- guest 10.0.0.50
//!                                              +--- CS2 10.0.0.12 ---+
//! ```
//!
//! The servers answer A's ARP for the guest with their own MAC addresses (proxy ARP), each while it
//! has a route to it. A and the fabric are in the test's own network namespace, and everybody else
//! in one of theirs.

use std::process::Command;
use std::time::{Duration, Instant};

use macmoved::model::MacAddr;
use macmoved::sys::bpf::Injector;

use crate::honour::{Listener, entry, unarp};
use crate::host::Host;
use crate::world::{Ear, index, ip, isolated, settle};

/// Ten times the longest that was seen between an UNARP and the entry's end while the machine was
/// busy with other things; in peace it is a millisecond.
const GONE_WITHIN: Duration = Duration::from_millis(300);

/// How long anything else may take.
const PATIENCE: Duration = Duration::from_secs(10);

struct Scene {
    servers: [Host; 2],
    guest: Host,
}

impl Scene {
    fn build() -> Self {
        let scene = Self {
            servers: [Host::new(), Host::new()],
            guest: Host::new(),
        };
        ip(&[
            "link set lo up",
            "link add fabric type bridge",
            "link set fabric up",
            "link add a0 type veth peer name p-a",
            "link set p-a master fabric up",
            "link set a0 up",
            "addr add 10.0.0.1/24 dev a0",
        ]);
        let guest = scene.guest.pid();
        scene.guest.sh("ip link set lo up");
        scene.guest.sh("ip addr add 10.0.0.50/32 dev lo");
        for (number, server) in (1..).zip(&scene.servers) {
            let pid = server.pid();
            ip(&[
                &format!("link add p-cs{number} type veth peer name eth0 netns {pid}"),
                &format!("link set p-cs{number} master fabric up"),
            ]);
            server.sh("ip link set lo up");
            server.sh(&format!("ip addr add 10.0.0.1{number}/24 dev eth0"));
            server.sh("ip link set eth0 up");
            server.sh(&format!(
                "ip link add line type veth peer name cs{number} netns {guest}"
            ));
            server.sh("ip link set line up");
            server.sh("ip addr add 169.254.1.1/32 dev line");
            scene.guest.sh(&format!("ip link set cs{number} up"));
            for key in [
                "ipv4/conf/all/rp_filter",
                "ipv4/conf/eth0/rp_filter",
                "ipv4/conf/line/rp_filter",
            ] {
                server.set(key, 0);
            }
            server.set("ipv4/ip_forward", 1);
            server.set("ipv4/conf/eth0/proxy_arp", 1);
            // The kernel answers for others up to 0.8 s late, which is not what is looked at here.
            server.set("ipv4/neigh/eth0/proxy_delay", 0);
        }
        settle();
        scene
    }

    /// The guest is behind the one server, and the other drops what is for it.
    fn guest_behind(&self, server: usize) {
        for (number, host) in self.servers.iter().enumerate() {
            let route = if number == server {
                "10.0.0.50 dev line"
            } else {
                "blackhole 10.0.0.50"
            };
            host.sh("ip route flush 10.0.0.50/32");
            host.sh(&format!("ip route add {route}"));
        }
        let line = format!("cs{}", server + 1);
        self.guest.sh(&format!(
            "ip route replace default via 169.254.1.1 dev {line} onlink src 10.0.0.50"
        ));
    }

    fn mac(&self, server: usize) -> MacAddr {
        self.servers[server].mac("eth0")
    }

    /// A frame enters the fabric as the server sent it.
    fn from_server(server: usize, frame: &[u8]) {
        let port = index(&format!("p-cs{}", server + 1));
        assert_eq!(Injector::load().unwrap().run(port, frame).unwrap(), 0);
    }
}

/// Whether the guest answers A within `limit`, asked twenty times a second.
fn answered_within(limit: Duration) -> bool {
    let seconds = limit.as_secs().max(1);
    let line = format!("ping -n -q -i 0.05 -c 1 -w {seconds} 10.0.0.50");
    Command::new("sh")
        .args(["-c", &format!("{line} >/dev/null")])
        .status()
        .unwrap()
        .success()
}

/// Waits until a word is counted so often. The fabric's own bridge hears every frame, too.
fn heard(listener: &Listener, word: &str, count: u64) {
    let begin = Instant::now();
    while listener.counts().get(word) != Some(&count) {
        let counts = listener.counts();
        assert!(begin.elapsed() < PATIENCE, "{word} {count}: {counts:?}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// A talks to the guest through CS1, and the guest moves.
fn moved(scene: &Scene) {
    scene.guest_behind(0);
    ip(&["neigh flush to 10.0.0.50 dev a0"]);
    assert!(answered_within(Duration::from_secs(5)));
    assert!(entry("a0", "10.0.0.50").contains(&scene.mac(0).to_string()));
    // Confirmed by ARP at this moment, so that A believes in it for 15 s at least.
    ip(&[&format!(
        "neigh replace 10.0.0.50 dev a0 lladdr {} nud reachable",
        scene.mac(0)
    )]);
    scene.guest_behind(1);
}

#[test]
fn without_anything_a_is_dark() {
    isolated("unarp_scene::without_anything_a_is_dark", || {
        let scene = Scene::build();
        moved(&scene);
        assert!(!answered_within(Duration::from_secs(10)));
        assert!(entry("a0", "10.0.0.50").contains(&scene.mac(0).to_string()));
        // The way through CS2 is there; A only does not look for it.
        ip(&["neigh del 10.0.0.50 dev a0"]);
        assert!(answered_within(Duration::from_secs(5)));
        assert!(entry("a0", "10.0.0.50").contains(&scene.mac(1).to_string()));
    });
}

#[test]
fn an_unarp_alone_changes_nothing() {
    isolated("unarp_scene::an_unarp_alone_changes_nothing", || {
        let scene = Scene::build();
        moved(&scene);
        let mut ear = Ear::at("a0");
        Scene::from_server(0, &unarp(scene.mac(0), "10.0.0.50"));
        let heard = ear.heard_from(scene.mac(0));
        assert_eq!(heard, [unarp(scene.mac(0), "10.0.0.50")]);
        assert!(entry("a0", "10.0.0.50").contains(&scene.mac(0).to_string()));
        assert!(!answered_within(Duration::from_secs(1)));
    });
}

#[test]
fn with_an_unarp_and_a_listener_a_finds_the_way_at_once() {
    isolated(
        "unarp_scene::with_an_unarp_and_a_listener_a_finds_the_way_at_once",
        || {
            let scene = Scene::build();
            let listener = Listener::start(&["10.0.0.0/24"]);
            moved(&scene);
            // Not on the word of anybody else.
            Scene::from_server(1, &unarp(scene.mac(1), "10.0.0.50"));
            heard(&listener, "other_mac", 1);
            assert!(entry("a0", "10.0.0.50").contains(&scene.mac(0).to_string()));

            let (port, injector) = (index("p-cs1"), Injector::load().unwrap());
            let frame = unarp(scene.mac(0), "10.0.0.50");
            let begin = Instant::now();
            assert_eq!(injector.run(port, &frame).unwrap(), 0);
            while listener.metrics.unarps_honoured() == 0 {
                assert!(begin.elapsed() < GONE_WITHIN, "{:?}", listener.counts());
                std::thread::yield_now();
            }
            println!("the entry was gone after {:?}", begin.elapsed());
            assert!(!entry("a0", "10.0.0.50").contains(&scene.mac(0).to_string()));
            assert!(answered_within(Duration::from_secs(5)));
            assert!(entry("a0", "10.0.0.50").contains(&scene.mac(1).to_string()));

            // One that comes late finds the right entry.
            Scene::from_server(0, &unarp(scene.mac(0), "10.0.0.50"));
            heard(&listener, "other_mac", 2);
            assert!(entry("a0", "10.0.0.50").contains(&scene.mac(1).to_string()));
        },
    );
}

#[test]
fn a_bridged_guests_right_entry_stays() {
    isolated("unarp_scene::a_bridged_guests_right_entry_stays", || {
        let scene = Scene::build();
        let listener = Listener::start(&["10.0.0.0/24"]);
        // A guest with its own MAC address on the segment, where it also is after it moved.
        let guest = Host::new();
        ip(&[
            &format!(
                "link add p-guest type veth peer name eth0 netns {}",
                guest.pid()
            ),
            "link set p-guest master fabric up",
        ]);
        guest.sh("ip addr add 10.0.0.50/24 dev eth0");
        guest.sh("ip link set eth0 up");
        assert!(answered_within(Duration::from_secs(5)));
        let before = entry("a0", "10.0.0.50");
        let mac = guest.mac("eth0").to_string();
        assert!(before.contains(&mac), "{before}");
        // The host that it left says so, with its own MAC address.
        Scene::from_server(0, &unarp(scene.mac(0), "10.0.0.50"));
        heard(&listener, "other_mac", 1);
        assert!(entry("a0", "10.0.0.50").contains(&mac));
        assert!(answered_within(Duration::from_secs(1)));
    });
}

/// How long until the guest answers A again, which has to be within `limit`.
fn dark(limit: Duration) -> Duration {
    let begin = Instant::now();
    assert!(answered_within(limit), "still dark after {limit:?}");
    begin.elapsed()
}

#[test]
#[ignore = "it takes about two minutes, and tests/run --measure runs it"]
fn how_long_a_is_dark() {
    isolated("unarp_scene::how_long_a_is_dark", || {
        /// The kernel's default `proxy_delay`, in hundredths of a second.
        const PROXY_DELAY: u8 = 80;
        let scene = Scene::build();
        // Reachable for 15 to 45 s, DELAY for 5, and three probes of a second each.
        for _ in 0..2 {
            moved(&scene);
            let alone = dark(Duration::from_secs(120));
            assert!(alone > Duration::from_secs(15), "{alone:?}");
            println!("dark without anything: {:.1} s", alone.as_secs_f64());
        }
        let listener = Listener::start(&["10.0.0.0/24"]);
        for delay in [0, PROXY_DELAY] {
            scene.servers[1].set("neigh/eth0/proxy_delay", delay);
            moved(&scene);
            // Once in five seconds an address.
            std::thread::sleep(Duration::from_secs(6));
            Scene::from_server(0, &unarp(scene.mac(0), "10.0.0.50"));
            let with = dark(Duration::from_secs(5)).as_secs_f64() * 1e3;
            println!("dark with UNARP, proxy_delay {delay}: {with:.0} ms");
        }
        assert_eq!(listener.counts()["honoured"], 2);
    });
}
