//! The announcement path on the kernel's own bridges, each test in a network namespace of its own.
//!
//! Needs root, iproute2 and util-linux. What takes a kernel with VLANs and bonds is in
//! tests/kernel.rs.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test that cannot go on has to fail, and to say why"
)]

#[path = "netns/addresses.rs"]
mod addresses;
#[path = "netns/agent.rs"]
mod agent;
#[path = "netns/brakes.rs"]
mod brakes;
#[path = "netns/daemon.rs"]
mod daemon;
#[path = "netns/driver.rs"]
mod driver;
#[path = "netns/emit.rs"]
mod emit;
#[path = "netns/faults.rs"]
mod faults;
#[path = "netns/floods.rs"]
mod floods;
#[path = "netns/honour.rs"]
mod honour;
#[path = "netns/host.rs"]
mod host;
#[path = "netns/hot_path.rs"]
mod hot_path;
#[path = "netns/leftovers.rs"]
mod leftovers;
#[path = "netns/links.rs"]
mod links;
#[path = "netns/nd.rs"]
mod nd;
#[path = "netns/ports.rs"]
mod ports;
#[path = "netns/queues.rs"]
mod queues;
#[path = "netns/retractions.rs"]
mod retractions;
#[path = "netns/safe_mode.rs"]
mod safe_mode;
#[path = "netns/scene.rs"]
mod scene;
#[path = "netns/seats.rs"]
mod seats;
#[path = "netns/soak.rs"]
mod soak;
#[path = "netns/unarp.rs"]
mod unarp;
#[path = "netns/unarp_agent.rs"]
mod unarp_agent;
#[path = "netns/unarp_rates.rs"]
mod unarp_rates;
#[path = "netns/unarp_scene.rs"]
mod unarp_scene;
#[path = "netns/world.rs"]
mod world;
