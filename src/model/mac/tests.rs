use super::*;

#[test]
fn text_and_octets_round_trip() {
    let mac: MacAddr = "52:54:00:AB:cd:0f".parse().unwrap();
    assert_eq!(mac.octets(), [0x52, 0x54, 0, 0xab, 0xcd, 0x0f]);
    assert_eq!(mac.to_string(), "52:54:00:ab:cd:0f");
}

#[test]
fn other_forms_are_refused() {
    for text in [
        "",
        "52:54:00:ab:cd",
        "52:54:00:ab:cd:0f:11",
        "52-54-00-ab-cd-0f",
        "52:54:00:ab:cd:+f",
        "52:54:00:ab:cd:0fa",
        "52:54:00:ab:cd:",
        "５2:54:00:ab:cd:0f",
    ] {
        assert_eq!(text.parse::<MacAddr>(), Err(ParseMacError), "{text}");
    }
}

#[test]
fn kinds_are_told_apart() {
    assert!(MacAddr::BROADCAST.is_multicast() && MacAddr::BROADCAST.is_broadcast());
    assert!(MacAddr::ZERO.is_zero() && !MacAddr::ZERO.is_multicast());
    assert!(MacAddr::new([1, 0, 0x5e, 0, 0, 1]).is_multicast());
}
