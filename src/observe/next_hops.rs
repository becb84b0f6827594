//! Which addresses routes go by way of.
//!
//! A gateway may have a million routes, so they are not read for each question. The next hops among
//! them are few and are kept; what routes are added is heard, and looked at when somebody asks.

use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;
use std::time::Duration;

use netlink_packet_core::{NLM_F_DUMP, NLM_F_REQUEST, NLMSG_OVERRUN};

use crate::model::{HostIp, Instant};
use crate::sys::clock;
use crate::sys::netlink::{self, DATAGRAM, NetlinkSocket};

mod message;

pub use message::next_hops;

/// Routes of IPv4 and MPLS, and next hops that stand by themselves (`ip nexthop`), as bits of
/// `nl_groups`. No other family has an IPv4 next hop.
const GROUPS: u32 = 1 << (libc::RTNLGRP_IPV4_ROUTE - 1)
    | 1 << (libc::RTNLGRP_MPLS_ROUTE - 1)
    | 1 << (libc::RTNLGRP_NEXTHOP - 1);

/// Routes of IPv6.
const GROUP_IPV6: u32 = 1 << (libc::RTNLGRP_IPV6_ROUTE - 1);

/// The kernel's queue for us: some thousand changes between two questions. With more, every route
/// is read anew.
const RECEIVE_BUFFER: libc::c_int = 1024 * 1024;

/// Next hops that are kept. Every host of a /16 is none; with more than these, every address
/// counts as one.
const MOST: usize = 65_536;

/// Readings that changes may break into until a question is given up: routes that change all the
/// time cannot be read whole.
const READINGS: usize = 3;

/// How old a reading may be that says of an address that it is a next hop, and how long a failed
/// one speaks for the next. Routes are taken away without notice where a link goes down, but a
/// million take a second to read, and whoever forges UNARPs may not order that at will.
const FRESH: Duration = Duration::from_secs(10);

/// Which next hops are asked for. Whoever has no use for IPv6's is not held up by its routes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Families {
    /// Those of IPv4.
    Ipv4,
    /// Those of IPv4 and IPv6.
    Both,
}

impl Families {
    const fn groups(self) -> u32 {
        match self {
            Self::Ipv4 => GROUPS,
            Self::Both => GROUPS | GROUP_IPV6,
        }
    }

    const fn has(self, address: IpAddr) -> bool {
        matches!((self, address), (Self::Both, _) | (_, IpAddr::V4(_)))
    }
}

/// The next hops of every table in the network namespace.
#[derive(Debug)]
pub struct NextHops {
    families: Families,
    changes: NetlinkSocket,
    buffer: Box<[u8]>,
    /// All that there are, and some that there were.
    known: BTreeSet<IpAddr>,
    /// When every route was read; none before, and where changes were lost since.
    read: Option<Instant>,
    /// When that last failed.
    failed: Option<Instant>,
}

impl NextHops {
    /// Begins to listen to changes in the network namespace of the calling thread. Reads nothing.
    ///
    /// # Errors
    ///
    /// Those of the socket calls. No capability is needed.
    pub fn open(families: Families) -> io::Result<Self> {
        Self::with_buffer(families, RECEIVE_BUFFER)
    }

    /// As [`NextHops::open`], with a receive buffer of `octets` for changes.
    ///
    /// # Errors
    ///
    /// As [`NextHops::open`].
    pub fn with_buffer(families: Families, octets: libc::c_int) -> io::Result<Self> {
        let changes = NetlinkSocket::open(families.groups())?;
        changes.set_receive_buffer(octets)?;
        Ok(Self {
            families,
            changes,
            buffer: vec![0; DATAGRAM].into_boxed_slice(),
            known: BTreeSet::new(),
            read: None,
            failed: None,
        })
    }

    /// Whether a route goes by way of `address` at this moment.
    ///
    /// # Errors
    ///
    /// Those of the socket calls; [`io::ErrorKind::Interrupted`] where routes change faster than
    /// they are read.
    ///
    /// # Panics
    ///
    /// Outside a Tokio runtime with IO enabled.
    pub async fn contains(&mut self, address: IpAddr) -> io::Result<bool> {
        self.follow()?;
        let recent = |at: Instant| clock::now() < at + FRESH;
        match self.read {
            None if self.failed.is_some_and(recent) => {
                return Err(io::ErrorKind::Interrupted.into());
            }
            // What is added is heard of, so a no is as good as new.
            Some(read) if recent(read) || !self.may_have(address) => {}
            _ => self.read_all().await?,
        }
        Ok(self.may_have(address))
    }

    fn may_have(&self, address: IpAddr) -> bool {
        self.known.contains(&address) || self.known.len() >= MOST
    }

    /// Reads every route. Whoever can wait does so beforehand, so that the first question is
    /// answered at once.
    ///
    /// # Errors
    ///
    /// As [`NextHops::contains`].
    ///
    /// # Panics
    ///
    /// As [`NextHops::contains`].
    pub async fn read_all(&mut self) -> io::Result<()> {
        let outcome = self.try_to_read().await;
        self.failed = outcome.is_err().then(clock::now);
        outcome
    }

    async fn try_to_read(&mut self) -> io::Result<()> {
        for _ in 0..READINGS {
            self.known.clear();
            self.read = None;
            let begun = clock::now();
            match self.dump().await {
                Ok(()) => self.read = Some(begun),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            }
            // What was added meanwhile.
            self.follow()?;
            if self.read.is_some() {
                return Ok(());
            }
        }
        Err(io::ErrorKind::Interrupted.into())
    }

    async fn dump(&mut self) -> io::Result<()> {
        for question in message::QUESTIONS {
            let octets =
                netlink::message(question.kind(), NLM_F_REQUEST | NLM_F_DUMP, 0, &question);
            let (known, families) = (&mut self.known, self.families);
            let answer = netlink::dump(&octets, |kind, payload| {
                add(known, families, kind, payload);
            })
            .await;
            match answer {
                // A kernel before 5.3, which has no next hops that stand by themselves.
                Err(error)
                    if question == message::Question::NextHops
                        && error.raw_os_error() == Some(libc::EOPNOTSUPP) => {}
                answer => answer?,
            }
        }
        Ok(())
    }

    /// Takes in the changes since the last call.
    fn follow(&mut self) -> io::Result<()> {
        loop {
            match self.changes.receive(&mut self.buffer) {
                Ok(length) => {
                    let datagram = self.buffer.get(..length).unwrap_or_default();
                    for message in netlink::messages(datagram) {
                        match message.message_type() {
                            NLMSG_OVERRUN => self.read = None,
                            kind => add(&mut self.known, self.families, kind, message.payload()),
                        }
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => self.read = None,
                Err(error) if error.kind() == io::ErrorKind::InvalidData => self.read = None,
                Err(error) => return Err(error),
            }
        }
    }
}

/// Takes in the next hops that a message adds and that a host beyond this link could be asked for:
/// not IPv6's link-local ones, which every router that tells of itself adds. One that is taken away
/// stays until every route is read anew.
fn add(known: &mut BTreeSet<IpAddr>, families: Families, kind: u16, payload: &[u8]) {
    for address in next_hops(kind, payload) {
        let may_be_asked_for = HostIp::try_from(address).is_ok() && families.has(address);
        if may_be_asked_for && known.len() < MOST {
            known.insert(address);
        }
    }
}

#[cfg(test)]
mod tests;
