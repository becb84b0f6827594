use super::*;

const MAC: MacAddr = MacAddr::new([0x52, 0x54, 0, 0, 0, 1]);
const BOTH: Listens = Listens {
    dhcp: true,
    snoop: true,
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
        short(&self.book.hear(self.now, word, false))
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

fn ip(last: u8) -> HostIp {
    HostIp::try_from(Ipv4Addr::new(192, 0, 2, last)).unwrap()
}

fn short(changes: &[Change]) -> Vec<(u8, Standing)> {
    let last = |ip: HostIp| ip.get().octets()[3];
    changes
        .iter()
        .map(|(sighting, standing)| (last(sighting.ip), *standing))
        .collect()
}

fn lease(last: u8, seconds: Option<u64>, routers: &[u8]) -> Word {
    Word::Lease {
        ip: ip(last),
        lasts: seconds.map(Duration::from_secs),
        routers: routers.iter().map(|&last| ip(last).get()).collect(),
    }
}

#[test]
fn a_guests_own_word_is_believed_once_it_is_steady_and_forgotten_in_silence() {
    let mut scene = Scene::new(BOTH);
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
    assert_eq!(scene.wait(10_000), []);
    assert_eq!(scene.book.deadline(), None);
}

#[test]
fn a_guest_that_changes_its_address_every_second_has_none() {
    let mut scene = Scene::new(BOTH);
    for round in 0..200_u8 {
        assert_eq!(scene.hear(Word::Claim(ip(round % 50 + 1))), []);
        assert_eq!(scene.wait(1), []);
        assert!(scene.book.entries.len() <= Interface::ADDRESSES);
    }
}

#[test]
fn a_held_address_is_not_pushed_out_by_unproven_ones() {
    let mut scene = Scene::new(BOTH);
    scene.claim_for(7, 30);
    for last in 100..200 {
        assert_eq!(scene.hear(Word::Claim(ip(last))), []);
    }
    assert_eq!(scene.claim_for(7, 30), []);
}

#[test]
fn an_address_that_another_station_uses_is_contested_for_as_long_as_that_is_fresh() {
    let mut scene = Scene::new(BOTH);
    scene.claim_for(7, 30);
    assert_eq!(
        scene.hear(Word::Other(ip(7))),
        [(7, Standing::Contested)],
        "said at once"
    );
    assert_eq!(scene.claim_for(7, 590), []);
    assert_eq!(scene.wait(10), [(7, Standing::Gone)]);
    assert_eq!(scene.claim_for(7, 20), [], "a contest proves nothing");
    assert_eq!(scene.claim_for(7, 10), [(7, Standing::Held)]);
}

#[test]
fn an_address_that_another_station_had_first_is_contested_from_the_start() {
    let mut scene = Scene::new(BOTH);
    assert_eq!(scene.hear(Word::Other(ip(7))), []);
    scene.wait(60);
    assert_eq!(scene.hear(Word::Claim(ip(7))), [(7, Standing::Contested)]);
    assert_eq!(scene.hear(lease(7, None, &[])), [], "a lease is no better");
}

#[test]
fn many_other_stations_are_forgotten_in_order() {
    let mut scene = Scene::new(BOTH);
    for last in 1..=100 {
        assert_eq!(scene.hear(Word::Other(ip(last))), []);
    }
    assert_eq!(scene.book.others.len(), OTHERS);
    assert_eq!(scene.hear(Word::Claim(ip(36))), []);
    assert_eq!(scene.hear(Word::Claim(ip(37))), [(37, Standing::Contested)]);
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
    assert_eq!(scene.claim_for(1, 60), [], "its gateway's");
    let now = scene.now;
    assert_eq!(scene.book.hear(now, Word::Claim(ip(2)), true), []);
    assert_eq!(scene.book.hear(now, lease(3, None, &[]), true), []);
    assert_eq!(scene.hear(lease(4, None, &[4])), []);
    assert_eq!(scene.book.entries.len(), 1, "the lease that it has");
}

#[test]
fn only_the_sources_in_use_are_listened_to() {
    let mut scene = Scene::new(Listens::default());
    assert_eq!(scene.claim_for(7, 60), []);
    assert_eq!(scene.hear(lease(7, None, &[])), []);
    let mut scene = Scene::new(Listens {
        snoop: false,
        ..BOTH
    });
    assert_eq!(scene.claim_for(7, 60), []);
    assert_eq!(scene.hear(lease(7, None, &[])), [(7, Standing::Held)]);
    assert_eq!(scene.hear(Word::Other(ip(7))), [(7, Standing::Contested)]);
}

#[test]
fn a_guest_that_comes_back_is_told_of_again() {
    let mut scene = Scene::new(BOTH);
    scene.claim_for(7, 30);
    scene.hear(lease(8, None, &[]));
    scene.hear(Word::Claim(ip(9)));
    let again = short(&scene.book.retell(scene.now));
    assert_eq!(again, [(7, Standing::Held), (8, Standing::Held)]);
    let gone = short(&scene.book.forget());
    assert_eq!(gone, [(7, Standing::Gone), (8, Standing::Gone)]);
}
