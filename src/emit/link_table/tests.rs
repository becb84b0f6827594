use super::*;

fn ifindex(number: u32) -> Ifindex {
    Ifindex::new(number).unwrap()
}

fn port() -> LinkState {
    LinkState {
        ifindex: ifindex(5),
        name: "vnet1".parse().unwrap(),
        present: true,
        up: true,
        carrier: true,
        master: Some(ifindex(3)),
        port: Some(PortState::Forwarding),
    }
}

fn seat(life: u64) -> Seat {
    Seat {
        port: ifindex(5),
        name: "vnet1".parse().unwrap(),
        bridge: ifindex(3),
        life,
    }
}

fn verdict(link: LinkState) -> Result<(), SendFault> {
    let mut table = LinkTable::default();
    table.observe(&link);
    table.check(seat(table.life(ifindex(5))))
}

#[test]
fn only_a_port_that_passes_frames_to_its_bridge_is_sent_to() {
    assert_eq!(verdict(port()), Ok(()));
    let down = LinkState {
        up: false,
        ..port()
    };
    assert_eq!(verdict(down), Err(SendFault::NoCarrier));
    let unplugged = LinkState {
        carrier: false,
        ..port()
    };
    assert_eq!(verdict(unplugged), Err(SendFault::NoCarrier));
    for state in [
        PortState::Disabled,
        PortState::Listening,
        PortState::Learning,
        PortState::Blocking,
    ] {
        let closed = LinkState {
            port: Some(state),
            ..port()
        };
        assert_eq!(verdict(closed), Err(SendFault::NotForwarding));
    }
    for master in [None, Some(ifindex(4))] {
        let elsewhere = LinkState { master, ..port() };
        assert_eq!(verdict(elsewhere), Err(SendFault::NoDevice));
    }
    let name = "tap7".parse().unwrap();
    let renamed = LinkState { name, ..port() };
    assert_eq!(verdict(renamed), Err(SendFault::NoDevice));
    let gone = LinkState {
        present: false,
        ..port()
    };
    assert_eq!(verdict(gone), Err(SendFault::NoDevice));
}

#[test]
fn what_staging_found_gives_way_to_notifications() {
    let mut table = LinkTable::default();
    let check = |table: &LinkTable| table.check(seat(1));
    assert_eq!(check(&table), Err(SendFault::NoDevice));
    table.seed(&port());
    assert_eq!(check(&table), Ok(()));
    let unplugged = LinkState {
        carrier: false,
        ..port()
    };
    table.observe(&unplugged);
    table.seed(&port());
    assert_eq!(check(&table), Err(SendFault::NoCarrier));
    table.observe(&port());
    assert_eq!(check(&table), Ok(()));
}

#[test]
fn a_device_that_got_name_and_number_of_another_is_not_that() {
    let mut table = LinkTable::default();
    table.observe(&port());
    let old = seat(table.life(ifindex(5)));
    assert_eq!(table.check(old), Ok(()));
    let gone = LinkState {
        present: false,
        ..port()
    };
    table.observe(&gone);
    table.observe(&port());
    assert_eq!(table.check(old), Err(SendFault::NoDevice));
    assert_eq!(table.check(seat(table.life(ifindex(5)))), Ok(()));
    // A port that leaves its bridge and comes back is the same.
    let alone = LinkState {
        master: None,
        ..port()
    };
    let new = seat(table.life(ifindex(5)));
    table.observe(&alone);
    assert_eq!(table.check(new), Err(SendFault::NoDevice));
    table.observe(&port());
    assert_eq!(table.check(new), Ok(()));
}
