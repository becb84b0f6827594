//! The system calls of each route and nothing else: everything open and built.

use macmoved::emit::RouteChoice;
use macmoved::model::Instant;
use macmoved::sys::bpf::Injector;
use macmoved::sys::clock;
use macmoved::sys::netlink::NetlinkSocket;
use macmoved::sys::packet::PacketSocket;
use macmoved::wire::Frame;

use crate::world::{MAC, index};

/// `RTM_NEWNEIGH` and `RTM_GETNEIGH` of `include/uapi/linux/rtnetlink.h`.
const NEW_NEIGHBOUR: u16 = 28;
const GET_NEIGHBOUR: u16 = 30;
/// `NLM_F_REQUEST`, with `NLM_F_ACK`, `NLM_F_REPLACE` and `NLM_F_CREATE` for the entry.
const REQUEST: u16 = 0x1;
const REPLACE: u16 = 0x505;
/// `NUD_REACHABLE`: an entry that ages.
const AGES: u16 = 2;
/// `NTF_USE | NTF_MASTER`: learn as from a frame, in the bridge of the port.
const LEARN: u8 = 5;

pub(crate) struct Floor {
    injector: Injector,
    packets: PacketSocket,
    netlink: NetlinkSocket,
    frame: Vec<u8>,
    entry: Vec<u8>,
    port: u32,
    bridge: u32,
}

impl Floor {
    pub(crate) fn open() -> Self {
        let (port, bridge) = (index("vnet1"), index("br0"));
        Self {
            injector: Injector::load().unwrap(),
            packets: PacketSocket::open().unwrap(),
            netlink: NetlinkSocket::open(0).unwrap(),
            frame: Frame::rarp(MAC, None).to_vec(),
            entry: entry(port, bridge),
            port,
            bridge,
        }
    }

    /// Makes the route's calls and returns when they began and when the last one returned.
    pub(crate) fn send(&self, route: RouteChoice) -> (Instant, Instant) {
        let begun = clock::now();
        match route {
            RouteChoice::Injection | RouteChoice::Auto => self.inject(),
            RouteChoice::Fdb => self.learn_and_send(),
        }
        (begun, clock::now())
    }

    fn inject(&self) {
        assert_eq!(self.injector.run(self.port, &self.frame).unwrap(), 0);
    }

    fn learn_and_send(&self) {
        let mut buffer = [0; 1024];
        self.netlink.send(&self.entry).unwrap();
        self.netlink.receive(&mut buffer).unwrap();
        assert_eq!(buffer[16..20], [0; 4], "the kernel refuses the entry");
        self.netlink.receive(&mut buffer).unwrap();
        self.packets.send(self.bridge, &self.frame).unwrap();
    }
}

/// The two messages of an entry, octet by octet: write it, and ask for it.
fn entry(port: u32, bridge: u32) -> Vec<u8> {
    let mut master = vec![8, 0, 9, 0];
    master.extend(bridge.to_ne_bytes());
    let mut octets = neighbour(NEW_NEIGHBOUR, REPLACE, port, AGES, LEARN, &[]);
    octets.extend(neighbour(GET_NEIGHBOUR, REQUEST, 0, 0, 0, &master));
    octets
}

/// `struct nlmsghdr`, `struct ndmsg`, `NDA_LLADDR` and what follows.
fn neighbour(kind: u16, flags: u16, port: u32, state: u16, how: u8, tail: &[u8]) -> Vec<u8> {
    let length = 16 + 12 + 12 + u32::try_from(tail.len()).unwrap();
    let mut octets = Vec::new();
    octets.extend(length.to_ne_bytes());
    octets.extend(kind.to_ne_bytes());
    octets.extend(flags.to_ne_bytes());
    octets.extend([0; 8]);
    octets.extend([7, 0, 0, 0]);
    octets.extend(port.to_ne_bytes());
    octets.extend(state.to_ne_bytes());
    octets.extend([how, 0, 10, 0, 2, 0]);
    octets.extend(MAC.octets());
    octets.extend([0; 2]);
    octets.extend(tail);
    octets
}
