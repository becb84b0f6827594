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
