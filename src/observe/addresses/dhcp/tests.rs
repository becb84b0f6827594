use proptest::prelude::*;

use super::*;

pub(in crate::observe::addresses) const MAC: MacAddr = MacAddr::new([0x52, 0x54, 0, 0, 0, 1]);

/// A server's message to [`MAC`] with these options.
pub(in crate::observe::addresses) fn message(yiaddr: [u8; 4], options: &[u8]) -> Vec<u8> {
    let mut octets = vec![0; FIXED];
    octets[..3].copy_from_slice(&REPLY);
    octets[16..20].copy_from_slice(&yiaddr);
    octets[28..34].copy_from_slice(&MAC.octets());
    octets[236..].copy_from_slice(&COOKIE);
    octets.extend(options);
    octets
}

const ADDRESS: [u8; 4] = [192, 0, 2, 7];
pub(in crate::observe::addresses) const ACKNOWLEDGED: &[u8] = &[
    PAD, 53, 1, 5, 54, 4, 192, 0, 2, 1, 51, 4, 0, 0, 14, 16, 3, 8, 192, 0, 2, 1, 192, 0, 2, 2, 255,
];

#[test]
fn an_acknowledgement_gives_an_address() {
    let answer = read(&message(ADDRESS, ACKNOWLEDGED), MAC);
    let expected = Answer::Given {
        ip: "192.0.2.7".parse().unwrap(),
        lasts: Some(Duration::from_secs(3_600)),
        routers: vec![Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::new(192, 0, 2, 2)],
    };
    assert_eq!(answer, Some(expected));
    let for_ever = [53, 1, 5, 51, 4, 255, 255, 255, 255, 255];
    assert!(matches!(
        read(&message(ADDRESS, &for_ever), MAC),
        Some(Answer::Given { lasts: None, .. })
    ));
    let refused = [53, 1, 6, 255];
    assert_eq!(read(&message([0; 4], &refused), MAC), Some(Answer::Refused));
}

#[test]
fn what_gives_this_client_no_address_is_nothing() {
    let other = MacAddr::new([0x52, 0x54, 0, 0, 0, 2]);
    assert_eq!(read(&message(ADDRESS, ACKNOWLEDGED), other), None);
    // An offer; an answer to DHCPINFORM with and without address; no type; cut off.
    for (yiaddr, options) in [
        (ADDRESS, &[53, 1, 2, 51, 4, 0, 0, 14, 16, 255][..]),
        ([0; 4], ACKNOWLEDGED),
        (ADDRESS, &[53, 1, 5, 255]),
        (ADDRESS, &[51, 4, 0, 0, 14, 16, 255]),
        (ADDRESS, &[53, 1, 5, 51, 4, 0, 0]),
        (ADDRESS, &[53, 1, 5, 51, 3, 0, 0, 1, 255]),
        (ADDRESS, &[255, 53, 1, 5, 51, 4, 0, 0, 14, 16]),
        ([255; 4], ACKNOWLEDGED),
        (ADDRESS, &[]),
    ] {
        assert_eq!(read(&message(yiaddr, options), MAC), None, "{options:?}");
    }
    for (at, octet) in [(0, 1), (1, 6), (2, 16), (236, 0)] {
        let mut octets = message(ADDRESS, ACKNOWLEDGED);
        octets[at] = octet;
        assert_eq!(read(&octets, MAC), None, "octet {at}");
    }
}

proptest! {
    #[test]
    fn no_message_is_too_strange(options in prop::collection::vec(any::<u8>(), 0..300)) {
        let octets = message(ADDRESS, &options);
        read(&octets, MAC);
        read(&octets[..octets.len().min(options.len())], MAC);
    }
}
