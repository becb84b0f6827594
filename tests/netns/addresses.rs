//! Addresses of guests, learnt at their ports.

use std::time::Duration;

use macmoved::engine::{Event, Standing, WatchedNic};
use macmoved::model::{AddressRefusal, AddressSource, Ifindex, Lease, MacAddr, NicLeases};
use macmoved::observe::addresses::{Addresses, Listens};
use macmoved::sys::packet::PacketSocket;
use macmoved::wire::Frame;

use crate::world::{GUEST, MAC, PEER, build, index, isolated, send, settle, sh};

pub(crate) const CONTESTED: Standing = Standing::Contested { by: PEER };
pub(crate) const EVERYBODY: Listens = Listens {
    dhcp: true,
    snoop: true,
    lease: true,
};

/// Address, source and standing of each change, until nothing comes for so long.
pub(crate) fn changes(
    addresses: &mut Addresses,
    quiet: Duration,
) -> Vec<(String, AddressSource, Standing)> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let mut told = Vec::new();
    runtime.block_on(async {
        while let Ok(event) = tokio::time::timeout(quiet, addresses.next()).await {
            let Event::Address {
                guest,
                sighting,
                standing,
            } = event
            else {
                panic!("{event:?}");
            };
            assert_eq!((guest, sighting.mac), (GUEST, MAC));
            told.push((sighting.ip.to_string(), sighting.source, standing));
        }
    });
    told
}

pub(crate) const SOON: Duration = Duration::from_millis(500);

pub(crate) fn watch(addresses: &mut Addresses) {
    let port = Ifindex::new(index("vnet1")).unwrap();
    let nic = WatchedNic {
        mac: MAC,
        port,
        network: Some("default".to_owned()),
    };
    addresses.watch(GUEST, vec![nic]);
    settle();
}

/// A DHCP server's acknowledgement from the peer, for an hour, with the router 192.0.2.1.
fn acknowledgement(client: MacAddr, ip: [u8; 4]) -> Vec<u8> {
    let mut message = vec![0; 240];
    message[..3].copy_from_slice(&[2, 1, 6]);
    message[16..20].copy_from_slice(&ip);
    message[28..34].copy_from_slice(&client.octets());
    message[236..].copy_from_slice(&[99, 130, 83, 99]);
    message.extend([53, 1, 5, 51, 4, 0, 0, 14, 16, 3, 4, 192, 0, 2, 1, 255]);
    let length = |more: usize| u16::try_from(message.len() + more).unwrap().to_be_bytes();
    let mut frame = [client.octets(), PEER.octets()].concat();
    frame.extend([0x08, 0x00, 0x45, 0]);
    frame.extend(length(28));
    frame.extend([0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1]);
    frame.extend(ip);
    // A bridge with netfilter drops an IPv4 header whose checksum is wrong.
    let halves = frame[14..].chunks(2);
    let sum: u32 = halves
        .map(|half| u32::from(half[0]) << 8 | u32::from(half[1]))
        .sum();
    let checksum = !u16::try_from((sum & 0xffff) + (sum >> 16)).unwrap();
    frame[24..26].copy_from_slice(&checksum.to_be_bytes());
    frame.extend([0, 67, 0, 68]);
    frame.extend(length(8));
    frame.extend([0, 0]);
    frame.extend(message);
    frame
}

fn garp(mac: MacAddr, ip: &str) -> Vec<u8> {
    Frame::garp(mac, ip.parse().unwrap(), None).to_vec()
}

#[test]
fn a_lease_is_learnt_from_the_server_and_not_from_the_guest() {
    isolated(
        "addresses::a_lease_is_learnt_from_the_server_and_not_from_the_guest",
        || {
            build();
            let listens = Listens {
                snoop: false,
                ..EVERYBODY
            };
            let mut addresses = Addresses::start(listens).unwrap();
            watch(&mut addresses);
            send("guest1", &acknowledgement(MAC, [192, 0, 2, 66]));
            send("peer", &acknowledgement(PEER, [192, 0, 2, 67]));
            assert_eq!(changes(&mut addresses, SOON), []);
            send("guest1", &garp(MAC, "192.0.2.9"));
            send("peer", &acknowledgement(MAC, [192, 0, 2, 7]));
            let lease = |standing| ("192.0.2.7".to_owned(), AddressSource::Dhcp, standing);
            assert_eq!(changes(&mut addresses, SOON), [lease(Standing::Held)]);
            send("peer", &garp(PEER, "192.0.2.7"));
            assert_eq!(changes(&mut addresses, SOON), [lease(CONTESTED)]);

            // Gone and back, as after a migration there and back.
            addresses.unwatch(GUEST);
            send("peer", &acknowledgement(MAC, [192, 0, 2, 8]));
            assert_eq!(changes(&mut addresses, SOON), []);
            watch(&mut addresses);
            assert_eq!(changes(&mut addresses, SOON), [lease(CONTESTED)]);
            addresses.set_listens(Listens::default());
            assert_eq!(changes(&mut addresses, SOON), [lease(Standing::Gone)]);
            send("peer", &acknowledgement(MAC, [192, 0, 2, 8]));
            assert_eq!(changes(&mut addresses, SOON), []);
        },
    );
}

#[test]
fn a_guests_own_word_is_learnt_when_it_is_steady_and_nobody_elses() {
    isolated(
        "addresses::a_guests_own_word_is_learnt_when_it_is_steady_and_nobody_elses",
        || {
            build();
            sh("ip address add 192.0.2.2/24 dev br0");
            sh("ip route add 203.0.113.0/24 via 192.0.2.3");
            let mut addresses = Addresses::start(EVERYBODY).unwrap();
            watch(&mut addresses);
            // A router's, a neighbour's, the host's and a next hop's address, and its own; and
            // a new one every second.
            send("peer", &acknowledgement(MAC, [192, 0, 2, 7]));
            send("peer", &garp(PEER, "192.0.2.4"));
            let (packets, guest) = (PacketSocket::open().unwrap(), index("guest1"));
            let say = |mac, ip: &str| packets.send(guest, &garp(mac, ip)).unwrap();
            for second in 0..32_u8 {
                for last in [1, 2, 3, 4, 5] {
                    say(MAC, &format!("192.0.2.{last}"));
                }
                say(MAC, &format!("192.0.2.{}", 100 + second));
                // Another guest's frames at this guest's port.
                say(PEER, "192.0.2.90");
                std::thread::sleep(Duration::from_secs(1));
            }
            let told = changes(&mut addresses, SOON);
            let changing = |ip: &str| ip.starts_with("192.0.2.1") && ip.len() == 11;
            let (changing, told): (Vec<_>, Vec<_>) =
                told.into_iter().partition(|(ip, ..)| changing(ip));
            assert!(changing.iter().all(|(.., it)| *it != Standing::Held));
            let waits = changing.iter().filter(|(.., it)| *it == Standing::Waiting);
            assert!(waits.count() > 8, "it is seen to change: {changing:?}");
            let refused = |reason| Standing::Refused { reason };
            let expected = [
                ("192.0.2.7", AddressSource::Dhcp, Standing::Held),
                (
                    "192.0.2.1",
                    AddressSource::Snoop,
                    refused(AddressRefusal::Router),
                ),
                (
                    "192.0.2.2",
                    AddressSource::Snoop,
                    refused(AddressRefusal::Host),
                ),
                (
                    "192.0.2.3",
                    AddressSource::Snoop,
                    refused(AddressRefusal::NextHop),
                ),
                ("192.0.2.4", AddressSource::Snoop, CONTESTED),
                ("192.0.2.5", AddressSource::Snoop, Standing::Waiting),
                ("192.0.2.5", AddressSource::Snoop, Standing::Held),
            ];
            let expected = expected.map(|(ip, source, standing)| (ip.to_owned(), source, standing));
            assert_eq!(told, expected);
        },
    );
}

#[test]
fn a_guest_that_floods_costs_little_and_is_counted() {
    isolated(
        "addresses::a_guest_that_floods_costs_little_and_is_counted",
        || {
            build();
            let mut addresses = Addresses::start(EVERYBODY).unwrap();
            watch(&mut addresses);
            let before = cpu_ticks();
            let (packets, guest) = (PacketSocket::open().unwrap(), index("guest1"));
            for number in 0..20_000_u32 {
                let [_, _, a, b] = number.to_be_bytes();
                let claim = garp(MAC, &format!("10.0.{a}.{b}"));
                packets.send(guest, &claim).unwrap();
            }
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .build()
                .unwrap();
            let mut lost = 0;
            runtime.block_on(async {
                while let Ok(event) = tokio::time::timeout(2 * SOON, addresses.next()).await {
                    let Event::Dropped { count, .. } = event else {
                        panic!("nothing of it is believed: {event:?}");
                    };
                    lost += count;
                }
            });
            assert!(lost > 10_000, "{lost} frames that nobody read");
            let spent = cpu_ticks() - before;
            assert!(spent < 100, "{spent} ticks of the thread that listens");
        },
    );
}

/// Clock ticks that the listening thread has run.
fn cpu_ticks() -> u64 {
    let threads = std::fs::read_dir("/proc/self/task").unwrap();
    let stats = threads.filter_map(|thread| {
        let stat = std::fs::read_to_string(thread.ok()?.path().join("stat")).ok()?;
        stat.contains("(addresses)").then_some(stat)
    });
    let ticks = |stat: String| -> u64 {
        let after = stat.rsplit(')').next().unwrap().to_owned();
        let fields: Vec<&str> = after.split_whitespace().collect();
        // utime and stime, fields 14 and 15 of proc(5), counted from the state.
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    };
    stats.map(ticks).sum()
}

#[test]
fn libvirts_leases_are_held_against_what_the_port_and_the_host_say() {
    isolated(
        "addresses::libvirts_leases_are_held_against_what_the_port_and_the_host_say",
        || {
            build();
            sh("ip address add 192.0.2.2/24 dev br0");
            let listens = Listens {
                lease: true,
                ..Listens::default()
            };
            let mut addresses = Addresses::start(listens).unwrap();
            let lessee = addresses.lessee();
            let has = |guest, ips: &[&str]| {
                let lease = |ip: &&str| Lease {
                    ip: ip.parse().unwrap(),
                    until: None,
                };
                let leases = ips.iter().map(lease).collect();
                let mac = MAC;
                lessee.take(vec![NicLeases { guest, mac, leases }]);
            };
            let told = |ip: &str, standing| (ip.to_owned(), AddressSource::Lease, standing);
            has(GUEST, &["192.0.2.7"]);
            assert_eq!(
                changes(&mut addresses, SOON),
                [],
                "nobody knows the guest yet"
            );
            watch(&mut addresses);
            let stranger = macmoved::model::GuestId::new([0xee; 16]);
            has(stranger, &["192.0.2.8"]);
            has(GUEST, &["192.0.2.7", "192.0.2.2"]);
            let reason = AddressRefusal::Host;
            let expected = [
                told("192.0.2.7", Standing::Held),
                told("192.0.2.2", Standing::Refused { reason }),
            ];
            // In either order: what is refused is told as it is found.
            let mut heard = changes(&mut addresses, SOON);
            heard.sort_by_key(|(ip, ..)| std::cmp::Reverse(ip.clone()));
            assert_eq!(heard, expected);
            send("peer", &garp(PEER, "192.0.2.7"));
            assert_eq!(
                changes(&mut addresses, SOON),
                [told("192.0.2.7", CONTESTED)]
            );
            has(GUEST, &[]);
            assert_eq!(
                changes(&mut addresses, SOON),
                [told("192.0.2.7", Standing::Gone)]
            );
        },
    );
}
