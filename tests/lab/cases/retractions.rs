//! A source retracts the addresses of a guest that has left.

use std::net::Ipv4Addr;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use super::{ROUNDS_OUT, agents, assert_kept, count, ways};
use crate::evidence::{Evidence, Figures};
use crate::lab::{Guest, Lab, pause};
use crate::oracle::Expect;
use crate::oracle::retraction::unarp;

/// The guest's own address, and one more that the settings give it.
const ADDRESSES: [Ipv4Addr; 2] = [Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::new(192, 0, 2, 101)];

const SETTINGS: &str =
    "[[guest]]\nmatch = \"guest-1\"\naddresses = [\"192.0.2.1\", \"192.0.2.101\"]\n";

/// Has agents hear what guests say of themselves, too.
const SNOOPING: &str = "[addresses]\nsources = [\"config\", \"snoop\"]\n";

/// How long an agent may take to believe what a guest says: 30 s, and what a busy machine needs.
const BELIEVED: Duration = Duration::from_secs(60);

/// Settings by which an agent knows the address of the first guest.
pub(super) const KNOWN: &str = "[[guest]]\nmatch = \"*\"\naddresses = [\"192.0.2.1\"]\n";

/// What comes of them: the address is retracted after each migration that succeeds, and else never.
pub(super) fn known() -> Expect {
    Expect {
        retracted: vec![(1, ADDRESSES[0])],
        ..Expect::default()
    }
}

/// Migrates a guest to and fro and holds every migration to the invariants.
fn migrations(
    lab: &Lab,
    name: &str,
    guest: &Guest,
    ways: impl Iterator<Item = (&'static str, &'static str)>,
    expect: &Expect,
) -> Evidence {
    let evidence = lab.capture(name, || {
        for (from, to) in ways {
            lab.migrate(guest, from, to, &[]);
            pause(ROUNDS_OUT);
        }
    });
    assert_kept(&evidence, expect);
    let hosts = ["a", "b"].map(|host| lab.host(host, &["cat", "/sys/class/net/br0/address"]));
    for frame in evidence.retractions() {
        let sender = frame.source.to_string();
        let spoke = usize::from(!frame.entered("a-br0"));
        assert_eq!(sender, hosts[spoke].trim(), "{frame}");
    }
    for migration in &evidence.migrations {
        let figures = Figures::of(&evidence, migration, 0);
        assert!(figures.stop_to_relearned.is_some(), "{figures:?}");
    }
    evidence
}

/// Waits until the agent of a host would retract an address of a guest.
fn wait_until_believed(lab: &Lab, guest: &Guest, host: &str) {
    let address = guest.address(0);
    let begin = Instant::now();
    while !lab.ctl(host, &["plan", guest.name()]).contains(&address) {
        let waited = begin.elapsed();
        assert!(waited < BELIEVED, "{host} does not believe {address}");
        pause(200);
    }
}

/// Guest 1's addresses are given. Guest 2's is known by what the guest itself says, for half a minute
/// at least, and is known again at once where it comes back to. Guest 3 claims others' besides.
#[test]
fn each_address_is_retracted_once_after_each_migration() {
    let lab = Lab::up("retraction", 2);
    let (given, heard) = (Guest::silent(1), Guest::silent(2).with(&["--tells"]));
    let liar = Guest::silent(3).with(&["--tells", "--claims"]);
    thread::scope(|scope| {
        for guest in [&given, &heard, &liar] {
            scope.spawn(|| lab.start(guest, "a"));
        }
    });
    for words in [
        &["ip", "address", "add", "192.0.2.250/24", "dev", "br0"][..],
        &["ip", "route", "add", "10.0.0.0/8", "via", "192.0.2.251"],
    ] {
        lab.host("a", words);
    }
    agents(&lab, &format!("{SNOOPING}{SETTINGS}"), &[]);
    // The peer's address is the peer's by its own word.
    let garp = "busybox arping -q -U -c 1 -I up0 192.0.2.254";
    lab.host("peer", &["sh", "-c", garp]);

    let times = count(3, 20);
    let expect = Expect {
        retracted: ADDRESSES.map(|ip| (1, ip)).to_vec(),
        ..unhurried()
    };
    let evidence = migrations(&lab, "given", &given, ways().take(times), &expect);
    assert_eq!(evidence.migrations.len(), times);
    assert_eq!(evidence.retractions().count(), 2 * times);

    let told = |name: &str, first: usize, times: usize, said: usize| {
        let expect = Expect {
            retracted: [(2, Ipv4Addr::new(192, 0, 2, 2))].repeat(said.min(1)),
            ..unhurried()
        };
        let ways = ways().skip(first).take(times);
        let evidence = migrations(&lab, name, &heard, ways, &expect);
        assert_eq!(evidence.migrations.len(), times);
        assert_eq!(evidence.retractions().count(), said, "{name}");
    };
    wait_until_believed(&lab, &heard, "a");
    told("heard", 0, 1, 1);
    told("not-heard-for-long", 1, 1, 0);
    told("heard-before", 0, 1, 1);
    if count(0, 1) == 1 {
        wait_until_believed(&lab, &heard, "b");
        told("heard-by-both", 1, times - 1, times - 1);
    }

    wait_until_believed(&lab, &liar, "a");
    let metrics = lab.run("agent", &["a", "get", "/metrics"]);
    assert!(metrics.contains("macmove_contested_addresses_total 1\n"));
    let expect = Expect {
        retracted: vec![(3, Ipv4Addr::new(192, 0, 2, 3))],
        ..unhurried()
    };
    let evidence = migrations(&lab, "liar", &liar, ways().take(1), &expect);
    assert_eq!(evidence.retractions().count(), 1);
}

/// Three emulated guests leave a machine of two CPUs little for rounds.
fn unhurried() -> Expect {
    Expect {
        tolerance: 2_000.0,
        ..Expect::default()
    }
}

#[test]
fn switched_off_no_address_is_retracted() {
    let lab = Lab::up("no-retraction", 2);
    let guest = Guest::silent(1);
    lab.start(&guest, "a");
    let settings = format!("[unarp]\nenabled = false\n{SETTINGS}");
    agents(&lab, &settings, &[]);
    let expect = Expect::default();
    let evidence = migrations(&lab, "migrations", &guest, ways().take(2), &expect);
    assert_eq!(evidence.retractions().count(), 0);
}

/// What others' tools make of our octets.
#[test]
fn dissectors_read_a_retraction_as_one() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("unarp.pcap");
    let written = Command::new(env!("CARGO_BIN_EXE_macmovectl"))
        .args([
            "frame",
            "unarp",
            "192.0.2.1",
            "--source",
            "02:00:00:00:00:01",
        ])
        .args(["--pcap".as_ref(), file.as_os_str()])
        .output()
        .expect("macmovectl runs");
    assert!(written.status.success(), "{written:?}");
    let octets = std::fs::read(&file).expect("a capture");
    let sender = [2, 0, 0, 0, 0, 1];
    assert_eq!(octets[40..], unarp(&sender, ADDRESSES[0]));

    let file = file.to_str().expect("a plain path");
    let said = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).output();
        let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
        assert!(output.status.success(), "{program}: {output:?}");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    let tcpdump = said("tcpdump", &["-envr", file]);
    assert!(
        tcpdump.contains("02:00:00:00:00:01 > ff:ff:ff:ff:ff:ff")
            && tcpdump.contains("Ethernet (len 0), IPv4 (len 4), Reply 192.0.2.1 is-at <empty>"),
        "{tcpdump}"
    );
    let fields = [
        "eth.src",
        "eth.dst",
        "arp.hw.type",
        "arp.proto.type",
        "arp.hw.size",
        "arp.proto.size",
        "arp.opcode",
        "arp.src.proto_ipv4",
        "arp.dst.proto_ipv4",
        "_ws.malformed",
    ];
    let mut arguments = vec!["-r", file, "-T", "fields", "-E", "separator=,"];
    arguments.extend(fields.iter().flat_map(|field| ["-e", field]));
    assert_eq!(
        said("tshark", &arguments),
        "02:00:00:00:00:01,ff:ff:ff:ff:ff:ff,1,0x0800,0,4,2,192.0.2.1,255.255.255.255,"
    );
    let script = "import sys, scapy.all as s; p = s.rdpcap(sys.argv[1])[0]; a = p[s.ARP]; \
                  print(p.src, p.dst, a.hwtype, hex(a.ptype), a.hwlen, a.plen, a.op, a.psrc, a.pdst)";
    assert_eq!(
        said("/usr/bin/python3", &["-c", script, file]),
        "02:00:00:00:00:01 ff:ff:ff:ff:ff:ff 1 0x800 0 4 2 192.0.2.1 255.255.255.255"
    );
}
