use std::net::Ipv4Addr;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::model::VlanId;
use crate::observe::addresses::dhcp::tests::{ACKNOWLEDGED, MAC, message};
use crate::observe::addresses::nd::tests::{Message, ipv6, seal};
use crate::wire::Addresses;

const OTHER: MacAddr = MacAddr::new([0x52, 0x54, 0, 0, 0, 2]);

fn host(last: u8) -> HostIpv4 {
    HostIpv4::try_from(Ipv4Addr::new(192, 0, 2, last)).unwrap()
}

fn ip(last: u8) -> HostIp {
    host(last).into()
}

/// An ARP frame: who sends it on the wire, and who says what.
fn arp(source: MacAddr, operation: ArpOperation, sender: (MacAddr, u8), target: u8) -> Vec<u8> {
    let address = |last: u8| match last {
        0 => Ipv4Addr::UNSPECIFIED,
        _ => host(last).get(),
    };
    let addresses = Addresses {
        sender_mac: sender.0,
        sender_ip: address(sender.1),
        target_mac: MacAddr::new([0; 6]),
        target_ip: address(target),
    };
    Frame {
        source,
        destination: MacAddr::BROADCAST,
        vlan: None,
        body: Body::Arp(operation, addresses),
    }
    .to_vec()
}

#[test]
fn the_guests_arp_says_what_it_has_and_what_it_looks_for() {
    let request = arp(MAC, ArpOperation::Request, (MAC, 7), 1);
    assert_eq!(
        read(&request, Way::FromGuest, MAC),
        [Word::Claim(ip(7)), Word::Seek(ip(1))]
    );
    let reply = arp(MAC, ArpOperation::Reply, (MAC, 7), 1);
    assert_eq!(read(&reply, Way::FromGuest, MAC), [Word::Claim(ip(7))]);
    let announcement = Frame::garp(MAC, host(7), None).to_vec();
    assert_eq!(
        read(&announcement, Way::FromGuest, MAC),
        [Word::Claim(ip(7))]
    );
    let probe = arp(MAC, ArpOperation::Request, (MAC, 0), 7);
    assert_eq!(read(&probe, Way::FromGuest, MAC), []);
}

#[test]
fn another_stations_arp_speaks_for_it_from_whichever_side() {
    for way in [Way::FromGuest, Way::ToGuest] {
        let request = arp(OTHER, ArpOperation::Request, (OTHER, 7), 1);
        assert_eq!(read(&request, way, MAC), [Word::Other(ip(7), OTHER)]);
    }
}

#[test]
fn nobody_else_speaks_for_the_guest() {
    let forged = arp(OTHER, ArpOperation::Request, (MAC, 7), 1);
    assert_eq!(read(&forged, Way::FromGuest, MAC), []);
    let from_outside = arp(MAC, ArpOperation::Request, (MAC, 7), 1);
    assert_eq!(read(&from_outside, Way::ToGuest, MAC), []);
}

#[test]
fn announcements_of_macs_and_tagged_or_broken_frames_say_nothing() {
    let tagged = VlanId::try_from(7).ok();
    for frame in [Frame::rarp(MAC, None), Frame::unarp(MAC, host(7), None)] {
        assert_eq!(read(&frame.to_vec(), Way::FromGuest, MAC), []);
    }
    assert!(tagged.is_some());
    let request = arp(MAC, ArpOperation::Request, (MAC, 7), 1);
    for length in 0..42 {
        assert_eq!(read(&request[..length], Way::FromGuest, MAC), []);
    }
}

#[test]
fn neighbour_discovery_says_the_same_of_ipv6() {
    let says = |message: Message, way| read(&message.to_vec(), way, MAC);
    let (from, to) = (Way::FromGuest, Way::ToGuest);
    let asks = Message::solicitation(MAC, "2001:db8::7", "2001:db8::1");
    assert_eq!(
        says(asks, from),
        [
            Word::Claim(ipv6("2001:db8::7")),
            Word::Seek(ipv6("2001:db8::1"))
        ]
    );
    assert_eq!(says(asks, to), [], "nobody else speaks for the guest");
    let answers = Message::advertisement(MAC, "2001:db8::7");
    assert_eq!(says(answers, from), [Word::Claim(ipv6("2001:db8::7"))]);
    assert_eq!(says(answers, to), []);
    let others = Message::advertisement(OTHER, "2001:db8::7");
    for way in [from, to] {
        let contest = Word::Other(ipv6("2001:db8::7"), OTHER);
        assert_eq!(says(others, way), [contest]);
    }
    let asks = Message::solicitation(MAC, "fe80::7", "2001:db8::1");
    let seeks = [Word::Seek(ipv6("2001:db8::1"))];
    assert_eq!(says(asks, from), seeks, "from whatever address it asks");
    let asks = Message::solicitation(OTHER, "fe80::7", "2001:db8::1");
    assert_eq!(says(asks, to), []);
    // Another's frame with the guest's address in its option, and the other way round.
    let mut forged = Message::advertisement(MAC, "2001:db8::7");
    forged.source = OTHER;
    assert_eq!(says(forged, from), []);
    let (mut forged, named) = (others, Word::Other(ipv6("2001:db8::7"), OTHER));
    forged.source = MAC;
    assert_eq!(says(forged, from), [named]);
}

/// A DHCP message in UDP, IPv4 and Ethernet.
fn datagram(payload: &[u8], words_of_options: u8) -> Vec<u8> {
    let length = |more: usize| u16::try_from(payload.len() + more).unwrap().to_be_bytes();
    let header = 20 + usize::from(words_of_options) * 4;
    let mut octets = [[0xff; 6], OTHER.octets()].concat();
    octets.extend(IPV4);
    octets.extend([0x45 + words_of_options, 0]);
    octets.extend(length(header + 8));
    octets.extend([
        0, 0, 0x40, 0, 64, UDP, 0, 0, 192, 0, 2, 1, 255, 255, 255, 255,
    ]);
    octets.resize(14 + header, 0);
    octets.extend([0, 67, 0, 68]);
    octets.extend(length(8));
    octets.extend([0, 0]);
    octets.extend(payload);
    octets
}

#[test]
fn a_servers_acknowledgement_is_heard_on_its_way_to_the_guest_only() {
    let payload = message([192, 0, 2, 7], ACKNOWLEDGED);
    let expected = Word::Lease {
        ip: host(7),
        lasts: Some(Duration::from_secs(3_600)),
        routers: vec![host(1).get(), host(2).get()],
    };
    for options in [0, 3] {
        let mut octets = datagram(&payload, options);
        let words = read(&octets, Way::ToGuest, MAC);
        assert_eq!(words, std::slice::from_ref(&expected));
        assert_eq!(read(&octets, Way::FromGuest, MAC), []);
        assert_eq!(read(&octets, Way::ToGuest, OTHER), []);
        // Padding behind the datagram is not read.
        octets.extend([0; 20]);
        assert_eq!(read(&octets, Way::ToGuest, MAC).len(), 1);
    }
    assert_eq!(
        read(
            &datagram(&message([0; 4], &[53, 1, 6, 255]), 0),
            Way::ToGuest,
            MAC
        ),
        [Word::Refusal]
    );
}

#[test]
fn fragments_other_ports_and_other_protocols_are_not_dhcp() {
    let payload = message([192, 0, 2, 7], ACKNOWLEDGED);
    for (at, octet) in [(20, 0x20), (21, 1), (23, 6), (37, 67), (14, 0x65)] {
        let mut octets = datagram(&payload, 0);
        octets[at] = octet;
        assert_eq!(read(&octets, Way::ToGuest, MAC), [], "octet {at}");
    }
    let octets = datagram(&payload, 0);
    for length in 0..octets.len() {
        assert_eq!(read(&octets[..length], Way::ToGuest, MAC), [], "{length}");
    }
}

proptest! {
    #[test]
    fn no_message_of_neighbour_discovery_is_too_strange(
        solicits: bool,
        at in prop::collection::vec((14..200_usize, any::<u8>()), 0..4),
        options in prop::collection::vec(any::<u8>(), 0..100),
    ) {
        let message = if solicits {
            Message::solicitation(MAC, "2001:db8::7", "2001:db8::1")
        } else {
            Message::advertisement(MAC, "2001:db8::7")
        };
        let mut octets = message.to_vec();
        octets.truncate(78);
        octets.extend(options);
        octets[19] = u8::try_from(octets.len() - 54).unwrap();
        for (at, octet) in at {
            if let Some(place) = octets.get_mut(at) {
                *place = octet;
            }
        }
        seal(&mut octets);
        for way in [Way::FromGuest, Way::ToGuest] {
            assert!(read(&octets, way, MAC).len() <= 2);
        }
    }

    #[test]
    fn no_frame_is_too_strange(octets in prop::collection::vec(any::<u8>(), 0..400)) {
        for way in [Way::FromGuest, Way::ToGuest] {
            assert!(read(&octets, way, MAC).len() <= 2);
            for kind in [IPV4, nd::IPV6] {
                let mut octets = octets.clone();
                if let Some(octets) = octets.get_mut(12..14) {
                    octets.copy_from_slice(&kind);
                }
                assert!(read(&octets, way, MAC).len() <= 2);
            }
        }
    }
}
