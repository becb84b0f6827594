//! Why the agent does not run, and the exit status that says so.

use std::io;
use std::net::SocketAddr;

use super::honour::OpenHonourError;
use super::lock::LockError;
use super::record::StartRecordError;
use crate::config::LoadConfigError;
use crate::emit::OpenEmitterError;
use crate::listen::libvirt::StartListenerError;
use crate::metrics::RegisterMetricsError;
use crate::sys::named_socket::BindSocketError;

/// Why the agent did not start, or ended.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The settings are wrong.
    #[error(transparent)]
    Config(#[from] LoadConfigError),
    /// Another agent runs here.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// No recording.
    #[error(transparent)]
    Record(#[from] StartRecordError),
    /// The HTTP address is not to be had.
    #[error("cannot listen on {address} for HTTP; [metrics] listen names another address")]
    Http {
        /// Where.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// The control socket is not to be had.
    #[error(transparent)]
    Control(#[from] BindSocketError),
    /// There is no way into the network.
    #[error(transparent)]
    Emitter(#[from] OpenEmitterError),
    /// The kernel does not answer questions.
    #[error("cannot open a netlink socket")]
    Stager(#[source] io::Error),
    /// The kernel does not tell of links.
    #[error("cannot watch the links of this host")]
    Links(#[source] io::Error),
    /// Addresses of guests are not to be heard.
    #[error("cannot listen for the addresses of guests")]
    Addresses(#[source] io::Error),
    /// UNARPs cannot be honoured.
    #[error(transparent)]
    Honour(#[from] OpenHonourError),
    /// libvirt's client library does not work.
    #[error(transparent)]
    Listener(#[from] StartListenerError),
    /// Metrics cannot be registered.
    #[error(transparent)]
    Metrics(#[from] RegisterMetricsError),
    /// No runtime, thread or signal handler.
    #[error("cannot start a runtime")]
    Runtime(#[source] io::Error),
    /// The driver's thread is gone.
    #[error("the driver ended unasked; the log above says why")]
    DriverGone,
}

impl RunError {
    /// The exit status of `sysexits.h` that says which kind of trouble it is.
    pub(super) fn status(&self) -> u8 {
        /// `EX_UNAVAILABLE`: something that it needs is not to be had.
        const UNAVAILABLE: u8 = 69;
        /// `EX_SOFTWARE`: a fault of this program.
        const SOFTWARE: u8 = 70;
        /// `EX_CANTCREAT`: a file cannot be created.
        const CANNOT_CREATE: u8 = 73;
        /// `EX_NOPERM`: a privilege is missing.
        const NO_PERMISSION: u8 = 77;
        /// `EX_CONFIG`: the settings are wrong.
        const CONFIG: u8 = 78;
        let denied = {
            let mut source: Option<&(dyn std::error::Error + 'static)> = Some(self);
            std::iter::from_fn(move || {
                let this = source?;
                source = this.source();
                Some(this)
            })
            .filter_map(|error| error.downcast_ref::<io::Error>())
            .any(|error| error.kind() == io::ErrorKind::PermissionDenied)
        };
        match self {
            Self::Config(_) => CONFIG,
            _ if denied => NO_PERMISSION,
            Self::Record(_) => CANNOT_CREATE,
            Self::Metrics(_) | Self::DriverGone => SOFTWARE,
            Self::Lock(_)
            | Self::Http { .. }
            | Self::Control(_)
            | Self::Emitter(_)
            | Self::Stager(_)
            | Self::Links(_)
            | Self::Addresses(_)
            | Self::Honour(_)
            | Self::Listener(_)
            | Self::Runtime(_) => UNAVAILABLE,
        }
    }
}

/// An error and its causes on one line.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        line.push_str(": ");
        line.push_str(&error.to_string());
        cause = error.source();
    }
    line
}
