mod ipv6;

use std::net::IpAddr;

use super::*;
use crate::model::HostIpv4;

const MAC: MacAddr = MacAddr::new([0x52, 0x54, 0, 0, 0, 1]);
const OTHER: MacAddr = MacAddr::new([0x52, 0x54, 0, 0, 0, 0x99]);
const CONTESTED: Standing = Standing::Contested { by: OTHER };
const BOTH: Listens = Listens {
    dhcp: true,
    snoop: true,
    lease: true,
};

struct Scene {
    book: Book,
    now: Instant,
}

impl Scene {
    fn new(listens: Listens) -> Self {
        Self {
            book: Book::new(MAC, listens),
            now: Instant::from_nanos(1_000_000_000),
        }
    }

    fn wait(&mut self, seconds: u64) -> Vec<(u8, Standing)> {
        self.now = self.now + Duration::from_secs(seconds);
        short(&self.book.expire(self.now))
    }

    fn hear(&mut self, word: Word) -> Vec<(u8, Standing)> {
        short(&self.book.hear(self.now, word, None))
    }

    /// The guest uses an address for so many seconds, once in ten.
    fn claim_for(&mut self, last: u8, seconds: u64) -> Vec<(u8, Standing)> {
        let mut changes = self.hear(Word::Claim(ip(last)));
        for _ in 0..seconds / 10 {
            changes.extend(self.wait(10));
            changes.extend(self.hear(Word::Claim(ip(last))));
        }
        changes
    }
}

fn host(last: u8) -> HostIpv4 {
    HostIpv4::try_from(Ipv4Addr::new(192, 0, 2, last)).unwrap()
}

fn ip(last: u8) -> HostIp {
    host(last).into()
}

fn short(changes: &[Change]) -> Vec<(u8, Standing)> {
    let last = |ip: HostIp| match ip.get() {
        IpAddr::V4(address) => address.octets()[3],
        IpAddr::V6(address) => address.octets()[15],
    };
    changes
        .iter()
        .map(|(sighting, standing)| (last(sighting.ip), *standing))
        .collect()
}

fn other(last: u8) -> Word {
    Word::Other(ip(last), OTHER)
}

const fn refused(reason: AddressRefusal) -> Standing {
    Standing::Refused { reason }
}

fn lease(last: u8, seconds: Option<u64>, routers: &[u8]) -> Word {
    Word::Lease {
        ip: host(last),
        lasts: seconds.map(Duration::from_secs),
        routers: routers.iter().map(|&last| host(last).get()).collect(),
    }
}

#[test]
fn a_guests_own_word_is_believed_once_it_is_steady_and_forgotten_in_silence() {
    let mut scene = Scene::new(BOTH);
    assert_eq!(scene.hear(Word::Claim(ip(7))), []);
    assert_eq!(scene.wait(1), [(7, Standing::Waiting)]);
    assert_eq!(scene.claim_for(7, 20), []);
    assert_eq!(scene.claim_for(7, 10), [(7, Standing::Held)]);
    assert_eq!(scene.claim_for(7, 100), [], "told once");
    assert_eq!(scene.wait(599), []);
    assert_eq!(scene.wait(1), [(7, Standing::Gone)]);
    assert_eq!(scene.book.deadline(), None);
}

#[test]
fn a_word_said_once_is_never_believed() {
    let mut scene = Scene::new(BOTH);
    assert_eq!(scene.hear(Word::Claim(ip(7))), []);
    let shown = Some(scene.now + SHOWN);
    assert_eq!(scene.book.deadline(), shown);
    assert_eq!(scene.wait(1), [(7, Standing::Waiting)]);
    assert_eq!(scene.wait(598), []);
    assert_eq!(scene.wait(1), [(7, Standing::Gone)]);
    assert_eq!(scene.book.deadline(), None);
}

#[test]
fn a_guest_that_changes_its_address_every_second_has_none_and_is_seen_to() {
    let mut scene = Scene::new(BOTH);
    let mut told = Vec::new();
    for round in 0..200_u8 {
        told.extend(scene.hear(Word::Claim(ip(round % 50 + 1))));
        told.extend(scene.wait(1));
        assert!(scene.book.entries.len() <= Interface::ADDRESSES);
    }
    let waits = told.iter().filter(|(_, it)| *it == Standing::Waiting);
    assert_eq!(waits.count(), 200);
    let gone = told.iter().filter(|(_, it)| *it == Standing::Gone);
    assert_eq!(gone.count(), 200 - Interface::ADDRESSES);
}

#[test]
fn a_guest_that_changes_its_address_with_every_frame_is_not_told_of() {
    let mut scene = Scene::new(BOTH);
    for round in 0..200_u8 {
        assert_eq!(scene.hear(Word::Claim(ip(round % 50 + 1))), []);
        scene.now = scene.now + SHOWN / 10;
    }
}

#[test]
fn a_held_address_is_not_pushed_out_by_unproven_ones() {
    let mut scene = Scene::new(BOTH);
    scene.claim_for(7, 30);
    for last in 100..200 {
        assert_eq!(scene.hear(Word::Claim(ip(last))), []);
    }
    let told = scene.claim_for(7, 30);
    assert!(told.iter().all(|(last, _)| *last != 7), "{told:?}");
}

#[test]
fn an_address_that_another_station_uses_is_contested_for_as_long_as_that_is_fresh() {
    let mut scene = Scene::new(BOTH);
    scene.claim_for(7, 30);
    assert_eq!(scene.hear(other(7)), [(7, CONTESTED)], "said at once");
    assert_eq!(scene.claim_for(7, 590), []);
    assert_eq!(scene.hear(Word::Other(ip(7), MAC)), [], "by whomever");
    assert_eq!(scene.hear(other(7)), []);
    assert_eq!(scene.claim_for(7, 590), []);
    assert_eq!(
        scene.wait(10),
        [(7, Standing::Waiting)],
        "a contest proves nothing"
    );
    assert_eq!(scene.claim_for(7, 20), []);
    assert_eq!(scene.claim_for(7, 10), [(7, Standing::Held)]);
}

#[test]
fn an_address_that_another_station_had_first_is_contested_from_the_start() {
    let mut scene = Scene::new(BOTH);
    assert_eq!(scene.hear(other(7)), []);
    scene.wait(60);
    assert_eq!(scene.hear(Word::Claim(ip(7))), [(7, CONTESTED)]);
    assert_eq!(scene.hear(lease(7, None, &[])), [], "a lease is no better");
}

#[test]
fn many_other_stations_are_forgotten_in_order() {
    let mut scene = Scene::new(BOTH);
    for last in 1..=100 {
        assert_eq!(scene.hear(other(last)), []);
    }
    assert_eq!(scene.hear(Word::Claim(ip(36))), []);
    assert_eq!(scene.hear(Word::Claim(ip(37))), [(37, CONTESTED)]);
}

#[test]
fn a_contest_is_not_forgotten_for_those_that_contest_nothing() {
    let mut scene = Scene::new(BOTH);
    scene.hear(lease(7, None, &[]));
    assert_eq!(scene.hear(other(7)), [(7, CONTESTED)]);
    for last in 8..=250 {
        assert_eq!(scene.hear(other(last)), []);
    }
    assert_eq!(scene.book.others.user_of(ip(7)), Some(OTHER));
}

#[test]
fn an_address_that_the_guest_looks_for_is_not_its_own() {
    let mut scene = Scene::new(BOTH);
    scene.claim_for(7, 30);
    assert_eq!(scene.hear(Word::Seek(ip(7))), [(7, Standing::Gone)]);
    assert_eq!(scene.hear(lease(8, None, &[])), [(8, Standing::Held)]);
    assert_eq!(scene.hear(Word::Seek(ip(8))), [], "a lease stays");
}

#[test]
fn a_lease_is_believed_at_once_and_as_long_as_it_lasts() {
    let mut scene = Scene::new(BOTH);
    assert_eq!(scene.hear(lease(7, Some(60), &[1])), [(7, Standing::Held)]);
    assert_eq!(scene.wait(50), []);
    assert_eq!(scene.hear(lease(7, Some(60), &[1])), [], "renewed");
    assert_eq!(scene.wait(59), []);
    assert_eq!(scene.wait(1), [(7, Standing::Gone)]);
    assert_eq!(scene.hear(lease(7, None, &[1])), [(7, Standing::Held)]);
    assert_eq!(scene.wait(100_000_000), [], "for ever");
    assert_eq!(
        scene.hear(lease(8, None, &[1])),
        [(7, Standing::Gone), (8, Standing::Held)]
    );
    assert_eq!(scene.hear(Word::Refusal), [(8, Standing::Gone)]);
}

#[test]
fn a_lease_finds_room_among_what_the_guest_says() {
    let mut scene = Scene::new(BOTH);
    for last in 1..=8 {
        scene.hear(Word::Claim(ip(last)));
    }
    assert_eq!(scene.hear(lease(9, None, &[])), [(9, Standing::Held)]);
    assert_eq!(scene.book.entries.len(), Interface::ADDRESSES);
}

#[test]
fn routers_and_addresses_of_the_host_are_nobodys() {
    let mut scene = Scene::new(BOTH);
    scene.hear(lease(7, None, &[1]));
    let router = refused(AddressRefusal::Router);
    assert_eq!(scene.claim_for(1, 60), [(1, router)], "its gateway's, once");
    let now = scene.now;
    for (last, reason) in [(2, AddressRefusal::Host), (3, AddressRefusal::NextHop)] {
        let word = Word::Claim(ip(last));
        let told = short(&scene.book.hear(now, word, Some(reason)));
        assert_eq!(told, [(last, refused(reason))]);
    }
    let reason = AddressRefusal::Unknown;
    let told = short(&scene.book.hear(now, lease(4, None, &[]), Some(reason)));
    assert_eq!(told, [(4, refused(reason))]);
    assert_eq!(scene.hear(lease(5, None, &[5])), [(5, router)]);
    assert_eq!(scene.book.entries.len(), 1, "the lease that it has");
    // It was said for the last time ten minutes ago.
    assert_eq!(scene.wait(600).len(), 5);
    assert!(scene.book.refused.is_empty());
}

#[test]
fn an_address_that_comes_to_be_the_hosts_is_believed_no_longer_and_again_when_it_is_not() {
    let mut scene = Scene::new(BOTH);
    scene.claim_for(7, 30);
    let (now, reason) = (scene.now, AddressRefusal::Host);
    let told = short(&scene.book.hear(now, Word::Claim(ip(7)), Some(reason)));
    assert_eq!(told, [(7, Standing::Gone), (7, refused(reason))]);
    let told = scene.claim_for(7, 30);
    assert_eq!(
        told,
        [
            (7, Standing::Gone),
            (7, Standing::Waiting),
            (7, Standing::Held)
        ]
    );
}

#[test]
fn no_more_refused_addresses_are_remembered_than_believed_ones() {
    let mut scene = Scene::new(BOTH);
    for last in 1..=100 {
        let word = Word::Claim(ip(last));
        let told = scene.book.hear(scene.now, word, Some(AddressRefusal::Host));
        assert_eq!(told.is_empty(), usize::from(last) > Interface::ADDRESSES);
    }
}

#[test]
fn a_ninth_address_is_one_too_many() {
    let mut scene = Scene::new(BOTH);
    for last in 1..=8 {
        scene.hear(Word::Claim(ip(last)));
    }
    scene.wait(30);
    for last in 1..=8 {
        assert_eq!(scene.hear(Word::Claim(ip(last))), [(last, Standing::Held)]);
    }
    let surplus = refused(AddressRefusal::Surplus);
    assert_eq!(scene.hear(Word::Claim(ip(9))), [(9, surplus)]);
}

/// What libvirt's server gave.
fn given(leases: &[(u8, Option<Instant>)]) -> Vec<(Lease, Option<AddressRefusal>)> {
    let lease = |&(last, until)| {
        (
            Lease {
                ip: host(last),
                until,
            },
            None,
        )
    };
    leases.iter().map(lease).collect()
}

#[test]
fn libvirts_leases_are_believed_at_once_as_long_as_libvirt_has_them() {
    let mut scene = Scene::new(BOTH);
    let end = scene.now + Duration::from_secs(100);
    let told = short(
        &scene
            .book
            .leased(scene.now, &given(&[(7, Some(end)), (8, None)])),
    );
    assert_eq!(told, [(7, Standing::Held), (8, Standing::Held)]);
    assert_eq!(scene.wait(99), []);
    assert_eq!(scene.wait(1), [(7, Standing::Gone)], "nobody renewed it");
    assert_eq!(scene.book.leased(scene.now, &given(&[(8, None)])), []);
    assert_eq!(scene.hear(Word::Refusal), [], "libvirt knows better");
    assert_eq!(scene.hear(other(8)), [(8, CONTESTED)]);
    let told = short(&scene.book.leased(scene.now, &given(&[])));
    assert_eq!(told, [(8, Standing::Gone)]);
    assert!(scene.book.is_empty());
}

#[test]
fn a_lease_is_libvirts_where_it_was_heard_as_well() {
    let mut scene = Scene::new(BOTH);
    let sources = |changes: &[Change]| -> Vec<_> {
        changes
            .iter()
            .map(|(it, standing)| (it.source, *standing))
            .collect()
    };
    scene.hear(lease(7, Some(100), &[]));
    let told = sources(&scene.book.leased(scene.now, &given(&[(7, None)])));
    assert_eq!(told, [(AddressSource::Lease, Standing::Held)]);
    assert_eq!(scene.hear(lease(7, Some(100), &[])), [], "still");
    let told = sources(&scene.book.leased(scene.now, &given(&[])));
    assert_eq!(told, [(AddressSource::Lease, Standing::Gone)]);
}

#[test]
fn a_lease_of_a_routers_or_the_hosts_address_is_refused() {
    let mut scene = Scene::new(BOTH);
    scene.hear(lease(7, None, &[1]));
    let mut leases = given(&[(1, None), (2, None)]);
    leases[1].1 = Some(AddressRefusal::Host);
    let told = short(&scene.book.leased(scene.now, &leases));
    let reasons = [AddressRefusal::Router, AddressRefusal::Host];
    assert_eq!(told, [(1, refused(reasons[0])), (2, refused(reasons[1]))]);
    assert_eq!(scene.book.leased(scene.now, &leases), [], "told once");
}

#[test]
fn only_the_sources_in_use_are_listened_to() {
    let mut scene = Scene::new(Listens::default());
    assert_eq!(scene.claim_for(7, 60), []);
    assert_eq!(scene.hear(lease(7, None, &[])), []);
    assert_eq!(scene.book.leased(scene.now, &given(&[(7, None)])), []);
    let mut scene = Scene::new(Listens {
        snoop: false,
        ..BOTH
    });
    assert_eq!(scene.claim_for(7, 60), []);
    assert_eq!(scene.hear(lease(7, None, &[])), [(7, Standing::Held)]);
    assert_eq!(scene.hear(other(7)), [(7, CONTESTED)]);
}

#[test]
fn a_guest_that_comes_back_is_told_of_again() {
    let mut scene = Scene::new(BOTH);
    scene.claim_for(7, 30);
    scene.hear(lease(8, None, &[]));
    scene.hear(Word::Claim(ip(9)));
    let host = AddressRefusal::Host;
    scene.book.hear(scene.now, Word::Claim(ip(1)), Some(host));
    let again = short(&scene.book.retell(scene.now));
    let held = [(7, Standing::Held), (8, Standing::Held)];
    assert_eq!(again, [held[0], held[1], (1, refused(host))]);
    let gone = short(&scene.book.forget());
    assert_eq!(gone, [7, 8, 1].map(|last| (last, Standing::Gone)));
}
