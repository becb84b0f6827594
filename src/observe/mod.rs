//! Watches the network and the kernel: links, next hops, UNARPs, and addresses of guests;
//! forwarding entries later.

pub mod addresses;
pub mod links;
pub mod next_hops;
pub mod unarp;
mod window;
