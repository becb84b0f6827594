//! Watches the network and the kernel: links, next hops, and UNARPs; forwarding entries later.

pub mod links;
pub mod next_hops;
pub mod unarp;
