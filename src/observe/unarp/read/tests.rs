use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::model::HostIpv4;

const SENDER: MacAddr = MacAddr::new([2, 0, 0, 0, 0, 1]);

fn received(length: usize, whom: Whom) -> Received {
    Received {
        length,
        link: Ifindex::new(7).unwrap(),
        whom,
    }
}

/// As the socket gives it: a buffer with the frame's beginning, and the frame's length.
fn heard(frame: &[u8], whom: Whom) -> Result<HeardUnarp, UnarpRefusal> {
    let mut buffer = [0xa5; 128];
    let fits = frame.len().min(buffer.len());
    buffer[..fits].copy_from_slice(&frame[..fits]);
    read(&buffer, received(frame.len(), whom))
}

fn unarp() -> Vec<u8> {
    let ip: HostIpv4 = "10.0.0.50".parse().unwrap();
    Frame::unarp(SENDER, ip, None).to_vec()
}

/// The UNARP with other octets at an offset.
fn with(offset: usize, octets: &[u8]) -> Vec<u8> {
    let mut frame = unarp();
    frame[offset..offset + octets.len()].copy_from_slice(octets);
    frame
}

#[test]
fn an_unarp_tells_who_leaves_on_whose_word_and_where() {
    let expected = HeardUnarp {
        link: Ifindex::new(7).unwrap(),
        sender: SENDER,
        address: Ipv4Addr::new(10, 0, 0, 50),
    };
    // With its padding, without (as links in software pass it), and with four octets more of it.
    for length in [30, 60, 64] {
        let mut frame = unarp();
        frame.resize(length, 0);
        assert_eq!(heard(&frame, Whom::Us), Ok(expected), "{length}");
    }
    // A VLAN device that leaves its tag in the frame.
    let mut tagged = unarp();
    tagged.splice(12..12, [0x81, 0, 0, 100]);
    assert_eq!(heard(&tagged, Whom::Us), Ok(expected));
}

#[test]
fn each_fault_has_a_reason_of_its_own() {
    use UnarpRefusal::{
        HardwareType, Host, NotBroadcast, NotUnarp, Operation, OtherHost, Oversized,
        ProtocolLength, ProtocolType, Source, Target, Truncated,
    };
    let mut long = unarp();
    long.resize(65, 0);
    let mut endless = unarp();
    endless.resize(1514, 0);
    let cases = [
        (unarp()[..29].to_vec(), Truncated),
        (unarp()[..19].to_vec(), Truncated),
        (unarp()[..9].to_vec(), Truncated),
        (long, Oversized),
        (endless, Oversized),
        (with(14, &[0, 6]), HardwareType),
        (with(16, &[0x86, 0xdd]), ProtocolType),
        (with(19, &[16]), ProtocolLength),
        (with(20, &[0, 1]), Operation),
        (with(26, &[10, 0, 0, 1]), Target),
        (with(22, &[0; 4]), Host),
        (with(22, &[255; 4]), Host),
        (with(22, &[224, 0, 0, 1]), Host),
        (with(12, &[0x80, 0x35]), NotUnarp),
        (with(18, &[6]), NotUnarp),
        (with(0, &[2, 0, 0, 0, 0, 9]), NotBroadcast),
        (with(6, &[0xff; 6]), Source),
        (with(6, &[0; 6]), Source),
    ];
    let mut reasons = BTreeSet::new();
    for (frame, reason) in cases {
        // Hardware length 6 makes a whole ARP frame of it, or one of an operation that is none.
        let heard = heard(&frame, Whom::Us);
        assert_eq!(heard, Err(reason), "{frame:02x?}");
        reasons.insert(reason);
    }
    assert_eq!(reasons.len(), 11);
    assert_eq!(heard(&unarp(), Whom::Others), Err(OtherHost));
}

proptest! {
    #[test]
    fn whatever_is_heard_is_judged(frame in vec(any::<u8>(), 0..200)) {
        let others = heard(&frame, Whom::Others);
        prop_assert_eq!(others, Err(UnarpRefusal::OtherHost));
        prop_assert_eq!(heard(&frame, Whom::Us).is_ok() && frame.len() > LONGEST, false);
    }

    #[test]
    fn one_octet_that_differs_never_changes_whose_entry_it_is_about_unseen(
        offset in 0_usize..30, octet: u8,
    ) {
        let frame = with(offset, &[octet]);
        if let Ok(unarp) = heard(&frame, Whom::Us) {
            prop_assert_eq!(&unarp.sender.octets()[..], &frame[6..12]);
            prop_assert_eq!(&unarp.address.octets()[..], &frame[22..26]);
        }
    }
}
