use super::*;

const GUEST: GuestId = GuestId::new([7; 16]);

fn mac(text: &str) -> MacAddr {
    text.parse().unwrap()
}

/// Describes a guest with these taps and addresses.
fn described(taps: &[(&str, &str)], addresses: &[&str]) -> Option<GuestDescription> {
    let links: Vec<LinkName> = taps.iter().map(|(link, _)| link.parse().unwrap()).collect();
    let address = |link: &LinkName| {
        let tap = taps.iter().find(|(name, _)| *name == link.as_str());
        let (_, address) = tap.ok_or(io::ErrorKind::NotFound)?;
        Ok(mac(address))
    };
    let addresses: Vec<_> = addresses.iter().map(|text| mac(text)).collect();
    let name = GuestName::new("guest".to_owned());
    describe(GUEST, name, &links, address, |mac| addresses.contains(&mac))
}

#[track_caller]
fn assert_nics(description: Option<GuestDescription>, expected: &[(&str, &str)]) {
    let description = description.expect("a description");
    assert_eq!(description.uuid, Some(GUEST));
    assert!(description.by_links, "its XML tells more");
    assert_eq!(description.name.as_str(), "guest");
    let nics: Vec<_> = description
        .interfaces
        .iter()
        .map(|interface| interface.nic.clone().expect("it can be announced"))
        .map(|nic| (nic.target.expect("a tap").to_string(), nic.mac.to_string()))
        .collect();
    let expected: Vec<_> = expected
        .iter()
        .map(|&(tap, mac)| (tap.to_owned(), mac.to_owned()))
        .collect();
    assert_eq!(nics, expected);
}

#[test]
fn each_tap_is_given_the_address_that_libvirt_knows() {
    assert_nics(
        described(
            &[
                ("vnet3", "fe:54:00:4d:00:01"),
                ("vnet4", "fe:50:56:aa:bb:cc"),
                ("vnet5", "fe:16:3e:01:02:03"),
            ],
            &[
                "fa:16:3e:01:02:03",
                "00:50:56:aa:bb:cc",
                "52:54:00:4d:00:01",
            ],
        ),
        &[
            ("vnet3", "52:54:00:4d:00:01"),
            ("vnet4", "00:50:56:aa:bb:cc"),
            ("vnet5", "fa:16:3e:01:02:03"),
        ],
    );
}

#[test]
fn a_guest_without_interfaces_is_described() {
    assert_nics(described(&[], &[]), &[]);
}

#[test]
fn an_address_that_libvirt_does_not_know_is_left_to_the_xml() {
    let taps = [
        ("vnet3", "fe:54:00:4d:00:01"),
        ("vnet4", "fe:54:00:4d:00:02"),
    ];
    assert_eq!(described(&taps, &["52:54:00:4d:00:01"]), None);
}

#[test]
fn a_link_that_is_no_tap_of_libvirts_is_left_to_the_xml() {
    let macvtap = [("macvtap0", "52:54:00:4d:00:01")];
    assert_eq!(described(&macvtap, &["52:54:00:4d:00:01"]), None);
}

#[test]
fn a_link_that_is_gone_is_left_to_the_xml() {
    let links = ["vnet3".parse().unwrap()];
    let gone = |_: &LinkName| Err(io::ErrorKind::NotFound.into());
    let name = GuestName::new("guest".to_owned());
    assert_eq!(describe(GUEST, name, &links, gone, |_| true), None);
}

#[test]
fn addresses_that_differ_in_the_first_octet_only_are_left_to_the_xml() {
    let taps = [
        ("vnet3", "fe:54:00:4d:00:01"),
        ("vnet4", "fe:54:00:4d:00:01"),
    ];
    let addresses = ["52:54:00:4d:00:01", "02:54:00:4d:00:01"];
    assert_eq!(described(&taps, &addresses), None);
}

#[test]
fn no_address_of_a_group_or_of_nobody_is_tried() {
    let tried: Vec<_> = candidates(mac("fe:00:00:00:00:00")).collect();
    assert_eq!(tried.len(), 126);
    assert_eq!(tried[0], mac("52:00:00:00:00:00"));
    assert!(
        tried
            .iter()
            .all(|mac| !mac.is_multicast() && !mac.is_zero())
    );
    let distinct: BTreeSet<_> = tried.iter().collect();
    assert_eq!(distinct.len(), tried.len());
}
