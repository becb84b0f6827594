//! libvirt's event loop on one epoll.
