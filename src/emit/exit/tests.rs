use super::*;

fn mac(text: &str) -> MacAddr {
    text.parse().unwrap()
}

#[test]
fn the_host_speaks_by_an_address_of_its_own() {
    let guests = [mac("52:54:00:00:00:01"), mac("52:54:00:00:00:02")].into();
    let bridge = mac("02:00:00:00:00:01");
    let uplink = mac("02:00:00:00:00:02");
    let of = |candidates: &[Option<MacAddr>]| sender(candidates.iter().copied(), &guests);
    assert_eq!(of(&[Some(bridge), Some(uplink)]), Some(bridge));
    for unfit in [
        Some(mac("52:54:00:00:00:02")),
        Some(mac("00:00:00:00:00:00")),
        Some(mac("01:00:5e:00:00:01")),
        None,
    ] {
        assert_eq!(of(&[unfit, Some(uplink)]), Some(uplink), "{unfit:?}");
        assert_eq!(of(&[unfit]), None);
    }
}

#[test]
fn a_retraction_is_a_whole_unarp() {
    let ip = "192.0.2.7".parse().unwrap();
    let sender = mac("02:00:00:00:00:01");
    for (tag, length) in [(None, 60), (VlanId::try_from(100).ok(), 64)] {
        let retraction = Retraction::new(sender, ip, tag);
        let octets = wire::Frame::unarp(sender, ip, tag).to_vec();
        assert_eq!(retraction.octets(), octets);
        assert_eq!(octets.len(), length);
    }
}
