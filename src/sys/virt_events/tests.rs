use std::ffi::{CStr, c_char};
use std::ptr;

use virt::sys;

use super::{CloseReason, TypedParams, Value};

fn param(
    name: &CStr,
    type_: u32,
    value: sys::_virTypedParameter__bindgen_ty_1,
) -> sys::virTypedParameter {
    let mut field: [c_char; 80] = [0; 80];
    for (to, from) in field.iter_mut().zip(name.to_bytes()) {
        *to = from.cast_signed();
    }
    sys::virTypedParameter {
        field,
        type_: type_.cast_signed(),
        value,
    }
}

type Union = sys::_virTypedParameter__bindgen_ty_1;

#[test]
fn each_type_is_read_as_it_was_written() {
    let text = c"words";
    let params = [
        param(c"int", 1, Union { i: -5 }),
        param(c"uint", 2, Union { ui: u32::MAX }),
        param(c"llong", 3, Union { l: i64::MIN }),
        param(c"ullong", 4, Union { ul: u64::MAX }),
        param(c"double", 5, Union { d: 0.5 }),
        param(c"boolean", 6, Union { b: 1 }),
        param(
            c"string",
            7,
            Union {
                s: text.as_ptr().cast_mut(),
            },
        ),
        param(c"unknown type", 8, Union { ul: 1 }),
        param(c"null string", 7, Union { s: ptr::null_mut() }),
    ];
    // SAFETY: the array lives on, with the members of the union that the types name.
    let read = unsafe { TypedParams::new(params.as_ptr(), 9) };
    let read: Vec<_> = read.iter().collect();
    assert_eq!(
        read,
        [
            (&b"int"[..], Value::Signed(-5)),
            (b"uint", Value::Unsigned(u32::MAX.into())),
            (b"llong", Value::Signed(i64::MIN)),
            (b"ullong", Value::Unsigned(u64::MAX)),
            (b"double", Value::Double(0.5)),
            (b"boolean", Value::Boolean(true)),
            (b"string", Value::Text(text)),
        ]
    );
}

#[test]
fn a_name_that_fills_its_field_ends_with_it() {
    let mut full = param(c"", 1, Union { i: 1 });
    full.field = [b'x'.cast_signed(); 80];
    // SAFETY: one parameter, an integer.
    let params = unsafe { TypedParams::new(&raw const full, 1) };
    assert_eq!(
        params.iter().next(),
        Some((&[b'x'; 80][..], Value::Signed(1)))
    );
}

#[test]
fn no_array_and_no_count_are_no_parameters() {
    // SAFETY: null is allowed.
    let none = unsafe { TypedParams::new(ptr::null(), 3) };
    assert_eq!(none.iter().count(), 0);
    let one = param(c"a", 1, Union { i: 1 });
    // SAFETY: a count of no parameters.
    let none = unsafe { TypedParams::new(&raw const one, -1) };
    assert_eq!(none.iter().count(), 0);
}

#[test]
fn close_reasons_are_told_apart() {
    let reasons = [0, 1, 2, 3, 4, -1].map(CloseReason::new);
    assert_eq!(
        reasons,
        [
            CloseReason::Error,
            CloseReason::Eof,
            CloseReason::Keepalive,
            CloseReason::Client,
            CloseReason::Other,
            CloseReason::Other,
        ]
    );
}
