//! The account that servers run under: some of them refuse to work for root.

use std::ffi::OsStr;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// A command under the account of the servers.
pub(crate) fn unprivileged(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir("/");
    if let Some((user, group)) = longshore_services::account() {
        command.uid(user).gid(group);
    }
    command
}
