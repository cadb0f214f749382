//! An empty PostgreSQL cluster: making one takes seconds, copying it does not.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use super::{account, postgres_programs, run};

/// Makes the cluster, with a superuser `postgres` whose password is `postgres`.
pub(crate) fn template(version: u32, at: &Path) -> Result<(), String> {
    let told = |error: std::io::Error| format!("{}: {error}", at.display());
    fs::create_dir_all(at).map_err(told)?;
    let password = at.with_extension("password");
    fs::write(&password, "postgres\n").map_err(told)?;
    let mut initdb = Command::new(postgres_programs(version).join("initdb"));
    if let Some((user, group)) = account() {
        std::os::unix::fs::chown(at, Some(user), Some(group)).map_err(told)?;
        initdb.uid(user).gid(group);
    }
    initdb.current_dir("/").arg("--pgdata").arg(at).arg("--pwfile").arg(&password).args([
        "--username=postgres",
        "--auth-local=trust",
        "--auth-host=scram-sha-256",
        "--encoding=UTF8",
        "--locale=C.UTF-8",
        "--wal-segsize=1",
        "--no-sync",
    ]);
    let made = run(&mut initdb);
    let _ = fs::remove_file(&password);
    made.map(drop)
}
