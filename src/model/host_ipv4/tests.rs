use super::*;

#[test]
fn a_hosts_address_is_taken() {
    for text in ["192.0.2.7", "10.0.0.1", "169.254.1.1", "223.255.255.255"] {
        assert_eq!(text.parse::<HostIpv4>().unwrap().to_string(), text);
    }
}

#[test]
fn an_address_of_nobody_or_of_many_is_refused() {
    let refused = |text: &str| text.parse::<HostIpv4>().unwrap_err();
    assert_eq!(refused("0.0.0.0"), HostIpv4Error::Unspecified);
    assert_eq!(refused("255.255.255.255"), HostIpv4Error::Broadcast);
    assert!(matches!(refused("224.0.0.1"), HostIpv4Error::Multicast(_)));
    assert!(matches!(
        refused("239.255.18.68"),
        HostIpv4Error::Multicast(_)
    ));
    for text in ["", "192.0.2", "192.0.2.256", "192.0.2.7 ", "::1"] {
        assert_eq!(refused(text), HostIpv4Error::Malformed, "{text}");
    }
}

#[test]
fn json_cannot_bring_in_a_refused_address() {
    assert!(serde_json::from_str::<HostIpv4>("\"192.0.2.7\"").is_ok());
    assert!(serde_json::from_str::<HostIpv4>("\"0.0.0.0\"").is_err());
}
