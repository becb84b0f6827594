//! The connection to libvirt.
