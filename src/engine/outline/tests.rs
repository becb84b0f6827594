use super::*;

#[test]
fn octets_and_digits_round_trip() {
    let frame = OutlinedFrame {
        kind: FrameKind::Rarp,
        vlan: None,
        octets: (0..=255).collect(),
    };
    let json = serde_json::to_string(&frame).unwrap();
    assert!(json.contains(r#""octets":"000102"#), "{json}");
    assert_eq!(serde_json::from_str::<OutlinedFrame>(&json).unwrap(), frame);
    for text in ["f", "fff", "zz", "f f", "+f", "é1"] {
        let json = format!(r#"{{"kind":"rarp","octets":"{text}"}}"#);
        assert!(
            serde_json::from_str::<OutlinedFrame>(&json).is_err(),
            "{text}"
        );
    }
}
