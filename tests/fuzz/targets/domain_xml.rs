//! Domain XML, which tenants write.

#![no_main]

use std::collections::BTreeSet;
use std::fmt::Write as _;

use libfuzzer_sys::fuzz_target;
use macmoved::listen::domain_xml::{self, MAX_OCTETS};
use macmoved::model::{GuestDescription, Interface, LinkName, MacAddr};
use macmoved_fuzz::assert_fit_to_print;

/// Interfaces that a guest can have.
const MAX_INTERFACES: usize = 1 << 14;
/// A refusal quotes at most 200 characters, and one takes ten octets where it is escaped.
const MAX_REFUSAL: usize = 2_200;

fuzz_target!(|xml: &[u8]| {
    let description = match domain_xml::parse(xml) {
        Ok(description) => description,
        Err(refusal) => {
            let line = refusal.to_string();
            assert!(line.len() <= MAX_REFUSAL);
            return assert_fit_to_print(&line);
        }
    };
    assert!(!xml.is_empty() && xml.len() <= MAX_OCTETS);
    let name = description.name.to_string();
    assert_fit_to_print(&name);
    assert!(description.interfaces.len() <= MAX_INTERFACES);
    let mut seen = BTreeSet::new();
    for interface in &description.interfaces {
        check(interface);
        if let (Ok(nic), Some(source)) = (&interface.nic, &interface.source) {
            assert!(seen.insert((nic.mac, source)), "{} twice", nic.mac);
        }
    }

    // What is recorded is replayed.
    let json = serde_json::to_string(&description).unwrap();
    assert_eq!(
        serde_json::from_str(&json).ok().as_ref(),
        Some(&description)
    );

    // What the XML says is said by XML that says nothing else.
    let again = domain_xml::parse(rewrite(&description).as_bytes()).unwrap();
    assert_eq!(again.uuid, description.uuid);
    assert_eq!(again.name, description.name);
    assert_eq!(again.interfaces.len(), description.interfaces.len());
    for (again, before) in again.interfaces.iter().zip(&description.interfaces) {
        assert_eq!(again.mac, before.mac);
        assert_eq!(again.target, before.target);
        assert_eq!(again.model, before.model);
        assert_eq!(again.vlans, before.vlans);
        assert_eq!(again.addresses, before.addresses);
    }
});

fn check(interface: &Interface) {
    assert!(interface.addresses.len() <= Interface::ADDRESSES);
    let unlike: BTreeSet<_> = interface.addresses.iter().map(|given| given.ip).collect();
    assert_eq!(unlike.len(), interface.addresses.len());
    match &interface.nic {
        Ok(nic) => {
            assert!(!nic.mac.is_multicast() && !nic.mac.is_zero());
            let written = interface.mac.as_deref().map(str::parse::<MacAddr>);
            assert_eq!(written, Some(Ok(nic.mac)));
            let target = interface.target.as_deref();
            assert_eq!(nic.target.as_ref().map(LinkName::as_str), target);
        }
        Err(refusal) => assert_fit_to_print(&refusal.to_string()),
    }
}

/// The description as XML, every character of it by its number.
fn rewrite(description: &GuestDescription) -> String {
    let mut xml = format!(
        "<domain><name>{}</name>",
        numbered(description.name.as_str())
    );
    if let Some(uuid) = description.uuid {
        write!(xml, "<uuid>{uuid}</uuid>").unwrap();
    }
    xml.push_str("<devices>");
    for interface in &description.interfaces {
        xml.push_str("<interface type='bridge'>");
        let texts = [
            ("mac", "address", &interface.mac),
            ("target", "dev", &interface.target),
            ("model", "type", &interface.model),
        ];
        for (element, attribute, text) in texts {
            if let Some(text) = text {
                write!(xml, "<{element} {attribute}='{}'/>", numbered(text)).unwrap();
            }
        }
        xml.push_str("<vlan>");
        for vlan in &interface.vlans {
            write!(xml, "<tag id='{vlan}'/>").unwrap();
        }
        xml.push_str("</vlan>");
        for given in &interface.addresses {
            write!(xml, "<ip address='{}'/>", given.ip).unwrap();
        }
        xml.push_str("</interface>");
    }
    xml.push_str("</devices></domain>");
    xml
}

fn numbered(text: &str) -> String {
    let mut numbered = String::new();
    for character in text.chars() {
        write!(numbered, "&#{};", u32::from(character)).unwrap();
    }
    numbered
}
