//! Frames that enter the network as if a link had received them, by way of bpf(2).
//!
//! One tiny classifier is loaded once. `BPF_PROG_TEST_RUN` hands it a frame that user space made
//! up, and the program passes a copy to the receive path of whichever link the run names, so the
//! bridge above a tap sees what it would see had the guest sent it. Nothing is attached to any
//! link and nothing stays behind; closing the descriptor unloads the program.
//!
//! Loading takes `CAP_BPF` and `CAP_NET_ADMIN`, running `CAP_BPF`
//! (`kernel.unprivileged_bpf_disabled` is 2 or 1 almost everywhere). Links are looked up in the
//! network namespace of the calling thread.

use std::io;
use std::mem::offset_of;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// `BPF_PROG_LOAD` of `enum bpf_cmd` in `include/uapi/linux/bpf.h`.
const BPF_PROG_LOAD: libc::c_int = 5;
/// `BPF_PROG_TEST_RUN` of `enum bpf_cmd`.
const BPF_PROG_TEST_RUN: libc::c_int = 10;
/// `BPF_PROG_TYPE_SCHED_CLS` of `enum bpf_prog_type`.
const BPF_PROG_TYPE_SCHED_CLS: u32 = 3;
/// `BPF_FUNC_clone_redirect` of `enum bpf_func_id`; open to programs of any licence.
const BPF_FUNC_CLONE_REDIRECT: i32 = 13;
/// `BPF_F_INGRESS`: into the link's receive path, rather than out of it.
const BPF_F_INGRESS: i32 = 1;

/// The program's licence, which the kernel asks for; see `license` in Cargo.toml.
const LICENCE: &std::ffi::CStr = c"Apache-2.0";

/// `struct bpf_insn` of `include/uapi/linux/bpf.h`.
///
/// ```text
///  0        1         2          4          8
/// +--------+---------+----------+----------+
/// | opcode | src|dst |  offset  | immediate|
/// +--------+---------+----------+----------+
/// ```
#[repr(C)]
struct Instruction {
    opcode: u8,
    /// Source register in the high nibble, destination in the low one (little-endian layout).
    registers: u8,
    offset: i16,
    immediate: i32,
}

/// `bpf_clone_redirect(skb, skb->cb[0], BPF_F_INGRESS)`, whose result is the program's own.
///
/// The run's context carries the target in `cb[0]`, one of the few fields that
/// `convert___skb_to_skb` (`net/bpf/test_run.c`) lets user space fill. A mark would do as well,
/// but it would travel with the frame into the host's packet filters.
const PROGRAM: [Instruction; 4] = [
    // r2 = *(u32 *)(r1 + offsetof(struct __sk_buff, cb[0]))   BPF_LDX | BPF_MEM | BPF_W
    Instruction {
        opcode: 0x61,
        registers: registers(2, 1),
        offset: CB_OFFSET,
        immediate: 0,
    },
    // r3 = BPF_F_INGRESS                                      BPF_ALU64 | BPF_MOV | BPF_K
    Instruction {
        opcode: 0xb7,
        registers: registers(3, 0),
        offset: 0,
        immediate: BPF_F_INGRESS,
    },
    // r0 = bpf_clone_redirect(r1, r2, r3)                     BPF_JMP | BPF_CALL
    Instruction {
        opcode: 0x85,
        registers: registers(0, 0),
        offset: 0,
        immediate: BPF_FUNC_CLONE_REDIRECT,
    },
    // return r0                                               BPF_JMP | BPF_EXIT
    Instruction {
        opcode: 0x95,
        registers: registers(0, 0),
        offset: 0,
        immediate: 0,
    },
];

/// Packs two register numbers as the bit-fields of `struct bpf_insn` lie in memory.
const fn registers(destination: u8, source: u8) -> u8 {
    if cfg!(target_endian = "little") {
        source << 4 | destination
    } else {
        destination << 4 | source
    }
}

/// `offsetof(struct __sk_buff, cb)`.
const CB_OFFSET: i16 = {
    assert!(offset_of!(Context, target) == 48);
    48
};

#[expect(clippy::cast_possible_truncation, reason = "52 octets")]
const CONTEXT_LENGTH: u32 = size_of::<Context>() as u32;

/// The head of `struct __sk_buff`, as far as a run fills it. The kernel refuses a context in which
/// any field is set that it does not take from user space, and pads a short one with zeroes.
#[repr(C)]
struct Context {
    /// `len` to `tc_index`: all zero.
    unused: [u32; 12],
    /// `cb[0]`: the target's ifindex.
    target: u32,
}

/// `union bpf_attr` for `BPF_PROG_LOAD`, up to the last field that is used.
#[repr(C)]
struct LoadAttributes {
    program_type: u32,
    instruction_count: u32,
    instructions: u64,
    licence: u64,
    log_level: u32,
    log_size: u32,
    log_buffer: u64,
    kernel_version: u32,
    flags: u32,
    name: [u8; 16],
}

/// `union bpf_attr` for `BPF_PROG_TEST_RUN`, up to the last field that is used.
#[repr(C)]
#[derive(Default)]
struct RunAttributes {
    program: u32,
    returned: u32,
    data_size_in: u32,
    data_size_out: u32,
    data_in: u64,
    data_out: u64,
    repeat: u32,
    duration: u32,
    context_size_in: u32,
    context_size_out: u32,
    context_in: u64,
    context_out: u64,
}

/// The loaded program.
#[derive(Debug)]
pub struct Injector {
    program: OwnedFd,
}

impl Injector {
    /// Loads the program.
    ///
    /// # Errors
    ///
    /// `EPERM` without `CAP_BPF` and `CAP_NET_ADMIN`, or where a lockdown or an LSM forbids it;
    /// `ENOSYS` or `EINVAL` on a kernel built without bpf(2) or the classifier program type.
    pub fn load() -> io::Result<Self> {
        let mut attributes = LoadAttributes {
            program_type: BPF_PROG_TYPE_SCHED_CLS,
            instruction_count: u32::try_from(PROGRAM.len()).unwrap_or_default(),
            instructions: address(PROGRAM.as_ptr()),
            licence: address(LICENCE.as_ptr()),
            log_level: 0,
            log_size: 0,
            log_buffer: 0,
            kernel_version: 0,
            flags: 0,
            name: *b"macmoved\0\0\0\0\0\0\0\0",
        };
        let descriptor = bpf(BPF_PROG_LOAD, &mut attributes)?;
        // SAFETY: BPF_PROG_LOAD returned this descriptor, close-on-exec, and nobody else has it.
        let program = unsafe { OwnedFd::from_raw_fd(descriptor) };
        Ok(Self { program })
    }

    /// Passes `frame` to the receive path of the link with number `ifindex` and returns what the
    /// kernel made of it: 0 where the link took it, 1 (`NET_RX_DROP`) where the link is down or the
    /// CPU's backlog is full, otherwise a negated error number such as `-EINVAL` (no such link).
    ///
    /// 0 is no proof: a bridge drops what comes from a port without carrier or outside FORWARDING,
    /// and says nothing. This allocates nothing.
    ///
    /// # Errors
    ///
    /// Those of bpf(2): `EPERM` without `CAP_BPF`, `EINVAL` for a frame shorter than an Ethernet
    /// header or longer than a page holds, `ENOMEM`.
    pub fn run(&self, ifindex: u32, frame: &[u8]) -> io::Result<i32> {
        let context = Context {
            unused: [0; 12],
            target: ifindex,
        };
        let mut attributes = RunAttributes {
            program: self.program.as_raw_fd().cast_unsigned(),
            data_size_in: u32::try_from(frame.len()).map_err(|_| io::ErrorKind::InvalidInput)?,
            data_in: address(frame.as_ptr()),
            repeat: 1,
            context_size_in: CONTEXT_LENGTH,
            context_in: address(&raw const context),
            ..RunAttributes::default()
        };
        bpf(BPF_PROG_TEST_RUN, &mut attributes)?;
        Ok(attributes.returned.cast_signed())
    }
}

/// An address as bpf(2) takes it.
fn address<T>(pointer: *const T) -> u64 {
    pointer.expose_provenance() as u64
}

/// Attribute blocks of bpf(2). Implementors are `repr(C)`, have the layout of the command's member
/// of `union bpf_attr`, and hold only addresses of memory that outlives the call.
trait Attributes {}
impl Attributes for LoadAttributes {}
impl Attributes for RunAttributes {}

fn bpf<A: Attributes>(command: libc::c_int, attributes: &mut A) -> io::Result<libc::c_int> {
    // SAFETY: `attributes` is a live, exclusively borrowed block of the given size. The kernel
    // reads and writes only within it and reads what its addresses and lengths describe, which the
    // callers keep alive until the call returns.
    let returned = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command,
            std::ptr::from_mut(attributes),
            size_of::<A>(),
        )
    };
    match libc::c_int::try_from(returned) {
        Ok(value) if value >= 0 => Ok(value),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests;
