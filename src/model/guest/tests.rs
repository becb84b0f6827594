use super::*;

#[test]
fn uuids_round_trip_in_rfc_order() {
    let text = "aaaaaaaa-0000-4000-8000-000000000007";
    let id: GuestId = text.parse().unwrap();
    assert_eq!(id.octets()[15], 7);
    assert_eq!(id.to_string(), text);
    assert_eq!("aaaaaaaa".parse::<GuestId>(), Err(ParseGuestIdError));
}

#[test]
fn a_shown_name_cannot_leave_its_place() {
    let name = GuestName::new("a\"\\\n\t\u{1b}[31m\u{202e}\u{200b}\u{85}é{}".to_owned());
    let shown = name.to_string();
    assert_eq!(shown, r#"a\"\\\n\t\u{1b}[31m\u{202e}\u{200b}\u{85}é{}"#);
    assert!(!shown.chars().any(char::is_control));
}
