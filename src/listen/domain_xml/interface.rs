//! One `<interface>`.

use std::collections::BTreeSet;

use roxmltree::Node;

use super::{attachment, children};
use crate::model::{
    AddressSource, GivenAddress, HostIpv4, Interface, LinkName, MacAddr, Nic, Refusal, VlanId,
};

/// Reads the interfaces of one guest, in document order.
#[derive(Default)]
pub(super) struct Reader {
    /// Addresses of NICs that can be announced, with the bridge or network that each is on.
    seen: BTreeSet<(MacAddr, String)>,
}

impl Reader {
    /// The next interface.
    pub(super) fn read(&mut self, node: Node<'_, '_>) -> Interface {
        let mac = attribute(node, "mac", "address").map(str::to_ascii_lowercase);
        let source = ["bridge", "network", "dev", "path"]
            .into_iter()
            .find_map(|name| attribute(node, "source", name));
        let target = attribute(node, "target", "dev");
        Interface {
            nic: self.judge(node, mac.as_deref(), source, target),
            mac,
            kind: node.attribute("type").map(str::to_owned),
            source: source.map(str::to_owned),
            network: network(node),
            target: target.map(str::to_owned),
            model: attribute(node, "model", "type").map(str::to_owned),
            vlans: vlans(node),
            addresses: addresses(node),
        }
    }

    fn judge(
        &mut self,
        node: Node<'_, '_>,
        mac: Option<&str>,
        source: Option<&str>,
        target: Option<&str>,
    ) -> Result<Nic, Refusal> {
        let mac = judge_mac(mac)?;
        let attachment = attachment::judge(node).map_err(Refusal::UnsupportedAttachment)?;
        let target = target
            .map(str::parse::<LinkName>)
            .transpose()
            .map_err(|_| Refusal::MalformedTarget)?;
        // The same address on another bridge is another station, as in a teaming pair.
        if let Some(source) = source
            && !self.seen.insert((mac, source.to_owned()))
        {
            return Err(Refusal::DuplicateMac);
        }
        Ok(Nic {
            mac,
            attachment,
            target,
        })
    }
}

fn judge_mac(text: Option<&str>) -> Result<MacAddr, Refusal> {
    let text = text.ok_or(Refusal::NoMac)?;
    let mac: MacAddr = text.parse().map_err(|_| Refusal::MalformedMac)?;
    if mac.is_zero() {
        Err(Refusal::ZeroMac)
    } else if mac.is_broadcast() {
        Err(Refusal::BroadcastMac)
    } else if mac.is_multicast() {
        Err(Refusal::MulticastMac)
    } else {
        Ok(mac)
    }
}

/// The first attribute of that name among the children of that name, as libvirt finds it.
pub(super) fn attribute<'a>(
    node: Node<'a, '_>,
    child: &'static str,
    name: &str,
) -> Option<&'a str> {
    children(node, child).find_map(|child| child.attribute(name))
}

/// Octets of a network's name: libvirt keeps its definition in a file of that name (`NAME_MAX`).
const NETWORK: usize = 255;

fn network(node: Node<'_, '_>) -> Option<String> {
    let name = attribute(node, "source", "network")
        .filter(|name| node.attribute("type") == Some("network") && name.len() <= NETWORK);
    name.map(str::to_owned)
}

fn vlans(node: Node<'_, '_>) -> Vec<VlanId> {
    children(node, "vlan")
        .flat_map(|vlan| children(vlan, "tag"))
        .filter_map(|tag| tag.attribute("id")?.parse::<u16>().ok())
        .filter_map(|number| VlanId::try_from(number).ok())
        .collect()
}

/// The IPv4 addresses that the XML gives the guest: those of `<ip>`, and the `IP` parameters of
/// libvirt's network filters, which let no other address pass.
fn addresses(node: Node<'_, '_>) -> Vec<GivenAddress> {
    let assigned = children(node, "ip").filter_map(|ip| ip.attribute("address"));
    let filters = children(node, "filterref");
    let filtered = filters
        .flat_map(|filter| children(filter, "parameter"))
        .filter(|parameter| parameter.attribute("name") == Some("IP"))
        .filter_map(|parameter| parameter.attribute("value"));
    let mut found: Vec<GivenAddress> = Vec::new();
    for ip in assigned
        .chain(filtered)
        .filter_map(|text| text.parse::<HostIpv4>().ok())
    {
        let known = found.iter().any(|given| given.ip == ip);
        if !known && found.len() < Interface::ADDRESSES {
            let source = AddressSource::Xml;
            found.push(GivenAddress { ip, source });
        }
    }
    found
}
