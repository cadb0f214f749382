//! Memory that the allocator keeps though nobody uses it.

/// Gives free memory back to the operating system. The C library keeps an arena for each of several
/// threads, and each of them what the largest rows took there.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "the C library's own call, with no Rust name for it")]
pub(crate) fn give_back() {
    // SAFETY: it takes no pointer, may be called at any time by any thread, and moves nothing.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Other allocators give free memory back by themselves.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(crate) fn give_back() {}
