use netlink_packet_core::Emitable;
use netlink_packet_route::link::AfSpecBridge;

use super::*;
use crate::emit::topology::tests::ifindex;

/// A table of the links' VLANs, by way of the dump's octets.
pub(in crate::emit) fn vlan_table(links: &[(u32, &[(u16, BridgeVlanInfoFlags)])]) -> VlanTable {
    let mut table = VlanTable::default();
    for &(number, infos) in links {
        let mut message = LinkMessage::default();
        message.header.interface_family = AddressFamily::Bridge;
        message.header.index = number;
        let specs = infos
            .iter()
            .map(|&(vid, flags)| AfSpecBridge::VlanInfo(BridgeVlanInfo { flags, vid }));
        message.attributes = vec![
            LinkAttribute::IfName("vnet1".to_owned()),
            LinkAttribute::AfSpecBridge(specs.collect()),
        ];
        let mut octets = vec![0; message.buffer_len()];
        message.emit(&mut octets);
        table.insert(&octets);
    }
    table
}

fn vlans(infos: &[(u16, BridgeVlanInfoFlags)]) -> Membership {
    let table = vlan_table(&[(5, infos)]);
    table.get(ifindex(5)).cloned().unwrap()
}

#[test]
fn vlans_are_read_one_by_one_and_in_ranges() {
    use BridgeVlanInfoFlags as Flags;
    let none = Flags::empty();
    let membership = vlans(&[
        (1, Flags::Pvid | Flags::Untagged),
        (10, Flags::RangeBegin),
        (13, Flags::RangeEnd),
        (100, none),
        (0, none),
        (4095, none),
    ]);
    let numbers: Vec<_> = membership.members.iter().map(|vlan| vlan.get()).collect();
    assert_eq!(numbers, [1, 10, 11, 12, 13, 100]);
    assert_eq!(membership.pvid.map(VlanId::get), Some(1));
    assert_eq!(membership.untagged, [VlanId::try_from(1).unwrap()].into());
    assert_eq!(vlans(&[(7, Flags::Untagged)]).pvid, None);
    assert_eq!(vlans(&[]), Membership::default());
}

#[test]
fn the_vlan_of_untagged_frames_is_a_vlan_of_the_port_even_at_the_end_of_no_range() {
    use BridgeVlanInfoFlags as Flags;
    let membership = vlans(&[(10, Flags::RangeBegin), (5, Flags::Pvid)]);
    let five = VlanId::try_from(5).unwrap();
    assert_eq!(
        (membership.pvid, membership.members),
        (Some(five), [five].into())
    );
}

#[cfg(target_endian = "little")]
#[test]
fn a_message_is_read_as_iproute2_prints_it() {
    // `bridge -c vlan add`: PVID 100 untagged, 200 to 210 tagged; then an attribute of a newer
    // kernel, and the list's own end cut off.
    #[rustfmt::skip]
    let payload = [
        7, 0, 1, 0, 5, 0, 0, 0, 0x43, 0x10, 1, 0, 0, 0, 0, 0,
        36, 0, 26, 0,
        8, 0, 2, 0, 0x06, 0, 100, 0,
        8, 0, 2, 0, 0x08, 0, 200, 0,
        8, 0, 2, 0, 0x10, 0, 210, 0,
        8, 0, 99, 0, 1, 2, 3, 4,
        200, 0, 1, 0,
    ];
    let mut table = VlanTable::default();
    table.insert(&payload);
    let membership = table.get(ifindex(5)).unwrap();
    assert_eq!(membership.pvid.map(VlanId::get), Some(100));
    assert_eq!(membership.members.len(), 12);
    table.insert(&payload[..10]);
    table.insert(&[]);
}

#[cfg(target_endian = "little")]
#[test]
fn the_question_is_octet_for_octet_iproute2s() {
    #[rustfmt::skip]
    let expected = [
        40, 0, 0, 0, 18, 0, 0x01, 0x03, 0, 0, 0, 0, 0, 0, 0, 0,
        7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        8, 0, 29, 0, 4, 0, 0, 0,
    ];
    assert_eq!(request(), expected);
}
