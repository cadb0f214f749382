//! Private servers of MySQL and MariaDB: a data folder of its own on a free port of 127.0.0.1 for
//! whoever asks.
//!
//! A server lives no longer than the process that asked for it, however that ends. One that cannot
//! be started fails the test.

mod settings;

use std::fs;
use std::io::Read;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, OnceLock};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::account::unprivileged;
use crate::server::{Guard, certificate, feed, finish, free_port, give};

pub use longshore_services::Flavor;

/// A server with a data folder of its own. Its user `root`, with the password `root`, may do
/// everything, from 127.0.0.1 and through the Unix socket.
#[derive(Debug)]
pub struct Mysql {
    flavor: Flavor,
    port: u16,
    socket: PathBuf,
    process: Mutex<Option<Child>>,
    folder: TempDir,
    /// Removes what is left when this process is gone.
    _guard: Guard,
}

impl Mysql {
    /// A server that does not wait for disks. It writes a binary log of rows, and its time zone is
    /// +02:00.
    pub fn start(flavor: Flavor) -> Self {
        Self::with(flavor, &[])
    }

    /// A server with settings of one's own, each `name=value`, which go before the usual ones.
    pub fn with(flavor: Flavor, settings: &[&str]) -> Self {
        let folder = tempfile::Builder::new().prefix("longshore-mysql-").tempdir();
        let folder = folder.expect("a temporary folder");
        give(folder.path());
        let template = longshore_services::mysql_template(flavor);
        assert!(
            template.join("ibdata1").exists(),
            "{flavor:?} is not in {}: run `cargo x services`",
            template.display(),
        );
        let data = folder.path().join("data");
        finish(unprivileged("cp").args(["-r", "--reflink=auto"]).args([&template, &data]));
        certificate::write(folder.path());
        let port = free_port();
        settings::write(flavor, folder.path(), port, settings);
        let guard = Guard::over(folder.path(), &folder.path().join(PROCESS), "KILL");
        let socket = folder.path().join(SOCKET);
        let process = Mutex::new(None);
        let server = Self { flavor, port, socket, process, folder, _guard: guard };
        server.resume();
        server
    }

    /// The server that all tests of this process share, each with databases of its own.
    pub fn shared(flavor: Flavor) -> &'static Self {
        static SERVERS: [OnceLock<Mysql>; 2] = [OnceLock::new(), OnceLock::new()];
        SERVERS[usize::from(flavor == Flavor::MySql)].get_or_init(|| Self::start(flavor))
    }

    /// Makes a database whose name starts so, and gives its name.
    pub fn create(&self, start: &str) -> String {
        static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(1);
        let number = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let name = format!("{start}_{number}");
        self.sql("mysql", &format!("CREATE DATABASE `{name}`"));
        name
    }

    /// The address of a database, as `root`.
    pub fn url(&self, database: &str) -> String {
        self.url_as("root", "root", database)
    }

    /// The address of a database for a user.
    pub fn url_as(&self, user: &str, password: &str, database: &str) -> String {
        let scheme = match self.flavor {
            Flavor::MariaDb => "mariadb",
            Flavor::MySql => "mysql",
        };
        format!("{scheme}://{user}:{password}@127.0.0.1:{}/{database}", self.port)
    }

    /// What the server is.
    pub fn flavor(&self) -> Flavor {
        self.flavor
    }

    /// The TCP port, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The Unix socket.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// The certificate authority that signed the server's certificate for `localhost` and
    /// 127.0.0.1, as PEM.
    pub fn authority(&self) -> PathBuf {
        self.folder.path().join(certificate::AUTHORITY)
    }

    /// What the server's own client prints for some SQL: rows without titles, columns by tabs.
    /// It writes tab, newline, NUL and backslash in a value as `\t`, `\n`, `\0` and `\\`.
    pub fn sql(&self, database: &str, sql: &str) -> String {
        let mut client = self.client("mysql", database);
        client.args(["--batch", "--skip-column-names", "--default-character-set=utf8mb4"]);
        // Without these the client changes line ends, and takes comments out of routines.
        client.args(["--binary-mode", "--comments"]);
        feed(&mut client, sql).trim_end_matches('\n').to_string()
    }

    /// What the dump program prints, without comments and what changes from call to call.
    pub fn dump(&self, database: &str, options: &[&str]) -> String {
        let mut command = self.client("mysqldump", database);
        command.args(["--skip-comments", "--default-character-set=utf8mb4"]);
        if self.flavor == Flavor::MySql {
            command.arg("--set-gtid-purged=OFF");
        }
        let text = finish(command.args(options));
        let kept = |line: &&str| {
            !line.is_empty() && !line.starts_with("--") && !line.contains("enable the sandbox mode")
        };
        text.lines().filter(kept).map(|line| format!("{line}\n")).collect()
    }

    /// A client program of this server, by its name in MySQL, that is to talk to a database
    /// through the socket, as `root`.
    pub fn client(&self, program: &str, database: &str) -> Command {
        let mut command =
            Command::new(longshore_services::mysql_programs(self.flavor).join(program));
        let settings = self.folder.path().join(settings::CLIENT);
        command.arg(format!("--defaults-file={}", settings.display())).arg(database);
        command
    }

    /// Starts the server, which was stopped or killed, on the port that it had.
    pub fn resume(&self) {
        let mut start = unprivileged(longshore_services::mysql_server(self.flavor));
        let settings = self.folder.path().join(settings::SERVER);
        start.arg(format!("--defaults-file={}", settings.display()));
        let log = fs::OpenOptions::new().create(true).append(true).open(self.log());
        // The server must not hold the pipes of whoever waits for this process.
        start.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log.expect("a log"));
        // A signal to this process's group, such as Ctrl-C, is not for the server.
        let child = start.process_group(0).spawn().expect("the server starts");
        fs::write(self.folder.path().join(PROCESS), child.id().to_string()).expect("its process");
        *self.process() = Some(child);
        self.await_greeting();
    }

    /// Stops the server; clients are cut off.
    pub fn stop(&self) {
        finish(unprivileged("kill").args(["-TERM", &self.pid().to_string()]));
        self.end();
    }

    /// Stops the server as a crash would.
    pub fn crash(&self) {
        self.process().as_mut().expect("it runs").kill().expect("it is killed");
        self.end();
    }

    /// Stops and starts the server.
    pub fn restart(&self) {
        self.stop();
        self.resume();
    }

    /// The process of the server.
    pub fn pid(&self) -> u32 {
        self.process().as_ref().expect("it runs").id()
    }

    /// Waits until the server greets a client: before that, it lets clients connect and wait.
    fn await_greeting(&self) {
        let began = Instant::now();
        let greeted =
            || UnixStream::connect(&self.socket).and_then(|mut client| client.read_exact(&mut [0]));
        while greeted().is_err() {
            let said = || fs::read_to_string(self.log()).unwrap_or_default();
            let ended = self.process().as_mut().expect("it runs").try_wait().expect("its state");
            assert!(ended.is_none(), "{:?} has ended:\n{}", self.flavor, said());
            assert!(began.elapsed() < Duration::from_secs(60), "{:?}:\n{}", self.flavor, said());
            sleep(Duration::from_millis(10));
        }
    }

    fn end(&self) {
        // The number of a process that has ended may be given to another.
        let _removed = fs::remove_file(self.folder.path().join(PROCESS));
        if let Some(mut child) = self.process().take() {
            child.wait().expect("it ends");
        }
    }

    fn process(&self) -> MutexGuard<'_, Option<Child>> {
        self.process.lock().expect("no thread fails with the process in hand")
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }
}

impl Drop for Mysql {
    fn drop(&mut self) {
        if let Some(child) = self.process.get_mut().ok().and_then(Option::as_mut) {
            let _ended = child.kill().and_then(|()| child.wait());
        }
    }
}

const SOCKET: &str = "socket";
/// The file with the number of the server's process.
const PROCESS: &str = "process";

#[cfg(test)]
mod tests;
