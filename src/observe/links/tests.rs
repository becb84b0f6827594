use netlink_packet_route::AddressFamily;
use netlink_packet_route::link::{
    BridgePortState, InfoBridgePort, InfoKind, InfoPortData, InfoPortKind, LinkFlags, LinkInfo,
};

use super::*;
use crate::model::PortState;

const UP: LinkFlags = LinkFlags::Up.union(LinkFlags::LowerUp);

fn ifindex(number: u32) -> Ifindex {
    Ifindex::new(number).unwrap()
}

/// A message as the kernel sends it, numbered `sequence` where it is part of a dump.
fn link(
    kind: u16,
    sequence: u32,
    family: AddressFamily,
    number: u32,
    attributes: Vec<LinkAttribute>,
) -> Vec<u8> {
    let mut message = LinkMessage::default();
    message.header.interface_family = family;
    message.header.index = number;
    message.header.flags = UP;
    message.attributes = vec![LinkAttribute::IfName(format!("vnet{number}"))];
    message.attributes.extend(attributes);
    netlink::message(kind, 0, sequence, &message)
}

fn plain(sequence: u32, number: u32) -> Vec<u8> {
    link(
        libc::RTM_NEWLINK,
        sequence,
        AddressFamily::Unspec,
        number,
        vec![],
    )
}

fn port(number: u32, state: BridgePortState) -> Vec<u8> {
    let info = vec![
        LinkInfo::Kind(InfoKind::Tun),
        LinkInfo::PortKind(InfoPortKind::Bridge),
        LinkInfo::PortData(InfoPortData::BridgePort(vec![
            InfoBridgePort::Priority(32),
            InfoBridgePort::State(state),
        ])),
    ];
    let attributes = vec![LinkAttribute::Controller(3), LinkAttribute::LinkInfo(info)];
    link(
        libc::RTM_NEWLINK,
        0,
        AddressFamily::Unspec,
        number,
        attributes,
    )
}

/// A bridge's message about a port: the state is in `IFLA_PROTINFO`.
fn of_bridge(kind: u16, number: u32, protinfo: &[u8]) -> Vec<u8> {
    let nested = netlink_packet_core::DefaultNla::new(
        libc::IFLA_PROTINFO | netlink_packet_core::NLA_F_NESTED,
        protinfo.to_vec(),
    );
    let mut attributes = vec![LinkAttribute::Controller(3)];
    if !protinfo.is_empty() {
        attributes.push(LinkAttribute::Other(nested));
    }
    link(kind, 0, AddressFamily::Bridge, number, attributes)
}

fn protinfo(state: u8) -> [u8; 8] {
    let [low, high] = 5_u16.to_ne_bytes();
    let [one, zero] = 1_u16.to_ne_bytes();
    [low, high, one, zero, state, 0, 0, 0]
}

fn done(sequence: u32, flags: u16) -> Vec<u8> {
    let mut octets = netlink::message(NLMSG_DONE, flags, sequence, &LinkMessage::default());
    octets.truncate(20);
    octets[..4].copy_from_slice(&20_u32.to_ne_bytes());
    octets
}

/// A table whose first dump, numbered 1, runs.
fn table() -> Table {
    let mut table = Table {
        sequence: 1,
        ..Table::default()
    };
    table.begin();
    table
}

/// Gives the table one datagram and takes what it has to tell.
fn told(table: &mut Table, messages: &[Vec<u8>]) -> Vec<Event> {
    table.take(&messages.concat());
    table.told.drain(..).collect()
}

fn links(events: &[Event]) -> Vec<LinkState> {
    let link = |event: &Event| {
        let Event::Link(link) = event else {
            panic!("{event:?}");
        };
        *link
    };
    events.iter().map(link).collect()
}

#[test]
fn a_dump_and_later_changes_are_told_once() {
    let mut table = table();
    let both = [plain(1, 4), plain(1, 5), done(1, 0)];
    assert_eq!(links(&told(&mut table, &both)).len(), 2);
    assert_eq!(table.dump, Dump::Idle);
    assert_eq!(told(&mut table, &[plain(0, 4)]), []);
    let change = told(&mut table, &[port(5, BridgePortState::Listening)]);
    let [link] = links(&change)[..] else {
        panic!("{change:?}");
    };
    assert_eq!(link.master, Some(ifindex(3)));
    assert_eq!(link.port, Some(PortState::Listening));
    assert!(link.up && link.carrier);
}

#[test]
fn a_bridges_own_messages_tell_of_the_port() {
    let mut table = table();
    told(
        &mut table,
        &[port(5, BridgePortState::Listening), done(1, 0)],
    );
    for (octet, state) in [
        (0, PortState::Disabled),
        (1, PortState::Listening),
        (2, PortState::Learning),
        (3, PortState::Forwarding),
        (4, PortState::Blocking),
    ] {
        let message = of_bridge(libc::RTM_NEWLINK, 5, &protinfo(octet));
        let events = told(&mut table, &[message]);
        assert_eq!(links(&events)[0].port, Some(state));
        assert_eq!(links(&events)[0].master, Some(ifindex(3)));
    }
    // A network card's own bridge says nothing of ours.
    let card = of_bridge(libc::RTM_NEWLINK, 5, &[]);
    assert_eq!(told(&mut table, &[card]), []);
    // Leaving the bridge is not the link's end.
    let left = of_bridge(libc::RTM_DELLINK, 5, &protinfo(0));
    let link = links(&told(&mut table, &[left]))[0];
    assert!(link.present);
    assert_eq!((link.master, link.port), (None, None));
}

#[test]
fn the_end_of_a_link_is_told() {
    let mut table = table();
    told(&mut table, &[plain(1, 5), done(1, 0)]);
    let end = link(libc::RTM_DELLINK, 0, AddressFamily::Unspec, 5, vec![]);
    let gone = links(&told(&mut table, std::slice::from_ref(&end)))[0];
    assert!(!gone.present && !gone.up && !gone.carrier);
    assert_eq!(gone.name.as_str(), "vnet5");
    assert!(table.links.is_empty());
    assert_eq!(told(&mut table, &[end]), []);
}

#[test]
fn what_a_whole_dump_does_not_show_is_gone() {
    let mut table = table();
    told(
        &mut table,
        &[plain(1, 4), plain(1, 5), plain(1, 6), done(1, 0)],
    );
    table.sequence = 2;
    table.begin();
    // 6 is not in the dump, but was notified of since it began.
    let renamed = vec![LinkAttribute::Controller(3)];
    let notified = link(libc::RTM_NEWLINK, 0, AddressFamily::Unspec, 6, renamed);
    let events = told(&mut table, &[plain(2, 4), notified, done(2, 0)]);
    let links = links(&events);
    assert_eq!(links.len(), 2);
    assert_eq!((links[0].ifindex, links[0].present), (ifindex(6), true));
    assert_eq!((links[1].ifindex, links[1].present), (ifindex(5), false));
}

#[test]
fn a_dump_that_changes_broke_into_removes_nothing_and_is_asked_for_again() {
    let mut table = table();
    told(&mut table, &[plain(1, 4), plain(1, 5), done(1, 0)]);
    table.sequence = 2;
    table.begin();
    let events = told(&mut table, &[plain(2, 4), done(2, NLM_F_DUMP_INTR)]);
    assert_eq!(events, []);
    assert!(table.wants_dump());
    assert_eq!(table.links.len(), 2);
}

#[test]
fn a_loss_is_told_and_healed_by_a_dump_after_the_one_that_runs() {
    let overrun = || io::Error::from_raw_os_error(libc::ENOBUFS);
    let lost = |count| Event::Dropped {
        queue: Queue::Link,
        count,
    };
    let mut table = table();
    table.lose(&overrun());
    table.lose(&overrun());
    assert!(!table.wants_dump());
    assert_eq!(told(&mut table, &[done(1, 0)]), [lost(2)]);
    assert!(table.wants_dump());
    table.sequence = 2;
    table.begin();
    assert_eq!(told(&mut table, &[done(2, 0)]), []);
    table.lose(&overrun());
    assert!(table.wants_dump());
}

#[test]
fn links_beyond_the_table_are_dropped_and_counted() {
    let mut table = table();
    let all = u32::try_from(MAX_LINKS).unwrap();
    for number in 1..=all {
        table.take(&plain(1, number));
    }
    table.told.clear();
    let events = told(&mut table, &[plain(1, all + 1), plain(1, all + 2)]);
    let lost = Event::Dropped {
        queue: Queue::Link,
        count: 2,
    };
    assert_eq!(events, [lost]);
    assert_eq!(table.links.len(), MAX_LINKS);
    // A link that is in the table is followed all the same.
    let change = told(&mut table, &[port(all, BridgePortState::Blocking)]);
    assert_eq!(links(&change).len(), 1);
}

#[test]
fn what_cannot_be_read_is_passed_over() {
    let mut table = table();
    let whole = port(5, BridgePortState::Forwarding);
    for length in 0..whole.len() {
        table.take(&whole[..length]);
    }
    assert!(table.told.is_empty());
    // An attribute whose length is wrong ends the list, and what came before it counts.
    let mut torn = whole;
    let end = torn.len();
    torn.extend([2, 0, 1, 0]);
    let length = u32::try_from(end + 4).unwrap();
    torn[..4].copy_from_slice(&length.to_ne_bytes());
    assert_eq!(links(&told(&mut table, &[torn])).len(), 1);
}
