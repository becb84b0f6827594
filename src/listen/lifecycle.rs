//! libvirt lifecycle events to engine words.
