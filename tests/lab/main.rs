//! The lab's tests: real libvirt, real QEMU, real migrations between hosts made of namespaces.
//!
//! They need root, and they fail without it, so `cargo test` leaves them out; `tests/run` runs
//! them, and so does `cargo test --test lab` as root.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test that cannot run must fail, and say why"
)]

mod cases;
mod evidence;
mod lab;
mod monitor;
mod oracle;
