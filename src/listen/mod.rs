//! Translates what libvirt says into engine events.

pub mod domain_xml;
pub mod hook;
pub mod job;
pub mod leases;
pub mod libvirt;
pub mod lifecycle;
pub mod qmp;
