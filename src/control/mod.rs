//! How the outside looks in and asks: D-Bus on a private socket, and HTTP.

pub mod client;
