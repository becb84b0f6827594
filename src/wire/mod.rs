//! Bytes to values and back. Parsing never panics; emitting fills exactly its length.

#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)
)]

mod addresses;
mod body;
mod describe;
mod error;
mod fields;
mod frame;
mod hook;
mod opcode;
mod pcap;
mod unarp;

pub use addresses::Addresses;
pub use body::{ArpOperation, Body, Garp, RarpOperation};
pub use error::{EmitError, ParseError};
pub use fields::Field;
pub use frame::Frame;
pub use hook::{HookMessage, ParseHookError};
pub use opcode::Opcode;
pub use pcap::Capture;
pub use unarp::Unarp;
