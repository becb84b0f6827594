//! How the outside looks in and asks: D-Bus on a private socket, and HTTP.
//!
//! ```text
//!  watch<Snapshot> --+             +--> http    anyone who reaches the port: metrics and health
//!  watch<Facts> -----+--> View ----+
//!  watch<Brakes> ----+             |
//!  Metrics ----------+             +--> dbus    root: status, guests, history, plan, pause, resume
//!                                        |
//!  driver <---- mpsc<Request> -----------+
//!  brakes <---- mpsc<BrakeOrder> --------+
//! ```
//!
//! Reading never waits for the driver and cannot hold it up. Whatever needs the driver is a
//! [`Request`] in a bounded queue. The brakes have a queue of their own, so that they work while
//! the driver is busy.

pub mod client;
pub mod dbus;
pub mod http;

mod brakes;
mod request;
mod status;
mod view;

pub use brakes::{
    BRAKE_ORDERS, BrakeFault, BrakeOrder, Brakes, BrakesStatus, LONGEST_PAUSE, Pause, PausedBy,
};
pub use dbus::AgentFault;
pub use request::{REQUESTS, Request, RequestFault};
pub use status::{
    AddressCounts, DropCount, FaultCount, GuestCounts, MigrationCount, Status, UnarpRefusalCount,
    UnarpStatus,
};
pub use view::{Facts, View};

/// The interface on D-Bus; its number rises when a method changes its meaning.
pub const INTERFACE: &str = "org.macmoved.Agent1";
/// The one object that has it.
pub const PATH: &str = "/org/macmoved/Agent1";

#[cfg(test)]
mod fixture;
