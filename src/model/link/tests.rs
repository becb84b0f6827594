use super::*;

#[test]
fn names_follow_the_kernel() {
    for text in ["vnet0", "br-lan.100", "a", "abcdefghijklmno"] {
        assert_eq!(text.parse::<LinkName>().unwrap().as_str(), text);
    }
    for text in [
        "",
        ".",
        "..",
        "abcdefghijklmnop",
        "a b",
        "a/b",
        "a:b",
        "é",
        "a\n",
    ] {
        assert_eq!(
            text.parse::<LinkName>(),
            Err(ParseLinkNameError),
            "{text:?}"
        );
    }
}

#[test]
fn only_a_forwarding_port_with_carrier_passes() {
    let open = LinkState {
        ifindex: Ifindex::new(7).unwrap(),
        name: "vnet0".parse().unwrap(),
        present: true,
        up: true,
        carrier: true,
        master: Ifindex::new(3),
        port: Some(PortState::Forwarding),
    };
    assert!(open.passes());
    for shut in [
        LinkState {
            present: false,
            ..open
        },
        LinkState { up: false, ..open },
        LinkState {
            carrier: false,
            ..open
        },
        LinkState {
            port: Some(PortState::Learning),
            ..open
        },
        LinkState { port: None, ..open },
    ] {
        assert!(!shut.passes(), "{shut:?}");
    }
}
