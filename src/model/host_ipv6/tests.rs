use super::*;

fn address(text: &str) -> Ipv6Addr {
    text.parse().unwrap()
}

#[test]
fn a_hosts_address_is_taken() {
    for text in ["2001:db8::7", "fd00::1", "64:ff9b::c000:207", "fec0::1"] {
        assert_eq!(HostIpv6::try_from(address(text)).unwrap().to_string(), text);
    }
}

#[test]
fn an_address_of_nobody_of_many_or_of_one_link_is_refused() {
    assert_eq!(
        HostIpv6::try_from(address("::")),
        Err(HostIpv6Error::Unspecified)
    );
    assert_eq!(
        HostIpv6::try_from(address("::1")),
        Err(HostIpv6Error::Loopback)
    );
    assert!(matches!(
        HostIpv6::try_from(address("ff02::1")),
        Err(HostIpv6Error::Multicast(_))
    ));
    for text in ["fe80::1", "febf:ffff::1"] {
        assert!(matches!(
            HostIpv6::try_from(address(text)),
            Err(HostIpv6Error::LinkLocal(_))
        ));
    }
    let router = HostIpv6::try_from(address("2001:db8::"));
    assert!(matches!(router, Err(HostIpv6Error::SubnetRouter(_))));
    let mapped = HostIpv6::try_from(address("::ffff:192.0.2.7"));
    assert!(matches!(mapped, Err(HostIpv6Error::Mapped(_))));
}
