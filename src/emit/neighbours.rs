//! Takes entries out of the host's neighbour table, for UNARPs that are honoured.

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use netlink_packet_core::{NLM_F_ACK, NLM_F_REQUEST, NLMSG_ERROR, NlasIterator, parse_i32};
use netlink_packet_route::AddressFamily;
use netlink_packet_route::neighbour::{NeighbourAttribute, NeighbourHeader, NeighbourMessage};

use super::Brake;
use crate::model::{Ifindex, Keeper, MacAddr, Neighbour};
use crate::sys::netlink::{self, NetlinkSocket};

/// `NTF_EXT_LEARNED` of `ndm_flags`, `NTF_EXT_MANAGED` of `NDA_FLAGS_EXT`
/// (`include/uapi/linux/neighbour.h`).
const NTF_EXT_LEARNED: u8 = 0x10;
const NTF_EXT_MANAGED: u32 = 0x01;
/// `NDA_DST`, `NDA_LLADDR`, `NDA_FLAGS_EXT`.
const NDA_DST: u16 = 1;
const NDA_LLADDR: u16 = 2;
const NDA_FLAGS_EXT: u16 = 15;
/// Octets of `struct ndmsg`.
const HEADER: usize = 12;

/// Room for an answer: an acknowledgement with the request repeated, or one entry.
const ANSWER: usize = 1024;

/// The kernel answers before the sending call returns; this bounds a kernel that does not.
const PATIENCE: Duration = Duration::from_millis(10);

/// The host's IPv4 neighbour table, through a socket of its own.
#[derive(Debug)]
pub struct Neighbours {
    socket: NetlinkSocket,
    sequence: u32,
    brake: Arc<Brake>,
    dry_run: bool,
}

/// Why an entry was not deleted.
#[derive(Debug, thiserror::Error)]
pub enum ForgetError {
    /// The operator paused the agent.
    #[error("the agent is paused")]
    Paused,
    /// This is a dry run.
    #[error("this is a dry run")]
    DryRun,
    /// It is not what it was, or gone.
    #[error("the entry changed meanwhile")]
    Changed,
    /// The kernel refused.
    #[error("the kernel does not delete the entry")]
    Kernel(#[source] io::Error),
}

impl Neighbours {
    /// Opens the socket in the network namespace of the calling thread. Deleting takes
    /// `CAP_NET_ADMIN`.
    ///
    /// # Errors
    ///
    /// Those of the socket calls.
    pub fn open(brake: Arc<Brake>, dry_run: bool) -> io::Result<Self> {
        Ok(Self {
            socket: NetlinkSocket::open(0)?,
            sequence: 0,
            brake,
            dry_run,
        })
    }

    /// Whether nothing is deleted, from here on.
    pub const fn set_dry_run(&mut self, dry_run: bool) {
        self.dry_run = dry_run;
    }

    /// The entry for `address` on `link`; none where there is none.
    ///
    /// # Errors
    ///
    /// Those of the socket calls, and the kernel's refusal.
    pub fn read(&mut self, link: Ifindex, address: Ipv4Addr) -> io::Result<Option<Neighbour>> {
        match self.ask(libc::RTM_GETNEIGH, NLM_F_REQUEST, link, address) {
            Ok(entry) => Ok(entry.filter(|it| (it.link, it.address) == (link, address))),
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Deletes the entry, if it still is as `expected`.
    ///
    /// Between the look and the deletion there is one system call's time. Whoever sets the entry
    /// right within it has it deleted once, which costs the host one ARP request.
    ///
    /// # Errors
    ///
    /// Why it stands as it did. The brake is asked last.
    pub fn forget(&mut self, expected: &Neighbour) -> Result<(), ForgetError> {
        let found = self
            .read(expected.link, expected.address)
            .map_err(ForgetError::Kernel)?;
        if found.as_ref() != Some(expected) {
            return Err(ForgetError::Changed);
        }
        if self.brake.paused() {
            return Err(ForgetError::Paused);
        }
        if self.dry_run {
            return Err(ForgetError::DryRun);
        }
        let flags = NLM_F_REQUEST | NLM_F_ACK;
        match self.ask(libc::RTM_DELNEIGH, flags, expected.link, expected.address) {
            Ok(_) => Ok(()),
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Err(ForgetError::Changed),
            Err(error) => Err(ForgetError::Kernel(error)),
        }
    }

    /// Sends a request about one entry and returns the entry of the answer, where it has one.
    fn ask(
        &mut self,
        kind: u16,
        flags: u16,
        link: Ifindex,
        address: Ipv4Addr,
    ) -> io::Result<Option<Neighbour>> {
        let mut request = NeighbourMessage::default();
        request.header = NeighbourHeader {
            family: AddressFamily::Inet,
            ifindex: link.get(),
            ..NeighbourHeader::default()
        };
        request.attributes = vec![NeighbourAttribute::Destination(address.into())];
        self.sequence = self.sequence.wrapping_add(1);
        let octets = netlink::message(kind, flags, self.sequence, &request);
        self.socket.send(&octets)?;
        let mut buffer = [0; ANSWER];
        loop {
            match self.socket.receive(&mut buffer) {
                Ok(length) => {
                    let datagram = buffer.get(..length).unwrap_or_default();
                    let answer = netlink::messages(datagram)
                        .find(|message| message.sequence_number() == self.sequence);
                    // An answer to an earlier request, which nobody waited for, is skipped.
                    let Some(answer) = answer else { continue };
                    return match answer.message_type() {
                        NLMSG_ERROR => match answer.payload().get(..4).map(parse_i32) {
                            Some(Ok(0)) => Ok(None),
                            Some(Ok(errno)) => {
                                Err(io::Error::from_raw_os_error(errno.saturating_neg()))
                            }
                            _ => Err(io::ErrorKind::InvalidData.into()),
                        },
                        libc::RTM_NEWNEIGH => Ok(parse(answer.payload())),
                        _ => Err(io::ErrorKind::InvalidData.into()),
                    };
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if !self.socket.wait(PATIENCE)? {
                        return Err(io::ErrorKind::TimedOut.into());
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// Reads an IPv4 entry, attribute by attribute; none where it is of another family.
#[must_use]
pub fn parse(payload: &[u8]) -> Option<Neighbour> {
    let header = NeighbourHeader::parse(payload).ok()?;
    if header.family != AddressFamily::Inet {
        return None;
    }
    let (mut address, mut mac, mut extended) = (None, None, 0);
    let attributes = NlasIterator::new(payload.get(HEADER..)?);
    for attribute in attributes.map_while(Result::ok) {
        let value = attribute.value();
        match attribute.kind() {
            NDA_DST => address = <[u8; 4]>::try_from(value).ok().map(Ipv4Addr::from),
            NDA_LLADDR => mac = <[u8; 6]>::try_from(value).ok().map(MacAddr::new),
            NDA_FLAGS_EXT => extended = value.try_into().map_or(0, u32::from_ne_bytes),
            _ => {}
        }
    }
    let state = u16::from(header.state);
    let keeper = if state & libc::NUD_PERMANENT != 0 {
        Keeper::Permanent
    } else if state & libc::NUD_NOARP != 0 {
        Keeper::NoArp
    } else if header.flags.bits() & NTF_EXT_LEARNED != 0 || extended & NTF_EXT_MANAGED != 0 {
        Keeper::Controller
    } else {
        Keeper::Arp
    };
    Some(Neighbour {
        link: Ifindex::new(header.ifindex)?,
        address: address?,
        mac,
        keeper,
    })
}

#[cfg(test)]
mod tests;
