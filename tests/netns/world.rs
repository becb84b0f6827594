//! A network namespace to a test, with a fabric, a host's bridge and ears everywhere.
//!
//! ```text
//!   old ---- p-old                       +-- vnet1 ---- guest1   the guest that moves here
//!                 \                      |
//!                  fabric -- p-up -- up0 - br0
//!                 /                      |
//!  peer --- p-peer                       +-- vnet9 ---- guest9   a neighbour on this host
//! ```
//!
//! Each line is a veth pair. A veth stands in for a tap where carrier matters: carrier on a tap
//! takes a process that holds it open.

use std::env;
use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use macmoved::emit::{EmitSettings, Emitter, Prepared, RouteChoice};
use macmoved::engine::{Cause, Event, Plan, PlannedNic, Round, Ticket};
use macmoved::model::{Attachment, GuestId, Instant, LinkName, MacAddr};
use macmoved::observe::links::Links;
use macmoved::sys::clock;
use pnet::datalink::{self, Channel, DataLinkReceiver};

/// The guest that moves.
pub(crate) const MAC: MacAddr = MacAddr::new([0x52, 0x54, 0x00, 0xaa, 0xbb, 0x01]);
/// The peer that talks to it.
pub(crate) const PEER: MacAddr = MacAddr::new([0x52, 0x54, 0x00, 0x00, 0x00, 0x77]);
pub(crate) const GUEST: GuestId = GuestId::new([7; 16]);

const INSIDE: &str = "MACMOVED_TEST_INSIDE_NETNS";

/// Runs `body` in a network namespace of its own, in another process of this test binary.
pub(crate) fn isolated(test: &str, body: impl FnOnce()) {
    isolated_under(test, &[], body);
}

/// As [`isolated`], with a command such as `setpriv` in front of that process.
pub(crate) fn isolated_under(test: &str, wrapper: &[&str], body: impl FnOnce()) {
    if env::var_os(INSIDE).is_some() {
        fs::write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1").ok();
        return body();
    }
    let output = Command::new("unshare")
        .args(["--net", "--"])
        .args(wrapper)
        .arg(env::current_exe().unwrap())
        .args(["--exact", test, "--include-ignored", "--nocapture"])
        .env(INSIDE, "1")
        .output()
        .expect("unshare(1) of util-linux");
    let said = String::from_utf8_lossy(&output.stdout);
    print!("{said}");
    eprint!("{}", String::from_utf8_lossy(&output.stderr));
    // A name that matches no test would pass, too.
    let ran = said.contains("test result: ok. 1 passed");
    assert!(
        output.status.success() && ran,
        "{test} failed inside its network namespace"
    );
}

/// Runs a command line that has to succeed and returns what it printed.
pub(crate) fn sh(line: &str) -> String {
    let output = Command::new("sh").args(["-c", line]).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{line}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// Runs `ip` with each line's arguments, in one process.
pub(crate) fn ip(lines: &[&str]) {
    let mut child = Command::new("ip")
        .args(["-batch", "-"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("ip(8) of iproute2");
    let mut input = child.stdin.take().unwrap();
    input.write_all(lines.join("\n").as_bytes()).unwrap();
    drop(input);
    let output = child.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{lines:?}: {errors}");
}

/// Builds the picture above and waits until every port forwards.
pub(crate) fn build() {
    ip(&[
        "link set lo up",
        "link add fabric type bridge",
        "link add br0 type bridge",
        "link add old type veth peer name p-old",
        "link add peer type veth peer name p-peer",
        "link add up0 type veth peer name p-up",
        "link add vnet1 type veth peer name guest1",
        "link add vnet9 type veth peer name guest9",
    ]);
    let enslaved = [
        ("fabric", ["p-old", "p-peer", "p-up"]),
        ("br0", ["up0", "vnet1", "vnet9"]),
    ];
    let mut lines = Vec::new();
    for (bridge, ports) in enslaved {
        lines.push(format!("link set {bridge} up"));
        for port in ports {
            lines.push(format!("link set {port} master {bridge} up"));
        }
    }
    for link in ["old", "peer", "guest1", "guest9"] {
        lines.push(format!("link set {link} up"));
    }
    ip(&lines.iter().map(String::as_str).collect::<Vec<_>>());
    settle();
}

/// Gives the kernel's deferred work (carrier, backlog) time.
pub(crate) fn settle() {
    std::thread::sleep(Duration::from_millis(60));
}

/// The port of `bridge` behind which `mac` is, and the entry's words after it. On a bridge that does
/// not filter VLANs the entry without one counts: a kernel that could filter writes each entry for
/// every VLAN of the port, too.
pub(crate) fn entry(bridge: &str, mac: MacAddr) -> Option<(String, String)> {
    let table = sh(&format!("bridge fdb show br {bridge}"));
    let line = table
        .lines()
        .filter(|line| line.starts_with(&format!("{mac} ")))
        .min_by_key(|line| line.contains(" vlan "))?;
    let port = line.split_whitespace().nth(2)?.to_owned();
    let rest = line.split_whitespace().skip(3).collect::<Vec<_>>();
    Some((port, rest.join(" ")))
}

/// The port alone.
pub(crate) fn port_of(bridge: &str, mac: MacAddr) -> Option<String> {
    entry(bridge, mac).map(|(port, _)| port)
}

/// Hears every frame that arrives at or leaves by one link.
pub(crate) struct Ear {
    name: String,
    receiver: Box<dyn DataLinkReceiver>,
}

impl Ear {
    pub(crate) fn at(name: &str) -> Self {
        let config = datalink::Config {
            read_timeout: Some(Duration::from_millis(60)),
            ..datalink::Config::default()
        };
        let link = datalink::interfaces()
            .into_iter()
            .find(|link| link.name == name)
            .unwrap();
        let Ok(Channel::Ethernet(_, receiver)) = datalink::channel(&link, config) else {
            panic!("cannot listen on {name}");
        };
        Self {
            name: name.to_owned(),
            receiver,
        }
    }

    /// Frames since the last call, waiting until nothing comes any more.
    pub(crate) fn heard(&mut self) -> Vec<Vec<u8>> {
        let mut frames = Vec::new();
        while let Ok(frame) = self.receiver.next() {
            frames.push(frame.to_vec());
        }
        frames
    }

    /// Those from `source`.
    pub(crate) fn heard_from(&mut self, source: MacAddr) -> Vec<Vec<u8>> {
        let mut frames = self.heard();
        frames.retain(|frame| frame.get(6..12) == Some(&source.octets()));
        frames
    }
}

impl std::fmt::Debug for Ear {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)
    }
}

/// Ears at every vantage point.
pub(crate) fn ears() -> Vec<Ear> {
    ["old", "peer", "up0", "guest1", "guest9", "br0", "fabric"]
        .map(Ear::at)
        .into()
}

/// Sends one frame out of a link by a plain packet socket.
pub(crate) fn send(link: &str, frame: &[u8]) {
    let packets = macmoved::sys::packet::PacketSocket::open().unwrap();
    packets.send(index(link), frame).unwrap();
}

/// A frame of 60 octets from `source` to `destination`, of an experimental `EtherType`.
pub(crate) fn probe(source: MacAddr, destination: MacAddr) -> Vec<u8> {
    let mut frame = Vec::new();
    frame.extend(destination.octets());
    frame.extend(source.octets());
    frame.extend([0x88, 0xb5]);
    frame.resize(60, 0);
    frame
}

/// The guest talks at the old host: everybody learns it there.
pub(crate) fn guest_talks_at_the_old_host() {
    send("old", &probe(MAC, MacAddr::BROADCAST));
    settle();
    assert_eq!(port_of("fabric", MAC).as_deref(), Some("p-old"));
    assert_eq!(port_of("br0", MAC).as_deref(), Some("up0"));
}

/// Whether a frame from the peer reaches the guest on this host.
pub(crate) fn peer_reaches_guest() -> bool {
    let mut ear = Ear::at("guest1");
    send("peer", &probe(PEER, MAC));
    !ear.heard_from(PEER).is_empty()
}

pub(crate) fn index(link: &str) -> u32 {
    let shown = sh(&format!("ip -o link show {link}"));
    shown.split(':').next().unwrap().trim().parse().unwrap()
}

pub(crate) fn name(text: &str) -> LinkName {
    text.parse().unwrap()
}

/// A plan with one NIC on `target`.
pub(crate) fn plan(target: &str) -> Plan {
    plan_of(&[(MAC, target)])
}

pub(crate) fn plan_of(nics: &[(MacAddr, &str)]) -> Plan {
    let nic = |(index, &(mac, target)): (usize, &(MacAddr, &str))| PlannedNic {
        index: u16::try_from(index).unwrap(),
        mac,
        attachment: Attachment::BridgeTap,
        target: name(target),
        addresses: Vec::new(),
        network: None,
    };
    Plan {
        nics: nics.iter().enumerate().map(nic).collect(),
        refused: Vec::new(),
        given: Vec::new(),
    }
}

/// The first frame of [`GUEST`] in one round.
pub(crate) fn ticket(round: Round) -> Ticket {
    Ticket {
        guest: GUEST,
        generation: 1,
        frame: 0,
        round,
        cause: Cause::Resume,
        since: Instant::ZERO,
        attempt: 0,
    }
}

/// An emitter with the links' state and one plan staged, as the driver has it.
pub(crate) struct Rig {
    pub(crate) emitter: Emitter,
    pub(crate) links: Links,
    runtime: tokio::runtime::Runtime,
}

impl Rig {
    pub(crate) fn new(settings: EmitSettings) -> Self {
        Self::with(settings, || Links::open().unwrap())
    }

    /// With a receive buffer for link notifications of so many octets.
    pub(crate) fn with_link_buffer(settings: EmitSettings, octets: i32) -> Self {
        Self::with(settings, || Links::with_buffer(octets).unwrap())
    }

    fn with(settings: EmitSettings, open: impl FnOnce() -> Links) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let links = runtime.block_on(async { open() });
        let emitter = Emitter::open(settings).unwrap();
        let mut rig = Self {
            emitter,
            links,
            runtime,
        };
        rig.follow();
        rig
    }

    /// With the plan for `vnet1` staged.
    pub(crate) fn staged(route: RouteChoice) -> Self {
        let mut rig = Self::new(settings(route));
        let prepared = rig.stage(&plan("vnet1"));
        assert_eq!(prepared.staging.refused, []);
        rig.emitter.insert(prepared);
        rig
    }

    pub(crate) fn stage(&self, plan: &Plan) -> Prepared {
        self.runtime.block_on(async {
            let stager = self.emitter.stager().unwrap();
            stager.stage(GUEST, 1, plan).await
        })
    }

    /// Stages the plan so many times at once, as for guests that arrive together.
    pub(crate) fn stage_at_once(&self, plan: &Plan, times: u64) -> Vec<Prepared> {
        self.runtime.block_on(async {
            let stager = self.emitter.stager().unwrap();
            let all = (1..=times).map(|generation| stager.stage(GUEST, generation, plan));
            futures_util::future::join_all(all).await
        })
    }

    /// Watches the links anew, and returns all that this tells.
    pub(crate) fn renew(&mut self) -> Vec<Event> {
        self.links = self.runtime.block_on(async { Links::open().unwrap() });
        self.follow()
    }

    /// Takes over link events until none comes any more, and returns them.
    pub(crate) fn follow(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        self.runtime.block_on(async {
            let quiet = Duration::from_millis(100);
            while let Ok(event) = tokio::time::timeout(quiet, self.links.next()).await {
                if let Event::Link(link) = &event {
                    self.emitter.observe(link);
                }
                events.push(event);
            }
        });
        events
    }

    pub(crate) fn fire(&mut self, round: Round) -> Result<(), macmoved::model::SendFault> {
        self.emitter.fire(&ticket(round), clock::now())
    }
}

pub(crate) fn settings(route: RouteChoice) -> EmitSettings {
    EmitSettings {
        dry_run: false,
        route,
        uplinks: vec![name("up0")],
        ..EmitSettings::default()
    }
}
