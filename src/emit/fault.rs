//! Error numbers as reasons.

use std::io;

use crate::model::SendFault;

/// The reason that an error number stands for.
pub(super) const fn of_errno(errno: i32) -> SendFault {
    match errno {
        libc::ENETDOWN => SendFault::NetDown,
        libc::ENOBUFS | libc::EAGAIN | libc::ENOMEM => SendFault::NoBuffers,
        libc::ENXIO | libc::ENODEV => SendFault::NoDevice,
        libc::EPERM | libc::EACCES => SendFault::NotPermitted,
        _ => SendFault::Other,
    }
}

/// The reason that a failed call stands for.
pub(super) fn of_io(error: &io::Error) -> SendFault {
    error.raw_os_error().map_or(SendFault::Other, of_errno)
}

/// What an injection's return value stands for (`bpf_clone_redirect` in `net/core/filter.c`).
pub(super) const fn of_injection(returned: i32) -> Result<(), SendFault> {
    match returned {
        0 => Ok(()),
        // NET_RX_DROP: the link is down. A full backlog of the CPU says the same.
        1 => Err(SendFault::NetDown),
        // The helper knows no other reason for EINVAL than an ifindex without a link.
        returned if returned == -libc::EINVAL => Err(SendFault::NoDevice),
        returned if returned == -libc::ENOMEM => Err(SendFault::NoBuffers),
        _ => Err(SendFault::Refused),
    }
}

#[cfg(test)]
mod tests;
