use netlink_packet_core::Emitable as _;
use netlink_packet_route::neighbour::{NeighbourFlags, NeighbourState};

use super::*;

fn entry(state: NeighbourState, flags: u8, more: Vec<NeighbourAttribute>) -> Vec<u8> {
    let mut message = NeighbourMessage::default();
    message.header = NeighbourHeader {
        family: AddressFamily::Inet,
        ifindex: 7,
        state,
        flags: NeighbourFlags::from_bits_retain(flags),
        ..NeighbourHeader::default()
    };
    message.attributes = vec![NeighbourAttribute::Destination(
        Ipv4Addr::new(10, 0, 0, 50).into(),
    )];
    message.attributes.extend(more);
    let mut octets = vec![0; message.buffer_len()];
    message.emit(&mut octets);
    octets
}

fn mac() -> NeighbourAttribute {
    NeighbourAttribute::LinkLayerAddress(vec![2, 0, 0, 0, 0, 1])
}

fn keeper(state: NeighbourState, flags: u8) -> Keeper {
    parse(&entry(state, flags, vec![mac()])).unwrap().keeper
}

#[test]
fn an_entry_is_read_with_its_mac() {
    let read = parse(&entry(NeighbourState::Stale, 0, vec![mac()]));
    let expected = Neighbour {
        link: Ifindex::new(7).unwrap(),
        address: Ipv4Addr::new(10, 0, 0, 50),
        mac: Some(MacAddr::new([2, 0, 0, 0, 0, 1])),
        keeper: Keeper::Arp,
    };
    assert_eq!(read, Some(expected));
    let unresolved = parse(&entry(NeighbourState::Incomplete, 0, vec![]));
    assert_eq!(unresolved.unwrap().mac, None);
}

#[test]
fn who_keeps_an_entry_is_read_from_state_and_flags() {
    use NeighbourState::{Delay, Noarp, Permanent, Probe, Reachable, Stale};
    for state in [Reachable, Stale, Delay, Probe] {
        assert_eq!(keeper(state, 0), Keeper::Arp);
        assert_eq!(keeper(state, NTF_EXT_LEARNED), Keeper::Controller);
    }
    assert_eq!(keeper(Permanent, 0), Keeper::Permanent);
    assert_eq!(keeper(Permanent, NTF_EXT_LEARNED), Keeper::Permanent);
    assert_eq!(keeper(Noarp, 0), Keeper::NoArp);
    let mut managed = entry(Reachable, 0, vec![mac()]);
    managed.extend(8_u16.to_ne_bytes());
    managed.extend(NDA_FLAGS_EXT.to_ne_bytes());
    managed.extend(NTF_EXT_MANAGED.to_ne_bytes());
    assert_eq!(parse(&managed).unwrap().keeper, Keeper::Controller);
}

#[test]
fn what_is_no_ipv4_entry_is_none() {
    let whole = entry(NeighbourState::Stale, 0, vec![mac()]);
    // The last two octets are padding.
    for length in 0..whole.len() - 2 {
        let read = parse(&whole[..length]);
        assert!(read.is_none_or(|entry| entry.mac.is_none()), "{length}");
    }
    let mut bridge = whole;
    bridge[0] = 7;
    assert_eq!(parse(&bridge), None);
}
