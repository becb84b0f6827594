//! What an `<interface>` is plugged into, as far as its XML tells.

use roxmltree::Node;

use super::children;
use super::interface::attribute;
use crate::model::{Attachment, UnsupportedAttachment};

/// Judges by `@type`, `<virtualport>` and `<source>`.
///
/// `type='network'` and `type='ethernet'` may still turn out not to be on a Linux bridge; that is
/// seen on the host once the tap is there.
pub(super) fn judge(node: Node<'_, '_>) -> Result<Attachment, UnsupportedAttachment> {
    match node.attribute("type") {
        Some("bridge" | "network") if on_virtual_switch(node) => {
            Err(UnsupportedAttachment::VirtualPort)
        }
        // While a guest of a macvtap network runs, its source names the lower device.
        Some("network") if attribute(node, "source", "dev").is_some() => {
            Err(UnsupportedAttachment::Macvtap)
        }
        Some("bridge" | "network" | "ethernet") => Ok(Attachment::BridgeTap),
        Some("direct") => Err(UnsupportedAttachment::Macvtap),
        Some("hostdev" | "vdpa") => Err(UnsupportedAttachment::Passthrough),
        Some("vhostuser") => Err(UnsupportedAttachment::VhostUser),
        Some("user" | "server" | "client" | "mcast" | "udp" | "internal" | "null" | "vds") => {
            Err(UnsupportedAttachment::Unlinked)
        }
        Some(_) | None => Err(UnsupportedAttachment::Unknown),
    }
}

/// Whether a `<virtualport>` names a switch. One without a type only carries parameters that are
/// merged with the network's.
fn on_virtual_switch(node: Node<'_, '_>) -> bool {
    children(node, "virtualport").any(|port| port.attribute("type").is_some())
}
