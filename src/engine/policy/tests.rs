use super::*;

#[test]
fn globs_match_whole_names() {
    for (pattern, text, expected) in [
        ("web-*", "web-01", true),
        ("web-*", "my-web-01", false),
        ("*", "", true),
        ("?", "", false),
        ("a*b*c", "aXXbYYc", true),
        ("a*b*c", "aXXbYY", false),
        ("*a?", "banana!", true),
        ("", "", true),
        ("", "x", false),
    ] {
        assert_eq!(
            glob(pattern.as_bytes(), text.as_bytes()),
            expected,
            "{pattern} {text}"
        );
    }
}

#[test]
fn the_first_matching_rule_decides() {
    let guest = GuestId::new([7; 16]);
    let rule = |pattern: &str, announce| GuestRule {
        pattern: pattern.to_owned(),
        announce,
        addresses: Vec::new(),
    };
    let policy = Policy {
        guests: vec![rule(&guest.to_string(), true), rule("web-*", false)],
        ..Policy::default()
    };
    let name = GuestName::new("web-01".to_owned());
    assert!(!policy.excludes(guest, &name));
    assert!(policy.excludes(GuestId::new([8; 16]), &name));
    assert!(!policy.excludes(GuestId::new([8; 16]), &GuestName::new("db".to_owned())));
}

#[test]
fn the_first_matching_rule_with_addresses_gives_them() {
    let guest = GuestId::new([7; 16]);
    let rule = |pattern: &str, addresses: &[&str]| GuestRule {
        pattern: pattern.to_owned(),
        announce: true,
        addresses: addresses.iter().map(|text| text.parse().unwrap()).collect(),
    };
    let policy = Policy {
        guests: vec![
            rule("*", &[]),
            rule("web-*", &["192.0.2.1"]),
            rule("*", &["192.0.2.2"]),
        ],
        ..Policy::default()
    };
    let given = |name: &str| {
        policy
            .given(guest, &GuestName::new(name.to_owned()))
            .to_vec()
    };
    assert_eq!(given("web-01"), ["192.0.2.1".parse().unwrap()]);
    assert_eq!(given("db"), ["192.0.2.2".parse().unwrap()]);
    assert!(
        Policy::default()
            .given(guest, &GuestName::default())
            .is_empty()
    );
}

#[test]
fn prefixes_are_of_both_families() {
    let policy = |prefixes: &[&str]| AddressPolicy {
        prefixes: prefixes.iter().map(|text| text.parse().unwrap()).collect(),
        ..AddressPolicy::default()
    };
    let refuses = |prefixes: &[&str], ip: &str| {
        let ip: IpAddr = ip.parse().unwrap();
        policy(prefixes).refuses(HostIp::try_from(ip).unwrap(), AddressSource::Dhcp)
    };
    assert_eq!(refuses(&[], "2001:db8::7"), None);
    assert_eq!(refuses(&["2001:db8::/64"], "2001:db8::7"), None);
    let outside = Some(AddressRefusal::Prefix);
    assert_eq!(refuses(&["2001:db8::/64"], "192.0.2.7"), outside);
    assert_eq!(refuses(&["192.0.2.0/24"], "2001:db8::7"), outside);
    assert_eq!(refuses(&["192.0.2.0/24"], "192.0.2.7"), None);
}
