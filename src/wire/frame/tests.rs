use std::net::Ipv4Addr;

use proptest::prelude::*;

use super::*;
use crate::model::{HostIpv4Error, VlanIdError};
use crate::wire::{ArpOperation, Opcode};

const GUEST: MacAddr = MacAddr::new([0x52, 0x54, 0, 0x12, 0x34, 0x56]);
const HOST: MacAddr = MacAddr::new([0x02, 0, 0, 0, 0, 0x01]);

fn ip(text: &str) -> HostIpv4 {
    text.parse().unwrap()
}

fn vlan(number: u16) -> VlanId {
    number.try_into().unwrap()
}

fn octets(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

/// Frames and their octets, written out by hand from the standards.
fn goldens() -> Vec<(Frame, Vec<u8>)> {
    let padding = |count: usize| "00".repeat(count);
    vec![
        (
            Frame::rarp(GUEST, None),
            octets(&format!(
                "ffffffffffff 525400123456 8035 0001 0800 06 04 0003 \
                 525400123456 00000000 525400123456 00000000 {}",
                padding(18)
            )),
        ),
        (
            Frame::rarp(GUEST, Some(vlan(100))),
            octets(&format!(
                "ffffffffffff 525400123456 8100 0064 8035 0001 0800 06 04 0003 \
                 525400123456 00000000 525400123456 00000000 {}",
                padding(18)
            )),
        ),
        (
            Frame::unarp(HOST, ip("10.0.0.7"), None),
            octets(&format!(
                "ffffffffffff 020000000001 0806 0001 0800 00 04 0002 0a000007 ffffffff {}",
                padding(30)
            )),
        ),
        (
            Frame::unarp(HOST, ip("10.0.0.7"), Some(vlan(4094))),
            octets(&format!(
                "ffffffffffff 020000000001 8100 0ffe 0806 0001 0800 00 04 0002 \
                 0a000007 ffffffff {}",
                padding(30)
            )),
        ),
        (
            Frame::garp(GUEST, ip("192.0.2.7"), None),
            octets(&format!(
                "ffffffffffff 525400123456 0806 0001 0800 06 04 0001 \
                 525400123456 c0000207 000000000000 c0000207 {}",
                padding(18)
            )),
        ),
    ]
}

#[test]
fn goldens_hold_in_both_directions() {
    for (frame, expected) in goldens() {
        assert_eq!(frame.to_vec(), expected, "{frame}");
        assert_eq!(Frame::parse(&expected), Ok(frame), "{frame}");
    }
}

#[test]
fn emitting_fills_exactly_its_length() {
    for (frame, expected) in goldens() {
        let mut buffer = [0xa5; 100];
        assert_eq!(frame.emit(&mut buffer), Ok(expected.len()));
        let (written, rest) = buffer.split_at(expected.len());
        assert_eq!(written, expected);
        assert!(rest.iter().all(|&octet| octet == 0xa5), "{frame}");
    }
}

#[test]
fn a_short_buffer_is_refused_and_left_alone() {
    for (frame, expected) in goldens() {
        let needed = expected.len();
        for given in 0..needed {
            let mut buffer = vec![0xa5; given];
            assert_eq!(frame.emit(&mut buffer), Err(EmitError { given, needed }));
            assert_eq!(buffer, vec![0xa5; given]);
        }
    }
}

#[test]
fn every_truncation_is_refused() {
    for (frame, whole) in goldens() {
        let tag = if frame.vlan.is_some() { 4 } else { 0 };
        let body = match frame.body {
            Body::Unarp(_) => 16,
            Body::Rarp(..) | Body::Garp(_) | Body::Arp(..) => 28,
        };
        let end = 14 + tag + body;
        for length in 0..end {
            let error = Frame::parse(&whole[..length]).unwrap_err();
            let word = match length {
                0..14 => "truncated_header",
                14..18 if tag == 4 => "truncated_tag",
                _ => "truncated_body",
            };
            assert_eq!(error.label(), word, "{frame} cut to {length}: {error}");
        }
        for length in end..=whole.len() {
            assert_eq!(Frame::parse(&whole[..length]), Ok(frame));
        }
    }
}

#[test]
fn padding_is_not_looked_at() {
    for (frame, whole) in goldens() {
        let mut noisy = whole.clone();
        let padding = match frame.body {
            Body::Unarp(_) => 30,
            Body::Rarp(..) | Body::Garp(_) | Body::Arp(..) => 18,
        };
        let start = noisy.len() - padding;
        noisy[start..].fill(0xee);
        noisy.extend([0xee; 200]);
        assert_eq!(Frame::parse(&noisy), Ok(frame));
    }
}

/// The octets of an untagged frame with the numbers of one field replaced.
fn altered(frame: Frame, offset: usize, octets: &[u8]) -> Result<Frame, ParseError> {
    let mut whole = frame.to_vec();
    whole[offset..offset + octets.len()].copy_from_slice(octets);
    Frame::parse(&whole)
}

#[test]
fn each_foreign_field_has_its_own_refusal() {
    let rarp = Frame::rarp(GUEST, None);
    let unarp = Frame::unarp(HOST, ip("10.0.0.7"), None);
    let refused = [
        (rarp, 12, &[0x08, 0x00][..], ParseError::EtherType(0x0800)),
        (rarp, 14, &[0, 6], ParseError::HardwareType(6)),
        (rarp, 16, &[0x86, 0xdd], ParseError::ProtocolType(0x86dd)),
        (rarp, 18, &[8], ParseError::HardwareLength(8)),
        (rarp, 18, &[0], ParseError::HardwareLength(0)),
        (rarp, 19, &[16], ParseError::ProtocolLength(16)),
        (unarp, 20, &[0, 1], ParseError::UnarpOperation(Opcode(1))),
        (
            unarp,
            26,
            &[10, 0, 0, 8],
            ParseError::UnarpTarget(Ipv4Addr::new(10, 0, 0, 8)),
        ),
        (
            unarp,
            22,
            &[0, 0, 0, 0],
            ParseError::UnarpHost(HostIpv4Error::Unspecified),
        ),
    ];
    for (frame, offset, octets, error) in refused {
        assert_eq!(altered(frame, offset, octets), Err(error));
    }
    let tagged = Frame::rarp(GUEST, Some(vlan(1)));
    for number in [0, 4095] {
        let error = ParseError::Vlan(VlanIdError(number));
        assert_eq!(altered(tagged, 14, &number.to_be_bytes()), Err(error));
    }
    assert_eq!(
        altered(tagged, 16, &[0x81, 0x00]),
        Err(ParseError::EtherType(0x8100))
    );
}

#[test]
fn priority_bits_are_ignored() {
    let tagged = Frame::rarp(GUEST, Some(vlan(100)));
    assert_eq!(altered(tagged, 14, &[0xf0, 0x64]), Ok(tagged));
}

#[test]
fn all_four_operations_of_rfc_903_are_read() {
    let operations = [
        RarpOperation::Request,
        RarpOperation::Reply,
        RarpOperation::RequestReverse,
        RarpOperation::ReplyReverse,
    ];
    for (number, operation) in (1_u8..).zip(operations) {
        let frame = altered(Frame::rarp(GUEST, None), 20, &[0, number]).unwrap();
        assert!(matches!(frame.body, Body::Rarp(read, _) if read == operation));
        assert_eq!(frame.to_vec()[20..22], [0, number]);
    }
}

#[test]
fn every_other_operation_is_refused_by_name() {
    for number in 0..=u16::MAX {
        let reverse = altered(Frame::rarp(GUEST, None), 20, &number.to_be_bytes());
        let forward = altered(
            Frame::garp(GUEST, ip("192.0.2.7"), None),
            20,
            &number.to_be_bytes(),
        );
        let opcode = Opcode(number);
        match number {
            1 | 2 => assert!(reverse.is_ok() && forward.is_ok()),
            3 | 4 => {
                assert!(reverse.is_ok());
                assert_eq!(forward, Err(ParseError::ReverseUnderArp(opcode)));
            }
            8 | 9 => {
                assert_eq!(reverse, Err(ParseError::InverseArp(opcode)));
                assert_eq!(forward, Err(ParseError::InverseArp(opcode)));
            }
            _ => {
                assert_eq!(reverse, Err(ParseError::Operation(opcode)));
                assert_eq!(forward, Err(ParseError::Operation(opcode)));
            }
        }
    }
    assert_eq!(
        ParseError::InverseArp(Opcode(8)).to_string(),
        "operation 8 (InARP request) is inverse ARP, which is not spoken on Ethernet"
    );
}

#[test]
fn a_probe_is_no_announcement() {
    let probe = altered(Frame::garp(GUEST, ip("192.0.2.7"), None), 28, &[0, 0, 0, 0]);
    assert!(matches!(
        probe.unwrap().body,
        Body::Arp(ArpOperation::Request, addresses) if addresses.sender_ip.is_unspecified()
    ));
    let all_zero = altered(
        Frame::rarp(GUEST, None),
        12,
        &[0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, 1],
    );
    assert!(matches!(
        all_zero.unwrap().body,
        Body::Arp(ArpOperation::Request, _)
    ));
}

#[test]
fn frames_read_as_tcpdump_prints_them() {
    assert_eq!(
        Frame::rarp(GUEST, None).to_string(),
        "52:54:00:12:34:56 > Broadcast, ethertype Reverse ARP (0x8035), length 60: \
         Reverse Request who-is 52:54:00:12:34:56 tell 52:54:00:12:34:56"
    );
    assert_eq!(
        Frame::garp(GUEST, ip("192.0.2.7"), Some(vlan(7))).to_string(),
        "52:54:00:12:34:56 > Broadcast, ethertype 802.1Q (0x8100), length 64: vlan 7, p 0, \
         ethertype ARP (0x0806), Announcement 192.0.2.7 is-at 52:54:00:12:34:56"
    );
    assert_eq!(
        Frame::unarp(HOST, ip("10.0.0.7"), None).to_string(),
        "02:00:00:00:00:01 > Broadcast, ethertype ARP (0x0806), length 60: UNARP 10.0.0.7 is gone"
    );
}

fn any_mac() -> impl Strategy<Value = MacAddr> {
    any::<[u8; 6]>().prop_map(MacAddr::new)
}

fn any_addresses() -> impl Strategy<Value = Addresses> {
    (any_mac(), any::<Ipv4Addr>(), any_mac(), any::<Ipv4Addr>()).prop_map(
        |(sender_mac, sender_ip, target_mac, target_ip)| Addresses {
            sender_mac,
            sender_ip,
            target_mac,
            target_ip,
        },
    )
}

fn any_host_ip() -> impl Strategy<Value = HostIpv4> {
    any::<Ipv4Addr>().prop_filter_map("no host's address", |ip| HostIpv4::try_from(ip).ok())
}

fn any_body() -> impl Strategy<Value = Body> {
    let reverse = prop_oneof![
        Just(RarpOperation::Request),
        Just(RarpOperation::Reply),
        Just(RarpOperation::RequestReverse),
        Just(RarpOperation::ReplyReverse),
    ];
    let forward = prop_oneof![Just(ArpOperation::Request), Just(ArpOperation::Reply)];
    prop_oneof![
        (reverse, any_addresses()).prop_map(|(operation, it)| Body::Rarp(operation, it)),
        (forward, any_addresses()).prop_map(|(operation, it)| Body::Arp(operation, it)),
        (any_mac(), any_host_ip()).prop_map(|(mac, ip)| Body::Garp(Garp { mac, ip })),
        any_host_ip().prop_map(|ip| Body::Unarp(Unarp { ip })),
    ]
}

fn any_frame() -> impl Strategy<Value = Frame> {
    let vlan = proptest::option::of((1_u16..=4094).prop_map(vlan));
    (any_mac(), any_mac(), vlan, any_body()).prop_map(|(source, destination, vlan, body)| Frame {
        source,
        destination,
        vlan,
        body,
    })
}

proptest! {
    #[test]
    fn frames_survive_the_wire(frame in any_frame()) {
        let octets = frame.to_vec();
        prop_assert_eq!(octets.len(), frame.buffer_len());
        prop_assert_eq!(Frame::parse(&octets), Ok(frame));
    }

    #[test]
    fn arbitrary_octets_never_panic(octets in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Err(error) = Frame::parse(&octets) {
            prop_assert!(!error.to_string().is_empty());
        }
    }

    #[test]
    fn damaged_frames_never_panic_and_what_is_read_is_written(
        frame in any_frame(),
        damage in proptest::collection::vec((0_usize..64, any::<u8>()), 0..6),
        length in 0_usize..=64,
    ) {
        let mut octets = frame.to_vec();
        for (offset, value) in damage {
            if let Some(octet) = octets.get_mut(offset) {
                *octet = value;
            }
        }
        octets.truncate(length);
        if let Ok(read) = Frame::parse(&octets) {
            prop_assert_eq!(Frame::parse(&read.to_vec()), Ok(read));
        }
    }
}
