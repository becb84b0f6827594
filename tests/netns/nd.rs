//! IPv6 addresses of guests, learnt at their ports from what Linux itself sends.

use std::time::Duration;

use macmoved::engine::Standing;
use macmoved::model::{AddressRefusal, AddressSource, Ifindex, MacAddr};
use macmoved::observe::addresses::Addresses;
use macmoved::sys::packet_ear::PacketEar;

use crate::addresses::{CONTESTED, EVERYBODY, SOON, changes, watch};
use crate::host::Host;
use crate::world::{MAC, PEER, build, index, ip, isolated, send, sh};

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

/// An unfinished frame from the guest: what the filter looks at, and nothing else.
fn frame(ether_type: u16, after: &[(usize, u8)], tag: Option<u16>) -> Vec<u8> {
    let mut octets = [MacAddr::BROADCAST.octets(), MAC.octets()].concat();
    octets.extend(ether_type.to_be_bytes());
    octets.resize(86, 0);
    for &(at, octet) in after {
        octets[at] = octet;
    }
    if let Some(tag) = tag {
        let [high, low] = tag.to_be_bytes();
        octets.splice(12..12, [0x81, 0, high, low]);
    }
    octets
}

/// Frames that an ear at the guest's port hears of these.
async fn heard(nd: bool, frames: &[(&'static str, Vec<u8>)]) -> Vec<&'static str> {
    let port = Ifindex::new(index("vnet1")).unwrap();
    let ear = PacketEar::of_addresses(port, nd).unwrap();
    for (_, frame) in frames {
        send("guest1", frame);
    }
    let mut names = Vec::new();
    let mut buffer = [0; 256];
    while let Ok(received) = tokio::time::timeout(SOON, ear.receive(&mut buffer)).await {
        let octets = &buffer[..received.unwrap().length];
        let of = |(_, frame): &&(&str, Vec<u8>)| frame == octets;
        names.push(frames.iter().find(of).unwrap().0);
    }
    names
}

#[test]
fn at_a_port_nothing_is_heard_but_what_tells_of_addresses() {
    isolated(
        "nd::at_a_port_nothing_is_heard_but_what_tells_of_addresses",
        || {
            build();
            let icmp6 = |kind| [(14, 0x60), (20, 58), (21, 255), (54, kind)];
            let dhcp = [(14, 0x45), (23, 17), (37, 68)];
            let frames = [
                ("arp", frame(0x0806, &[], None)),
                ("arp, tagged", frame(0x0806, &[], Some(7))),
                ("solicitation", frame(0x86dd, &icmp6(135), None)),
                ("advertisement", frame(0x86dd, &icmp6(136), None)),
                ("solicitation, tagged", frame(0x86dd, &icmp6(135), Some(7))),
                ("router's", frame(0x86dd, &icmp6(134), None)),
                ("redirect", frame(0x86dd, &icmp6(137), None)),
                ("echo", frame(0x86dd, &icmp6(128), None)),
                (
                    "tcp",
                    frame(0x86dd, &[(14, 0x60), (20, 6), (54, 135)], None),
                ),
                (
                    "udp",
                    frame(0x86dd, &[(14, 0x60), (20, 17), (57, 68)], None),
                ),
                ("ipv4's tcp", frame(0x0800, &[(14, 0x45), (23, 6)], None)),
                // It goes from the guest.
                ("dhcp", frame(0x0800, &dhcp, None)),
                ("another", frame(0x88b5, &[(20, 58), (54, 135)], None)),
            ];
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let all = ["arp", "solicitation", "advertisement"];
                assert_eq!(heard(true, &frames).await, all);
                assert_eq!(heard(false, &frames).await, ["arp"]);
            });
        },
    );
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
