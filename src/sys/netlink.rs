//! `NETLINK_ROUTE` sockets: one for requests that were built beforehand and are answered at once,
//! one that hears notifications.

use std::io;
use std::mem::zeroed;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

use netlink_packet_core::{
    Emitable, NLM_F_DUMP_INTR, NLMSG_DONE, NLMSG_ERROR, NetlinkBuffer, NetlinkHeader, parse_i32,
};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Largest datagram that the kernel builds for a dump (`netlink_dump` in
/// `net/netlink/af_netlink.c` allocates at most 32 KiB).
pub const DATAGRAM: usize = 32 * 1024;

#[expect(clippy::cast_possible_truncation, reason = "the number is 16")]
const FAMILY: libc::sa_family_t = libc::AF_NETLINK as libc::sa_family_t;
#[expect(clippy::cast_possible_truncation, reason = "twelve octets")]
const ADDRESS_LENGTH: libc::socklen_t = size_of::<libc::sockaddr_nl>() as libc::socklen_t;
#[expect(clippy::cast_possible_truncation, reason = "four octets")]
const OPTION_LENGTH: libc::socklen_t = size_of::<libc::c_int>() as libc::socklen_t;

/// A `NETLINK_ROUTE` socket, non-blocking and close-on-exec.
#[derive(Debug)]
pub struct NetlinkSocket {
    socket: OwnedFd,
}

impl NetlinkSocket {
    /// Opens the socket in the network namespace of the calling thread and joins the multicast
    /// groups of `groups` (bit `n - 1` for group `n`, groups 1 to 32).
    ///
    /// # Errors
    ///
    /// Those of socket(2) and bind(2). No capability is needed.
    pub fn open(groups: u32) -> io::Result<Self> {
        let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
        // SAFETY: socket(2) takes plain numbers.
        let descriptor = unsafe { libc::socket(libc::AF_NETLINK, kind, libc::NETLINK_ROUTE) };
        if descriptor < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: socket(2) returned this descriptor and nobody else has it.
        let socket = unsafe { OwnedFd::from_raw_fd(descriptor) };
        // SAFETY: sockaddr_nl is plain numbers, for which all zero bits are a value.
        let mut address: libc::sockaddr_nl = unsafe { zeroed() };
        address.nl_family = FAMILY;
        address.nl_groups = groups;
        // SAFETY: `address` is live for the call and the length is its own.
        let bound = unsafe {
            libc::bind(
                socket.as_raw_fd(),
                (&raw const address).cast(),
                ADDRESS_LENGTH,
            )
        };
        if bound < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(Self { socket })
    }

    /// Asks for a receive buffer of `octets`: past `net.core.rmem_max` with `CAP_NET_ADMIN`, up to
    /// it without.
    ///
    /// # Errors
    ///
    /// Those of setsockopt(2).
    pub fn set_receive_buffer(&self, octets: libc::c_int) -> io::Result<()> {
        self.set_option(libc::SO_RCVBUFFORCE, octets)
            .or_else(|_| self.set_option(libc::SO_RCVBUF, octets))
    }

    fn set_option(&self, option: libc::c_int, value: libc::c_int) -> io::Result<()> {
        // SAFETY: `value` is a live c_int and the length is its own.
        let outcome = unsafe {
            libc::setsockopt(
                self.socket.as_raw_fd(),
                libc::SOL_SOCKET,
                option,
                (&raw const value).cast(),
                OPTION_LENGTH,
            )
        };
        if outcome < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(())
    }

    /// Sends whole messages to the kernel, which has answered all of them but dumps when this
    /// returns. Allocates nothing.
    ///
    /// # Errors
    ///
    /// `ENOBUFS` or `EAGAIN`; what the kernel thinks of the messages comes as an answer.
    pub fn send(&self, messages: &[u8]) -> io::Result<()> {
        // SAFETY: `messages` is live for the call and the length is its own.
        let sent = unsafe {
            libc::send(
                self.socket.as_raw_fd(),
                messages.as_ptr().cast(),
                messages.len(),
                0,
            )
        };
        if sent < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(())
    }

    /// Receives one datagram of the kernel's into `buffer`, without waiting, and returns its
    /// length. Datagrams of other processes are thrown away.
    ///
    /// # Errors
    ///
    /// `EAGAIN` where none waits; `ENOBUFS` where the receive buffer was full and notifications
    /// are lost; [`io::ErrorKind::InvalidData`] where the datagram is longer than `buffer`.
    pub fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            // SAFETY: sockaddr_nl is plain numbers, for which all zero bits are a value.
            let mut sender: libc::sockaddr_nl = unsafe { zeroed() };
            let mut length = ADDRESS_LENGTH;
            // SAFETY: `buffer` and `sender` are live and exclusively borrowed for the call, and
            // the lengths are theirs.
            let received = unsafe {
                libc::recvfrom(
                    self.socket.as_raw_fd(),
                    buffer.as_mut_ptr().cast(),
                    buffer.len(),
                    // The datagram's true length, also where it does not fit.
                    libc::MSG_TRUNC,
                    (&raw mut sender).cast(),
                    &raw mut length,
                )
            };
            let Ok(received) = usize::try_from(received) else {
                return Err(io::Error::last_os_error());
            };
            if sender.nl_pid != KERNEL {
                continue;
            }
            if received > buffer.len() {
                return Err(io::ErrorKind::InvalidData.into());
            }
            return Ok(received);
        }
    }

    /// Waits until a datagram can be received, for `limit` at most; false when the time is up.
    ///
    /// # Errors
    ///
    /// Those of poll(2).
    pub fn wait(&self, limit: Duration) -> io::Result<bool> {
        let mut poll = libc::pollfd {
            fd: self.socket.as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        };
        let limit = libc::c_int::try_from(limit.as_millis()).unwrap_or(libc::c_int::MAX);
        // SAFETY: `poll` is one live pollfd, as the count says.
        let ready = unsafe { libc::poll(&raw mut poll, 1, limit) };
        if ready < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(ready > 0)
    }
}

impl AsRawFd for NetlinkSocket {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

/// The kernel's own address (netlink(7)).
const KERNEL: u32 = 0;

/// A [`NetlinkSocket`] whose datagrams a task awaits.
#[derive(Debug)]
pub struct NetlinkWatch {
    socket: AsyncFd<NetlinkSocket>,
}

impl NetlinkWatch {
    /// Registers `socket` with the runtime of the calling task.
    ///
    /// # Errors
    ///
    /// Those of `epoll_ctl(2)`.
    ///
    /// # Panics
    ///
    /// Outside a Tokio runtime with IO enabled.
    pub fn new(socket: NetlinkSocket) -> io::Result<Self> {
        // SAFETY: the descriptor is open, and `NetlinkSocket` neither closes nor replaces it while
        // the registration, which owns it, lives.
        let socket = unsafe { AsyncFd::register_with_interest(socket, Interest::READABLE) }
            .map_err(io::Error::from)?;
        Ok(Self { socket })
    }

    /// Sends whole messages to the kernel.
    ///
    /// # Errors
    ///
    /// As [`NetlinkSocket::send`].
    pub fn send(&self, messages: &[u8]) -> io::Result<()> {
        self.socket.get_ref().send(messages)
    }

    /// Receives one datagram of the kernel's, as soon as there is one. Safe to cancel: a datagram
    /// is taken only by the call that returns it.
    ///
    /// # Errors
    ///
    /// As [`NetlinkSocket::receive`], but for `EAGAIN`.
    pub async fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let mut ready = self.socket.readable().await?;
            if let Ok(outcome) = ready.try_io(|socket| socket.get_ref().receive(buffer)) {
                return outcome;
            }
        }
    }
}

/// A whole message around `payload`.
#[must_use]
pub fn message(kind: u16, flags: u16, sequence: u32, payload: &impl Emitable) -> Vec<u8> {
    let mut header = NetlinkHeader::default();
    let start = header.buffer_len();
    let mut octets = vec![0; start + payload.buffer_len()];
    header.length = u32::try_from(octets.len()).unwrap_or(u32::MAX);
    header.message_type = kind;
    header.flags = flags;
    header.sequence_number = sequence;
    header.emit(&mut octets);
    if let Some(rest) = octets.get_mut(start..) {
        payload.emit(rest);
    }
    octets
}

/// The messages of a datagram, up to the first that cannot be read.
pub fn messages(mut datagram: &[u8]) -> impl Iterator<Item = NetlinkBuffer<&[u8]>> {
    std::iter::from_fn(move || {
        let message = NetlinkBuffer::new_checked(datagram).ok()?;
        let length = usize::try_from(message.length()).ok()?;
        // Messages begin at multiples of four (NLMSG_ALIGN).
        let next = length.checked_next_multiple_of(4)?;
        datagram = datagram.get(next..).unwrap_or_default();
        Some(message)
    })
}

/// Asks for a dump through a socket of its own, and gives type and payload of every answer to
/// `each`.
///
/// # Errors
///
/// Those of the socket calls; the kernel's refusal; [`io::ErrorKind::Interrupted`] where changes
/// broke into the dump, so that it may lack something that exists.
///
/// # Panics
///
/// Outside a Tokio runtime with IO enabled.
pub async fn dump(request: &[u8], mut each: impl FnMut(u16, &[u8])) -> io::Result<()> {
    let watch = NetlinkWatch::new(NetlinkSocket::open(0)?)?;
    watch.send(request)?;
    let mut buffer = vec![0; DATAGRAM];
    let mut interrupted = false;
    loop {
        let length = watch.receive(&mut buffer).await?;
        for message in messages(buffer.get(..length).unwrap_or_default()) {
            interrupted |= message.flags() & NLM_F_DUMP_INTR != 0;
            match message.message_type() {
                kind @ (NLMSG_DONE | NLMSG_ERROR) => {
                    // Both begin with a negated error number; an acknowledgement has 0.
                    let verdict = message.payload().get(..4).map(parse_i32);
                    return match verdict {
                        Some(Ok(errno @ ..0)) => {
                            Err(io::Error::from_raw_os_error(errno.saturating_neg()))
                        }
                        _ if interrupted => Err(io::ErrorKind::Interrupted.into()),
                        _ if kind == NLMSG_DONE => Ok(()),
                        _ => continue,
                    };
                }
                kind => each(kind, message.payload()),
            }
        }
    }
}

#[cfg(test)]
mod tests;
