//! Watches the kernel: links now, forwarding entries later.

pub mod links;
