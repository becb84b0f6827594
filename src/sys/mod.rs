//! Thin, safe wrappers of Linux and libvirt calls; the only module with `unsafe`.
#![expect(
    unsafe_code,
    reason = "every system call that std does not wrap lives here"
)]

pub mod bpf;
pub mod clock;
#[cfg(feature = "agent")]
pub mod event_loop;
pub mod link_address;
pub mod named_socket;
pub mod netlink;
pub mod packet;
pub mod packet_ear;
pub mod timer;
#[cfg(feature = "agent")]
pub mod virt_connection;
#[cfg(feature = "agent")]
pub mod virt_events;
#[cfg(feature = "agent")]
pub mod virt_leases;
#[cfg(feature = "agent")]
pub mod virt_links;
