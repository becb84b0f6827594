use super::*;

#[test]
fn prefixes_without_host_bits_are_read_and_printed_alike() {
    for text in [
        "0.0.0.0/0",
        "192.0.2.0/24",
        "192.0.2.7/32",
        "2001:db8::/32",
        "::/0",
        "::1/128",
    ] {
        assert_eq!(text.parse::<Prefix>().unwrap().to_string(), text);
    }
}

#[test]
fn everything_else_is_refused() {
    for text in [
        "",
        "192.0.2.0",
        "192.0.2.7/24",
        "192.0.2.0/33",
        "::/129",
        "::1/64",
        "a/8",
        "1.2.3.4/-1",
    ] {
        assert_eq!(text.parse::<Prefix>(), Err(ParsePrefixError), "{text}");
    }
}

#[test]
fn a_prefix_contains_its_own_family_only() {
    let prefix: Prefix = "192.0.2.0/24".parse().unwrap();
    assert!(prefix.contains([192, 0, 2, 255].into()));
    assert!(!prefix.contains([192, 0, 3, 0].into()));
    assert!(
        !"0.0.0.0/0"
            .parse::<Prefix>()
            .unwrap()
            .contains("::1".parse().unwrap())
    );
}
