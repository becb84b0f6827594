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
