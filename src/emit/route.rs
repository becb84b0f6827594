//! The ways into the network.

use std::fmt;

/// How one frame enters the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// As if the guest had sent it: the host's own bridge learns from it and floods it, and
    /// nothing that is not the guest's own stays behind.
    Injection,
    /// A forwarding entry on the guest's port, then [`Route::Injection`]: for ports that do not
    /// learn, so that the own bridge knows where to send what the announcement attracts.
    EntryAndInjection,
    /// A forwarding entry on the guest's port, then the frame out of the bridge device. The entry
    /// has to come first: a frame from the bridge device does not correct the bridge's own table,
    /// and with a stale entry there every frame for the guest would be dropped on arrival.
    EntryAndBridge,
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Injection => "injection",
            Self::EntryAndInjection => "entry, then injection",
            Self::EntryAndBridge => "entry, then bridge",
        })
    }
}

/// Which way is to be taken. Only tests have a reason to choose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RouteChoice {
    /// Injection, and the bridge device where the kernel does not let this process inject.
    #[default]
    Auto,
    /// Injection or nothing.
    Injection,
    /// Forwarding entry and bridge device, also where injection would work.
    Fdb,
}
