use std::net::IpAddr;

use super::*;
use crate::model::HostIp;
use crate::observe::addresses::dhcp::tests::MAC;

const OTHER: MacAddr = MacAddr::new([0x52, 0x54, 0, 0, 0, 2]);

pub(in crate::observe::addresses) fn ipv6(text: &str) -> HostIp {
    let address: IpAddr = text.parse().unwrap();
    HostIp::try_from(address).unwrap()
}

/// A message of neighbour discovery.
#[derive(Clone, Copy)]
pub(in crate::observe::addresses) struct Message {
    pub(in crate::observe::addresses) source: MacAddr,
    kind: [u8; 2],
    sender: Ipv6Addr,
    target: Ipv6Addr,
    option: Option<(u8, MacAddr)>,
}

impl Message {
    pub(in crate::observe::addresses) fn solicitation(
        source: MacAddr,
        sender: &str,
        target: &str,
    ) -> Self {
        Self {
            source,
            kind: SOLICITATION,
            sender: sender.parse().unwrap(),
            target: target.parse().unwrap(),
            option: Some((SOURCE, source)),
        }
    }

    pub(in crate::observe::addresses) fn advertisement(source: MacAddr, target: &str) -> Self {
        Self {
            kind: ADVERTISEMENT,
            option: Some((TARGET, source)),
            ..Self::solicitation(source, target, target)
        }
    }

    pub(in crate::observe::addresses) fn to_vec(self) -> Vec<u8> {
        let mut octets = [[0x33, 0x33, 0, 0, 0, 1], self.source.octets()].concat();
        octets.extend(IPV6);
        let length = if self.option.is_some() { 32 } else { 24 };
        octets.extend([0x60, 0, 0, 0, 0, length, ICMPV6, HOP_LIMIT]);
        octets.extend(self.sender.octets());
        octets.extend("ff02::1".parse::<Ipv6Addr>().unwrap().octets());
        octets.extend(self.kind);
        octets.extend([0; 6]);
        octets.extend(self.target.octets());
        if let Some((kind, mac)) = self.option {
            octets.extend([kind, 1]);
            octets.extend(mac.octets());
        }
        seal(&mut octets);
        octets
    }
}

/// Writes the checksum that is right.
pub(in crate::observe::addresses) fn seal(octets: &mut [u8]) {
    octets[56..58].copy_from_slice(&[0, 0]);
    let length = u32::try_from(octets.len() - 54).unwrap().to_be_bytes();
    let summed = [&octets[22..54], &length, &[0, 0, 0, ICMPV6], &octets[54..]].concat();
    let halves = summed.chunks(2).map(|half| match half {
        [high, low] => u32::from(*high) << 8 | u32::from(*low),
        _ => u32::from(half[0]) << 8,
    });
    let mut sum: u32 = halves.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    let sum = !u16::try_from(sum).unwrap();
    octets[56..58].copy_from_slice(&sum.to_be_bytes());
}

/// A guest's question for its neighbour, as Linux 6.18 sends it.
const ASKED: [u8; 86] = [
    0x33, 0x33, 0xff, 0x00, 0x00, 0x01, 0x52, 0x54, 0x00, 0x00, 0x00, 0x01, 0x86, 0xdd, 0x60, 0x00,
    0x00, 0x00, 0x00, 0x20, 0x3a, 0xff, 0x20, 0x01, 0x0d, 0xb8, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x07, 0xff, 0x02, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x01, 0xff, 0x00, 0x00, 0x01, 0x87, 0x00, 0xcb, 0xce, 0x00, 0x00, 0x00, 0x00, 0x20, 0x01,
    0x0d, 0xb8, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x01, 0x01,
    0x52, 0x54, 0x00, 0x00, 0x00, 0x01,
];

/// A guest's answer to a neighbour that makes sure of it: without an option.
const CONFIRMED: [u8; 78] = [
    0x52, 0x54, 0x00, 0x00, 0x00, 0x02, 0x52, 0x54, 0x00, 0x00, 0x00, 0x01, 0x86, 0xdd, 0x60, 0x00,
    0x00, 0x00, 0x00, 0x18, 0x3a, 0xff, 0x20, 0x01, 0x0d, 0xb8, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x07, 0xfe, 0x80, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x50, 0x54,
    0x00, 0xff, 0xfe, 0x00, 0x00, 0x02, 0x88, 0x00, 0x8e, 0x55, 0x40, 0x00, 0x00, 0x00, 0x20, 0x01,
    0x0d, 0xb8, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x07,
];

#[test]
fn what_linux_sends_is_read() {
    let said = |ip, sought: Option<&str>| Said {
        sender: MAC,
        ip: Some(ipv6(ip)),
        sought: sought.map(ipv6),
    };
    let asked = said("2001:db8::7", Some("2001:db8::1"));
    assert_eq!(read(&ASKED), Some(asked));
    assert_eq!(read(&CONFIRMED), Some(said("2001:db8::7", None)));
    let same = Message::solicitation(MAC, "2001:db8::7", "2001:db8::1");
    assert_eq!(same.to_vec()[54..56], ASKED[54..56]);
    assert_eq!(same.to_vec()[58..], ASKED[58..]);
}

#[test]
fn a_probe_says_nothing_yet() {
    let probe = Message {
        option: None,
        ..Message::solicitation(MAC, "::", "2001:db8::7")
    };
    assert_eq!(read(&probe.to_vec()), None);
}

#[test]
fn without_an_option_the_frame_says_who_it_is() {
    let message = Message {
        option: None,
        ..Message::advertisement(OTHER, "2001:db8::7")
    };
    let said = read(&message.to_vec()).unwrap();
    assert_eq!((said.sender, said.ip), (OTHER, Some(ipv6("2001:db8::7"))));
    // One of another kind is none.
    let message = Message {
        option: Some((SOURCE, MAC)),
        ..message
    };
    assert_eq!(read(&message.to_vec()).unwrap().sender, OTHER);
}

#[test]
fn what_is_of_one_link_is_not_looked_at() {
    let said = |message: Message| {
        let said = read(&message.to_vec()).unwrap();
        (said.ip, said.sought)
    };
    let (own, other) = (Some(ipv6("2001:db8::7")), Some(ipv6("2001:db8::1")));
    assert_eq!(said(Message::advertisement(MAC, "fe80::1")), (None, None));
    let asks = |sender, target| said(Message::solicitation(MAC, sender, target));
    assert_eq!(asks("2001:db8::7", "fe80::1"), (own, None));
    assert_eq!(asks("fe80::7", "2001:db8::1"), (None, other));
    let many = Message::solicitation(MAC, "2001:db8::7", "ff02::1");
    assert_eq!(read(&many.to_vec()), None);
}

#[test]
fn what_a_receiver_would_pass_over_says_nothing() {
    let whole = Message::advertisement(MAC, "2001:db8::7").to_vec();
    assert!(read(&whole).is_some());
    // IPv4, TCP, from beyond a router, another type, another code, an option without a length, one
    // that is longer than the message, and an answer to everybody.
    let faults = [
        (14, 0x45),
        (20, 6),
        (21, 254),
        (54, 134),
        (55, 1),
        (79, 0),
        (79, 2),
        (58, 0x40),
    ];
    for (at, octet) in faults {
        let mut octets = whole.clone();
        octets[at] = octet;
        seal(&mut octets);
        assert_eq!(read(&octets), None, "octet {at}");
    }
    for at in 22..whole.len() {
        let mut octets = whole.clone();
        octets[at] ^= 0x10;
        assert_eq!(read(&octets), None, "octet {at} against the checksum");
    }
    for length in 0..whole.len() {
        assert_eq!(read(&whole[..length]), None, "{length}");
    }
    // An address of another length than Ethernet's.
    let mut long = [whole.as_slice(), &[0; 8]].concat();
    (long[19], long[79]) = (40, 2);
    seal(&mut long);
    assert_eq!(read(&long), None);
    // Of two the first counts.
    let mut two = [whole.as_slice(), &[TARGET, 1, 2, 0, 0, 0, 0, 9]].concat();
    two[19] = 40;
    seal(&mut two);
    assert_eq!(read(&two), read(&whole));
    let padded = [whole.as_slice(), &[0; 4]].concat();
    assert!(read(&padded).is_some());
}
