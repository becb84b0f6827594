//! The calls that put a frame into the network.

use std::fmt::Write as _;
use std::io;

use super::entry::{EntryWriter, Whereabouts};
use super::exit::Retraction;
use super::fault;
use super::link_table::LinkTable;
use super::prepared::Frame;
use super::route::{Route, RouteChoice};
use crate::engine::Round;
use crate::model::{HostIpv4, Ifindex, SendFault};
use crate::sys::bpf::Injector;
use crate::sys::packet::PacketSocket;

/// The number of no link. Injecting to it proves that the kernel lets this process inject, and
/// puts nothing anywhere.
const NO_LINK: u32 = 0;

/// A frame for the proof: an Ethernet header.
const NO_FRAME: [u8; 14] = [0; 14];

/// Why the emitter cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenEmitterError {
    /// The socket for forwarding entries.
    #[error("open a netlink socket")]
    Netlink(#[source] io::Error),
    /// The socket for frames, where injection is not to be had either.
    #[error("open an AF_PACKET socket (needs CAP_NET_RAW; or grant CAP_BPF for injection)")]
    Packet(#[source] io::Error),
    /// Injection was asked for and is not to be had.
    #[error("load the injection program (needs CAP_BPF and CAP_NET_ADMIN)")]
    Injection(#[source] io::Error),
}

/// Everything that was opened beforehand.
#[derive(Debug)]
pub(super) struct Transmitter {
    injector: Option<Injector>,
    packets: Option<PacketSocket>,
    entries: EntryWriter,
    dry_run: bool,
}

impl Transmitter {
    pub(super) fn open(choice: RouteChoice, dry_run: bool) -> Result<Self, OpenEmitterError> {
        let entries = EntryWriter::open().map_err(OpenEmitterError::Netlink)?;
        let injector = match (choice, open_injector()) {
            (RouteChoice::Fdb, _) => None,
            (RouteChoice::Auto | RouteChoice::Injection, Ok(injector)) => Some(injector),
            (RouteChoice::Injection, Err(error)) => return Err(OpenEmitterError::Injection(error)),
            (RouteChoice::Auto, Err(error)) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the kernel refuses injection (needs CAP_BPF and CAP_NET_ADMIN): announcing by \
                     forwarding entry and bridge device",
                );
                None
            }
        };
        let packets = match PacketSocket::open() {
            Ok(packets) => Some(packets),
            Err(error) if injector.is_none() => return Err(OpenEmitterError::Packet(error)),
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "no AF_PACKET socket (needs CAP_NET_RAW): nothing stands in for injection",
                );
                None
            }
        };
        Ok(Self {
            injector,
            packets,
            entries,
            dry_run,
        })
    }

    /// The route of ports that learn.
    pub(super) const fn route(&self) -> Route {
        match self.injector {
            Some(_) => Route::Injection,
            None => Route::EntryAndBridge,
        }
    }

    pub(super) const fn set_dry_run(&mut self, dry_run: bool) {
        self.dry_run = dry_run;
    }

    /// Where the frame's bridge has its address.
    pub(super) fn whereabouts(&mut self, frame: &mut Frame) -> Option<Whereabouts> {
        self.entries.whereabouts(&mut frame.entry)
    }

    /// Sends one frame. Allocates nothing, but in a dry run, which writes a log line instead.
    pub(super) fn send(&mut self, frame: &mut Frame, round: Round) -> Result<(), SendFault> {
        // A port that does not learn belongs to a manager: libvirt (`macTableManager='libvirt'`)
        // adds the entry itself when the guest's CPUs start, and takes one that is there already
        // for an error that fails the migration.
        let reserved = round == Round::Early && !frame.learns;
        let route = match frame.route {
            Route::EntryAndInjection if reserved => Route::Injection,
            Route::EntryAndBridge if reserved => return Err(SendFault::Refused),
            Route::Injection | Route::EntryAndInjection | Route::EntryAndBridge => frame.route,
        };
        if self.dry_run {
            let way = route.to_string();
            log(frame.seat.port, frame.seat.bridge, &way, frame.octets());
            return Ok(());
        }
        match route {
            Route::Injection => {}
            Route::EntryAndInjection => self.entries.learn(&mut frame.entry)?,
            Route::EntryAndBridge => return self.send_by_bridge(frame),
        }
        match self.inject(frame) {
            // A security module may change its mind; the other way is still right.
            Err(SendFault::NotPermitted) if !reserved => {
                let by_bridge = self.send_by_bridge(frame);
                by_bridge.map_err(|_| SendFault::NotPermitted)
            }
            outcome => outcome,
        }
    }

    /// Says that `ip` has left, into the frame's network, as the host itself.
    pub(super) fn retract(
        &self,
        frame: &Frame,
        ip: HostIpv4,
        links: &LinkTable,
    ) -> Result<(), SendFault> {
        let exits = frame.exits.as_ref().ok_or(SendFault::Refused)?;
        let packets = self.packets.as_ref().ok_or(SendFault::NotPermitted)?;
        for exit in &exits.ways {
            let retraction = Retraction::new(exits.sender, ip, exit.tag);
            if self.dry_run {
                log(exit.link, frame.seat.bridge, "host", retraction.octets());
                continue;
            }
            if !links.is_same(exit.link, exit.life) {
                return Err(SendFault::NoDevice);
            }
            packets
                .send(exit.link.get(), retraction.octets())
                .map_err(|error| fault::of_io(&error))?;
        }
        Ok(())
    }

    fn inject(&self, frame: &Frame) -> Result<(), SendFault> {
        let injector = self.injector.as_ref().ok_or(SendFault::NotPermitted)?;
        let returned = injector
            .run(frame.seat.port.get(), &frame.as_guest)
            .map_err(|error| fault::of_io(&error))?;
        fault::of_injection(returned)
    }

    fn send_by_bridge(&mut self, frame: &mut Frame) -> Result<(), SendFault> {
        let packets = self.packets.as_ref().ok_or(SendFault::NotPermitted)?;
        let octets = frame.as_bridge.as_deref().ok_or(SendFault::Refused)?;
        self.entries.learn(&mut frame.entry)?;
        packets
            .send(frame.seat.bridge.get(), octets)
            .map_err(|error| fault::of_io(&error))
    }
}

fn open_injector() -> io::Result<Injector> {
    let injector = Injector::load()?;
    injector.run(NO_LINK, &NO_FRAME)?;
    Ok(injector)
}

fn log(port: Ifindex, bridge: Ifindex, route: &str, frame: &[u8]) {
    let mut octets = String::new();
    for octet in frame {
        // Writing to a String cannot fail.
        if write!(octets, "{octet:02x}").is_err() {
            break;
        }
    }
    tracing::info!(
        %port,
        %bridge,
        route,
        octets,
        "dry run: this frame would leave",
    );
}
