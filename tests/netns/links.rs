//! The watch of links.

use macmoved::emit::EmitSettings;
use macmoved::engine::Event;
use macmoved::model::{Ifindex, LinkState, PortState};

use crate::world::{Rig, build, index, ip, isolated, name, settle, sh};

/// The last that the events say of the link of that name.
fn last(events: &[Event], link: &str) -> Option<LinkState> {
    events
        .iter()
        .filter_map(|event| {
            let Event::Link(state) = event else {
                return None;
            };
            (state.name == name(link)).then_some(*state)
        })
        .next_back()
}

fn rig() -> Rig {
    let rig = Rig::new(EmitSettings::default());
    settle();
    rig
}

#[test]
fn the_first_dump_tells_every_link() {
    isolated("links::the_first_dump_tells_every_link", || {
        build();
        ip(&["tuntap add dev vnet2 mode tap", "link set vnet2 master br0"]);
        let mut rig = rig();
        // The rig has followed already; a second watch tells all anew.
        let events = rig.renew();
        let bridge = Ifindex::new(index("br0"));
        let vnet1 = last(&events, "vnet1").unwrap();
        assert_eq!(vnet1.ifindex.get(), index("vnet1"));
        assert_eq!(vnet1.master, bridge);
        assert_eq!(vnet1.port, Some(PortState::Forwarding));
        assert!(vnet1.present && vnet1.up && vnet1.carrier && vnet1.passes());
        // Nobody holds this tap open, and it is down.
        let vnet2 = last(&events, "vnet2").unwrap();
        assert_eq!(vnet2.port, Some(PortState::Disabled));
        assert!(vnet2.present && !vnet2.up && !vnet2.carrier);
        let peer = last(&events, "peer").unwrap();
        assert_eq!((peer.master, peer.port), (None, None));
        assert_eq!(events.len(), 14);
    });
}

#[test]
fn changes_are_told_once_and_in_order() {
    isolated("links::changes_are_told_once_and_in_order", || {
        build();
        let mut rig = rig();
        assert_eq!(rig.follow(), []);

        ip(&["link set guest1 down"]);
        settle();
        let link = last(&rig.follow(), "vnet1").unwrap();
        assert!(link.up && !link.carrier);
        assert_eq!(link.port, Some(PortState::Disabled));

        ip(&["link set guest1 up"]);
        settle();
        assert!(last(&rig.follow(), "vnet1").unwrap().passes());

        // A change that is none of ours to tell.
        ip(&["link set vnet1 mtu 1400"]);
        sh("bridge link set dev vnet1 learning off");
        assert_eq!(rig.follow(), []);

        ip(&["link set vnet1 nomaster"]);
        let link = last(&rig.follow(), "vnet1").unwrap();
        assert_eq!((link.present, link.master, link.port), (true, None, None));

        ip(&["link set vnet1 down", "link set vnet1 name tap7"]);
        let link = last(&rig.follow(), "tap7").unwrap();
        assert!(link.present);

        ip(&["link del tap7"]);
        let events = rig.follow();
        assert!(!last(&events, "tap7").unwrap().present);
        assert!(!last(&events, "guest1").unwrap().present);
    });
}

#[test]
fn spanning_tree_walks_a_port_to_forwarding() {
    isolated("links::spanning_tree_walks_a_port_to_forwarding", || {
        build();
        // The shortest delay that the kernel takes: two seconds a step.
        ip(&["link set br0 type bridge stp_state 1 forward_delay 200"]);
        ip(&["link set vnet1 nomaster"]);
        let mut rig = rig();
        ip(&["link set vnet1 master br0"]);
        let mut states = Vec::new();
        let patience = std::time::Instant::now() + std::time::Duration::from_secs(15);
        while states.last() != Some(&PortState::Forwarding) {
            assert!(std::time::Instant::now() < patience, "{states:?}");
            for event in rig.follow() {
                if let Event::Link(link) = event
                    && link.name == name("vnet1")
                {
                    states.extend(link.port);
                }
            }
        }
        states.dedup();
        let walk = [
            PortState::Listening,
            PortState::Learning,
            PortState::Forwarding,
        ];
        assert!(states.ends_with(&walk), "{states:?}");
    });
}

#[test]
fn an_overrun_is_told_and_healed() {
    isolated("links::an_overrun_is_told_and_healed", || {
        build();
        let mut rig = Rig::with_link_buffer(EmitSettings::default(), 4096);
        // More notifications than the kernel keeps for us, the last ones among those it drops.
        for _ in 0..60 {
            ip(&["link set guest9 down", "link set guest9 up"]);
        }
        ip(&["link add extra type bridge", "link del vnet1"]);
        let events = rig.follow();
        let lost = events
            .iter()
            .any(|event| matches!(event, Event::Dropped { .. }));
        assert!(lost, "{events:?}");
        assert!(!last(&events, "vnet1").unwrap().present);
        assert!(last(&events, "extra").unwrap().present);
        assert_eq!(rig.follow(), []);
    });
}

#[test]
fn a_dump_of_the_bridges_view_ends_and_is_whole() {
    use macmoved::sys::netlink;
    use netlink_packet_core::{NLM_F_DUMP, NLM_F_REQUEST};
    use netlink_packet_route::AddressFamily;
    use netlink_packet_route::link::{LinkAttribute, LinkExtentMask, LinkMessage};

    isolated(
        "links::a_dump_of_the_bridges_view_ends_and_is_whole",
        || {
            build();
            let mut message = LinkMessage::default();
            message.header.interface_family = AddressFamily::Bridge;
            let mask = vec![LinkExtentMask::BrvlanCompressed];
            message.attributes = vec![LinkAttribute::ExtMask(mask)];
            let flags = NLM_F_REQUEST | NLM_F_DUMP;
            let request = netlink::message(libc::RTM_GETLINK, flags, 0, &message);
            let refused = netlink::message(0xfff0, flags, 0, &message);
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            let mut links = 0;
            runtime
                .block_on(netlink::dump(&request, |kind, payload| {
                    assert_eq!((kind, payload[0]), (libc::RTM_NEWLINK, 7));
                    links += 1;
                }))
                .unwrap();
            // Two bridges and their six ports.
            assert_eq!(links, 8);
            let error = runtime.block_on(netlink::dump(&refused, |_, _| ()));
            assert_eq!(error.unwrap_err().raw_os_error(), Some(libc::EOPNOTSUPP));
        },
    );
}
