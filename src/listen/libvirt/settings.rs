//! How to reach libvirt, and how patiently.

use std::time::Duration;

pub use crate::sys::virt_connection::Access;

/// How to reach libvirt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The connection URI, `qemu:///system` on a KVM host.
    pub uri: String,
    /// What to ask for. Without [`Access::Full`] there are no QMP events.
    pub access: Access,
    /// How a daemon that hangs is noticed.
    pub keepalive: Keepalive,
    /// How long to wait between attempts to connect.
    pub backoff: Backoff,
}

impl Settings {
    /// Settings with the default keepalive and backoff.
    #[must_use]
    pub fn new(uri: impl Into<String>, access: Access) -> Self {
        Self {
            uri: uri.into(),
            access,
            keepalive: Keepalive::default(),
            backoff: Backoff::default(),
        }
    }
}

/// Signs of life that libvirt asks its daemon for.
///
/// The default gives a daemon 15 to 20 s. One that is stopped for longer has delivered no event
/// for as long, so the agent had better say so; one that is merely loaded answers keepalives
/// from a thread of their own within milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keepalive {
    /// Between two requests, in whole seconds, at least 1.
    pub interval: Duration,
    /// Requests without an answer after which the connection counts as dead.
    pub count: u32,
}

impl Default for Keepalive {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(5),
            count: 3,
        }
    }
}

/// Waits between attempts to connect: the first after `min`, then twice as long each time, up to
/// `max`. A connection that stood starts again at `min`.
///
/// The default notices a daemon that restarts within 100 ms and asks for one that is not there
/// 12 times a minute. There is one agent a host, so there is no herd to spread with jitter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The first wait.
    pub min: Duration,
    /// The longest wait.
    pub max: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            min: Duration::from_millis(100),
            max: Duration::from_secs(5),
        }
    }
}

impl Backoff {
    /// The wait after one of `wait`; the first where there was none.
    #[must_use]
    pub(super) fn after(self, wait: Option<Duration>) -> Duration {
        wait.map_or(self.min, |wait| wait.saturating_mul(2))
            .min(self.max)
    }
}
