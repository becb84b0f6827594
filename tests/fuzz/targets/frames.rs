//! Frames that others send: as any, as UNARPs, and as what is heard at a guest's port.

#![no_main]

use std::collections::BTreeMap;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use macmoved::engine::Standing;
use macmoved::model::{AddressRefusal, HostIp, Ifindex, Instant, Interface, MacAddr, Timestamp};
use macmoved::observe::addresses::{self, Book, Change, Listens, Way, Word};
use macmoved::observe::unarp;
use macmoved::sys::packet_ear::{Received, Whom};
use macmoved::wire::{Body, Capture, Frame};
use macmoved_fuzz::assert_fit_to_print;

/// The guest whose port is listened at; frames in the seeds are its.
const GUEST: MacAddr = MacAddr::new([0x52, 0x54, 0x00, 0xaa, 0xbb, 0x01]);

fuzz_target!(|octets: &[u8]| {
    any_frame(octets);
    as_unarp(octets);
    let sealed = sealed(octets);
    for way in [Way::FromGuest, Way::ToGuest] {
        at_port(octets, way);
        at_port(&sealed, way);
    }
    one_after_the_other(octets);
});

/// What is read is written as it stood, and is fit to be shown.
fn any_frame(octets: &[u8]) {
    let frame = match Frame::parse(octets) {
        Ok(frame) => frame,
        Err(error) => return assert_fit_to_print(&error.to_string()),
    };
    let mut written = frame.to_vec();
    assert_eq!(written.len(), frame.buffer_len());
    assert_eq!(Frame::parse(&written), Ok(frame));
    assert_fit_to_print(&frame.to_string());

    let mut offset = 0;
    for field in frame.fields() {
        assert_eq!(field.offset, offset);
        assert_fit_to_print(&field.meaning);
        offset += field.octets.len();
        assert_eq!(written.get(field.offset..offset), Some(&*field.octets));
    }
    assert_eq!(offset, written.len());

    let mut capture = Capture::new();
    capture.push(Timestamp::default(), &written);
    assert!(capture.as_octets().ends_with(&written));

    // Everything up to the padding, but for a tag's priority, which is not kept.
    let body = match frame.body {
        Body::Unarp(_) => 16,
        Body::Rarp(..) | Body::Garp(_) | Body::Arp(..) => 28,
    };
    let tag = if frame.vlan.is_some() { 4 } else { 0 };
    if frame.vlan.is_some() {
        written[14] |= octets[14] & 0xf0;
    }
    let end = 14 + tag + body;
    assert_eq!(written[..end], octets[..end]);
    assert!(written[end..].iter().all(|&octet| octet == 0));
}

/// What may be honoured is a whole UNARP of one station to everybody.
fn as_unarp(octets: &[u8]) {
    let link = Ifindex::new(7).unwrap();
    let received = |whom, length| Received { length, link, whom };
    let read = unarp::read(octets, received(Whom::Us, octets.len()));
    if let Ok(heard) = read {
        let frame = Frame::parse(octets).unwrap();
        let Body::Unarp(said) = frame.body else {
            panic!("{frame} was taken for an UNARP");
        };
        assert!(octets.len() <= 64 && frame.destination.is_broadcast());
        assert!(!heard.sender.is_multicast() && !heard.sender.is_zero());
        assert_eq!((heard.link, heard.sender), (link, frame.source));
        assert_eq!(heard.address, said.ip.get());
    }
    assert!(unarp::read(octets, received(Whom::Others, octets.len())).is_err());
    // One that did not fit.
    assert!(unarp::read(octets, received(Whom::Us, octets.len() + 1)).is_err());
}

/// The octets as a message of neighbour discovery whose header and checksum are right, so that what
/// comes after is looked at.
fn sealed(octets: &[u8]) -> Vec<u8> {
    let mut sealed = octets.to_vec();
    let Some(length) = octets.len().checked_sub(54) else {
        return sealed;
    };
    let Ok(length) = u16::try_from(length) else {
        return sealed;
    };
    sealed.resize(octets.len().max(58), 0);
    sealed[12..15].copy_from_slice(&[0x86, 0xdd, 0x60]);
    sealed[18..20].copy_from_slice(&length.to_be_bytes());
    sealed[20..22].copy_from_slice(&[58, 255]);
    sealed[54] = 135 + sealed[54] % 2;
    sealed[55..58].copy_from_slice(&[0; 3]);
    let pseudo = [
        0,
        0,
        0,
        58,
        0,
        0,
        length.to_be_bytes()[0],
        length.to_be_bytes()[1],
    ];
    let halves = sealed[22..].chunks(2).chain(pseudo.chunks(2));
    let sum: u32 = halves
        .map(|half| u32::from(half[0]) << 8 | half.get(1).copied().map_or(0, u32::from))
        .sum();
    let sum = (sum & 0xffff) + (sum >> 16);
    let sum = (sum & 0xffff) + (sum >> 16);
    let [.., high, low] = (!sum).to_be_bytes();
    sealed[56..58].copy_from_slice(&[high, low]);
    sealed
}

/// A lease comes to the guest, and a claim from it: by ARP of IPv4, by neighbour discovery of IPv6.
fn at_port(octets: &[u8], way: Way) {
    let words = addresses::read(octets, way, GUEST);
    assert!(words.len() <= 2);
    for word in words {
        match word {
            Word::Lease { routers, .. } => {
                assert_eq!(way, Way::ToGuest);
                assert!(routers.len() <= 8);
            }
            Word::Refusal => assert_eq!(way, Way::ToGuest),
            Word::Claim(ip) | Word::Seek(ip) => {
                assert_eq!(way, Way::FromGuest);
                assert_eq!(octets[6..12], GUEST.octets());
                assert_eq!(ip.v4().is_some(), Frame::parse(octets).is_ok());
            }
            Word::Other(HostIp::V6(ip), by) => {
                assert_eq!(octets[12..14], [0x86, 0xdd]);
                let stands = |said: &[u8]| octets.windows(said.len()).any(|it| it == said);
                assert!(stands(&ip.get().octets()) && stands(&by.octets()));
                assert_ne!(by, GUEST);
            }
            Word::Other(HostIp::V4(ip), by) => {
                let frame = Frame::parse(octets).unwrap();
                let said = match frame.body {
                    Body::Garp(garp) => garp.addresses(),
                    Body::Arp(_, said) => said,
                    Body::Rarp(..) | Body::Unarp(_) => panic!("{frame} claims {ip}"),
                };
                assert_eq!(said.sender_ip, ip.get());
                assert_eq!(said.sender_mac, by);
                assert_ne!(by, GUEST);
            }
        }
    }
}

/// Takes the input for frames at the guest's port one after the other, and follows what is told.
///
/// ```text
///  0                  1         2        3
/// +------------------+---------+--------+-------------+
/// | way, 1: to guest | seconds | length | frame       | again
/// +------------------+---------+--------+-------------+
/// ```
///
/// A length of 255 stands for all that follows.
fn one_after_the_other(mut octets: &[u8]) {
    let listens = Listens {
        dhcp: true,
        snoop: true,
        lease: true,
    };
    let mut book = Book::new(GUEST, listens);
    let mut now = Instant::ZERO;
    let mut told = BTreeMap::new();
    while let [way, seconds, length, rest @ ..] = octets {
        let length = usize::from(*length);
        let length = if length == 255 { rest.len() } else { length };
        let Some((frame, next)) = rest.split_at_checked(length) else {
            return;
        };
        octets = next;
        now = now + Duration::from_secs((*seconds).into());
        let expired = book.expire(now);
        follow(&mut told, &expired);
        let (way, foreign) = match way & 1 {
            0 => (Way::FromGuest, way & 2 != 0),
            _ => (Way::ToGuest, way & 2 != 0),
        };
        let foreign = foreign.then_some(AddressRefusal::Host);
        for word in addresses::read(frame, way, GUEST) {
            let changes = book.hear(now, word, foreign);
            follow(&mut told, &changes);
        }
        // What has to be forgotten at a time is forgotten by then.
        assert!(book.deadline().is_none_or(|deadline| deadline > now));
    }
}

/// Each change is news, and no more addresses stand than are kept.
fn follow(told: &mut BTreeMap<HostIp, Standing>, changes: &[Change]) {
    for (sighting, standing) in changes {
        assert_eq!(sighting.mac, GUEST);
        let before = match standing {
            Standing::Gone => {
                let before = told.remove(&sighting.ip);
                assert!(before.is_some(), "{} was never told", sighting.ip);
                before
            }
            Standing::Held
            | Standing::Waiting
            | Standing::Contested { .. }
            | Standing::Refused { .. } => told.insert(sighting.ip, *standing),
        };
        assert_ne!(before, Some(*standing));
        let refused = |standing: &&Standing| matches!(standing, Standing::Refused { .. });
        let refused = told.values().filter(refused).count();
        assert!(refused <= Interface::ADDRESSES);
        assert!(told.len() - refused <= Interface::ADDRESSES);
    }
}
