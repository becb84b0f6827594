//! libvirt's typed parameters, lent to a callback.

use std::ffi::{CStr, c_int};

use virt::sys;

/// Parameters that libvirt lends for the length of a callback.
#[derive(Clone, Copy)]
pub struct TypedParams<'a>(&'a [sys::virTypedParameter]);

/// The value of one parameter; numbers as wide as they come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// `VIR_TYPED_PARAM_INT`, `VIR_TYPED_PARAM_LLONG`.
    Signed(i64),
    /// `VIR_TYPED_PARAM_UINT`, `VIR_TYPED_PARAM_ULLONG`.
    Unsigned(u64),
    /// `VIR_TYPED_PARAM_DOUBLE`.
    Double(f64),
    /// `VIR_TYPED_PARAM_BOOLEAN`.
    Boolean(bool),
    /// `VIR_TYPED_PARAM_STRING`.
    Text(&'a CStr),
}

impl<'a> TypedParams<'a> {
    /// Wraps what a callback got; no parameters where there is no array.
    ///
    /// # Safety
    /// `params` must be null or point to `count` parameters that nobody writes to for `'a`, each
    /// with the member of its union that its type names.
    pub(super) unsafe fn new(params: *const sys::virTypedParameter, count: c_int) -> Self {
        match usize::try_from(count) {
            Ok(count) if !params.is_null() => {
                // SAFETY: by the caller's promise there are `count` of them for `'a`.
                Self(unsafe { std::slice::from_raw_parts(params, count) })
            }
            Ok(_) | Err(_) => Self(&[]),
        }
    }

    /// Names and values, without those of a type that libvirt has grown since.
    pub fn iter(&self) -> impl Iterator<Item = (&'a [u8], Value<'a>)> {
        self.0
            .iter()
            .filter_map(|param| Some((name(param), value(param)?)))
    }
}

impl std::fmt::Debug for TypedParams<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TypedParams")
            .field("count", &self.0.len())
            .finish()
    }
}

fn name(param: &sys::virTypedParameter) -> &[u8] {
    let (field, len) = (param.field.as_ptr(), param.field.len());
    // SAFETY: the same octets, as unsigned; they live as long as `param`.
    let octets = unsafe { std::slice::from_raw_parts(field.cast::<u8>(), len) };
    let end = octets.iter().position(|&octet| octet == 0);
    octets.get(..end.unwrap_or(len)).unwrap_or(octets)
}

fn value(param: &sys::virTypedParameter) -> Option<Value<'_>> {
    let union = &param.value;
    Some(match u32::try_from(param.type_).ok()? {
        // SAFETY: `type_` names the member that libvirt wrote; the same holds below.
        sys::VIR_TYPED_PARAM_INT => Value::Signed(unsafe { union.i }.into()),
        // SAFETY: as above.
        sys::VIR_TYPED_PARAM_UINT => Value::Unsigned(unsafe { union.ui }.into()),
        // SAFETY: as above.
        sys::VIR_TYPED_PARAM_LLONG => Value::Signed(unsafe { union.l }),
        // SAFETY: as above.
        sys::VIR_TYPED_PARAM_ULLONG => Value::Unsigned(unsafe { union.ul }),
        // SAFETY: as above.
        sys::VIR_TYPED_PARAM_DOUBLE => Value::Double(unsafe { union.d }),
        // SAFETY: as above.
        sys::VIR_TYPED_PARAM_BOOLEAN => Value::Boolean(unsafe { union.b } != 0),
        sys::VIR_TYPED_PARAM_STRING => {
            // SAFETY: as above.
            let pointer = unsafe { union.s };
            // SAFETY: a string parameter is null or a C string of the array's lifetime.
            Value::Text(unsafe { super::text(pointer) }?)
        }
        _ => return None,
    })
}
