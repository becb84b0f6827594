//! Another host: a network namespace with the kernel's own stack.

use std::process::{Child, Command};
use std::time::Duration;

use macmoved::model::MacAddr;

use crate::world::sh;

/// A network namespace that lives as long as this. It speaks IPv4 alone until it is told otherwise:
/// IPv6 looks for its own addresses at a time of its own, which ears hear.
pub(crate) struct Host(Child);

impl Host {
    pub(crate) fn new() -> Self {
        let child = Command::new("unshare")
            .args(["--net", "--", "sleep", "600"])
            .spawn()
            .unwrap();
        let host = Self(child);
        let own = std::fs::read_link("/proc/self/ns/net").unwrap();
        let its = format!("/proc/{}/ns/net", host.pid());
        while std::fs::read_link(&its).unwrap() == own {
            std::thread::sleep(Duration::from_millis(1));
        }
        host.set("ipv6/conf/default/disable_ipv6", 1);
        host
    }

    pub(crate) fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Runs a command line there that has to succeed.
    pub(crate) fn sh(&self, line: &str) -> String {
        sh(&format!("nsenter --net --target {} -- {line}", self.pid()))
    }

    /// The MAC address of a link there.
    pub(crate) fn mac(&self, link: &str) -> MacAddr {
        let shown = self.sh(&format!("ip -o link show {link}"));
        let (_, rest) = shown.split_once("link/ether ").unwrap();
        rest.split(' ').next().unwrap().parse().unwrap()
    }

    /// Sets a key below `/proc/sys/net`.
    pub(crate) fn set(&self, key: &str, value: u8) {
        self.sh(&format!("sh -c 'echo {value} > /proc/sys/net/{key}'"));
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}
