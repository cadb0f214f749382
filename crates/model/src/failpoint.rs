//! Named points at which a test can kill the process or inject an error.
//!
//! A point costs one atomic load when no test has installed a hook.

use std::sync::OnceLock;

use crate::Result;

type Hook = Box<dyn Fn(&'static str) -> Result<()> + Send + Sync>;

static HOOK: OnceLock<Hook> = OnceLock::new();

/// Installs the hook that is called at every point, once in a process. Returns whether it was the
/// first.
pub fn install(hook: impl Fn(&'static str) -> Result<()> + Send + Sync + 'static) -> bool {
    HOOK.set(Box::new(hook)).is_ok()
}

/// Passes a point.
pub fn hit(name: &'static str) -> Result<()> {
    match HOOK.get() {
        Some(hook) => hook(name),
        None => Ok(()),
    }
}
