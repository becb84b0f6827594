//! Sound registration of libvirt's callbacks, which `virt` does not wrap.
//!
//! What libvirt's client does with a callback shapes all of this:
//! - It tells registrations apart by connection, event and C function, so each event is
//!   registered once a connection ([`Sink`] has a method for each).
//! - It frees a registration's data within the deregistration, with its own lock held, or later
//!   on the dispatching thread. So a sink must own nothing whose drop calls libvirt.
//! - It does not free the data of a registration that it refuses.
//! - It runs callbacks on the dispatching thread, the close callback with its lock held, so no
//!   callback may call libvirt beyond what is local.
//! - A domain that it passes is lent.

mod trampolines;
mod typed_params;

#[cfg(test)]
mod tests;

use std::ffi::{CStr, c_int, c_void};
use std::mem;
use std::sync::Arc;

use virt::sys;

pub use self::typed_params::{TypedParams, Value};
use super::virt_connection::{Connection, EVERY_DOMAIN, VirtError};
use crate::model::{GuestId, Instant};

/// QEMU's events that matter here, as the regular expression that libvirt filters by.
const MONITOR_EVENTS: &CStr = c"^(MIGRATION|STOP|RESUME)$";

/// Receives events on the thread that dispatches. `at` is the entry of the C callback.
///
/// Methods must not block, must not call libvirt, and must not panic (a panic is caught and the
/// event is lost). Dropping a sink must not call libvirt either.
pub trait Sink: Send + Sync + 'static {
    /// `VIR_DOMAIN_EVENT_ID_LIFECYCLE`: `virDomainEventType` and its detail.
    fn lifecycle(&self, at: Instant, guest: GuestId, event: i32, detail: i32);

    /// An event of a guest's QEMU: its QMP name, QEMU's stamp on the realtime clock, and the JSON
    /// text of its `data`, where it has some.
    fn monitor(&self, at: Instant, guest: GuestId, event: MonitorEvent<'_>);

    /// `VIR_DOMAIN_EVENT_ID_JOB_COMPLETED`.
    fn job_completed(&self, at: Instant, guest: GuestId, params: TypedParams<'_>);

    /// The connection is gone. Comes once, with libvirt's lock held, and perhaps on another
    /// thread than the dispatching one.
    fn closed(&self, reason: CloseReason);
}

/// What libvirt says of one QMP event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MonitorEvent<'a> {
    /// `STOP` and so on.
    pub name: &'a CStr,
    /// Seconds since the Unix epoch; negative where QEMU did not know.
    pub seconds: i64,
    /// Microseconds beyond the seconds.
    pub micros: u32,
    /// The JSON text of `data`.
    pub details: Option<&'a CStr>,
}

/// Why a connection closed (`virConnectCloseReason`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// An IO fault.
    Error,
    /// The daemon hung up.
    Eof,
    /// The daemon gave no sign of life.
    Keepalive,
    /// This process asked for it.
    Client,
    /// A reason that libvirt has grown since.
    Other,
}

impl CloseReason {
    fn new(reason: c_int) -> Self {
        match u32::try_from(reason) {
            Ok(sys::VIR_CONNECT_CLOSE_REASON_ERROR) => Self::Error,
            Ok(sys::VIR_CONNECT_CLOSE_REASON_EOF) => Self::Eof,
            Ok(sys::VIR_CONNECT_CLOSE_REASON_KEEPALIVE) => Self::Keepalive,
            Ok(sys::VIR_CONNECT_CLOSE_REASON_CLIENT) => Self::Client,
            Ok(_) | Err(_) => Self::Other,
        }
    }
}

/// Which of libvirt's callbacks a registration is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Domain { id: c_int },
    Monitor { id: c_int },
    Close,
}

/// A callback that is registered. Dropping it deregisters, which asks libvirt and so blocks; on a
/// dead connection libvirt reports an error and has let go nevertheless.
///
/// It holds its connection open.
#[derive(Debug)]
pub struct Registration {
    connection: Connection,
    kind: Kind,
}

/// A sink as C sees it: a thin pointer to a fat one.
type Opaque = Arc<dyn Sink>;

impl Registration {
    /// Registers [`Sink::lifecycle`] for every domain.
    pub fn lifecycle(connection: &Connection, sink: &Arc<dyn Sink>) -> Result<Self, VirtError> {
        let callback: unsafe extern "C" fn(_, _, _, _, _) -> _ = trampolines::lifecycle;
        // SAFETY: libvirt casts a generic callback back to the type of its event id before it
        // calls it, and this is the type of lifecycle events.
        let callback = unsafe { mem::transmute::<trampolines::Lifecycle, Generic>(callback) };
        Self::domain_event(
            connection,
            sink,
            sys::VIR_DOMAIN_EVENT_ID_LIFECYCLE,
            callback,
        )
    }

    /// Registers [`Sink::job_completed`] for every domain.
    pub fn job_completed(connection: &Connection, sink: &Arc<dyn Sink>) -> Result<Self, VirtError> {
        let callback: unsafe extern "C" fn(_, _, _, _, _) = trampolines::job_completed;
        // SAFETY: as above; this is the type of job-completed events.
        let callback = unsafe { mem::transmute::<trampolines::JobCompleted, Generic>(callback) };
        Self::domain_event(
            connection,
            sink,
            sys::VIR_DOMAIN_EVENT_ID_JOB_COMPLETED,
            callback,
        )
    }

    fn domain_event(
        connection: &Connection,
        sink: &Arc<dyn Sink>,
        event: sys::virDomainEventID,
        callback: Generic,
    ) -> Result<Self, VirtError> {
        Self::register(connection, sink, |connection, opaque| {
            // SAFETY: the connection is open; callback and opaque fit each other and both live
            // until `free` has been called with the opaque.
            let id = unsafe {
                sys::virConnectDomainEventRegisterAny(
                    connection,
                    EVERY_DOMAIN,
                    event.cast_signed(),
                    Some(callback),
                    opaque,
                    Some(trampolines::free),
                )
            };
            (id >= 0).then_some(Kind::Domain { id })
        })
    }

    /// Registers [`Sink::monitor`] for every domain of QEMU. Needs [`super::virt_connection::Access::Full`].
    pub fn monitor(connection: &Connection, sink: &Arc<dyn Sink>) -> Result<Self, VirtError> {
        Self::register(connection, sink, |connection, opaque| {
            // SAFETY: as for domain events; the expression is a static C string.
            let id = unsafe {
                sys::virConnectDomainQemuMonitorEventRegister(
                    connection,
                    EVERY_DOMAIN,
                    MONITOR_EVENTS.as_ptr(),
                    Some(trampolines::monitor),
                    opaque,
                    Some(trampolines::free),
                    sys::VIR_CONNECT_DOMAIN_QEMU_MONITOR_EVENT_REGISTER_REGEX,
                )
            };
            (id >= 0).then_some(Kind::Monitor { id })
        })
    }

    /// Registers [`Sink::closed`]. A connection has at most one such callback.
    pub fn closed(connection: &Connection, sink: &Arc<dyn Sink>) -> Result<Self, VirtError> {
        Self::register(connection, sink, |connection, opaque| {
            // SAFETY: as for domain events.
            let result = unsafe {
                sys::virConnectRegisterCloseCallback(
                    connection,
                    Some(trampolines::closed),
                    opaque,
                    Some(trampolines::free),
                )
            };
            (result == 0).then_some(Kind::Close)
        })
    }

    fn register(
        connection: &Connection,
        sink: &Arc<dyn Sink>,
        register: impl FnOnce(sys::virConnectPtr, *mut c_void) -> Option<Kind>,
    ) -> Result<Self, VirtError> {
        let connection = connection.reference()?;
        let opaque: Box<Opaque> = Box::new(Arc::clone(sink));
        let opaque = Box::into_raw(opaque);
        if let Some(kind) = register(connection.as_ptr(), opaque.cast()) {
            return Ok(Self { connection, kind });
        }
        // The error is this thread's last one: it is read before anything else is called.
        let error = VirtError::last();
        // SAFETY: libvirt refused and so has not kept the pointer, which came from `into_raw`.
        drop(unsafe { Box::from_raw(opaque) });
        Err(error)
    }
}

type Generic = unsafe extern "C" fn(sys::virConnectPtr, sys::virDomainPtr, *mut c_void);

impl Drop for Registration {
    fn drop(&mut self) {
        let connection = self.connection.as_ptr();
        let result = match self.kind {
            // SAFETY: the connection is held by `self`; the id is one that it returned.
            Kind::Domain { id } => unsafe {
                sys::virConnectDomainEventDeregisterAny(connection, id)
            },
            // SAFETY: as above.
            Kind::Monitor { id } => unsafe {
                sys::virConnectDomainQemuMonitorEventDeregister(connection, id)
            },
            // SAFETY: as above; a callback that is spent or of another is refused.
            Kind::Close => unsafe {
                sys::virConnectUnregisterCloseCallback(connection, Some(trampolines::closed))
            },
        };
        if result < 0 {
            tracing::debug!(
                error = %VirtError::last(),
                "libvirt could not be told of a deregistration; its own side is undone",
            );
        }
    }
}

/// The text that C lends, where there is one.
///
/// # Safety
/// `text` must be null or a C string that is not written to for `'a`.
unsafe fn text<'a>(text: *const std::ffi::c_char) -> Option<&'a CStr> {
    if text.is_null() {
        return None;
    }
    // SAFETY: it is not null, and the caller vouches for the rest.
    Some(unsafe { CStr::from_ptr(text) })
}
