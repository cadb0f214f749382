//! How much of what was sent a client has not taken yet. No safe form of this call is in rustix.

#![expect(unsafe_code, reason = "an ioctl that rustix does not know")]

use std::ffi::c_int;
use std::os::fd::AsFd;

use rustix::ioctl::{Getter, Opcode, ioctl};

/// `SIOCOUTQ` of tcp(7).
const OUTQ: Opcode = 0x5411;

/// The bytes that the other side has not acknowledged; none when the system does not say.
pub(super) fn not_taken(socket: impl AsFd) -> usize {
    // SAFETY: the call writes one int, which is what the getter makes room for.
    let asked = unsafe { ioctl(socket, Getter::<OUTQ, c_int>::new()) };
    asked.ok().and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(0)
}
