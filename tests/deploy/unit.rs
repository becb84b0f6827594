//! The systemd unit, and the user that it runs as.

use std::fs;

use super::{Host, tool};

/// The unit, with the daemon where this test has it.
fn unit_at_hand() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let unit = include_str!("../../deploy/macmoved.service");
    let at_hand = unit.replace("/usr/sbin/macmoved", env!("CARGO_BIN_EXE_macmoved"));
    assert_ne!(unit, at_hand);
    fs::write(directory.path().join("macmoved.service"), at_hand).unwrap();
    directory
}

#[test]
fn systemd_understands_every_word_of_the_unit() {
    let directory = unit_at_hand();
    let unit = directory.path().join("macmoved.service");
    let output = tool(
        "systemd",
        "systemd-analyze",
        &["verify", unit.to_str().unwrap()],
    );
    let said = String::from_utf8_lossy(&output.stderr);
    // Of unknown words it only warns.
    assert!(
        output.status.success() && !said.contains("macmoved.service"),
        "{said}"
    );
}

#[test]
fn the_unit_is_exposed_no_more_than_it_must_be() {
    let directory = unit_at_hand();
    let unit = directory.path().join("macmoved.service");
    let arguments = [
        "security",
        "--offline=true",
        "--threshold=25",
        unit.to_str().unwrap(),
    ];
    let output = tool("systemd", "systemd-analyze", &arguments);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
}

#[test]
fn the_unit_grants_three_capabilities_and_five_families() {
    let unit = include_str!("../../deploy/macmoved.service");
    let values = |key: &str| -> Vec<&str> {
        let lines = unit
            .lines()
            .filter_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        lines.collect()
    };
    let capabilities = ["CAP_NET_RAW CAP_NET_ADMIN CAP_BPF"];
    assert_eq!(values("AmbientCapabilities"), capabilities);
    assert_eq!(values("CapabilityBoundingSet"), capabilities);
    let families = ["AF_PACKET AF_NETLINK AF_UNIX AF_INET AF_INET6"];
    assert_eq!(values("RestrictAddressFamilies"), families);
    assert_eq!(
        values("SystemCallFilter").last(),
        Some(&"bpf"),
        "after what takes it away"
    );
    assert_eq!(values("Type"), ["notify"]);
    assert_eq!(
        values("RuntimeDirectoryPreserve"),
        ["restart"],
        "a pause outlasts a restart"
    );
    assert_eq!(
        values("Requires"),
        Vec::<&str>::new(),
        "libvirt may restart"
    );
}

#[test]
fn sysusers_makes_the_user_of_the_unit() {
    let host = Host::new();
    host.install();
    let below = format!("--root={}", host.root.path().display());
    let output = tool("systemd", "systemd-sysusers", &[&below, "macmoved.conf"]);
    let said = String::from_utf8_lossy(&output.stderr);
    let users = fs::read_to_string(host.path("etc/passwd")).unwrap_or_default();
    assert!(
        users.contains("macmoved:x:") && users.contains("nologin"),
        "{users}{said}"
    );
}
