use super::message::{RTM_NEWNEXTHOP, next_hops};
use super::*;

const INET: u8 = 2;
const INET6: u8 = 10;
const MPLS: u8 = 28;

fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(value.len() + 4).unwrap();
    let mut octets = [length.to_ne_bytes(), kind.to_ne_bytes()].concat();
    octets.extend(value);
    octets.resize(octets.len().next_multiple_of(4), 0);
    octets
}

fn route(family: u8, attributes: &[Vec<u8>]) -> Vec<u8> {
    let mut octets = vec![0; 12];
    octets[0] = family;
    octets.extend(attributes.concat());
    octets
}

fn path(attributes: &[Vec<u8>]) -> Vec<u8> {
    let attributes = attributes.concat();
    let length = u16::try_from(attributes.len() + 8).unwrap();
    let mut octets = length.to_ne_bytes().to_vec();
    octets.extend([0; 6]);
    octets.extend(attributes);
    octets
}

fn of(last: u8) -> IpAddr {
    IpAddr::from([10, 0, 0, last])
}

fn gateway(last: u8) -> Vec<u8> {
    attribute(5, &[10, 0, 0, last])
}

#[test]
fn every_way_of_a_route_is_found() {
    let single = route(INET, &[attribute(1, &[192, 0, 2, 0]), gateway(1)]);
    assert_eq!(next_hops(24, &single), [of(1)]);
    let several = [path(&[gateway(2)]), path(&[]), path(&[gateway(3)])].concat();
    let several = route(INET, &[attribute(9, &several)]);
    assert_eq!(next_hops(24, &several), [of(2), of(3)]);
    let via = attribute(18, &[2, 0, 10, 0, 0, 4]);
    assert_eq!(
        next_hops(24, &route(MPLS, std::slice::from_ref(&via))),
        [of(4)]
    );
    let several = route(MPLS, &[attribute(9, &path(&[via]))]);
    assert_eq!(next_hops(24, &several), [of(4)]);
}

#[test]
fn next_hops_that_stand_by_themselves_are_found() {
    let next_hop = |family: u8, value: &[u8]| {
        let mut octets = vec![family, 0, 0, 0, 0, 0, 0, 0];
        octets.extend(attribute(1, &[7, 0, 0, 0]));
        octets.extend(attribute(6, value));
        octets
    };
    let inet = next_hop(INET, &[10, 0, 0, 5]);
    assert_eq!(next_hops(RTM_NEWNEXTHOP, &inet), [of(5)]);
    let inet6 = next_hop(INET6, &[0xfd; 16]);
    assert_eq!(
        next_hops(RTM_NEWNEXTHOP, &inet6),
        [IpAddr::from([0xfd; 16])]
    );
    // One that goes.
    assert!(next_hops(105, &inet).is_empty());
}

#[test]
fn next_hops_of_ipv6_are_found_whatever_goes_by_way_of_them() {
    let next_hop = [IpAddr::from([0xfd; 16])];
    let own = route(INET6, &[attribute(5, &[0xfd; 16])]);
    assert_eq!(next_hops(24, &own), next_hop);
    let via = attribute(18, &[&[10, 0], [0xfd; 16].as_slice()].concat());
    for family in [INET, MPLS] {
        let others = route(family, std::slice::from_ref(&via));
        assert_eq!(next_hops(24, &others), next_hop);
    }
}

#[test]
fn what_has_no_next_hop_has_none() {
    let short = route(INET6, &[attribute(5, &[10, 0, 0, 1])]);
    assert!(next_hops(24, &short).is_empty());
    assert!(next_hops(24, &route(MPLS, &[gateway(1)])).is_empty());
    assert!(next_hops(25, &route(INET, &[gateway(1)])).is_empty());
    assert!(next_hops(24, &[]).is_empty());
}

#[test]
fn octets_that_make_no_sense_end_the_reading() {
    let several = [path(&[gateway(2)]), path(&[gateway(3)])].concat();
    let whole = route(INET, &[attribute(9, &several)]);
    for length in 0..whole.len() {
        let found = next_hops(24, &whole[..length]);
        assert!(found.len() < 2, "{length}: {found:?}");
    }
    // A path shorter than its header would never end.
    for length in 0..8_u8 {
        let mut paths = several.clone();
        paths[0] = length;
        let octets = route(INET, &[attribute(9, &paths)]);
        assert!(next_hops(24, &octets).is_empty());
    }
}

#[test]
fn too_many_next_hops_are_not_kept() {
    let mut known = BTreeSet::new();
    for number in 1..=70_000_u32 {
        let address = number.to_be_bytes();
        let route = route(INET, &[attribute(5, &address)]);
        add(&mut known, Families::Ipv4, 24, &route);
    }
    assert_eq!(known.len(), MOST);
}

#[test]
fn next_hops_that_nobody_asks_for_are_not_kept() {
    let by = |octets: [u8; 16]| route(INET6, &[attribute(5, &octets)]);
    let mut link_local = [0; 16];
    link_local[..2].copy_from_slice(&[0xfe, 0x80]);
    let mut known = BTreeSet::new();
    add(&mut known, Families::Both, 24, &by(link_local));
    add(&mut known, Families::Ipv4, 24, &by([0xfd; 16]));
    assert!(known.is_empty());
    add(&mut known, Families::Both, 24, &by([0xfd; 16]));
    add(&mut known, Families::Both, 24, &route(INET, &[gateway(1)]));
    assert_eq!(known.len(), 2);
}

#[test]
fn a_full_set_that_is_old_is_read_anew() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut next_hops = NextHops::open(Families::Ipv4).unwrap();
        let all = (1..).map(|number: u32| IpAddr::from(number.to_be_bytes()));
        next_hops.known = all.take(MOST).collect();
        next_hops.read = Some(Instant::ZERO);
        // RFC 5737's, which no route of a host goes by way of.
        let nobody = IpAddr::from([203, 0, 113, 77]);
        assert!(!next_hops.contains(nobody).await.unwrap());
        assert!(next_hops.known.len() < MOST);
    });
}
