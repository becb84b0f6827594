use super::*;
use crate::model::{Attachment, Nic, Refusal, UnsupportedAttachment, VlanId};

mod hostile;

/// A running guest as libvirt 9.0 writes it, cut to what a reader could trip over.
const RUNNING: &str = include_str!("tests/running.xml");

fn domain(devices: &str) -> Domain {
    let xml = format!("<domain type='kvm'><name>g</name><devices>{devices}</devices></domain>");
    read(xml.as_bytes()).unwrap()
}

fn only(interface: &str) -> Interface {
    let mut domain = domain(interface);
    assert_eq!(domain.interfaces.len(), 1);
    domain.interfaces.remove(0)
}

fn refusal(interface: &str) -> Refusal {
    only(interface).nic.unwrap_err()
}

#[test]
fn a_running_guest_is_read_in_document_order() {
    let guest = parse(RUNNING.as_bytes()).unwrap();
    assert_eq!(
        guest.uuid.unwrap().to_string(),
        "c7a5fdbd-edaf-9455-926a-d65c16db1809"
    );
    assert_eq!(guest.name.as_str(), "db & <1>");
    let nic = |mac: &str, target: &str| {
        Ok(Nic {
            mac: mac.parse().unwrap(),
            attachment: Attachment::BridgeTap,
            target: Some(target.parse().unwrap()),
        })
    };
    let [bridge, network, ovs, direct, hostdev] = guest.interfaces.try_into().unwrap();
    assert_eq!(
        bridge,
        Interface {
            mac: Some("52:54:00:aa:bb:01".to_owned()),
            kind: Some("bridge".to_owned()),
            source: Some("br0".to_owned()),
            network: None,
            target: Some("vnet0".to_owned()),
            model: Some("virtio".to_owned()),
            vlans: [42, 47].map(|id| VlanId::try_from(id).unwrap()).to_vec(),
            addresses: Vec::new(),
            nic: nic("52:54:00:aa:bb:01", "vnet0"),
        }
    );
    assert_eq!(network.source.as_deref(), Some("virbr0"));
    assert_eq!(network.network.as_deref(), Some("default"));
    assert_eq!(network.nic, nic("52:54:00:aa:bb:02", "vnet1"));
    let unsupported = |it| Err(Refusal::UnsupportedAttachment(it));
    assert_eq!(ovs.nic, unsupported(UnsupportedAttachment::VirtualPort));
    assert_eq!(ovs.source.as_deref(), Some("ovsbr0"));
    assert_eq!(direct.nic, unsupported(UnsupportedAttachment::Macvtap));
    assert_eq!(direct.source.as_deref(), Some("eth0"));
    assert_eq!(hostdev.nic, unsupported(UnsupportedAttachment::Passthrough));
    assert_eq!(hostdev.source, None);
}

#[test]
fn interfaces_stand_in_devices_and_nowhere_else() {
    let xml = "<domain><interface/><metadata><interface/><devices><interface/></devices>\
               </metadata><devices><interface type='bridge'/><hostdev><interface/></hostdev>\
               </devices><devices xmlns='urn:x'><interface/></devices>\
               <devices><interface type='user'/></devices></domain>";
    let domain = read(xml.as_bytes()).unwrap();
    let kinds: Vec<_> = domain
        .interfaces
        .iter()
        .map(|it| it.kind.as_deref())
        .collect();
    assert_eq!(kinds, [Some("bridge"), Some("user")]);
}

#[test]
fn the_xmls_own_words_stand_where_a_nic_is_refused() {
    let interface = only(
        "<interface type='bridge'><mac address='01:00:5E:00:00:FB'/><source bridge='br 0'/>\
         <target dev='a/b'/><model type='e1000'/></interface>",
    );
    assert_eq!(interface.mac.as_deref(), Some("01:00:5e:00:00:fb"));
    assert_eq!(interface.source.as_deref(), Some("br 0"));
    assert_eq!(interface.target.as_deref(), Some("a/b"));
    assert_eq!(interface.model.as_deref(), Some("e1000"));
    assert_eq!(interface.nic, Err(Refusal::MulticastMac));
    let empty = only("<interface/>");
    assert_eq!(
        (
            empty.mac,
            empty.kind,
            empty.source,
            empty.target,
            empty.model
        ),
        (None, None, None, None, None)
    );
}

#[test]
fn every_bad_address_has_its_own_refusal() {
    let with_mac = |mac: &str| {
        refusal(&format!(
            "<interface type='bridge'><mac address='{mac}'/><source bridge='br0'/></interface>"
        ))
    };
    assert_eq!(with_mac(""), Refusal::MalformedMac);
    assert_eq!(with_mac("52:54:00:00:00"), Refusal::MalformedMac);
    assert_eq!(with_mac("52:54:00:00:00:0g"), Refusal::MalformedMac);
    assert_eq!(with_mac("00:00:00:00:00:00"), Refusal::ZeroMac);
    assert_eq!(with_mac("ff:FF:ff:ff:ff:ff"), Refusal::BroadcastMac);
    assert_eq!(with_mac("03:00:00:00:00:01"), Refusal::MulticastMac);
    assert_eq!(
        refusal("<interface type='bridge'><mac/></interface>"),
        Refusal::NoMac
    );
    assert_eq!(refusal("<interface type='bridge'/>"), Refusal::NoMac);
}

#[test]
fn attachments_are_judged_by_type_and_port() {
    let judged = |kind: &str, inside: &str| {
        only(&format!(
            "<interface type='{kind}'><mac address='52:54:00:00:00:01'/>{inside}</interface>"
        ))
        .nic
        .map(|nic| nic.attachment)
        .map_err(|refusal| {
            if let Refusal::UnsupportedAttachment(kind) = refusal {
                kind
            } else {
                panic!("{refusal}")
            }
        })
    };
    let bridge = Ok(Attachment::BridgeTap);
    assert_eq!(judged("bridge", "<source bridge='br0'/>"), bridge);
    assert_eq!(judged("network", "<source network='default'/>"), bridge);
    assert_eq!(
        judged("network", "<virtualport><parameters/></virtualport>"),
        bridge
    );
    assert_eq!(
        judged("ethernet", "<target dev='tap0' managed='no'/>"),
        bridge
    );
    for kind in ["bridge", "network"] {
        for port in ["openvswitch", "midonet", "802.1Qbg", "802.1Qbh"] {
            let port = format!("<virtualport type='{port}'/>");
            assert_eq!(judged(kind, &port), Err(UnsupportedAttachment::VirtualPort));
        }
    }
    for (kind, expected) in [
        ("direct", UnsupportedAttachment::Macvtap),
        ("hostdev", UnsupportedAttachment::Passthrough),
        ("vdpa", UnsupportedAttachment::Passthrough),
        ("vhostuser", UnsupportedAttachment::VhostUser),
        ("user", UnsupportedAttachment::Unlinked),
        ("server", UnsupportedAttachment::Unlinked),
        ("client", UnsupportedAttachment::Unlinked),
        ("mcast", UnsupportedAttachment::Unlinked),
        ("udp", UnsupportedAttachment::Unlinked),
        ("internal", UnsupportedAttachment::Unlinked),
        ("null", UnsupportedAttachment::Unlinked),
        ("vds", UnsupportedAttachment::Unlinked),
        ("", UnsupportedAttachment::Unknown),
        ("quantum", UnsupportedAttachment::Unknown),
    ] {
        assert_eq!(judged(kind, ""), Err(expected), "{kind}");
    }
    let running = "<source network='n' dev='eth0' mode='bridge'/>";
    assert_eq!(
        judged("network", running),
        Err(UnsupportedAttachment::Macvtap)
    );
}

#[test]
fn the_first_source_attribute_in_order_stands() {
    let source =
        |attributes: &str| only(&format!("<interface><source {attributes}/></interface>")).source;
    let all = "path='p' dev='d' network='n' bridge='b'";
    assert_eq!(source(all).as_deref(), Some("b"));
    assert_eq!(source("path='p' dev='d' network='n'").as_deref(), Some("n"));
    assert_eq!(source("path='p' dev='d'").as_deref(), Some("d"));
    assert_eq!(source("path='p'").as_deref(), Some("p"));
    assert_eq!(source("address='192.0.2.1'"), None);
}

#[test]
fn a_target_may_be_missing_but_not_malformed() {
    let with_target = |target: &str| {
        only(&format!(
            "<interface type='bridge'><mac address='52:54:00:00:00:01'/>{target}</interface>"
        ))
        .nic
    };
    assert_eq!(with_target("").unwrap().target, None);
    assert_eq!(with_target("<target/>").unwrap().target, None);
    for name in ["", "a/b", "sixteen-octets-x", "..", "a b"] {
        let target = format!("<target dev='{name}'/>");
        assert_eq!(
            with_target(&target),
            Err(Refusal::MalformedTarget),
            "{name}"
        );
    }
}

#[test]
fn an_address_repeats_only_on_the_same_bridge() {
    let nic = |kind: &str, source: &str| {
        format!(
            "<interface type='{kind}'><mac address='52:54:00:00:00:01'/>\
             <source {source}/></interface>"
        )
    };
    let judged = |nics: &[String]| {
        let interfaces = domain(&nics.concat()).interfaces;
        interfaces
            .into_iter()
            .map(|it| it.nic.err())
            .collect::<Vec<_>>()
    };
    let on = |source: &str| nic("bridge", source);
    assert_eq!(
        judged(&[on("bridge='br0'"), on("bridge='br1'"), on("bridge='br0'")]),
        [None, None, Some(Refusal::DuplicateMac)]
    );
    // A teaming pair, and taps whose bridge the XML does not know.
    let unsupported = Refusal::UnsupportedAttachment(UnsupportedAttachment::Passthrough);
    assert_eq!(
        judged(&[nic("hostdev", "network='n'"), nic("network", "network='n'")]),
        [Some(unsupported), None]
    );
    assert_eq!(
        judged(&[nic("ethernet", ""), nic("ethernet", "")]),
        [None, None]
    );
}

#[test]
fn only_vlans_are_vlans() {
    let interface = only(
        "<interface><vlan trunk='yes'><tag id='1' nativeMode='tagged'/><tag id='0'/><tag/>\
         <tag id='4094'/><tag id='4095'/><tag id='x'/><tag id='65537'/></vlan></interface>",
    );
    let numbers: Vec<_> = interface.vlans.into_iter().map(VlanId::get).collect();
    assert_eq!(numbers, [1, 4094]);
}

#[test]
fn names_are_taken_whole() {
    let named = |name: &str| {
        read(format!("<domain>{name}</domain>").as_bytes())
            .unwrap()
            .name
    };
    assert_eq!(named(""), None);
    assert_eq!(named("<name/>").as_deref(), Some(""));
    assert_eq!(
        named("<name>a<!-- b -->c<![CDATA[<d>]]>&lt;&#x202e;</name>").as_deref(),
        Some("ac<d><\u{202e}")
    );
    assert_eq!(
        named("<name>first</name><name>second</name>").as_deref(),
        Some("first")
    );
    let long = "ä".repeat(200);
    assert_eq!(named(&format!("<name>{long}</name>")), Some(long));
}

#[test]
fn uuids_are_taken_as_libvirt_takes_them() {
    let uuid = |text: &str| {
        let xml = format!("<domain><uuid>{text}</uuid></domain>");
        parse(xml.as_bytes()).unwrap().uuid.map(|id| id.to_string())
    };
    let expected = Some("c7a5fdbd-edaf-9455-926a-d65c16db1809".to_owned());
    assert_eq!(uuid("c7a5fdbd-edaf-9455-926a-d65c16db1809"), expected);
    assert_eq!(uuid(" C7A5FDBDEDAF9455926AD65C16DB1809\n"), expected);
    assert_eq!(uuid("c7a5fdbd-edaf-9455-926a"), None);
    assert_eq!(uuid("{c7a5fdbd-edaf-9455-926a-d65c16db1809}"), None);
    assert_eq!(uuid(""), None);
}

#[test]
fn the_addresses_that_libvirt_gives_a_nic_are_read_once_each() {
    let interface = only(
        "<interface type='bridge'><ip address='192.0.2.7' family='ipv4' prefix='24'/>\
         <ip address='2001:db8::7' family='ipv6'/><ip address='0.0.0.0'/>\
         <filterref filter='clean-traffic'><parameter name='IP' value='192.0.2.7'/>\
         <parameter name='IP' value='192.0.2.8'/><parameter name='MAC' value='192.0.2.9'/>\
         </filterref></interface>",
    );
    let given: Vec<String> = interface
        .addresses
        .iter()
        .map(|given| format!("{} by {}", given.ip, given.source))
        .collect();
    assert_eq!(given, ["192.0.2.7 by xml", "192.0.2.8 by xml"]);
    let many = "123456789".split_inclusive(|_| true);
    let many = many.map(|last| ["<ip address='192.0.2.", last, "'/>"].concat());
    let many: String = many.collect();
    let interface = only(&format!("<interface type='bridge'>{many}</interface>"));
    assert_eq!(interface.addresses.len(), Interface::ADDRESSES);
}
