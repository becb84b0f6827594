//! The C functions behind a [`Sink`]. Each takes the time first, copies what libvirt lends, and
//! lets no panic through.

use std::ffi::{c_char, c_int, c_longlong, c_uint, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};

use virt::sys;

use super::{CloseReason, MonitorEvent, Opaque, Sink, TypedParams, text};
use crate::model::GuestId;
use crate::sys::clock;
use crate::sys::virt_connection::guest_id;

pub(super) type Lifecycle =
    unsafe extern "C" fn(sys::virConnectPtr, sys::virDomainPtr, c_int, c_int, *mut c_void) -> c_int;

pub(super) type JobCompleted = unsafe extern "C" fn(
    sys::virConnectPtr,
    sys::virDomainPtr,
    sys::virTypedParameterPtr,
    c_int,
    *mut c_void,
);

pub(super) unsafe extern "C" fn lifecycle(
    _connection: sys::virConnectPtr,
    domain: sys::virDomainPtr,
    event: c_int,
    detail: c_int,
    opaque: *mut c_void,
) -> c_int {
    let at = clock::now();
    // SAFETY: libvirt passes the opaque of the registration and lends the domain.
    let lent = unsafe { lent(domain, opaque) };
    guarded(lent, |sink, guest| sink.lifecycle(at, guest, event, detail));
    0
}

pub(super) unsafe extern "C" fn monitor(
    _connection: sys::virConnectPtr,
    domain: sys::virDomainPtr,
    name: *const c_char,
    seconds: c_longlong,
    micros: c_uint,
    details: *const c_char,
    opaque: *mut c_void,
) {
    let at = clock::now();
    // SAFETY: libvirt passes the opaque of the registration and lends the domain.
    let lent = unsafe { lent(domain, opaque) };
    // SAFETY: libvirt lends the name through this call.
    let name = unsafe { text(name) };
    // SAFETY: libvirt lends the details through this call, or passes null.
    let details = unsafe { text(details) };
    guarded(lent, |sink, guest| {
        if let Some(name) = name {
            let event = MonitorEvent {
                name,
                seconds,
                micros,
                details,
            };
            sink.monitor(at, guest, event);
        }
    });
}

pub(super) unsafe extern "C" fn job_completed(
    _connection: sys::virConnectPtr,
    domain: sys::virDomainPtr,
    params: sys::virTypedParameterPtr,
    count: c_int,
    opaque: *mut c_void,
) {
    let at = clock::now();
    // SAFETY: libvirt passes the opaque of the registration and lends the domain.
    let lent = unsafe { lent(domain, opaque) };
    // SAFETY: libvirt lends `count` parameters through this call.
    let params = unsafe { TypedParams::new(params, count) };
    guarded(lent, |sink, guest| sink.job_completed(at, guest, params));
}

pub(super) unsafe extern "C" fn closed(
    _connection: sys::virConnectPtr,
    reason: c_int,
    opaque: *mut c_void,
) {
    // SAFETY: libvirt passes the opaque of the registration.
    let sink = unsafe { sink(opaque) };
    let outcome = catch_unwind(AssertUnwindSafe(|| sink.closed(CloseReason::new(reason))));
    report(outcome.is_err());
}

/// Takes back what a registration gave; libvirt calls it once.
pub(super) unsafe extern "C" fn free(opaque: *mut c_void) {
    let opaque: *mut Opaque = opaque.cast();
    // SAFETY: the pointer came from `Box::into_raw` in `register`, and libvirt is done with it.
    let opaque = unsafe { Box::from_raw(opaque) };
    let outcome = catch_unwind(AssertUnwindSafe(|| drop(opaque)));
    report(outcome.is_err());
}

/// The sink behind an opaque.
///
/// # Safety
/// `opaque` must come from `register` and not have been freed; libvirt frees it after the last
/// call, so the reference is good for the length of one.
unsafe fn sink<'a>(opaque: *mut c_void) -> &'a dyn Sink {
    let opaque: *const Opaque = opaque.cast_const().cast();
    // SAFETY: by the caller's promise it points to a live `Opaque`, of which only shared
    // references are ever made.
    let sink: &Opaque = unsafe { &*opaque };
    sink.as_ref()
}

/// The sink and the guest of a domain event; none for a domain without a UUID, which libvirt
/// does not have.
///
/// # Safety
/// As for [`sink`], and `domain` must be lent by libvirt.
unsafe fn lent<'a>(
    domain: sys::virDomainPtr,
    opaque: *mut c_void,
) -> Option<(&'a dyn Sink, GuestId)> {
    // SAFETY: the caller's promise.
    let sink = unsafe { sink(opaque) };
    // SAFETY: the caller's promise.
    let guest = unsafe { guest_id(domain) }?;
    Some((sink, guest))
}

fn guarded(lent: Option<(&dyn Sink, GuestId)>, call: impl FnOnce(&dyn Sink, GuestId)) {
    let Some((sink, guest)) = lent else {
        return;
    };
    let outcome = catch_unwind(AssertUnwindSafe(|| call(sink, guest)));
    report(outcome.is_err());
}

fn report(panicked: bool) {
    if panicked {
        tracing::error!("a libvirt callback panicked; its event is lost");
    }
}
