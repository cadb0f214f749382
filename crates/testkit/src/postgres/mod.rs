//! Private PostgreSQL servers: a cluster of its own on a free port of 127.0.0.1 for whoever asks.
//!
//! A server lives no longer than the process that asked for it, however that ends. One that cannot
//! be started fails the test.

mod pooler;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use tempfile::TempDir;

use crate::account::unprivileged;
use crate::server::{Guard, certificate, feed, finish, free_port, give};

pub use pooler::Pooler;

/// A version of PostgreSQL that tests run against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Version {
    /// The one of Debian 12.
    V15,
    /// The newest.
    V18,
}

impl Version {
    fn number(self) -> u32 {
        match self {
            Self::V15 => 15,
            Self::V18 => 18,
        }
    }
}

/// A server with a cluster of its own. Its superuser is `postgres`, with the password `postgres`.
#[derive(Debug)]
pub struct Postgres {
    version: Version,
    port: u16,
    folder: TempDir,
    /// Removes what is left when this process is gone.
    _guard: Guard,
}

impl Postgres {
    /// A server that does not wait for disks.
    pub fn start(version: Version) -> Self {
        Self::with(version, &["fsync=off", "full_page_writes=off"])
    }

    /// A server with settings of one's own, each `name=value`.
    pub fn with(version: Version, settings: &[&str]) -> Self {
        let folder = tempfile::Builder::new().prefix("longshore-postgres-").tempdir();
        let folder = folder.expect("a temporary folder");
        give(folder.path());
        let template = longshore_services::postgres_template(version.number());
        assert!(
            template.join("PG_VERSION").exists(),
            "PostgreSQL {} is not in {}: run `cargo x services`",
            version.number(),
            template.display(),
        );
        let data = folder.path().join("data");
        finish(unprivileged("cp").args(["-r", "--reflink=auto"]).args([&template, &data]));
        certificate::write(folder.path());
        let port = free_port();
        configure(&data, folder.path(), port, settings);
        let guard = Guard::over(folder.path(), &data.join("postmaster.pid"), "QUIT");
        let server = Self { version, port, folder, _guard: guard };
        server.resume();
        server
    }

    /// The server that all tests of this process share, each with databases of its own.
    pub fn shared(version: Version) -> &'static Self {
        static SERVERS: [OnceLock<Postgres>; 2] = [OnceLock::new(), OnceLock::new()];
        SERVERS[usize::from(version == Version::V18)].get_or_init(|| Self::start(version))
    }

    /// Makes a database whose name starts so, and gives its name.
    pub fn create(&self, start: &str) -> String {
        static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(1);
        let number = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let name = format!("{start}_{number}");
        self.psql("postgres", &format!("CREATE DATABASE \"{name}\""));
        name
    }

    /// The address of a database, as its superuser.
    pub fn url(&self, database: &str) -> String {
        self.url_as("postgres", "postgres", database)
    }

    /// The address of a database for a user.
    pub fn url_as(&self, user: &str, password: &str, database: &str) -> String {
        format!("postgres://{user}:{password}@127.0.0.1:{}/{database}", self.port)
    }

    /// The TCP port, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The folder of the Unix socket.
    pub fn socket(&self) -> &Path {
        self.folder.path()
    }

    /// The certificate authority that signed the server's certificate for `localhost` and
    /// 127.0.0.1, as PEM.
    pub fn authority(&self) -> PathBuf {
        self.folder.path().join(certificate::AUTHORITY)
    }

    /// What psql prints for some SQL: rows without alignment or titles, columns by `|`.
    pub fn psql(&self, database: &str, sql: &str) -> String {
        let mut psql = self.client("psql", database);
        psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-f", "-"]);
        feed(&mut psql, sql).trim_end().to_string()
    }

    /// What pg_dump prints, without comments and what changes from call to call.
    pub fn dump(&self, database: &str, options: &[&str]) -> String {
        let text = finish(self.client("pg_dump", database).args(options));
        let kept = |line: &&str| {
            !line.is_empty()
                && !line.starts_with("--")
                && !line.starts_with("\\restrict")
                && !line.starts_with("\\unrestrict")
        };
        text.lines().filter(kept).map(|line| format!("{line}\n")).collect()
    }

    /// A client program of this version that is to talk to a database through the socket.
    pub fn client(&self, program: &str, database: &str) -> Command {
        let mut command = Command::new(self.program(program));
        command.arg("-h").arg(self.socket()).args(["-p", &self.port.to_string()]);
        command.args(["-U", "postgres", "-d", database]).env("PGOPTIONS", "");
        command
    }

    /// Starts the server, which was stopped or killed, on the port that it had.
    pub fn resume(&self) {
        let log = self.folder.path().join("log");
        let mut start = unprivileged(self.program("pg_ctl"));
        start.arg("start").arg("-D").arg(self.data()).arg("-l").arg(&log);
        start.args(["--silent", "--wait", "--timeout", "60"]);
        // The server must not hold the pipes of whoever waits for this process.
        start.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let status = start.status().expect("pg_ctl starts");
        assert!(status.success(), "{}", fs::read_to_string(&log).unwrap_or_default());
    }

    /// Stops the server; clients are cut off.
    pub fn stop(&self) {
        self.control(&["stop", "--mode", "fast"]);
    }

    /// Stops the server as a crash would.
    pub fn crash(&self) {
        self.control(&["stop", "--mode", "immediate"]);
    }

    /// Stops and starts the server.
    pub fn restart(&self) {
        self.stop();
        self.resume();
    }

    /// Ends every connection but those of this process's `psql`.
    pub fn terminate(&self, database: &str) {
        self.psql(
            "postgres",
            &format!(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'"
            ),
        );
    }

    /// The first process of the server.
    pub fn pid(&self) -> u32 {
        let file = fs::read_to_string(self.data().join("postmaster.pid")).expect("it runs");
        file.lines().next().and_then(|line| line.parse().ok()).expect("a process id")
    }

    fn control(&self, words: &[&str]) {
        let mut control = unprivileged(self.program("pg_ctl"));
        finish(control.args(words).arg("--silent").arg("-D").arg(self.data()));
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn program(&self, name: &str) -> PathBuf {
        longshore_services::postgres_programs(self.version.number()).join(name)
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let mut control = unprivileged(self.program("pg_ctl"));
        control.args(["stop", "--mode", "immediate", "--silent", "-D"]).arg(self.data());
        let _stopped_already = control.stderr(Stdio::null()).status();
    }
}

fn configure(data: &Path, folder: &Path, port: u16, settings: &[&str]) {
    let at = folder.display();
    let mut text = format!(
        "port = {port}\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = '{at}'\n\
         max_connections = 100\nmax_prepared_transactions = 10\nwal_level = logical\n\
         shared_buffers = 64MB\nmax_wal_size = 1GB\nautovacuum = off\njit = off\n\
         timezone = 'Europe/Berlin'\nssl = on\nssl_cert_file = '{at}/{}'\nssl_key_file = '{at}/{}'\n",
        certificate::CERTIFICATE,
        certificate::KEY,
    );
    for setting in settings {
        text.push_str(setting);
        text.push('\n');
    }
    let file = data.join("postgresql.conf");
    let mut file = fs::OpenOptions::new().append(true).open(file).expect("the settings");
    file.write_all(text.as_bytes()).expect("the settings are written");
}

#[cfg(test)]
mod tests;
