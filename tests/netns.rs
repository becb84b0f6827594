//! The announcement path on the kernel's own bridges, each test in a network namespace of its own.
//!
//! Needs root, iproute2 and util-linux. `cargo test --test netns -- --ignored --nocapture` prints
//! figures.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test that cannot go on has to fail, and to say why"
)]

#[path = "netns/agent.rs"]
mod agent;
#[path = "netns/emit.rs"]
mod emit;
#[path = "netns/figures.rs"]
mod figures;
#[path = "netns/hot_path.rs"]
mod hot_path;
#[path = "netns/leftovers.rs"]
mod leftovers;
#[path = "netns/links.rs"]
mod links;
#[path = "netns/seats.rs"]
mod seats;
#[path = "netns/vlans.rs"]
mod vlans;
#[path = "netns/world.rs"]
mod world;
