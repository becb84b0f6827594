//! The address of a link of this host.

use std::io;
use std::mem::zeroed;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use crate::model::{LinkName, MacAddr};

/// The hardware address of a link (`SIOCGIFHWADDR`, netdevice(7)).
///
/// # Errors
///
/// `ENODEV` where there is no such link; `EMFILE`, `ENFILE`, `ENOMEM`.
pub fn link_address(link: &LinkName) -> io::Result<MacAddr> {
    // SAFETY: socket(2) takes plain numbers.
    let descriptor =
        unsafe { libc::socket(libc::AF_UNIX, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) };
    if descriptor < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: socket(2) returned this descriptor and nobody else has it.
    let socket = unsafe { OwnedFd::from_raw_fd(descriptor) };
    // SAFETY: ifreq is plain numbers, for which all zero bits are a value.
    let mut request: libc::ifreq = unsafe { zeroed() };
    // A link's name is shorter than the field, so a NUL stays behind it.
    for (place, octet) in request.ifr_name.iter_mut().zip(link.as_str().bytes()) {
        *place = libc::c_char::from_ne_bytes([octet]);
    }
    // SAFETY: the request lives through the call and is what this one reads and writes.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFHWADDR, &raw mut request) };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel wrote this member.
    let address = unsafe { request.ifr_ifru.ifru_hwaddr };
    let mut octets = [0; 6];
    for (octet, written) in octets.iter_mut().zip(address.sa_data) {
        [*octet] = written.to_ne_bytes();
    }
    Ok(MacAddr::new(octets))
}

#[cfg(test)]
mod tests;
