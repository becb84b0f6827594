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
#[path = "netns/emit.rs"]
mod emit;
#[path = "netns/hot_path.rs"]
mod hot_path;
#[path = "netns/leftovers.rs"]
mod leftovers;
#[path = "netns/links.rs"]
mod links;
#[path = "netns/retractions.rs"]
mod retractions;
#[path = "netns/seats.rs"]
mod seats;
#[path = "netns/unarp.rs"]
mod unarp;
#[path = "netns/unarp_agent.rs"]
mod unarp_agent;
#[path = "netns/unarp_scene.rs"]
mod unarp_scene;
#[path = "netns/world.rs"]
mod world;
