//! The six functions that libvirt calls. They have no opaque of their own, hence the static.

use std::ffi::{c_int, c_void};
use std::io;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use virt::sys;

use super::shared::Shared;

/// The loop of this process: libvirt takes one implementation and keeps it.
static SHARED: OnceLock<Arc<Shared>> = OnceLock::new();

/// Held while the loop is made, so that it is made and registered once.
static MAKING: Mutex<()> = Mutex::new(());

/// Makes the loop and hands it to libvirt, the first time; later it is the same one.
pub(super) fn register() -> io::Result<Arc<Shared>> {
    let _making = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(shared) = SHARED.get() {
        return Ok(Arc::clone(shared));
    }
    let shared = Arc::new(Shared::new()?);
    let shared = SHARED.get_or_init(|| shared);
    // SAFETY: all six functions follow virEventRegisterImpl's contract and live as long as the
    // process, as does what they use.
    unsafe {
        sys::virEventRegisterImpl(
            Some(add_handle),
            Some(update_handle),
            Some(remove_handle),
            Some(add_timeout),
            Some(update_timeout),
            Some(remove_timeout),
        );
    }
    Ok(Arc::clone(shared))
}

unsafe extern "C" fn add_handle(
    fd: c_int,
    mask: c_int,
    callback: sys::virEventHandleCallback,
    opaque: *mut c_void,
    free: sys::virFreeCallback,
) -> c_int {
    let (Some(shared), Some(callback)) = (SHARED.get(), callback) else {
        return -1;
    };
    // SAFETY: libvirt promises what `Handles::add` asks for.
    unsafe { shared.add_handle(fd, mask, callback, opaque, free) }
}

unsafe extern "C" fn update_handle(watch: c_int, mask: c_int) {
    if let Some(shared) = SHARED.get() {
        shared.update_handle(watch, mask);
    }
}

unsafe extern "C" fn remove_handle(watch: c_int) -> c_int {
    SHARED
        .get()
        .map_or(-1, |shared| shared.remove_handle(watch))
}

unsafe extern "C" fn add_timeout(
    millis: c_int,
    callback: sys::virEventTimeoutCallback,
    opaque: *mut c_void,
    free: sys::virFreeCallback,
) -> c_int {
    let (Some(shared), Some(callback)) = (SHARED.get(), callback) else {
        return -1;
    };
    // SAFETY: libvirt promises what `Timers::add` asks for.
    unsafe { shared.add_timeout(millis, callback, opaque, free) }
}

unsafe extern "C" fn update_timeout(id: c_int, millis: c_int) {
    if let Some(shared) = SHARED.get() {
        shared.update_timeout(id, millis);
    }
}

unsafe extern "C" fn remove_timeout(id: c_int) -> c_int {
    SHARED.get().map_or(-1, |shared| shared.remove_timeout(id))
}
