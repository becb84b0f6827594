//! Addresses that no guest has: this host's own, and those that its routes go by way of.

use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;
use std::time::Duration;

use netlink_packet_core::{NLM_F_DUMP, NLM_F_REQUEST, Parseable};
use netlink_packet_route::AddressFamily;
use netlink_packet_route::address::{AddressAttribute, AddressMessage};

use crate::model::{AddressRefusal, HostIp, Instant};
use crate::observe::next_hops::{Families, NextHops};
use crate::sys::{clock, netlink};

/// How old the list of this host's addresses may be. A guest has to use an address for as long
/// before its word is believed.
const FRESH: Duration = super::book::STEADY;

/// Readings that links may break into until a question is given up.
const READINGS: usize = 3;

/// What is asked of the kernel, and kept.
#[derive(Debug)]
pub(super) struct Foreign {
    own: BTreeSet<IpAddr>,
    read: Option<Instant>,
    hops: NextHops,
}

impl Foreign {
    /// In the network namespace of the calling thread.
    pub(super) fn open() -> io::Result<Self> {
        Ok(Self {
            own: BTreeSet::new(),
            read: None,
            hops: NextHops::open(Families::Both)?,
        })
    }

    /// Why no guest has the address; none where one may. Where that cannot be read, nothing is
    /// believed.
    pub(super) async fn refuses(&mut self, ip: HostIp) -> Option<AddressRefusal> {
        match self.look_up(ip.get()).await {
            Ok(found) => found,
            Err(error) => {
                tracing::debug!(%error, "the host's addresses and routes cannot be read");
                Some(AddressRefusal::Unknown)
            }
        }
    }

    async fn look_up(&mut self, ip: IpAddr) -> io::Result<Option<AddressRefusal>> {
        let now = clock::now();
        if self.read.is_none_or(|read| read + FRESH <= now) {
            match own().await {
                Ok(own) => (self.own, self.read) = (own, Some(now)),
                // Links come and go. What was read before is asked about again the next time.
                Err(error) if self.read.is_some() => {
                    tracing::debug!(%error, "the host's addresses cannot be read anew");
                }
                Err(error) => return Err(error),
            }
        }
        if self.own.contains(&ip) {
            return Ok(Some(AddressRefusal::Host));
        }
        let hop = self.hops.contains(ip).await?;
        Ok(hop.then_some(AddressRefusal::NextHop))
    }
}

/// The addresses of every link. A link that comes or goes spoils a reading.
async fn own() -> io::Result<BTreeSet<IpAddr>> {
    for _ in 1..READINGS {
        match read_own().await {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            outcome => return outcome,
        }
    }
    read_own().await
}

async fn read_own() -> io::Result<BTreeSet<IpAddr>> {
    let mut question = AddressMessage::default();
    question.header.family = AddressFamily::Unspec;
    let flags = NLM_F_REQUEST | NLM_F_DUMP;
    let question = netlink::message(libc::RTM_GETADDR, flags, 0, &question);
    let mut own = BTreeSet::new();
    netlink::dump(&question, |kind, payload| {
        if kind == libc::RTM_NEWADDR {
            own.extend(local_address(payload));
        }
    })
    .await?;
    Ok(own)
}

/// The local address in one `RTM_NEWADDR`. `IFA_ADDRESS` is the other end's on a point-to-point
/// link, where IPv6 says `IFA_LOCAL`, too (`inet6_fill_ifaddr` in `net/ipv6/addrconf.c`).
#[must_use]
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the kernel adds attributes; two matter"
)]
pub fn local_address(payload: &[u8]) -> Option<IpAddr> {
    let message = AddressMessage::parse(payload).ok()?;
    let mut found = None;
    for attribute in &message.attributes {
        match attribute {
            AddressAttribute::Local(address) => return Some(*address),
            AddressAttribute::Address(address @ IpAddr::V6(_)) => found = Some(*address),
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests;
