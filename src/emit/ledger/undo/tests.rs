use netlink_packet_core::Emitable;

use super::*;
use crate::model::VlanId;

const MAC: MacAddr = MacAddr::new([0x52, 0x54, 0, 0, 0, 1]);

fn port() -> Ifindex {
    Ifindex::new(12).unwrap()
}

fn leftover(vlan: Option<u16>) -> Leftover {
    Leftover {
        port: port(),
        name: "vnet5".parse().unwrap(),
        bridge: Ifindex::new(5).unwrap(),
        mac: MAC,
        vlan: vlan.map(|vlan| VlanId::try_from(vlan).unwrap()),
        fixed: false,
    }
}

const fn entry(vlan: u16, dynamic: bool) -> Entry {
    Entry {
        mac: MAC,
        vlan,
        dynamic,
        fixed: false,
    }
}

#[test]
fn only_what_is_dynamic_and_the_guests_is_deleted() {
    let neighbour = Entry {
        mac: MacAddr::new([0x52, 0x54, 0, 0, 0, 9]),
        ..entry(0, true)
    };
    let cases: [(Option<u16>, &[Entry], &[Deletion]); 9] = [
        (None, &[], &[]),
        (None, &[neighbour], &[]),
        (None, &[neighbour, entry(0, true)], &[Deletion::Whole]),
        (None, &[entry(0, false)], &[]),
        (None, &[entry(0, true), entry(1, true)], &[Deletion::Whole]),
        // To name the one without VLAN is to name the static one, too.
        (None, &[entry(0, true), entry(1, false)], &[]),
        (
            None,
            &[entry(0, false), entry(1, true), entry(2, false)],
            &[Deletion::Vlan(1)],
        ),
        (
            Some(7),
            &[entry(0, true), entry(7, true), entry(8, true)],
            &[Deletion::Vlan(7)],
        ),
        (Some(7), &[entry(0, true), entry(7, false)], &[]),
    ];
    for (vlan, entries, expected) in cases {
        assert_eq!(
            compare(&leftover(vlan), entries),
            expected,
            "{vlan:?} {entries:?}"
        );
    }
}

fn message(state: NeighbourState, flags: NeighbourFlags) -> NeighbourMessage {
    let mut message = NeighbourMessage::default();
    message.header.family = AddressFamily::Bridge;
    message.header.ifindex = port().get();
    message.header.state = state;
    message.header.flags = flags;
    message.attributes = vec![
        NeighbourAttribute::LinkLayerAddress(MAC.octets().to_vec()),
        NeighbourAttribute::Controller(5),
        NeighbourAttribute::Vlan(7),
    ];
    message
}

fn octets(message: &NeighbourMessage) -> Vec<u8> {
    let mut octets = vec![0; message.buffer_len()];
    message.emit(&mut octets);
    octets
}

#[test]
fn what_a_manager_or_controller_put_there_is_not_dynamic() {
    use NeighbourFlags as F;
    use NeighbourState as S;
    let dynamic = [
        (S::Reachable, F::empty()),
        (S::Stale, F::empty()),
        (S::Reachable, F::Controller),
    ];
    let fixed = [
        (S::Permanent, F::empty()),
        (S::Noarp, F::empty()),
        (S::None, F::empty()),
        (S::Reachable, F::Sticky),
        (S::Stale, F::ExtLearned),
    ];
    for (state, flags) in dynamic {
        let parsed = parse(&octets(&message(state, flags))).unwrap();
        assert_eq!(
            parsed,
            Some((port(), entry(7, true))),
            "{state:?} {flags:?}"
        );
    }
    for (state, flags) in fixed {
        let parsed = parse(&octets(&message(state, flags))).unwrap();
        let expected = Entry {
            fixed: state == S::Noarp,
            ..entry(7, false)
        };
        assert_eq!(parsed, Some((port(), expected)), "{state:?} {flags:?}");
    }
    for flags in [F::Sticky, F::ExtLearned] {
        let parsed = parse(&octets(&message(S::Noarp, flags))).unwrap();
        assert_eq!(parsed, Some((port(), entry(7, false))), "{flags:?}");
    }
    // The device's own filter.
    let own = message(S::Reachable, F::Own);
    assert_eq!(parse(&octets(&own)).unwrap(), None);
}

#[test]
fn what_cannot_be_read_is_no_answer() {
    let whole = octets(&message(NeighbourState::Reachable, NeighbourFlags::empty()));
    assert!(parse(&whole[..8]).is_err());
    assert!(parse(&whole[..whole.len() - 6]).is_err());
}
