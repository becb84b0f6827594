//! Forwarding entries of a bridge, written as if the bridge had learned them.

use std::io;
use std::time::Duration;

use netlink_packet_core::{NLM_F_ACK, NLM_F_CREATE, NLM_F_REPLACE, NLM_F_REQUEST, NLMSG_ERROR};
use netlink_packet_route::AddressFamily;
use netlink_packet_route::neighbour::{
    NeighbourAttribute, NeighbourFlags, NeighbourHeader, NeighbourMessage, NeighbourState,
};

use super::fault;
use crate::model::{Ifindex, MacAddr, SendFault, VlanId};
use crate::sys::netlink::{self, NetlinkSocket};

/// Where `nlmsg_seq` stands in a message (netlink(7)).
const SEQUENCE: usize = 8;
/// Where the payload of a message begins.
const PAYLOAD: usize = 16;
/// Where `ndm_ifindex`, `ndm_state` and `ndm_flags` stand in a neighbour message (rtnetlink(7)).
const NDM_IFINDEX: usize = PAYLOAD + 4;
const NDM_STATE: usize = PAYLOAD + 8;
const NDM_FLAGS: usize = PAYLOAD + 10;

/// `NTF_STICKY` and `NTF_EXT_LEARNED` (`include/uapi/linux/neighbour.h`).
const NTF_STICKY: u8 = 0x40;
const NTF_EXT_LEARNED: u8 = 0x10;

/// Room for an answer: an acknowledgement with the request repeated, or one entry.
const ANSWER: usize = 1024;

/// The kernel answers before the sending call returns; this bounds a kernel that does not.
const PATIENCE: Duration = Duration::from_millis(10);

/// Two messages that stand ready: learn the address on the port, and ask where it is.
///
/// ```text
/// RTM_NEWNEIGH  REQUEST ACK REPLACE CREATE   ndmsg{AF_BRIDGE, port, NUD_REACHABLE, NTF_MASTER|NTF_USE}
///               NDA_LLADDR MAC  [NDA_VLAN vlan]
/// RTM_GETNEIGH  REQUEST                      ndmsg{AF_BRIDGE}
///               NDA_LLADDR MAC  [NDA_VLAN vlan]  NDA_MASTER bridge
/// ```
///
/// `NTF_USE` makes the kernel go the way of a frame that came from the port (`__br_fdb_add` in
/// `net/bridge/br_fdb.c`): a new entry is dynamic, one elsewhere moves here, one that a controller
/// installed for another host gives way, and a static one that is here already stays static. A
/// plain replace would turn that last one, as libvirt sets it with `macTableManager='libvirt'`,
/// into one that ages, and on a port that neither learns nor is flooded the guest would then be
/// cut off. The price is that the kernel says yes and does nothing where the port is not
/// forwarding or a sticky entry stands elsewhere, hence the question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct EntryRequest {
    port: Ifindex,
    octets: Vec<u8>,
    /// Where the second message begins.
    question: usize,
}

impl EntryRequest {
    pub(super) fn new(port: Ifindex, bridge: Ifindex, mac: MacAddr, vlan: Option<VlanId>) -> Self {
        let names = [NeighbourAttribute::LinkLayerAddress(mac.octets().to_vec())]
            .into_iter()
            .chain(vlan.map(|vlan| NeighbourAttribute::Vlan(vlan.get())));

        let mut learn = NeighbourMessage::default();
        learn.header = NeighbourHeader {
            family: AddressFamily::Bridge,
            ifindex: port.get(),
            state: NeighbourState::Reachable,
            flags: NeighbourFlags::Controller | NeighbourFlags::Use,
            ..NeighbourHeader::default()
        };
        learn.attributes = names.clone().collect();

        let mut ask = NeighbourMessage::default();
        ask.header.family = AddressFamily::Bridge;
        ask.attributes = names
            .chain([NeighbourAttribute::Controller(bridge.get())])
            .collect();

        let mut octets = netlink::message(
            libc::RTM_NEWNEIGH,
            NLM_F_REQUEST | NLM_F_ACK | NLM_F_REPLACE | NLM_F_CREATE,
            0,
            &learn,
        );
        let question = octets.len();
        octets.extend(netlink::message(libc::RTM_GETNEIGH, NLM_F_REQUEST, 0, &ask));
        Self {
            port,
            octets,
            question,
        }
    }

    fn number(&mut self, sequence: u32) {
        for (start, sequence) in [(0, sequence), (self.question, sequence.wrapping_add(1))] {
            let field = start + SEQUENCE..start + SEQUENCE + 4;
            if let Some(field) = self.octets.get_mut(field) {
                field.copy_from_slice(&sequence.to_ne_bytes());
            }
        }
    }
}

/// The kernel's answer to one of the two messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// `NLMSG_ERROR`, with 0 for success and otherwise a negated error number.
    Verdict(i32),
    /// `RTM_NEWNEIGH`: the address is behind this port.
    Behind {
        /// The port's number.
        port: u32,
        /// The entry is sticky or the bridge's own, so that no frame moves it.
        pinned: bool,
        /// The entry is static: it moves with frames and never ages.
        fixed: bool,
    },
}

/// Where a bridge has an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Whereabouts {
    /// Behind this port.
    pub(super) port: Ifindex,
    /// By a static entry, as libvirt's `macTableManager='libvirt'` makes.
    pub(super) fixed: bool,
}

/// Writes entries through a socket of its own.
#[derive(Debug)]
pub(super) struct EntryWriter {
    socket: NetlinkSocket,
    sequence: u32,
}

impl EntryWriter {
    /// Opens the socket in the network namespace of the calling thread.
    pub(super) fn open() -> io::Result<Self> {
        let socket = NetlinkSocket::open(0)?;
        Ok(Self {
            socket,
            sequence: 0,
        })
    }

    /// Writes the entry and makes sure that it stands. Allocates nothing.
    pub(super) fn learn(&mut self, request: &mut EntryRequest) -> Result<(), SendFault> {
        self.sequence = self.sequence.wrapping_add(2);
        request.number(self.sequence);
        self.socket
            .send(&request.octets)
            .map_err(|error| fault::of_io(&error))?;
        if let Answer::Verdict(verdict @ ..0) = self.answer(self.sequence)? {
            // The second answer is skipped by its sequence number when it comes up.
            return Err(fault::of_errno(verdict.saturating_neg()));
        }
        match self.answer(self.sequence.wrapping_add(1))? {
            Answer::Behind { port, .. } if port == request.port.get() => Ok(()),
            // Somebody decided that the address stays there.
            Answer::Behind { pinned: true, .. } => Err(SendFault::Refused),
            // Only a port outside LEARNING and FORWARDING swallows an entry.
            Answer::Behind { pinned: false, .. } => Err(SendFault::NotForwarding),
            Answer::Verdict(verdict) if verdict == -libc::ENOENT => Err(SendFault::NotForwarding),
            Answer::Verdict(verdict) => Err(fault::of_errno(verdict.saturating_neg())),
        }
    }

    /// Where the bridge has the address; none where it has it nowhere.
    pub(super) fn whereabouts(&mut self, request: &mut EntryRequest) -> Option<Whereabouts> {
        self.sequence = self.sequence.wrapping_add(2);
        request.number(self.sequence);
        let question = request.octets.get(request.question..).unwrap_or_default();
        self.socket.send(question).ok()?;
        match self.answer(self.sequence.wrapping_add(1)).ok()? {
            Answer::Behind { port, fixed, .. } => {
                let port = Ifindex::new(port)?;
                Some(Whereabouts { port, fixed })
            }
            Answer::Verdict(_) => None,
        }
    }

    fn answer(&self, sequence: u32) -> Result<Answer, SendFault> {
        let mut buffer = [0; ANSWER];
        loop {
            match self.socket.receive(&mut buffer) {
                Ok(length) => {
                    let datagram = buffer.get(..length).unwrap_or_default();
                    if let Some(answer) = parse(datagram, sequence) {
                        return Ok(answer);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let ready = self.socket.wait(PATIENCE);
                    if !ready.map_err(|error| fault::of_io(&error))? {
                        return Err(SendFault::Other);
                    }
                }
                Err(error) => return Err(fault::of_io(&error)),
            }
        }
    }
}

/// The answer to the message numbered `sequence`, where the datagram is one. Answers to requests
/// come one to a datagram.
#[must_use]
pub fn parse(datagram: &[u8], sequence: u32) -> Option<Answer> {
    let word = |at: usize| {
        let octets = datagram.get(at..at + 4)?;
        octets.try_into().ok().map(u32::from_ne_bytes)
    };
    let kind = datagram
        .get(4..6)?
        .try_into()
        .ok()
        .map(u16::from_ne_bytes)?;
    if word(SEQUENCE)? != sequence {
        return None;
    }
    match kind {
        NLMSG_ERROR => Some(Answer::Verdict(word(PAYLOAD)?.cast_signed())),
        libc::RTM_NEWNEIGH => {
            let octets = datagram.get(NDM_STATE..NDM_FLAGS)?.try_into().ok()?;
            let state = u16::from_ne_bytes(octets);
            let flags = datagram.get(NDM_FLAGS)?;
            let pinned = state & libc::NUD_PERMANENT != 0 || flags & NTF_STICKY != 0;
            let managed = flags & NTF_EXT_LEARNED != 0;
            Some(Answer::Behind {
                port: word(NDM_IFINDEX)?,
                pinned,
                fixed: state & libc::NUD_NOARP != 0 && !pinned && !managed,
            })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
