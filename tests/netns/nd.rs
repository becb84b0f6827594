//! IPv6 addresses of guests, learnt at their ports from what Linux itself sends.

use std::time::Duration;

use macmoved::engine::Standing;
use macmoved::model::{AddressRefusal, AddressSource, MacAddr};
use macmoved::observe::addresses::Addresses;

use crate::addresses::{CONTESTED, EVERYBODY, SOON, changes, watch};
use crate::host::Host;
use crate::world::{MAC, PEER, build, ip, isolated, sh};

/// A station with IPv6 at the one end of a link that leaves for its network namespace.
fn station(link: &str, mac: MacAddr, addresses: &[&str]) -> Host {
    let host = Host::new();
    ip(&[&format!("link set {link} netns {}", host.pid())]);
    host.sh(&format!("ip link set {link} address {mac}"));
    host.set(&format!("ipv6/conf/{link}/disable_ipv6"), 0);
    host.sh(&format!("ip link set {link} up"));
    for address in addresses {
        host.sh(&format!("ip address add {address}/64 dev {link} nodad"));
    }
    host
}

/// Talks to a neighbour that the station has to look for first. Nobody has to answer.
fn talk(host: &Host, link: &str, from: &str, to: &str) {
    host.sh(&format!("ip -6 neigh flush dev {link}"));
    host.sh(&format!(
        "sh -c 'ping -6 -n -q -c 1 -W 1 -I {from} {to} >/dev/null || true'"
    ));
}

#[test]
fn what_linux_says_of_its_addresses_is_learnt_as_arp_is() {
    isolated(
        "nd::what_linux_says_of_its_addresses_is_learnt_as_arp_is",
        || {
            build();
            // The host has an address and a next hop on the bridge.
            std::fs::write("/proc/sys/net/ipv6/conf/br0/disable_ipv6", "0").unwrap();
            sh("ip address add 2001:db8::2/64 dev br0 nodad");
            sh("ip route add 2001:db8:1::/64 via 2001:db8::3");
            let own = ["2001:db8::7", "2001:db8::2", "2001:db8::3", "2001:db8::4"];
            let guest = station("guest1", MAC, &own);
            let peer = station("peer", PEER, &["2001:db8::1", "2001:db8::4"]);
            let mut addresses = Addresses::start(EVERYBODY).unwrap();
            watch(&mut addresses);

            // Its own, and the host's, a next hop's and the peer's.
            talk(&peer, "peer", "2001:db8::4", "2001:db8::7");
            for from in own {
                talk(&guest, "guest1", from, "2001:db8::1");
            }
            for _ in 0..32 {
                talk(&guest, "guest1", "2001:db8::7", "2001:db8::1");
                std::thread::sleep(Duration::from_secs(1));
            }
            let mut told = changes(&mut addresses, SOON);
            told.sort_by(|(one, ..), (other, ..)| one.cmp(other));
            let refused = |reason| Standing::Refused { reason };
            let expected = [
                ("2001:db8::2", refused(AddressRefusal::Host)),
                ("2001:db8::3", refused(AddressRefusal::NextHop)),
                ("2001:db8::4", CONTESTED),
                ("2001:db8::7", Standing::Waiting),
                ("2001:db8::7", Standing::Held),
            ];
            let expected =
                expected.map(|(ip, standing)| (ip.to_owned(), AddressSource::Snoop, standing));
            assert_eq!(told, expected);

            // The peer takes it, and says so.
            peer.sh("ip address add 2001:db8::7/64 dev peer nodad");
            talk(&peer, "peer", "2001:db8::7", "2001:db8::9");
            let contest = ("2001:db8::7".to_owned(), AddressSource::Snoop, CONTESTED);
            assert_eq!(changes(&mut addresses, SOON), [contest]);
        },
    );
}
