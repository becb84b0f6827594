//! Translates what libvirt says into engine events.

pub mod domain_xml;
pub mod hook;
#[cfg(feature = "agent")]
pub mod job;
#[cfg(feature = "agent")]
pub mod leases;
#[cfg(feature = "agent")]
pub mod libvirt;
#[cfg(feature = "agent")]
pub mod lifecycle;
pub mod qmp;
