//! A connection to libvirt and its domains, as far as this agent asks.
//!
//! Built on `virt`, whose own wrappers are kept for opening, listing and looking up. Done here
//! instead: dropping, since `virt`'s `Drop` panics where libvirt refuses; the state of a domain,
//! since `virt` ignores the error; and lists, whose elements must not panic either.
//! All of it blocks for as long as libvirt takes to answer, unless it says otherwise.

use std::ffi::{CStr, CString, c_int};
use std::mem::ManuallyDrop;
use std::ptr;
use std::time::Duration;

use virt::connect::Connect;
use virt::domain::Domain as VirtDomain;
use virt::error::{Error, clear_error_callback};
use virt::sys;

use crate::model::{GuestId, GuestName};

/// What libvirt said was wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("libvirt: {message}")]
pub struct VirtError {
    /// `VIR_ERR_*`.
    code: u32,
    message: String,
}

impl VirtError {
    /// The error of this thread's last call, which must have failed.
    pub(super) fn last() -> Self {
        Self::from(Error::last_error())
    }

    /// Whether libvirt knows no such domain.
    #[must_use]
    pub const fn is_no_domain(&self) -> bool {
        self.code == sys::VIR_ERR_NO_DOMAIN
    }

    /// Whether the driver behind the connection cannot do this at all.
    #[must_use]
    pub const fn is_no_support(&self) -> bool {
        self.code == sys::VIR_ERR_NO_SUPPORT
    }
}

impl From<Error> for VirtError {
    fn from(error: Error) -> Self {
        Self {
            code: error.code().to_raw(),
            message: printable(error.message()),
        }
    }
}

/// libvirt quotes domain names, which tenants write, in its messages.
fn printable(message: &str) -> String {
    GuestName::new(message.replace('"', "'")).to_string()
}

/// What the agent may do through a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Access {
    /// Everything, QEMU's own events among it.
    #[default]
    Full,
    /// Reading: libvirt's events, no QEMU events.
    ReadOnly,
}

/// An open connection. Dropping it gives back this reference; registrations hold their own.
#[derive(Debug)]
pub struct Connection(ManuallyDrop<Connect>);

impl Connection {
    /// Opens a connection. The event loop must be registered before the first one.
    pub fn open(uri: &CStr, access: Access) -> Result<Self, VirtError> {
        // libvirt would print each error to stderr; here they are returned.
        clear_error_callback();
        let pointer = match access {
            // SAFETY: `uri` is a C string that outlives the call.
            Access::Full => unsafe { sys::virConnectOpen(uri.as_ptr()) },
            // SAFETY: as above.
            Access::ReadOnly => unsafe { sys::virConnectOpenReadOnly(uri.as_ptr()) },
        };
        if pointer.is_null() {
            return Err(VirtError::last());
        }
        // SAFETY: libvirt returned a reference, which the wrapper takes over.
        Ok(Self(ManuallyDrop::new(unsafe {
            Connect::from_ptr(pointer)
        })))
    }

    /// Another reference to the same connection. Local.
    pub(super) fn reference(&self) -> Result<Self, VirtError> {
        // SAFETY: the connection is open while `self` lives.
        if unsafe { sys::virConnectRef(self.as_ptr()) } < 0 {
            return Err(VirtError::last());
        }
        // SAFETY: the reference just taken belongs to the new wrapper.
        Ok(Self(ManuallyDrop::new(unsafe {
            Connect::from_ptr(self.as_ptr())
        })))
    }

    /// The raw pointer, valid while `self` lives.
    pub(super) fn as_ptr(&self) -> sys::virConnectPtr {
        // SAFETY: the pointer is only passed to calls that end before `self` does.
        unsafe { self.0.as_ptr() }
    }

    /// Has libvirt ask the other end for a sign of life every `interval`, and close the connection
    /// after `count` without an answer.
    pub fn set_keepalive(&self, interval: Duration, count: u32) -> Result<(), VirtError> {
        let seconds = i32::try_from(interval.as_secs().max(1)).unwrap_or(i32::MAX);
        Ok(self.0.set_keep_alive(seconds, count)?)
    }

    /// Whether the connection is still open. Local.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        // SAFETY: the connection is open while `self` lives.
        let alive = unsafe { sys::virConnectIsAlive(self.as_ptr()) };
        // An error (-1) is that of a driver that cannot tell, being in this process.
        alive != 0
    }

    /// The libvirt at the other end, as 1,000,000 times its major plus 1,000 times its minor number
    /// plus its release.
    pub fn libvirt_version(&self) -> Result<u32, VirtError> {
        Ok(self.0.lib_version()?)
    }

    /// Every domain, running or not.
    pub fn domains(&self) -> Result<Vec<Domain>, VirtError> {
        let domains = self.0.list_all_domains(0)?;
        Ok(domains.into_iter().map(Domain::hold).collect())
    }

    /// The domain with this UUID.
    pub fn domain(&self, guest: GuestId) -> Result<Domain, VirtError> {
        let octets = guest.octets();
        // SAFETY: `octets` are the 16 that libvirt reads; the connection is open.
        let pointer = unsafe { sys::virDomainLookupByUUID(self.as_ptr(), octets.as_ptr()) };
        Domain::own(pointer)
    }

    /// The domain of this name.
    pub fn domain_by_name(&self, name: &CStr) -> Result<Domain, VirtError> {
        // SAFETY: `name` is a C string that outlives the call; the connection is open.
        let pointer = unsafe { sys::virDomainLookupByName(self.as_ptr(), name.as_ptr()) };
        Domain::own(pointer)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // SAFETY: this wrapper owns one reference and is not used again. Being the last one is
        // told by the return value, a bad pointer by -1, which cannot be.
        unsafe { sys::virConnectClose(self.as_ptr()) };
    }
}

/// A reference to a domain.
#[derive(Debug)]
pub struct Domain(ManuallyDrop<VirtDomain>);

impl Domain {
    fn hold(domain: VirtDomain) -> Self {
        Self(ManuallyDrop::new(domain))
    }

    fn own(pointer: sys::virDomainPtr) -> Result<Self, VirtError> {
        if pointer.is_null() {
            return Err(VirtError::last());
        }
        // SAFETY: libvirt returned a reference, which the wrapper takes over.
        Ok(Self::hold(unsafe { VirtDomain::from_ptr(pointer) }))
    }

    /// The raw pointer, valid while `self` lives.
    pub(super) fn as_ptr(&self) -> sys::virDomainPtr {
        // SAFETY: the pointer is only passed to calls that end before `self` does.
        unsafe { self.0.as_ptr() }
    }

    /// Its UUID. Local.
    pub fn id(&self) -> Result<GuestId, VirtError> {
        // SAFETY: the domain is referenced while `self` lives.
        unsafe { guest_id(self.as_ptr()) }.ok_or_else(VirtError::last)
    }

    /// Its name. Local.
    pub fn name(&self) -> Result<GuestName, VirtError> {
        Ok(GuestName::new(self.0.name()?))
    }

    /// `virDomainState` and the reason, whose meaning depends on it.
    pub fn state(&self) -> Result<(i32, i32), VirtError> {
        let (mut state, mut reason): (c_int, c_int) = (0, 0);
        // SAFETY: both integers live through the call; the domain is referenced.
        let result =
            unsafe { sys::virDomainGetState(self.as_ptr(), &raw mut state, &raw mut reason, 0) };
        if result < 0 {
            return Err(VirtError::last());
        }
        Ok((state, reason))
    }

    /// Whether libvirt has statistics of such an interface, named by its link or its address.
    pub(super) fn interface_stats(&self, interface: &str) -> bool {
        self.0.interface_stats(interface).is_ok()
    }

    /// Its XML as it runs, or as it is defined where it does not; without secrets. May wait for the
    /// job under way, see [`super::virt_links`].
    pub fn xml(&self) -> Result<String, VirtError> {
        Ok(self.0.xml_desc(0)?)
    }
}

impl Drop for Domain {
    fn drop(&mut self) {
        // SAFETY: this wrapper owns one reference and is not used again; only a bad pointer, which
        // this is not, would be refused.
        unsafe { sys::virDomainFree(self.as_ptr()) };
    }
}

/// The UUID of a domain that libvirt lends. Local.
///
/// # Safety
/// `domain` must be null or a domain that is referenced through the call.
pub(super) unsafe fn guest_id(domain: sys::virDomainPtr) -> Option<GuestId> {
    let mut octets = [0_u8; sys::VIR_UUID_BUFLEN as usize];
    // SAFETY: `octets` are the 16 that libvirt writes; the caller vouches for the domain, and
    // libvirt refuses null.
    let result = unsafe { sys::virDomainGetUUID(domain, octets.as_mut_ptr()) };
    (result == 0).then(|| GuestId::new(octets))
}

/// The text as libvirt takes it; none where it has a NUL octet, which no URI and no name has.
#[must_use]
pub fn c_string(text: &str) -> Option<CString> {
    CString::new(text).ok()
}

/// A null domain: every domain of the connection.
pub(super) const EVERY_DOMAIN: sys::virDomainPtr = ptr::null_mut();
