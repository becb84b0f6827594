//! macmoved tells the network that a virtual machine has moved.
//!
//! The modules are layers, lowest first; imports go downward only (see ARCHITECTURE.md).

#![cfg_attr(
    test,
    expect(
        clippy::wildcard_enum_match_arm,
        clippy::redundant_clone,
        clippy::too_many_lines,
        reason = "a test looks for one case, and a table is one piece"
    )
)]

// What tests of this library share with those beside it calls it by its name.
#[cfg(test)]
extern crate self as macmoved;

#[deny(clippy::disallowed_methods, clippy::disallowed_types)]
pub mod model;
#[deny(clippy::disallowed_methods, clippy::disallowed_types)]
pub mod wire;

#[deny(clippy::disallowed_methods, clippy::disallowed_types)]
pub mod engine;

pub mod config;
pub mod sys;

pub mod emit;
pub mod listen;
pub mod observe;

#[cfg(feature = "agent")]
pub mod metrics;

#[cfg(feature = "agent")]
pub mod control;

#[cfg(feature = "agent")]
pub mod daemon;

#[cfg(feature = "agent")]
pub mod cli;
