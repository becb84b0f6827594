//! Agents and libvirtds that die, and what their successors make of what they find.

mod agent;
mod both;
mod libvirtd;
mod random;

use std::time::{SystemTime, UNIX_EPOCH};

use macmoved::control::Status;

use super::failures::assert_answers;
use super::retractions::KNOWN;
use crate::evidence::{Stamp, fabric_port};
use crate::lab::{Guest, Lab};

/// Kills the agent of a host and starts the next one.
fn replace_agent(lab: &Lab, host: &str) {
    lab.run("agent", &[host, "kill"]);
    lab.agent(host, KNOWN, &[]);
}

/// Kills the libvirtd of a host and starts the next one.
fn replace_libvirtd(lab: &Lab, host: &str) {
    lab.run("libvirtd", &[host, "kill"]);
    lab.run("libvirtd", &[host, "start"]);
}

/// Waits until the fabric has the guest behind a host.
fn wait_for_fabric(lab: &Lab, guest: &Guest, host: &str) {
    let port = fabric_port(host, 0);
    let look = format!(
        "bridge fdb show br fab0 | grep -q '{} dev {port}'",
        guest.mac()
    );
    lab.wait_for("host", &["fabric", "sh", "-c", &look]);
}

/// Fails unless the guest answers, runs on that host and on no other, no bridge and no ledger knows
/// otherwise, and both agents hear libvirt.
#[track_caller]
fn assert_settled(lab: &Lab, guest: &Guest, host: &str) {
    assert_answers(lab, guest);
    wait_for_fabric(lab, guest, host);
    for place in ["a", "b"] {
        lab.wait_for_agent(place);
        let status = lab.ctl(place, &["--json", "status"]);
        let status: Status = serde_json::from_str(&status).expect("a status");
        assert!(
            status.libvirt.connected && status.libvirt.resynced,
            "{place}: {status:?}"
        );
        let list = |which| lab.host(place, &["virsh", "list", "--name", which]);
        let expected = if place == host { guest.name() } else { "" };
        assert_eq!(list("--state-running").trim(), expected, "runs on {place}");
        assert_eq!(list("--all").trim(), expected, "known on {place}");
        let entries = lab.host(place, &["bridge", "fdb", "show", "br", "br0"]);
        let mac = guest.mac();
        let port = if place == host { "vnet" } else { "up0" };
        for entry in entries.lines().filter(|entry| entry.starts_with(&mac)) {
            assert!(entry.contains(&format!(" dev {port}")), "{place}: {entry}");
        }
        let ledger = lab.try_run("host", &[place, "cat", "/run/macmoved/state"]);
        assert!(!ledger.status.success(), "{place}: {ledger:?}");
    }
}

/// This moment, on the clock of the evidence.
fn now() -> Stamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let nanos = since.expect("it is not 1970").as_nanos();
    Stamp(i64::try_from(nanos).expect("it is not 2262"))
}
