use super::*;

#[test]
fn json_is_the_address_of_either_family() {
    for text in ["192.0.2.7", "2001:db8::7"] {
        let json = format!("\"{text}\"");
        let ip: HostIp = serde_json::from_str(&json).unwrap();
        assert_eq!(ip.to_string(), text);
        assert_eq!(ip.get().to_string(), text);
        assert_eq!(ip.v4().is_some(), ip.get().is_ipv4());
        assert_eq!(serde_json::to_string(&ip).unwrap(), json);
    }
}

#[test]
fn json_cannot_bring_in_a_refused_address() {
    for text in ["0.0.0.0", "224.0.0.1", "::", "ff02::1", "fe80::1"] {
        let json = format!("\"{text}\"");
        assert!(serde_json::from_str::<HostIp>(&json).is_err(), "{text}");
    }
}
