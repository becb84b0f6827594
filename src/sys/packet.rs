//! An `AF_PACKET` socket that only sends.

use std::io;
use std::mem::zeroed;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

#[expect(clippy::cast_possible_truncation, reason = "the number is 17")]
const FAMILY: libc::sa_family_t = libc::AF_PACKET as libc::sa_family_t;
#[expect(clippy::cast_possible_truncation, reason = "twenty octets")]
const ADDRESS_LENGTH: libc::socklen_t = size_of::<libc::sockaddr_ll>() as libc::socklen_t;

/// One socket for every link: bound to none, so opening it waits for nothing and it never hears a
/// frame (protocol 0, packet(7)).
#[derive(Debug)]
pub struct PacketSocket {
    socket: OwnedFd,
}

impl PacketSocket {
    /// Opens the socket, non-blocking and close-on-exec.
    ///
    /// # Errors
    ///
    /// `EPERM` without `CAP_NET_RAW`; `EMFILE`, `ENFILE`, `ENOMEM`; `EAFNOSUPPORT` on a kernel
    /// without packet sockets.
    pub fn open() -> io::Result<Self> {
        let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
        // SAFETY: socket(2) takes plain numbers.
        let descriptor = unsafe { libc::socket(libc::AF_PACKET, kind, 0) };
        if descriptor < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: socket(2) returned this descriptor and nobody else has it.
        let socket = unsafe { OwnedFd::from_raw_fd(descriptor) };
        Ok(Self { socket })
    }

    /// Sends a whole Ethernet frame out of the link with number `ifindex`. Allocates nothing.
    ///
    /// The address names no protocol, so the kernel reads it from the frame
    /// (`packet_parse_headers` in `net/packet/af_packet.c`). That matters for a tagged frame on a
    /// bridge that filters VLANs: with the inner `EtherType` in the address the bridge takes the
    /// frame for an untagged one and puts it into its own VLAN.
    ///
    /// # Errors
    ///
    /// `ENXIO` or `ENODEV` (no such link), `ENETDOWN` (it is down), `ENOBUFS` or `EAGAIN` (a queue
    /// is full), `EMSGSIZE`, `EPERM`.
    pub fn send(&self, ifindex: u32, frame: &[u8]) -> io::Result<()> {
        // SAFETY: sockaddr_ll is plain numbers, for which all zero bits are a value.
        let mut address: libc::sockaddr_ll = unsafe { zeroed() };
        address.sll_family = FAMILY;
        address.sll_ifindex = i32::try_from(ifindex).map_err(|_| io::ErrorKind::InvalidInput)?;
        // SAFETY: `frame` and `address` are live for the call and the lengths are theirs.
        let sent = unsafe {
            libc::sendto(
                self.socket.as_raw_fd(),
                frame.as_ptr().cast(),
                frame.len(),
                0,
                (&raw const address).cast(),
                ADDRESS_LENGTH,
            )
        };
        // A packet socket sends a frame whole or not at all.
        if sent < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(())
    }
}
