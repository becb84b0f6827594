//! The links of a domain's interfaces, as its statistics name them.
//!
//! libvirt has whoever reads a domain's XML wait for the job under way, up to 30 s: seen with 11.3,
//! not with 9.0. An incoming migration is such a job from its begin to its end. Statistics are
//! answered at once where they are asked for so.

use std::ffi::{CStr, CString, c_char, c_int, c_uint};
use std::ptr;

use virt::sys;

use super::virt_connection::{Domain, VirtError};
use crate::model::{LinkName, MacAddr};

/// Interfaces that are looked at. Fewer than QEMU could have, more than guests have.
const MOST: u32 = 64;

/// Frees what libvirt returned.
struct Records(*mut sys::virDomainStatsRecordPtr);

impl Drop for Records {
    fn drop(&mut self) {
        // SAFETY: the list is libvirt's own and not used again; null is taken for none.
        unsafe { sys::virDomainStatsRecordListFree(self.0) };
    }
}

/// The parameters of the one record that was asked for.
#[derive(Clone, Copy)]
struct Parameters {
    first: sys::virTypedParameterPtr,
    count: c_int,
}

impl Domain {
    /// The link of each interface, in the XML's order, without waiting for a job under way (flag
    /// `VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT`, libvirt 4.5). None where an interface has no
    /// link yet, or the domain is not running.
    pub fn links(&self) -> Result<Option<Vec<LinkName>>, VirtError> {
        let mut domains = [self.as_ptr(), ptr::null_mut()];
        let mut records = Records(ptr::null_mut());
        // SAFETY: the array ends with null and lives through the call, as does the result's place.
        let found = unsafe {
            sys::virDomainListGetStats(
                domains.as_mut_ptr(),
                sys::VIR_DOMAIN_STATS_INTERFACE,
                &raw mut records.0,
                sys::VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT,
            )
        };
        match found {
            ..0 => return Err(VirtError::last()),
            0 => return Ok(None),
            1.. => {}
        }
        // SAFETY: there is at least one record in the list that `records` owns.
        let record = unsafe { *records.0 };
        let parameters = Parameters {
            // SAFETY: libvirt returned this record, and `records` keeps it.
            first: unsafe { (*record).params },
            // SAFETY: as above.
            count: unsafe { (*record).nparams },
        };
        Ok(parameters.links())
    }

    /// Whether one of its interfaces has this address. Waits for no job.
    #[must_use]
    pub fn has_address(&self, address: MacAddr) -> bool {
        self.interface_stats(&address.to_string())
    }
}

impl Parameters {
    fn links(self) -> Option<Vec<LinkName>> {
        let count = self.number(c"net.count").filter(|&count| count <= MOST)?;
        (0..count)
            .map(|index| self.text(&CString::new(format!("net.{index}.name")).ok()?))
            .collect()
    }

    fn number(self, name: &CStr) -> Option<u32> {
        let mut value: c_uint = 0;
        // SAFETY: the parameters are libvirt's and alive; name and place live through the call.
        let found = unsafe {
            sys::virTypedParamsGetUInt(self.first, self.count, name.as_ptr(), &raw mut value)
        };
        (found == 1).then_some(value)
    }

    fn text(self, name: &CStr) -> Option<LinkName> {
        let mut value: *const c_char = ptr::null();
        // SAFETY: as in `number`.
        let found = unsafe {
            sys::virTypedParamsGetString(self.first, self.count, name.as_ptr(), &raw mut value)
        };
        if found != 1 || value.is_null() {
            return None;
        }
        // SAFETY: the string belongs to the parameters and ends with NUL.
        let text = unsafe { CStr::from_ptr(value) };
        text.to_str().ok()?.parse().ok()
    }
}
