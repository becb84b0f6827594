use super::*;
use crate::emit::topology::tests::{bridge, ifindex, kind, link, name, topology};
use crate::emit::vlan_table::tests::vlan_table;
use crate::engine::StagedFrame;
use crate::model::{Attachment, MacAddr};
use netlink_packet_route::link::{
    BridgeVlanInfoFlags, InfoBridge, InfoBridgePort, InfoKind, InfoPortData, InfoPortKind,
    LinkAttribute, LinkInfo, LinkMessage,
};

const GUEST: GuestId = GuestId::new([1; 16]);
const PVID: BridgeVlanInfoFlags = BridgeVlanInfoFlags::Pvid;
const TAGGED: BridgeVlanInfoFlags = BridgeVlanInfoFlags::empty();

fn mac(last: u8) -> MacAddr {
    MacAddr::new([0x52, 0x54, 0, 0, 0, last])
}

fn vlan(number: u16) -> VlanId {
    VlanId::try_from(number).unwrap()
}

fn plan(nics: &[(u8, &str)]) -> Plan {
    let nics = nics
        .iter()
        .zip(0..)
        .map(|(&(last, target), index)| PlannedNic {
            index,
            mac: mac(last),
            attachment: Attachment::BridgeTap,
            target: name(target),
            addresses: Vec::new(),
            network: None,
        });
    Plan {
        nics: nics.collect(),
        refused: Vec::new(),
        given: Vec::new(),
    }
}

fn port(number: u32, name: &str, settings: Vec<InfoBridgePort>) -> LinkMessage {
    let info = vec![
        LinkInfo::Kind(InfoKind::Tun),
        LinkInfo::PortKind(InfoPortKind::Bridge),
        LinkInfo::PortData(InfoPortData::BridgePort(settings)),
    ];
    let attributes = vec![LinkAttribute::Controller(3), LinkAttribute::LinkInfo(info)];
    link(number, name, attributes)
}

/// A bridge with an uplink, and the taps vnet0 to vnet3 as links 10 to 13.
fn topology_of(filtering: bool) -> Topology {
    let mut messages = vec![
        link(2, "eth0", vec![LinkAttribute::Controller(3)]),
        link(
            3,
            "br0",
            vec![bridge(vec![InfoBridge::VlanFiltering(filtering)])],
        ),
    ];
    for number in 0..4 {
        messages.push(port(10 + number, &format!("vnet{number}"), vec![]));
    }
    topology(&messages)
}

fn resolve_on(topology: &Topology, vlans: &VlanTable, route: Route, plan: &Plan) -> Prepared {
    let host = Host {
        topology,
        vlans,
        route,
        uplinks: &[],
    };
    resolve(GUEST, 4, plan, host)
}

#[test]
fn without_filtering_one_untagged_frame_each() {
    let plan = plan(&[(1, "vnet0"), (2, "vnet1")]);
    let vlans = VlanTable::default();
    let prepared = resolve_on(&topology_of(false), &vlans, Route::Injection, &plan);
    assert_eq!((prepared.guest, prepared.generation), (GUEST, 4));
    assert_eq!(prepared.staging.refused, []);
    let staged = |nic, port| StagedFrame {
        nic,
        mac: mac(u8::try_from(nic).unwrap() + 1),
        vlan: None,
        kind: FrameKind::Rarp,
        port: ifindex(port),
        bridge: ifindex(3),
        uplinks: vec![ifindex(2)],
        behind_uplink: false,
    };
    assert_eq!(prepared.staging.frames, [staged(0, 10), staged(1, 11)]);
    for (staged, octets, route) in prepared.frames() {
        assert_eq!(octets, wire::Frame::rarp(staged.mac, None).to_vec());
        assert_eq!(route, Route::Injection);
    }
    assert_eq!(prepared.places.len(), 2);
    assert_eq!(prepared.places[1].uplinks, [name("eth0")]);
}

/// vnet0 with PVID 100 and the VLANs 200 and 300, on a bridge that is itself in `bridge`.
fn trunk(bridge: &[(u16, BridgeVlanInfoFlags)], route: Route) -> Prepared {
    let port = [(300, TAGGED), (100, PVID), (200, TAGGED)];
    let vlans = vlan_table(&[(10, &port), (3, bridge)]);
    resolve_on(&topology_of(true), &vlans, route, &plan(&[(1, "vnet0")]))
}

#[test]
fn with_filtering_the_pvid_goes_untagged_and_first() {
    let prepared = trunk(&[(1, PVID)], Route::Injection);
    assert_eq!(prepared.staging.refused, []);
    let vlans: Vec<_> = prepared.frames().map(|(staged, ..)| staged.vlan).collect();
    assert_eq!(vlans, [100, 200, 300].map(|number| Some(vlan(number))));
    let tags = [None, Some(vlan(200)), Some(vlan(300))];
    for ((_, octets, _), tag) in prepared.frames().zip(tags) {
        assert_eq!(octets, wire::Frame::rarp(mac(1), tag).to_vec());
    }
    // Nothing could stand in for injection: the bridge is in none of these VLANs.
    assert!(
        prepared
            .frames
            .iter()
            .all(|frame| frame.as_bridge.is_none())
    );
}

#[test]
fn from_the_bridge_device_the_tag_follows_the_bridges_own_membership() {
    let prepared = trunk(&[(200, PVID), (100, TAGGED)], Route::EntryAndBridge);
    let frames: Vec<_> = prepared
        .frames()
        .map(|(staged, octets, route)| (staged.vlan, octets.to_vec(), route))
        .collect();
    let frame = |of, tag: Option<u16>| {
        let octets = wire::Frame::rarp(mac(1), tag.map(vlan)).to_vec();
        (Some(vlan(of)), octets, Route::EntryAndBridge)
    };
    assert_eq!(frames, [frame(100, Some(100)), frame(200, None)]);
    let refusal = Refusal::BridgeOutsideVlan {
        bridge: name("br0"),
        vlan: vlan(300),
    };
    assert_eq!(prepared.staging.refused, [(0, refusal)]);
}

#[test]
fn a_port_without_vlans_is_refused() {
    let vlans = vlan_table(&[(3, &[(1, PVID)])]);
    let plan = plan(&[(1, "vnet0")]);
    let prepared = resolve_on(&topology_of(true), &vlans, Route::Injection, &plan);
    assert!(prepared.staging.frames.is_empty());
    let refusal = Refusal::NoVlan(name("vnet0"));
    assert_eq!(prepared.staging.refused, [(0, refusal)]);
}

#[test]
fn a_provider_bridge_takes_untagged_frames_only() {
    let forms_on = |bridge| {
        let port = Membership {
            pvid: Some(vlan(5)),
            members: [vlan(5), vlan(6)].into(),
            ..Membership::default()
        };
        forms(Filtering::Provider, &port, &bridge)
    };
    let in_pvid = Membership {
        pvid: Some(vlan(5)),
        members: [vlan(5)].into(),
        ..Membership::default()
    };
    let form = Form {
        vlan: Some(vlan(5)),
        as_guest: Tag::Untagged,
        as_bridge: Some(Tag::Untagged),
    };
    assert_eq!(forms_on(in_pvid), [form]);
    let tagged = Membership {
        pvid: None,
        members: [vlan(5)].into(),
        ..Membership::default()
    };
    let alone = Form {
        as_bridge: None,
        ..form
    };
    assert_eq!(forms_on(tagged), [alone]);
}

#[test]
fn a_schedule_holds_sixty_four_frames_and_a_trunk_starves_nobody() {
    let many: Vec<_> = (1..=200).map(|number| (number, TAGGED)).collect();
    let vlans = vlan_table(&[(10, &many), (11, &[(1, PVID)]), (12, &many)]);
    let plan = plan(&[(1, "vnet0"), (2, "vnet1"), (3, "vnet2")]);
    let prepared = resolve_on(&topology_of(true), &vlans, Route::Injection, &plan);
    assert_eq!(prepared.staging.frames.len(), MAX_FRAMES);
    assert_eq!(prepared.frames.len(), MAX_FRAMES);
    let nics: Vec<_> = prepared
        .staging
        .frames
        .iter()
        .map(|frame| frame.nic)
        .collect();
    assert_eq!(nics[..6], [0, 1, 2, 0, 2, 0]);
    let refused = [(0, Refusal::TooMany), (2, Refusal::TooMany)];
    assert_eq!(prepared.staging.refused, refused);
}

#[test]
fn what_cannot_be_announced_is_refused_by_name() {
    let mut topology = topology_of(false);
    for message in [
        link(20, "alone", vec![kind(InfoKind::Tun)]),
        link(
            21,
            "ovs-system",
            vec![kind(InfoKind::Other("openvswitch".into()))],
        ),
        link(
            22,
            "ovs1",
            vec![kind(InfoKind::Tun), LinkAttribute::Controller(21)],
        ),
        link(
            23,
            "orphan",
            vec![kind(InfoKind::Tun), LinkAttribute::Controller(99)],
        ),
        port(24, "locked", vec![InfoBridgePort::Locked(true)]),
        link(
            25,
            "eth9",
            vec![LinkAttribute::Address(mac(7).octets().to_vec())],
        ),
    ] {
        topology.insert(&message).unwrap();
    }
    let plan = plan(&[
        (1, "alone"),
        (2, "ovs1"),
        (3, "orphan"),
        (4, "locked"),
        (5, "missing"),
        (6, "vnet0"),
        (6, "vnet1"),
        (7, "vnet2"),
    ]);
    let vlans = VlanTable::default();
    let prepared = resolve_on(&topology, &vlans, Route::Injection, &plan);
    let not_linux = Refusal::NotLinuxBridge {
        port: name("ovs1"),
        master: name("ovs-system"),
    };
    let expected = [
        (0, Refusal::NotEnslaved(name("alone"))),
        (1, not_linux),
        (2, Refusal::Unanswered(name("orphan"))),
        (3, Refusal::LockedPort(name("locked"))),
        (4, Refusal::LinkMissing(name("missing"))),
        (6, Refusal::DuplicateMac),
        (7, Refusal::MacOfHostLink(name("eth9"))),
    ];
    assert_eq!(prepared.staging.refused, expected);
    assert_eq!(prepared.staging.frames.len(), 1);
}

#[test]
fn a_port_that_does_not_learn_gets_an_entry_first() {
    let mut topology = topology_of(false);
    let silent = port(10, "vnet0", vec![InfoBridgePort::Learning(false)]);
    topology.insert(&silent).unwrap();
    let plan = plan(&[(1, "vnet0"), (2, "vnet1")]);
    let vlans = VlanTable::default();
    let routes = |route| {
        let prepared = resolve_on(&topology, &vlans, route, &plan);
        prepared
            .frames()
            .map(|(.., route)| route)
            .collect::<Vec<_>>()
    };
    let injected = [Route::EntryAndInjection, Route::Injection];
    assert_eq!(routes(Route::Injection), injected);
    assert_eq!(routes(Route::EntryAndBridge), [Route::EntryAndBridge; 2]);
}
