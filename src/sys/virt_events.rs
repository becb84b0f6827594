//! Sound registration of libvirt's callbacks.
