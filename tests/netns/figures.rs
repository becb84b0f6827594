//! What firing costs beside the bare system calls of the same run. Prints, and judges nothing.

use std::time::Duration;

use macmoved::emit::RouteChoice;
use macmoved::engine::Round;
use macmoved::model::Instant;
use macmoved::sys::bpf::Injector;
use macmoved::sys::clock;
use macmoved::sys::netlink::NetlinkSocket;
use macmoved::sys::packet::PacketSocket;
use macmoved::wire::Frame;

use crate::world::{MAC, Rig, build, index, isolated, ticket};

const SAMPLES: usize = 4_000;

/// The calls of a route and nothing else, all of it open and built.
struct Floor {
    injector: Injector,
    packets: PacketSocket,
    netlink: NetlinkSocket,
    frame: Vec<u8>,
    entry: Vec<u8>,
    port: u32,
    bridge: u32,
}

impl Floor {
    fn open() -> Self {
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

    fn inject(&self) {
        assert_eq!(self.injector.run(self.port, &self.frame).unwrap(), 0);
    }

    fn write_entry(&self) {
        let mut buffer = [0; 1024];
        self.netlink.send(&self.entry).unwrap();
        self.netlink.receive(&mut buffer).unwrap();
        assert_eq!(buffer[16..20], [0; 4], "the kernel refuses the entry");
        self.netlink.receive(&mut buffer).unwrap();
    }

    fn send_by_bridge(&self) {
        self.packets.send(self.bridge, &self.frame).unwrap();
    }
}

/// The two messages of an entry, octet by octet.
fn entry(port: u32, bridge: u32) -> Vec<u8> {
    let mut octets = Vec::new();
    let mut message = |kind: u16, flags: u16, port: u32, state: u16, how: u8, tail: &[u8]| {
        let length = 16 + 12 + 12 + u32::try_from(tail.len()).unwrap();
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
    };
    message(28, 0x505, port, 2, 5, &[]);
    let mut master = vec![8, 0, 9, 0];
    master.extend(bridge.to_ne_bytes());
    message(30, 1, 0, 0, 0, &master);
    octets
}

fn timed(samples: &mut Vec<Duration>, mut call: impl FnMut()) {
    let before = clock::now();
    call();
    samples.push(clock::now().saturating_since(before));
}

fn quantile(samples: &mut [Duration], of_hundred: usize) -> f64 {
    samples.sort_unstable();
    samples[samples.len() * of_hundred / 100].as_secs_f64() * 1e6
}

#[test]
#[ignore = "prints figures and judges none"]
fn firing_beside_the_bare_calls() {
    isolated("figures::firing_beside_the_bare_calls", || {
        build();
        let floor = Floor::open();
        let mut by_injection = Rig::staged(RouteChoice::Injection);
        let mut by_bridge = Rig::staged(RouteChoice::Fdb);
        let mut samples: [Vec<Duration>; 6] = Default::default();
        // A second passes between two frames by the clock that the limiter is told.
        let mut now = Instant::ZERO;
        let ticket = ticket(Round::Scheduled(1));
        for sample in 0..SAMPLES {
            now = now + Duration::from_secs(1);
            let [fire_i, bare_i, fire_b, bare_b, entry, send] = &mut samples;
            // Each comes first every other time: the second finds the caches warm.
            for fire in [sample % 2 == 0, sample % 2 != 0] {
                if fire {
                    timed(fire_i, || by_injection.emitter.fire(&ticket, now).unwrap());
                } else {
                    timed(bare_i, || floor.inject());
                }
            }
            for fire in [sample % 2 == 0, sample % 2 != 0] {
                if fire {
                    timed(fire_b, || by_bridge.emitter.fire(&ticket, now).unwrap());
                } else {
                    timed(bare_b, || {
                        floor.write_entry();
                        floor.send_by_bridge();
                    });
                }
            }
            timed(entry, || floor.write_entry());
            timed(send, || floor.send_by_bridge());
        }
        println!("{SAMPLES} samples each, interleaved; microseconds     median      p99");
        let names = [
            "fire by injection",
            "  bare: test run",
            "fire by entry and bridge",
            "  bare: entry, verdict, question, answer, send",
            "    of this the entry",
            "    of this the send",
        ];
        for (name, samples) in names.iter().zip(&mut samples) {
            let (median, high) = (quantile(samples, 50), quantile(samples, 99));
            println!("{name:<50} {median:>8.2} {high:>8.2}");
        }
        let [fire_i, bare_i, fire_b, bare_b, ..] =
            samples.each_mut().map(|samples| quantile(samples, 50));
        println!("ratio by injection          {:.3}", fire_i / bare_i);
        println!("ratio by entry and bridge   {:.3}", fire_b / bare_b);
    });
}
