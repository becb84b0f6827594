//! Watches the host's links: which exist, whether they pass frames, and whose ports they are.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;

use netlink_packet_core::{
    NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NLMSG_DONE, NLMSG_ERROR, NLMSG_OVERRUN,
};
use netlink_packet_route::link::{LinkAttribute, LinkExtentMask, LinkMessage};

use crate::engine::{Event, Queue};
use crate::model::{Ifindex, LinkState};
use crate::sys::netlink::{self, DATAGRAM, NetlinkSocket, NetlinkWatch};

mod message;

use message::{Change, Told};

/// `RTNLGRP_LINK` as a bit of `nl_groups`: links of every family, bridge ports among them.
const LINK_GROUP: u32 = 1 << (libc::RTNLGRP_LINK - 1);

/// The kernel's queue for us: some five thousand notifications. When it is full the kernel drops
/// what comes next and says so; every link is then read anew.
const RECEIVE_BUFFER: libc::c_int = 8 * 1024 * 1024;

/// Links that are watched. What the kernel says of a link beyond that is dropped and reported.
const MAX_LINKS: usize = 16_384;

/// Watches links through one socket: a dump of all first, then changes as they happen.
///
/// Only changes are told, and all that one datagram brought before the next is taken, so that what
/// waits to be told is bounded by a datagram and the table.
#[derive(Debug)]
pub struct Links {
    socket: NetlinkWatch,
    buffer: Box<[u8]>,
    table: Table,
}

impl Links {
    /// Opens the socket in the network namespace of the calling thread and asks for every link.
    ///
    /// # Errors
    ///
    /// Those of the socket calls. No capability is needed.
    ///
    /// # Panics
    ///
    /// Outside a Tokio runtime with IO enabled.
    pub fn open() -> io::Result<Self> {
        Self::with_buffer(RECEIVE_BUFFER)
    }

    /// As [`Links::open`], with a receive buffer of `octets` for notifications.
    ///
    /// # Errors
    ///
    /// As [`Links::open`].
    ///
    /// # Panics
    ///
    /// As [`Links::open`].
    pub fn with_buffer(octets: libc::c_int) -> io::Result<Self> {
        let socket = NetlinkSocket::open(LINK_GROUP)?;
        if let Err(error) = socket.set_receive_buffer(octets) {
            tracing::warn!(%error, "the buffer for link notifications keeps its size");
        }
        let mut links = Self {
            socket: NetlinkWatch::new(socket)?,
            buffer: vec![0; DATAGRAM].into_boxed_slice(),
            table: Table::default(),
        };
        links.dump()?;
        Ok(links)
    }

    /// The next change: [`Event::Link`], or [`Event::Dropped`] where the kernel's queue for us was
    /// full; the links are then read anew by itself. Safe to cancel.
    pub async fn next(&mut self) -> Event {
        loop {
            if self.table.wants_dump()
                && let Err(error) = self.dump()
            {
                // The request fits any buffer; a kernel out of memory is asked again after the
                // next datagram.
                tracing::warn!(%error, "cannot ask the kernel for its links");
            }
            if let Some(event) = self.table.tell() {
                return event;
            }
            match self.socket.receive(&mut self.buffer).await {
                Ok(length) => self
                    .table
                    .take(self.buffer.get(..length).unwrap_or_default()),
                Err(error) => self.table.lose(&error),
            }
        }
    }

    fn dump(&mut self) -> io::Result<()> {
        self.table.sequence = self.table.sequence.wrapping_add(1);
        self.socket.send(&request(self.table.sequence))?;
        self.table.begin();
        Ok(())
    }
}

/// `RTM_GETLINK` for every link, without the statistics that make up most of an answer.
fn request(sequence: u32) -> Vec<u8> {
    let mut message = LinkMessage::default();
    message.attributes = vec![LinkAttribute::ExtMask(vec![LinkExtentMask::SkipStats])];
    let flags = NLM_F_REQUEST | NLM_F_DUMP;
    netlink::message(libc::RTM_GETLINK, flags, sequence, &message)
}

/// How far a dump is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Dump {
    /// None runs, and none is wanted.
    #[default]
    Idle,
    /// One has to be asked for.
    Wanted,
    /// One runs.
    Running,
    /// One runs, and since it began something was lost, so another has to follow.
    Spoilt,
}

/// What the kernel said so far, and what of it is not told yet. Pure.
#[derive(Debug, Default)]
pub struct Table {
    links: BTreeMap<Ifindex, LinkState>,
    /// Links that the running dump, or a notification since it began, showed.
    seen: BTreeSet<Ifindex>,
    dump: Dump,
    sequence: u32,
    told: VecDeque<Event>,
}

impl Table {
    fn wants_dump(&self) -> bool {
        self.dump == Dump::Wanted
    }

    fn begin(&mut self) {
        self.seen.clear();
        self.dump = Dump::Running;
    }

    /// Something was lost.
    fn lose(&mut self, error: &io::Error) {
        tracing::debug!(%error, "link notifications are lost; reading every link anew");
        self.tell_loss();
        self.spoil();
    }

    fn spoil(&mut self) {
        self.dump = match self.dump {
            Dump::Idle | Dump::Wanted => Dump::Wanted,
            Dump::Running | Dump::Spoilt => Dump::Spoilt,
        };
    }

    fn tell_loss(&mut self) {
        if let Some(Event::Dropped { count, .. }) = self.told.back_mut() {
            *count += 1;
        } else {
            self.told.push_back(Event::Dropped {
                queue: Queue::Link,
                count: 1,
            });
        }
    }

    /// What is to be told next.
    pub fn tell(&mut self) -> Option<Event> {
        self.told.pop_front()
    }

    /// Takes over a datagram of the kernel's.
    pub fn take(&mut self, datagram: &[u8]) {
        for message in netlink::messages(datagram) {
            let ours = message.sequence_number() == self.sequence;
            if ours && message.flags() & NLM_F_DUMP_INTR != 0 {
                // Links changed between two parts of the dump: it may lack some that exist.
                self.spoil();
            }
            match message.message_type() {
                NLMSG_DONE if ours => self.finish(),
                // It never happens; asking again at once could go on for ever.
                NLMSG_ERROR if ours => {
                    tracing::error!("the kernel refuses to list its links");
                    self.dump = Dump::Idle;
                }
                NLMSG_OVERRUN => self.spoil(),
                kind => {
                    if let Some(change) = message::parse(kind, message.payload()) {
                        self.apply(&change);
                    }
                }
            }
        }
    }

    fn apply(&mut self, change: &Change) {
        let ifindex = change.ifindex;
        let before = self.links.get(&ifindex).copied();
        let Some(after) = change.onto(before) else {
            return;
        };
        if after.present {
            self.seen.insert(ifindex);
            if before.is_none() && self.links.len() >= MAX_LINKS {
                self.tell_loss();
                return;
            }
            self.links.insert(ifindex, after);
        } else {
            self.seen.remove(&ifindex);
            self.links.remove(&ifindex);
        }
        if before != Some(after) {
            self.told.push_back(Event::Link(after));
        }
    }

    /// The dump is whole: what it did not show is gone.
    fn finish(&mut self) {
        if self.dump == Dump::Spoilt {
            self.dump = Dump::Wanted;
            return;
        }
        self.dump = Dump::Idle;
        let seen = std::mem::take(&mut self.seen);
        let gone: Vec<_> = self
            .links
            .keys()
            .copied()
            .filter(|ifindex| !seen.contains(ifindex))
            .collect();
        for ifindex in gone {
            self.apply(&Change {
                ifindex,
                told: Told::Gone,
            });
        }
    }
}

#[cfg(test)]
mod tests;
