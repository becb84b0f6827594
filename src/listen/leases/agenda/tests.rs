use super::*;

const DAY: i64 = 86_400;

fn guest(number: u8) -> GuestId {
    GuestId::new([number; 16])
}

fn mac(last: u8) -> MacAddr {
    MacAddr::new([0x52, 0x54, 0, 0, 0, last])
}

fn at(seconds: u64) -> Instant {
    Instant::from_nanos(seconds * 1_000_000_000)
}

fn lease(last: u8, ip: &str, expiry: i64) -> RawLease {
    RawLease {
        mac: mac(last).to_string(),
        ip: ip.to_owned(),
        expiry,
    }
}

fn in_network(network: &str, macs: &[u8]) -> Vec<(MacAddr, String)> {
    let nic = |&last: &u8| (mac(last), network.to_owned());
    macs.iter().map(nic).collect()
}

/// Guest, last octet of the MAC address, addresses.
fn sorted(agenda: &Agenda, network: &str, leases: &[RawLease]) -> Vec<(GuestId, u8, Vec<String>)> {
    let sorted = agenda.sort(network, leases, 0).into_iter();
    let short = |of: NicLeases| {
        let ips = of.leases.iter().map(|lease| lease.ip.to_string());
        (of.guest, of.mac.octets()[5], ips.collect())
    };
    sorted.map(short).collect()
}

#[test]
fn a_network_is_asked_at_once_then_every_half_minute_and_for_many_guests_once() {
    let mut agenda = Agenda::default();
    assert_eq!(agenda.due(), None);
    assert_eq!(agenda.next(at(0)), None);
    agenda.watch(at(10), guest(1), in_network("default", &[1]));
    assert_eq!(agenda.due(), Some(at(10)));
    assert_eq!(agenda.next(at(10)).as_deref(), Some("default"));
    assert_eq!(agenda.due(), Some(at(40)));
    for number in 2..200 {
        agenda.watch(at(10), guest(number), in_network("default", &[number]));
    }
    assert_eq!(agenda.due(), Some(at(11)), "one question for all of them");
    assert_eq!(agenda.next(at(10)), None);
    assert_eq!(agenda.next(at(11)).as_deref(), Some("default"));
    assert_eq!(agenda.next(at(11)), None);
    assert_eq!(agenda.due(), Some(at(41)));
}

#[test]
fn what_is_due_longest_is_asked_first() {
    let mut agenda = Agenda::default();
    agenda.watch(at(2), guest(1), in_network("a", &[1]));
    agenda.watch(at(1), guest(2), in_network("b", &[2]));
    assert_eq!(agenda.next(at(60)).as_deref(), Some("b"));
    assert_eq!(agenda.next(at(60)).as_deref(), Some("a"));
    assert_eq!(agenda.next(at(60)), None);
}

#[test]
fn a_network_without_guests_is_not_asked() {
    let mut agenda = Agenda::default();
    agenda.watch(at(0), guest(1), in_network("a", &[1]));
    agenda.watch(at(0), guest(2), in_network("a", &[2]));
    agenda.unwatch(guest(1));
    assert!(agenda.due().is_some());
    // Plugged into another one.
    agenda.watch(at(5), guest(2), in_network("b", &[2]));
    assert_eq!(agenda.next(at(90)).as_deref(), Some("b"));
    assert_eq!(agenda.next(at(90)), None);
    agenda.unwatch(guest(2));
    agenda.unwatch(guest(2));
    assert_eq!(agenda.due(), None);
}

#[test]
fn no_more_networks_are_asked_than_a_host_has() {
    let mut agenda = Agenda::default();
    for number in 0..100 {
        let network = format!("net-{number}");
        agenda.watch(at(0), guest(number), in_network(&network, &[number]));
    }
    let asked = std::iter::from_fn(|| agenda.next(at(0))).count();
    assert_eq!(asked, NETWORKS);
}

#[test]
fn each_nic_gets_its_own_leases_and_those_without_any_get_none() {
    let mut agenda = Agenda::default();
    let mut nics = in_network("default", &[1]);
    nics.extend(in_network("other", &[2]));
    agenda.watch(at(0), guest(1), nics);
    agenda.watch(at(0), guest(2), in_network("default", &[3]));
    let leases = [
        lease(1, "192.0.2.7", 0),
        lease(1, "192.0.2.8", 0),
        lease(2, "192.0.2.9", 0),
        lease(9, "192.0.2.10", 0),
    ];
    let texts = |texts: &[&str]| {
        texts
            .iter()
            .map(|&text| text.to_owned())
            .collect::<Vec<_>>()
    };
    let expected = [
        (guest(1), 1, texts(&["192.0.2.7", "192.0.2.8"])),
        (guest(2), 3, Vec::new()),
    ];
    assert_eq!(sorted(&agenda, "default", &leases), expected);
    let expected = [(guest(1), 2, texts(&["192.0.2.9"]))];
    assert_eq!(sorted(&agenda, "other", &leases), expected);
}

#[test]
fn a_mac_address_of_two_guests_says_nothing_of_either() {
    let mut agenda = Agenda::default();
    agenda.watch(at(0), guest(1), in_network("default", &[1]));
    agenda.watch(at(0), guest(2), in_network("default", &[1]));
    let expected = [(guest(1), 1, Vec::new()), (guest(2), 1, Vec::new())];
    let leases = [lease(1, "192.0.2.7", 0)];
    assert_eq!(sorted(&agenda, "default", &leases), expected);
}

#[test]
fn what_is_no_lease_of_a_host_is_left_out_and_no_nic_has_more_than_eight() {
    let mut agenda = Agenda::default();
    agenda.watch(at(0), guest(1), in_network("default", &[1]));
    let mut leases = vec![
        lease(1, "2001:db8::1", 0),
        lease(1, "0.0.0.0", 0),
        lease(1, "224.0.0.1", 0),
        lease(1, "", 0),
        RawLease {
            mac: "nonsense".to_owned(),
            ..lease(1, "192.0.2.99", 0)
        },
    ];
    for last in 1..=20 {
        leases.push(lease(1, &format!("192.0.2.{last}"), 0));
        leases.push(lease(1, &format!("192.0.2.{last}"), 0));
    }
    let sorted = sorted(&agenda, "default", &leases);
    let expected: Vec<_> = (1..=8).map(|last| format!("192.0.2.{last}")).collect();
    assert_eq!(sorted, [(guest(1), 1, expected)]);
}

#[test]
fn the_end_of_a_lease_is_put_on_the_monotonic_clock() {
    let until = |expiry, offset| {
        understand(&lease(1, "192.0.2.7", expiry), offset)
            .unwrap()
            .until
    };
    let offset = 20_000 * DAY * 1_000_000_000;
    assert_eq!(until(20_000 * DAY + 90, offset), Some(at(90)));
    assert_eq!(until(0, offset), None, "it has none");
    assert_eq!(until(1, offset), Some(Instant::ZERO), "long past");
    assert!(until(i64::MAX, offset).is_some());
}
