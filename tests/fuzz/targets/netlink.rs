//! Datagrams of the kernel, read in every way that macmoved reads any: links and bridge ports, VLANs,
//! forwarding and neighbour entries, addresses, and routes.
//!
//! The kernel is no enemy. But kernels that are still to come write attributes that nobody here
//! knows, and a process of another user could be taken for it.

#![no_main]

use std::collections::BTreeMap;
use std::net::IpAddr;

use libfuzzer_sys::fuzz_target;
use macmoved::emit::{self, Topology, VlanTable};
use macmoved::engine::Event;
use macmoved::model::{Ifindex, LinkState, Neighbour};
use macmoved::observe::addresses::local_address;
use macmoved::observe::links::Table;
use macmoved::observe::next_hops::next_hops;
use macmoved::sys::netlink;
use netlink_packet_core::{Emitable, Parseable as _};
use netlink_packet_route::link::LinkMessage;

/// Octets of a message's header.
const HEADER: usize = 16;

fuzz_target!(|datagram: &[u8]| {
    links(datagram);
    // One message after the other, each whole, however they are cut.
    let mut room = datagram.len();
    for message in netlink::messages(datagram) {
        let length = usize::try_from(message.length()).unwrap();
        assert!(HEADER <= length && length <= room);
        room = room.saturating_sub(length.next_multiple_of(4));
        let payload = message.payload();
        assert_eq!(payload.len(), length - HEADER);
        read(message.message_type(), payload);
        let written = netlink::message(
            message.message_type(),
            message.flags(),
            message.sequence_number(),
            &Payload(payload),
        );
        let again: Vec<_> = netlink::messages(&written).collect();
        assert_eq!(again.len(), 1);
        assert_eq!(again[0].payload(), payload);
        assert_eq!(again[0].message_type(), message.message_type());
    }
    answers(datagram);
});

struct Payload<'p>(&'p [u8]);

impl Emitable for Payload<'_> {
    fn buffer_len(&self) -> usize {
        self.0.len()
    }

    fn emit(&self, buffer: &mut [u8]) {
        buffer.copy_from_slice(self.0);
    }
}

/// Only changes are told, each of a link that is known.
fn links(datagram: &[u8]) {
    let mut table = Table::default();
    let mut known = BTreeMap::<Ifindex, LinkState>::new();
    // The second time tells only what the datagram itself takes back.
    for _ in 0..2 {
        table.take(datagram);
        while let Some(event) = table.tell() {
            let Event::Link(link) = event else {
                panic!("links say {event:?}");
            };
            let before = if link.present {
                known.insert(link.ifindex, link)
            } else {
                assert!(!link.passes() && link.master.is_none());
                let before = known.remove(&link.ifindex);
                assert!(before.is_some(), "{} was not there", link.ifindex);
                before
            };
            assert_ne!(before, Some(link));
        }
    }
}

/// A payload in every way, whatever its message claims to be.
fn read(kind: u16, payload: &[u8]) {
    let stands = |octets: &[u8]| payload.windows(octets.len()).any(|window| window == octets);
    let has = |address: IpAddr| match address {
        IpAddr::V4(address) => stands(&address.octets()),
        IpAddr::V6(address) => stands(&address.octets()),
    };
    for kind in [kind, libc::RTM_NEWROUTE, 104] {
        for hop in next_hops(kind, payload) {
            assert!(has(hop));
        }
    }
    if let Some(Neighbour {
        link, address, mac, ..
    }) = emit::parse_neighbour(payload)
    {
        assert_eq!(payload.get(4..8), Some(&link.get().to_ne_bytes()[..]));
        assert!(stands(&address.octets()));
        assert!(mac.is_none_or(|mac| stands(&mac.octets())));
    }
    if let Ok(Some((port, entry))) = emit::parse_entry(payload) {
        assert_eq!(payload.get(4..8), Some(&port.get().to_ne_bytes()[..]));
        assert!(stands(&entry.mac.octets()));
        assert!(!(entry.dynamic && entry.fixed));
    }
    if let Some(address) = local_address(payload) {
        assert!(has(address));
    }
    vlans(payload);
    if let Ok(message) = LinkMessage::parse(payload)
        && let Some(ifindex) = Topology::default().insert(&message)
    {
        assert_eq!(ifindex.get(), message.header.index);
    }
}

/// The VLAN of untagged frames and those that leave without a tag are VLANs of the port.
fn vlans(payload: &[u8]) {
    let mut table = VlanTable::default();
    table.insert(payload);
    let ifindex = payload.get(4..8).map(|octets| octets.try_into().unwrap());
    let ifindex = ifindex.and_then(|octets| Ifindex::new(u32::from_ne_bytes(octets)));
    if let Some(port) = ifindex.and_then(|ifindex| table.get(ifindex)) {
        assert!(port.untagged.is_subset(&port.members));
        assert!(port.pvid.is_none_or(|vlan| port.members.contains(&vlan)));
    }
}

/// An answer is read for the question that has its number, and for no other.
fn answers(datagram: &[u8]) {
    let Some(number) = datagram.get(8..12) else {
        assert_eq!(emit::parse_answer(datagram, 0), None);
        return;
    };
    let number = u32::from_ne_bytes(number.try_into().unwrap());
    assert_eq!(emit::parse_answer(datagram, number.wrapping_add(1)), None);
    if let Some(emit::Answer::Behind { pinned, fixed, .. }) = emit::parse_answer(datagram, number) {
        assert!(!(pinned && fixed));
    }
}
