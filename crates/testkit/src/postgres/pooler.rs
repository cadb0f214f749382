//! pgbouncer before a server: one connection of the server serves many clients.

use std::fs;
use std::net::TcpStream;
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::Postgres;
use crate::account::unprivileged;
use crate::server::{free_port, give};

/// A running pgbouncer.
#[derive(Debug)]
pub struct Pooler {
    port: u16,
    process: Child,
    _folder: TempDir,
}

impl Pooler {
    /// Starts a pooler before `server`; `mode` is `session`, `transaction` or `statement`.
    pub fn start(server: &Postgres, mode: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        give(folder.path());
        let port = free_port();
        let settings = format!(
            "[databases]\n* = host=127.0.0.1 port={} user=postgres password=postgres\n\
             [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n\
             auth_type = any\npool_mode = {mode}\ndefault_pool_size = 10\n\
             ignore_startup_parameters = extra_float_digits\n",
            server.port(),
        );
        let file = folder.path().join("pgbouncer.ini");
        fs::write(&file, settings).expect("settings");
        let log = fs::File::create(folder.path().join("log")).expect("a log");
        let mut command = unprivileged(longshore_services::pgbouncer());
        command.arg(&file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let process = command.spawn().expect("pgbouncer starts: run `cargo x services`");
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let said = || fs::read_to_string(folder.path().join("log")).unwrap_or_default();
            assert!(began.elapsed() < Duration::from_secs(20), "pgbouncer: {}", said());
            sleep(Duration::from_millis(20));
        }
        Self { port, process, _folder: folder }
    }

    /// The address of a database through the pooler.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres:postgres@127.0.0.1:{}/{database}", self.port)
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ended = self.process.kill().and_then(|()| self.process.wait());
    }
}
