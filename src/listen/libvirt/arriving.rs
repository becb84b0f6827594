//! What an arriving guest is plugged into, without its XML.
//!
//! On libvirt 11.3 the XML of an arriving guest is to be had only when the guest has arrived, in
//! post-copy long after it runs ([`crate::sys::virt_links`]). Its links are named at once, and a
//! tap that libvirt made has the guest's own address but for the first octet, which is set to fe
//! (`virNetDevTapCreateInBridgePort` in `src/util/virnetdevtap.c`). libvirt says of an address
//! whether the guest has it, so the first octet is tried out. What is not certain waits for
//! the XML. What only the XML tells, IP addresses among it, is asked for once the guest has
//! arrived (`engine/learn`).

use std::collections::BTreeSet;
use std::io;

use crate::model::{
    Attachment, GuestDescription, GuestId, GuestName, Interface, LinkName, MacAddr, Nic,
};

/// The first octet of a tap that libvirt made, and of no guest that it gives one.
const TAP: u8 = 0xfe;

/// The first octet of addresses that libvirt and QEMU make up themselves: tried first.
const USUAL: u8 = 0x52;

/// Describes a guest from the links of all its interfaces, in their order. None where one of them
/// is no tap of libvirt's making, or two addresses differ in the first octet at most.
pub(super) fn describe(
    guest: GuestId,
    name: GuestName,
    links: &[LinkName],
    address: impl Fn(&LinkName) -> io::Result<MacAddr>,
    has: impl Fn(MacAddr) -> bool,
) -> Option<GuestDescription> {
    let taps: Vec<_> = links
        .iter()
        .map(|link| Some((link, address(link).ok()?)))
        .collect::<Option<_>>()?;
    let distinct: BTreeSet<_> = taps.iter().map(|(_, address)| address).collect();
    if distinct.len() < taps.len() {
        return None;
    }
    let interfaces = taps
        .into_iter()
        .map(|(link, address)| {
            let mac = candidates(address).find(|&mac| has(mac))?;
            Some(Interface {
                mac: Some(mac.to_string()),
                kind: None,
                source: None,
                network: None,
                target: Some(link.to_string()),
                model: None,
                vlans: Vec::new(),
                addresses: Vec::new(),
                nic: Ok(Nic {
                    mac,
                    attachment: Attachment::BridgeTap,
                    target: Some(*link),
                }),
            })
        })
        .collect::<Option<_>>()?;
    Some(GuestDescription {
        uuid: Some(guest),
        name,
        interfaces,
        by_links: true,
    })
}

/// The addresses that a guest behind this tap can have, the likeliest first.
fn candidates(tap: MacAddr) -> impl Iterator<Item = MacAddr> {
    let octets = tap.octets();
    let usual_first = std::iter::once(USUAL).chain((0..TAP).filter(|&first| first != USUAL));
    usual_first
        .filter(move |_| octets.first() == Some(&TAP))
        .map(move |first| {
            let mut octets = octets;
            octets[0] = first;
            MacAddr::new(octets)
        })
        .filter(|mac| !mac.is_multicast() && !mac.is_zero())
}

#[cfg(test)]
mod tests;
