//! The DHCP leases of libvirt's own networks.

use std::ffi::{CStr, c_char, c_int};
use std::ptr;

use virt::sys;

use super::virt_connection::{Connection, VirtError};

/// A lease as libvirt has it: an IPv4 address, in libvirt's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawLease {
    /// Whose it is.
    pub mac: String,
    /// The address.
    pub ip: String,
    /// When it ends, in seconds since the Unix epoch; 0 for never.
    pub expiry: i64,
}

/// A reference to a network.
struct Network(sys::virNetworkPtr);

impl Drop for Network {
    fn drop(&mut self) {
        // SAFETY: this owns one reference and is not used again.
        unsafe { sys::virNetworkFree(self.0) };
    }
}

/// A list that libvirt returned: the array and each lease in it are the caller's to free.
struct List {
    first: *mut sys::virNetworkDHCPLeasePtr,
    count: usize,
}

impl Drop for List {
    fn drop(&mut self) {
        for lease in self.leases() {
            // SAFETY: the lease is libvirt's own and not used again.
            unsafe { sys::virNetworkDHCPLeaseFree(lease) };
        }
        // SAFETY: libvirt made the array with malloc; null is taken for none.
        unsafe { libc::free(self.first.cast()) };
    }
}

impl List {
    fn leases(&self) -> impl Iterator<Item = sys::virNetworkDHCPLeasePtr> {
        (0..self.count).map(|index| {
            // SAFETY: libvirt returned an array of so many.
            let place = unsafe { self.first.add(index) };
            // SAFETY: it is within the array, which lives as long as the list.
            unsafe { *place }
        })
    }
}

impl Connection {
    /// The IPv4 leases that the DHCP server of this network gave and that have not ended. None
    /// where libvirt runs no server for it. Takes a connection of any access, and as long as the
    /// network's lock: libvirt holds that while it starts a server.
    pub fn leases(&self, network: &CStr) -> Result<Vec<RawLease>, VirtError> {
        // SAFETY: `network` is a C string that outlives the call; the connection is open.
        let pointer = unsafe { sys::virNetworkLookupByName(self.as_ptr(), network.as_ptr()) };
        if pointer.is_null() {
            return Err(VirtError::last());
        }
        let network = Network(pointer);
        let mut list = List {
            first: ptr::null_mut(),
            count: 0,
        };
        // SAFETY: the network is referenced, null asks for every MAC address, and the result's
        // place lives through the call.
        let found =
            unsafe { sys::virNetworkGetDHCPLeases(network.0, ptr::null(), &raw mut list.first, 0) };
        list.count = usize::try_from(found).map_err(|_| VirtError::last())?;
        Ok(list.leases().filter_map(read).collect())
    }
}

/// Copies one lease; none where it is not of IPv4.
fn read(lease: sys::virNetworkDHCPLeasePtr) -> Option<RawLease> {
    const IPV4: c_int = sys::VIR_IP_ADDR_TYPE_IPV4.cast_signed();
    // SAFETY: libvirt returned the lease, and its list is alive.
    let lease = unsafe { lease.as_ref() }?;
    if lease.type_ != IPV4 {
        return None;
    }
    Some(RawLease {
        mac: text(lease.mac)?,
        ip: text(lease.ipaddr)?,
        expiry: lease.expirytime,
    })
}

fn text(text: *const c_char) -> Option<String> {
    if text.is_null() {
        return None;
    }
    // SAFETY: libvirt's strings end with NUL and live as long as their lease.
    let text = unsafe { CStr::from_ptr(text) };
    text.to_str().ok().map(str::to_owned)
}
