mod links;
mod waiting;

use std::net::IpAddr;

use super::world::{World, guest, link, port};
use crate::engine::{
    Action, Cause, Count, Event, GuestFacts, GuestRule, JobCompleted, Lifecycle, MigrationStatus,
    Policy, Round, RunState, Sighting, Standing,
};
use crate::model::{
    AddressRefusal, AddressSource, FrameKind, GuestName, HostIp, HostIpv4, LinkState, MacAddr,
    Phase, Timestamp,
};

/// Another station has the address.
const CONTESTED: Standing = Standing::Contested {
    by: MacAddr::new([0x52, 0x54, 0, 0, 9, 9]),
};

fn ip(last: u8) -> HostIpv4 {
    format!("192.0.2.{last}").parse().unwrap()
}

fn policy(addresses: &[HostIpv4]) -> Policy {
    let rule = GuestRule {
        pattern: "guest-1".to_owned(),
        announce: true,
        addresses: addresses.to_vec(),
    };
    let mut policy = Policy {
        guests: vec![rule],
        ..Policy::default()
    };
    policy.addresses.sources.push(AddressSource::Snoop);
    policy
}

/// A guest that runs here.
fn running(mut world: World) -> World {
    let facts = GuestFacts {
        guest: guest(1),
        name: GuestName::default(),
        state: RunState::Running,
    };
    world.event(Event::Listed {
        guests: vec![facts],
    });
    world
}

fn hear(world: &mut World, last: u8, standing: Standing) {
    hear_of(world, ip(last).into(), standing);
}

fn hear_of(world: &mut World, ip: HostIp, standing: Standing) {
    let sighting = Sighting {
        mac: MacAddr::new([0x52, 0x54, 0, 0, 1, 0]),
        ip,
        source: AddressSource::Snoop,
    };
    world.event(Event::Address {
        guest: guest(1),
        sighting,
        standing,
    });
}

fn begin_to_leave(world: &mut World) {
    world.migration(1, MigrationStatus::Setup);
    world.wait(500);
    world.stop(1);
    world.says(1, Lifecycle::SuspendedMigrated);
    world.migration(1, MigrationStatus::Completed);
    world.wait(60);
}

fn leave(world: &mut World) {
    begin_to_leave(world);
    world.says(1, Lifecycle::StoppedMigrated);
}

fn finish(world: &mut World) {
    let job = JobCompleted {
        migration_out: true,
        success: true,
        downtime_ms: Some(42),
        elapsed_ms: Some(560),
    };
    let guest = guest(1);
    world.event(Event::JobCompleted { guest, job });
}

/// Frame and last octet of the address of each retraction.
fn retracted(world: &World) -> Vec<(u16, u8)> {
    let of = |ticket: crate::engine::Ticket| match ticket.round {
        Round::Retraction(ip) => Some((ticket.frame, ip.get().octets()[3])),
        Round::Early | Round::Scheduled(_) | Round::Single => None,
    };
    world
        .sent
        .iter()
        .filter_map(|sent| of(sent.ticket))
        .collect()
}

/// A guest that stood when its migration began, or when this agent did.
#[test]
fn a_guest_that_stands_is_retracted_though_its_tap_goes_before_libvirt_says_so() {
    for state in [RunState::Paused, RunState::PausedMigration] {
        let mut world = World::new(policy(&[ip(1)]));
        let tap = link(port(1, 0), true);
        world.event(Event::Link(tap));
        world.list(&[(1, state)]);
        if state == RunState::Paused {
            world.migration(1, MigrationStatus::Setup);
        }
        world.wait(500);
        world.migration(1, MigrationStatus::Completed);
        world.slow = true;
        world.event(Event::Link(LinkState {
            master: None,
            port: None,
            ..tap
        }));
        world.event(Event::Link(LinkState {
            present: false,
            up: false,
            carrier: false,
            master: None,
            port: None,
            ..tap
        }));
        world.says(1, Lifecycle::StoppedMigrated);
        assert_eq!(retracted(&world), [(0, 1)], "{state:?}");
    }
}

#[test]
fn each_address_is_retracted_once_when_the_guest_is_gone() {
    let mut world = World::new(policy(&[ip(1), ip(9)]));
    world.given = vec![ip(1), ip(2)];
    let mut world = running(world);
    hear(&mut world, 2, Standing::Held);
    hear(&mut world, 3, Standing::Held);
    begin_to_leave(&mut world);
    assert!(world.sent.is_empty(), "it is not gone yet");
    let at = world.now;
    world.says(1, Lifecycle::StoppedMigrated);
    assert_eq!(retracted(&world), [(0, 1), (0, 2), (0, 3), (0, 9)]);
    assert!(world.sent.iter().all(|sent| sent.at == at));
    assert!(
        world
            .sent
            .iter()
            .all(|sent| sent.ticket.cause == Cause::Departure)
    );
    finish(&mut world);
    world.wait(5_000);
    assert_eq!(world.sent.len(), 4);
    let snapshot = world.engine.snapshot();
    let record = &snapshot.history[0];
    assert_eq!(record.measured.retractions, 4);
    assert_eq!(record.measured.downtime.unwrap().as_millis(), 42);
    assert_eq!(record.phases.last().unwrap().phase, Phase::Retracted);
    assert!(snapshot.guests.is_empty());
    let frames = Action::Count(Count::Frames(FrameKind::Unarp), 1);
    let counted = world.actions.iter().filter(|&action| *action == frames);
    assert_eq!(counted.count(), 4);
    let unstaged = |action: &&Action| matches!(action, Action::Unstage { stays: false, .. });
    assert_eq!(world.actions.iter().filter(unstaged).count(), 1);
}

#[test]
fn switched_off_nothing_is_retracted() {
    let mut world = World::new(Policy {
        retract: false,
        ..policy(&[ip(1)])
    });
    world.given = vec![ip(2)];
    let mut world = running(world);
    leave(&mut world);
    finish(&mut world);
    world.wait(5_000);
    assert!(world.sent.is_empty());
    assert_eq!(world.engine.snapshot().history.len(), 1);
}

#[test]
fn a_guest_that_stays_keeps_its_addresses() {
    for last_word in [Lifecycle::StoppedFailed, Lifecycle::Stopped] {
        let mut world = running(World::new(policy(&[ip(1)])));
        begin_to_leave(&mut world);
        world.says(1, Lifecycle::ResumedUnpaused);
        world.wait(2_000);
        assert_eq!(world.rounds(1).len(), 5);
        world.migration(1, MigrationStatus::Setup);
        world.stop(1);
        world.says(1, last_word);
        world.wait(5_000);
        assert_eq!(retracted(&world), [], "{last_word:?}");
    }
}

#[test]
fn a_contested_address_is_left_alone_until_that_is_over() {
    for (last_word, expected) in [(CONTESTED, vec![]), (Standing::Held, vec![(0, 3)])] {
        let mut world = running(World::new(policy(&[])));
        hear(&mut world, 3, Standing::Held);
        hear(&mut world, 3, CONTESTED);
        hear(&mut world, 3, last_word);
        hear(&mut world, 4, Standing::Held);
        hear(&mut world, 4, Standing::Gone);
        leave(&mut world);
        assert_eq!(retracted(&world), expected);
        let contests = Action::Count(Count::ContestedAddresses, 1);
        let counted = world.actions.iter().filter(|&action| *action == contests);
        assert_eq!(counted.count(), 1, "told once");
    }
}

#[test]
fn a_contest_speaks_against_what_the_settings_say_too() {
    let mut world = running(World::new(policy(&[ip(3)])));
    hear(&mut world, 3, CONTESTED);
    leave(&mut world);
    assert_eq!(retracted(&world), []);
}

#[test]
fn what_waits_and_what_is_refused_is_not_retracted_and_a_routers_by_nobodys_word() {
    let mut world = running(World::new(policy(&[ip(3), ip(4)])));
    let refused = |reason| Standing::Refused { reason };
    hear(&mut world, 2, Standing::Waiting);
    hear(&mut world, 3, refused(AddressRefusal::NextHop));
    hear(&mut world, 4, refused(AddressRefusal::Surplus));
    hear(&mut world, 5, refused(AddressRefusal::Host));
    hear(&mut world, 5, refused(AddressRefusal::Host));
    leave(&mut world);
    assert_eq!(retracted(&world), [(0, 4)]);
    let refusals = |reason| {
        let counts = Action::Count(Count::RefusedAddresses(reason), 1);
        world.actions.iter().filter(|&it| *it == counts).count()
    };
    assert_eq!(refusals(AddressRefusal::Host), 1, "told once");
    assert_eq!(refusals(AddressRefusal::NextHop), 1);
}

/// RFC 1868 has no word for them.
#[test]
fn ipv6_addresses_are_shown_and_not_retracted() {
    let mut world = running(World::new(policy(&[])));
    let ipv6 = IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, 7]);
    let ipv6 = HostIp::try_from(ipv6).unwrap();
    hear_of(&mut world, ipv6, Standing::Held);
    hear(&mut world, 7, Standing::Held);
    let snapshot = world.engine.snapshot();
    let shown = snapshot.guests[0].addresses.iter().map(|it| it.ip);
    assert_eq!(shown.collect::<Vec<_>>(), [ipv6, ip(7).into()]);
    leave(&mut world);
    finish(&mut world);
    assert_eq!(retracted(&world), [(0, 7)]);
}

/// Last octet, source and standing of each address that people see.
fn shown(world: &World) -> Vec<(u8, AddressSource, Standing)> {
    let snapshot = world.engine.snapshot();
    let addresses = snapshot.guests[0].addresses.iter();
    addresses
        .map(|it| {
            (
                it.ip.v4().unwrap().get().octets()[3],
                it.source,
                it.standing,
            )
        })
        .collect()
}

#[test]
fn people_see_every_address_with_its_origin_its_age_and_how_it_stands() {
    use AddressSource::{Config, Snoop, Xml};
    let mut policy = policy(&[ip(1), ip(2), ip(4)]);
    policy.addresses.prefixes = vec!["192.0.2.0/28".parse().unwrap()];
    let mut world = World::new(policy);
    world.given = vec![ip(1), ip(3)];
    let mut world = running(world);
    let read = Timestamp::of(world.now, 0);
    world.wait(1_000);
    let heard = Timestamp::of(world.now, 0);
    for (last, standing) in [
        (3, CONTESTED),
        (4, CONTESTED),
        (5, Standing::Waiting),
        (6, Standing::Held),
        (16, Standing::Held),
    ] {
        hear(&mut world, last, standing);
    }
    let prefix = Standing::Refused {
        reason: AddressRefusal::Prefix,
    };
    let expected = [
        (1, Xml, Standing::Held),
        (3, Xml, CONTESTED),
        (4, Snoop, CONTESTED),
        (5, Snoop, Standing::Waiting),
        (6, Snoop, Standing::Held),
        (16, Snoop, prefix),
        (2, Config, Standing::Held),
    ];
    assert_eq!(shown(&world), expected);
    let addresses = &world.engine.snapshot().guests[0].addresses;
    assert_eq!(addresses[0].since_ns, read);
    assert_eq!(addresses[1].since_ns, heard);
    assert_eq!(addresses[6].mac, None, "of whichever NIC");
    let refusal = Action::Count(Count::RefusedAddresses(AddressRefusal::Prefix), 1);
    assert!(world.actions.contains(&refusal));
    // The same address that stands otherwise is as old as that.
    world.wait(1_000);
    hear(&mut world, 5, Standing::Held);
    let addresses = &world.engine.snapshot().guests[0].addresses;
    assert_eq!(addresses[3].since_ns, Timestamp::of(world.now, 0));
}

#[test]
fn an_address_is_retracted_where_it_was() {
    let mut world = World::new(policy(&[ip(1), ip(9)]));
    world.nics = 2;
    let mut world = running(world);
    hear(&mut world, 1, Standing::Held);
    leave(&mut world);
    // One network has both NICs, so what only the settings name is said there once.
    assert_eq!(retracted(&world), [(0, 1), (0, 9)]);
}

#[test]
fn a_ninth_address_of_a_nic_and_one_of_an_unknown_guest_are_not_kept() {
    let mut world = running(World::new(policy(&[])));
    for last in 1..=9 {
        hear(&mut world, last, Standing::Held);
    }
    leave(&mut world);
    let addresses: Vec<u8> = retracted(&world).iter().map(|&(_, last)| last).collect();
    assert_eq!(addresses, [1, 2, 3, 4, 5, 6, 7, 8]);
    finish(&mut world);
    hear(&mut world, 1, Standing::Held);
    assert!(world.actions.contains(&Action::Count(Count::Stale, 1)));
    assert!(world.engine.hearsay().is_empty());
}

#[test]
fn sources_and_prefixes_that_the_settings_do_not_admit_are_not_believed() {
    let mut policy = policy(&[ip(1)]);
    policy.addresses.sources = vec![AddressSource::Config];
    policy.addresses.prefixes = vec!["192.0.2.0/29".parse().unwrap()];
    policy.guests[0].addresses.push(ip(8));
    policy.guests[0]
        .addresses
        .push("169.254.1.1".parse().unwrap());
    let mut world = World::new(policy);
    world.given = vec![ip(2)];
    let mut world = running(world);
    hear(&mut world, 3, Standing::Held);
    leave(&mut world);
    assert_eq!(retracted(&world), [(0, 1)]);
}
