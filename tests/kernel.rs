//! The announcement path on a distribution's kernel: all of tests/netns.rs, and what takes VLAN
//! filtering, VLAN devices or bonds, which the kernel of a container or a cloud need not have.
//!
//! `tests/lab/kernel` runs it in a virtual machine.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test that cannot go on has to fail, and to say why"
)]

#[path = "netns/emit.rs"]
mod emit;
#[path = "netns/honour.rs"]
mod honour;
#[path = "netns/hot_path.rs"]
mod hot_path;
#[path = "netns/leftovers.rs"]
mod leftovers;
#[path = "netns/leftovers_vlans.rs"]
mod leftovers_vlans;
#[path = "netns/links.rs"]
mod links;
#[path = "netns/ports.rs"]
mod ports;
#[path = "netns/retractions.rs"]
mod retractions;
#[path = "netns/seats.rs"]
mod seats;
#[path = "netns/unarp.rs"]
mod unarp;
#[path = "netns/unarp_rates.rs"]
mod unarp_rates;
#[path = "netns/unarp_vlans.rs"]
mod unarp_vlans;
#[path = "netns/uplinks.rs"]
mod uplinks;
#[path = "netns/vlans.rs"]
mod vlans;
#[path = "netns/world.rs"]
mod world;
