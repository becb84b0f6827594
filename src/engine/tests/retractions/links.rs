use super::{World, ip, leave, policy, retracted, shown};
use crate::engine::Standing;
use crate::model::AddressSource;

#[test]
fn a_guest_known_by_its_links_alone_gets_its_addresses_once_it_has_arrived() {
    let mut world = World::new(policy(&[]));
    (world.by_links, world.given) = (true, vec![ip(1)]);
    world.arrive(1);
    assert_eq!(shown(&world), []);
    world.by_links = false;
    world.wait(2_000);
    assert_eq!(shown(&world), [(1, AddressSource::Xml, Standing::Held)]);
    assert_eq!(world.rounds(1).len(), 6, "and nothing more is announced");
    assert_eq!(world.engine.poll_timeout(), None);
}

#[test]
fn a_guest_known_by_its_links_alone_that_leaves_at_once_is_retracted_all_the_same() {
    let mut world = World::new(policy(&[]));
    (world.by_links, world.given) = (true, vec![ip(1)]);
    world.arrive(1);
    world.by_links = false;
    assert_eq!(world.rounds(1).len(), 2, "rounds are still going out");
    leave(&mut world);
    assert_eq!(retracted(&world), [(0, 1)]);
}

#[test]
fn a_guest_whose_xml_stays_away_is_asked_for_it_when_it_leaves() {
    let mut world = World::new(policy(&[]));
    (world.by_links, world.given) = (true, vec![ip(1)]);
    world.arrive(1);
    world.wait(2_000);
    assert_eq!(shown(&world), []);
    world.by_links = false;
    leave(&mut world);
    assert_eq!(retracted(&world), [(0, 1)]);
}
