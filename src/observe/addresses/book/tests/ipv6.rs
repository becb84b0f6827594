use std::net::Ipv6Addr;

use super::*;

fn ipv6(last: u8) -> HostIp {
    let address = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last.into());
    HostIp::try_from(IpAddr::from(address)).unwrap()
}

#[test]
fn an_ipv6_address_stands_as_any_other() {
    let mut scene = Scene::new(BOTH);
    assert_eq!(scene.hear(Word::Claim(ipv6(7))), []);
    assert_eq!(scene.wait(30), [(7, Standing::Waiting)]);
    assert_eq!(scene.hear(Word::Claim(ipv6(7))), [(7, Standing::Held)]);
    let contest = Word::Other(ipv6(7), OTHER);
    assert_eq!(scene.hear(contest), [(7, CONTESTED)]);
    assert_eq!(scene.hear(other(8)), []);
    assert_eq!(scene.hear(Word::Claim(ipv6(8))), [], "another's namesake");
}

#[test]
fn ipv6_addresses_make_way_for_ipv4_ones_and_never_the_other_way_round() {
    let mut scene = Scene::new(BOTH);
    for last in 1..=8 {
        scene.hear(Word::Claim(ipv6(last)));
    }
    scene.wait(30);
    for last in 1..=8 {
        assert_eq!(
            scene.hear(Word::Claim(ipv6(last))),
            [(last, Standing::Held)]
        );
        scene.now = scene.now + Duration::from_secs(1);
    }
    let surplus = refused(AddressRefusal::Surplus);
    assert_eq!(scene.hear(Word::Claim(ipv6(9))), [(9, surplus)]);
    let told = scene.hear(Word::Claim(ip(101)));
    assert_eq!(told, [(1, Standing::Gone)], "the one silent for longest");
    for last in 102..=108 {
        assert_eq!(scene.hear(Word::Claim(ip(last))).len(), 1);
    }
    // None of them is proven, and still they stay.
    assert_eq!(scene.hear(Word::Claim(ipv6(7))), [(7, surplus)]);
    assert!(
        scene
            .book
            .entries
            .iter()
            .all(|entry| entry.ip.v4().is_some())
    );
}
