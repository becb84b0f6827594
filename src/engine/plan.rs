//! What of a guest is to be announced: a pure function of its XML and the settings.

use serde::{Deserialize, Serialize};

use super::Policy;
use crate::model::{
    AddressSource, Attachment, GivenAddress, GuestDescription, GuestId, HostIpv4, Interface,
    LinkName, MacAddr, Refusal,
};

/// The NICs to stage, and those that are refused already by what the XML says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// NICs to resolve on this host, in document order.
    pub nics: Vec<PlannedNic>,
    /// NICs that will not be announced, by their index in the XML.
    pub refused: Vec<(u16, Refusal)>,
    /// Addresses that the settings give the guest, of whichever NIC.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub given: Vec<HostIpv4>,
}

/// One NIC to resolve.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedNic {
    /// Its index among the `<interface>`s of the XML.
    pub index: u16,
    /// The address to announce.
    pub mac: MacAddr,
    /// What it is plugged into.
    pub attachment: Attachment,
    /// The host's end of it.
    pub target: LinkName,
    /// The IPv4 addresses that libvirt gives it, as far as the settings believe them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<GivenAddress>,
    /// The network of libvirt's own that it is in, whose DHCP server may give it more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
}

/// Decides what of `guest` is to be announced under `policy`.
#[must_use]
pub fn plan(guest: GuestId, description: &GuestDescription, policy: &Policy) -> Plan {
    let mut plan = Plan::default();
    let excluded = policy.excludes(guest, &description.name);
    for (index, interface) in description.interfaces.iter().enumerate() {
        let Ok(index) = u16::try_from(index) else {
            break;
        };
        let judged = if excluded {
            Err(Refusal::Excluded)
        } else {
            judge(interface)
        };
        match judged {
            Ok((mac, attachment, target)) => {
                plan.nics.push(PlannedNic {
                    index,
                    mac,
                    attachment,
                    target,
                    addresses: believed(interface, policy),
                    network: interface.network.clone(),
                });
            }
            Err(refusal) => plan.refused.push((index, refusal)),
        }
    }
    let given = policy.given(guest, &description.name).iter().copied();
    let believed = |&ip: &HostIpv4| policy.addresses.admits(ip.into(), AddressSource::Config);
    plan.given = given.filter(believed).collect();
    plan
}

fn believed(interface: &Interface, policy: &Policy) -> Vec<GivenAddress> {
    let addresses = interface.addresses.iter().copied();
    let believed = addresses.filter(|given| policy.addresses.admits(given.ip.into(), given.source));
    believed.take(Interface::ADDRESSES).collect()
}

fn judge(interface: &Interface) -> Result<(MacAddr, Attachment, LinkName), Refusal> {
    let nic = interface.nic.clone()?;
    let target = nic.target.ok_or(Refusal::NoTarget)?;
    Ok((nic.mac, nic.attachment, target))
}
