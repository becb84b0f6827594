use netlink_packet_core::{Emitable, Parseable};
use netlink_packet_route::link::InfoPortKind;

use super::*;

pub(in crate::emit) fn ifindex(number: u32) -> Ifindex {
    Ifindex::new(number).unwrap()
}

pub(in crate::emit) fn name(text: &str) -> LinkName {
    text.parse().unwrap()
}

pub(in crate::emit) fn link(
    number: u32,
    name: &str,
    attributes: Vec<LinkAttribute>,
) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.header.index = number;
    message.header.flags = LinkFlags::Up | LinkFlags::LowerUp;
    message.attributes = vec![LinkAttribute::IfName(name.to_owned())];
    message.attributes.extend(attributes);
    // Through octets and back, as it comes from the kernel.
    let mut octets = vec![0; message.buffer_len()];
    message.emit(&mut octets);
    LinkMessage::parse(&octets).unwrap()
}

pub(in crate::emit) fn kind(kind: InfoKind) -> LinkAttribute {
    LinkAttribute::LinkInfo(vec![LinkInfo::Kind(kind)])
}

pub(in crate::emit) fn bridge(settings: Vec<InfoBridge>) -> LinkAttribute {
    LinkAttribute::LinkInfo(vec![
        LinkInfo::Kind(InfoKind::Bridge),
        LinkInfo::Data(InfoData::Bridge(settings)),
    ])
}

pub(in crate::emit) fn topology(messages: &[LinkMessage]) -> Topology {
    let mut topology = Topology::default();
    for message in messages {
        topology.insert(message).unwrap();
    }
    topology
}

#[test]
fn a_port_is_read_whole() {
    let settings = vec![
        InfoBridgePort::State(BridgePortState::Forwarding),
        InfoBridgePort::Learning(false),
        InfoBridgePort::Locked(true),
    ];
    let message = link(
        5,
        "vnet1",
        vec![
            LinkAttribute::Address(vec![0xfe, 0x54, 0, 0xaa, 0xbb, 1]),
            LinkAttribute::Controller(3),
            LinkAttribute::LinkInfo(vec![
                LinkInfo::Kind(InfoKind::Tun),
                LinkInfo::PortKind(InfoPortKind::Bridge),
                LinkInfo::PortData(InfoPortData::BridgePort(settings)),
            ]),
        ],
    );
    let topology = topology(&[message]);
    let port = topology.named(name("vnet1")).unwrap();
    let state = LinkState {
        ifindex: ifindex(5),
        name: name("vnet1"),
        present: true,
        up: true,
        carrier: true,
        master: Some(ifindex(3)),
        port: Some(PortState::Forwarding),
    };
    assert_eq!(port.state, state);
    assert_eq!(port.kind, Kind::Tap);
    assert!(!port.learns && port.locked);
    let mac = MacAddr::new([0xfe, 0x54, 0, 0xaa, 0xbb, 1]);
    assert!(topology.owner(mac, ifindex(5)).is_none());
    assert!(topology.owner(mac, ifindex(6)).is_some());
}

#[test]
fn bridges_tell_whether_and_how_they_filter() {
    let kind_of = |settings| {
        let topology = topology(&[link(3, "br0", vec![bridge(settings)])]);
        topology.get(ifindex(3)).unwrap().kind
    };
    let filtering = |filtering| Kind::Bridge { filtering };
    let protocol = InfoBridge::VlanProtocol;
    assert_eq!(kind_of(vec![]), filtering(None));
    let off = vec![
        InfoBridge::VlanFiltering(false),
        protocol(VlanProtocol::Ieee8021Ad),
    ];
    assert_eq!(kind_of(off), filtering(None));
    let customer = vec![
        InfoBridge::VlanFiltering(true),
        protocol(VlanProtocol::Ieee8021Q),
    ];
    assert_eq!(kind_of(customer), filtering(Some(Filtering::Customer)));
    let provider = vec![
        InfoBridge::VlanFiltering(true),
        protocol(VlanProtocol::Ieee8021Ad),
    ];
    assert_eq!(kind_of(provider), filtering(Some(Filtering::Provider)));
}

fn host() -> Topology {
    topology(&[
        link(2, "eth0", vec![]),
        link(3, "br0", vec![bridge(vec![])]),
        link(
            4,
            "bond0.100",
            vec![
                kind(InfoKind::Vlan),
                LinkAttribute::Link(6),
                LinkAttribute::Controller(3),
            ],
        ),
        link(
            5,
            "vnet1",
            vec![kind(InfoKind::Tun), LinkAttribute::Controller(3)],
        ),
        link(6, "bond0", vec![kind(InfoKind::Bond)]),
        link(
            7,
            "veth7",
            vec![kind(InfoKind::Veth), LinkAttribute::Controller(3)],
        ),
        link(
            8,
            "br0.9",
            vec![kind(InfoKind::Vlan), LinkAttribute::Link(3)],
        ),
    ])
}

fn uplinks(guests: &[&str], chosen: &[&str]) -> Vec<String> {
    let guests = guests.iter().copied().map(name).collect();
    let chosen: Vec<_> = chosen.iter().copied().map(name).collect();
    host()
        .uplinks(ifindex(3), &guests, &chosen)
        .into_iter()
        .map(|link| link.state.name.to_string())
        .collect()
}

#[test]
fn uplinks_are_the_ports_that_are_no_guests() {
    assert_eq!(uplinks(&[], &[]), ["bond0.100", "veth7"]);
    assert_eq!(uplinks(&["veth7"], &[]), ["bond0.100"]);
}

#[test]
fn chosen_uplinks_override() {
    // Those that touch this bridge, as a port or from above.
    assert_eq!(
        uplinks(&[], &["eth0", "veth7", "br0.9"]),
        ["veth7", "br0.9"]
    );
    // None does: all that exist.
    assert_eq!(uplinks(&[], &["eth0", "nonesuch"]), ["eth0"]);
    assert_eq!(uplinks(&[], &["nonesuch"]), [""; 0]);
}

#[test]
fn an_uplink_counts_as_the_link_below_its_vlans() {
    let host = host();
    let bottom = |text| host.bottom(host.named(name(text)).unwrap()).get();
    assert_eq!(bottom("bond0.100"), 6);
    assert_eq!(bottom("veth7"), 7);
    // The link below is in another namespace, or a circle that no kernel makes.
    let strange = topology(&[
        link(
            4,
            "a",
            vec![
                kind(InfoKind::Vlan),
                LinkAttribute::Link(2),
                LinkAttribute::LinkNetNsId(0),
            ],
        ),
        link(2, "b", vec![kind(InfoKind::Vlan), LinkAttribute::Link(3)]),
        link(3, "c", vec![kind(InfoKind::Vlan), LinkAttribute::Link(2)]),
    ]);
    assert_eq!(strange.bottom(strange.named(name("a")).unwrap()).get(), 4);
    strange.bottom(strange.named(name("b")).unwrap());
}
