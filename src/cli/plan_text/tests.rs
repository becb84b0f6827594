use super::*;

fn shown(json: &serde_json::Value) -> String {
    let plan: Outline<StagedNic> = serde_json::from_value(json.clone()).unwrap();
    PlanText(&plan).to_string()
}

fn nic(announceable: bool, reason: Option<&str>) -> serde_json::Value {
    serde_json::json!({
        "mac": "52:54:00:00:00:01", "type": "bridge", "source": "br0", "target": "vnet0",
        "model": "virtio", "vlans": [], "announceable": announceable, "reason": reason,
    })
}

#[test]
fn what_stands_ready_is_shown_with_its_way_out() {
    let mut staged = nic(true, None);
    let octets = Frame::rarp("52:54:00:00:00:01".parse().unwrap(), None).to_vec();
    let hex: String = octets.iter().map(|octet| format!("{octet:02x}")).collect();
    staged["frames"] = serde_json::json!([{"kind": "rarp", "vlan": 100, "octets": hex}]);
    staged["route"] = "injection".into();
    staged["port"] = "vnet0".into();
    staged["bridge"] = "br0".into();
    staged["uplinks"] = serde_json::json!(["eth0", "eth1"]);
    let text = shown(&serde_json::json!({
        "guest": {"name": "web", "uuid": null}, "nics": [staged],
    }));
    assert!(text.starts_with("guest web (without a UUID)\n"), "{text}");
    assert!(
        text.contains("nic 0: by injection from port vnet0 of bridge br0, uplinks eth0, eth1\n")
    );
    assert!(text.contains(
        "nic 0, rarp for VLAN 100: 52:54:00:00:00:01 > Broadcast, ethertype Reverse ARP (0x8035)"
    ));
    assert!(text.contains("    0x0000  ff ff ff ff ff ff 52 54 00 00 00 01 80 35 00 01\n"));
}

#[test]
fn refusals_are_said_in_words_and_escaped() {
    let text = shown(&serde_json::json!({
        "guest": {"name": "a\u{202e}b", "uuid": "x\n"},
        "nics": [nic(false, Some("the MAC address is all zeroes\u{7f}"))],
    }));
    assert!(text.starts_with("guest a\\u{202e}b (x\\n)\n"), "{text}");
    assert!(text.contains("no: the MAC address is all zeroes\\u{7f}"));
    assert!(!text.contains("0x0000"));
}

#[test]
fn strange_answers_do_not_break_it() {
    let mut staged = nic(true, None);
    staged["frames"] = serde_json::json!([
        {"kind": "na", "octets": "zz"}, {"kind": "garp", "octets": "fff"},
        {"kind": "unarp", "octets": "ff"},
    ]);
    staged["vlans"] = serde_json::json!((1..=20).collect::<Vec<u16>>());
    let text = shown(&serde_json::json!({
        "guest": {"name": null, "uuid": null}, "nics": [staged],
    }));
    assert!(
        text.contains("nic 0, na: zz\n") && text.contains("nic 0, garp: fff\n"),
        "{text}"
    );
    assert!(text.contains("1,2,3,4,5,6,7,8,…"));
    assert!(text.contains("1 octets are too few for an Ethernet header"));
    let none = serde_json::json!({"guest": {"name": null, "uuid": null}, "nics": []});
    assert!(shown(&none).ends_with("no interfaces: nothing to announce\n"));
}
