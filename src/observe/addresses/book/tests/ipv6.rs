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

#[test]
fn other_stations_of_one_family_do_not_push_out_those_of_the_other() {
    let mut scene = Scene::new(BOTH);
    assert_eq!(scene.hear(other(7)), []);
    for last in 1..=250 {
        assert_eq!(scene.hear(Word::Other(ipv6(last), OTHER)), []);
    }
    assert_eq!(scene.hear(Word::Claim(ip(7))), [(7, CONTESTED)]);
    assert_eq!(scene.hear(Word::Claim(ipv6(250))), [(250, CONTESTED)]);
    assert_eq!(scene.hear(Word::Claim(ipv6(1))), [], "long forgotten");
}

#[test]
fn without_snooping_nobody_is_remembered() {
    let mut scene = Scene::new(Listens {
        snoop: false,
        ..BOTH
    });
    assert_eq!(scene.hear(Word::Other(ipv6(7), OTHER)), []);
    assert_eq!(scene.book.others.deadline(), None);
}

#[test]
fn a_lease_takes_the_place_of_an_ipv6_address_first() {
    let mut scene = Scene::new(BOTH);
    for last in 1..=7 {
        scene.hear(Word::Claim(ip(last)));
    }
    scene.hear(Word::Claim(ipv6(8)));
    scene.wait(1);
    let told = scene.hear(lease(9, None, &[]));
    assert_eq!(told, [(8, Standing::Gone), (9, Standing::Held)]);
}

#[test]
fn what_speaks_against_an_ipv4_address_finds_room_among_refused_ones() {
    let mut scene = Scene::new(BOTH);
    let (host, surplus) = (AddressRefusal::Host, AddressRefusal::Surplus);
    let now = scene.now;
    let mut claim = |ip, reason| short(&scene.book.hear(now, Word::Claim(ip), Some(reason)));
    for last in 1..=4 {
        assert_eq!(claim(ipv6(last), surplus), [(last, refused(surplus))]);
    }
    for last in 5..=8 {
        assert_eq!(claim(ipv6(last), host), [(last, refused(host))]);
    }
    assert_eq!(claim(ipv6(9), surplus), [], "the first ones stay");
    for last in 101..=108 {
        let gone = (last - 100, Standing::Gone);
        assert_eq!(claim(ip(last), host), [gone, (last, refused(host))]);
    }
    assert_eq!(claim(ip(109), host), []);
    assert_eq!(claim(ip(110), surplus), []);
}
