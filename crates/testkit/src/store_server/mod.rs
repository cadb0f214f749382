//! Private servers of object stores: one of its own on a free port of 127.0.0.1 for whoever asks.
//!
//! A server lives no longer than the process that asked for it, however that ends. One that cannot
//! be started fails the test.

mod google;
mod kind;
mod request;
mod sign;
mod thread;

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::account::unprivileged;
use crate::server::{Guard, finish, free_port, give};

use kind::Running;

pub use kind::StoreKind;
pub use request::Answer;

/// A server with objects of its own.
#[derive(Debug)]
pub struct StoreServer {
    kind: StoreKind,
    port: u16,
    running: Mutex<Option<Running>>,
    folder: TempDir,
    /// Removes what is left when this process is gone.
    _guard: Guard,
}

impl StoreServer {
    /// A server without a bucket.
    pub fn start(kind: StoreKind) -> Self {
        if let Some(program) = kind.program() {
            let at = program.display();
            assert!(program.exists(), "{kind:?} is not at {at}: run `cargo x services`");
        }
        let folder = tempfile::Builder::new().prefix("longshore-store-").tempdir();
        let folder = folder.expect("a temporary folder");
        let data = folder.path().join(kind::DATA);
        fs::create_dir(&data).expect("a folder for the data");
        let guard = if kind.program().is_some() {
            give(folder.path());
            give(&data);
            Guard::over(folder.path(), &folder.path().join(PROCESS), "KILL")
        } else {
            Guard::over_folder(folder.path())
        };
        let running = Mutex::new(None);
        let server = Self { kind, port: free_port(), running, folder, _guard: guard };
        server.resume();
        server
    }

    /// The server that all tests of this process share, each with buckets of its own.
    pub fn shared(kind: StoreKind) -> &'static Self {
        static SERVERS: [OnceLock<StoreServer>; StoreKind::ALL.len()] =
            [const { OnceLock::new() }; StoreKind::ALL.len()];
        SERVERS[kind as usize].get_or_init(|| Self::start(kind))
    }

    /// What the server is.
    pub fn kind(&self) -> StoreKind {
        self.kind
    }

    /// The TCP port, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The address that a client is told, before the name of a bucket.
    pub fn endpoint(&self) -> String {
        self.endpoint_at(self.port())
    }

    /// The address by way of another port of 127.0.0.1, such as that of a proxy.
    pub fn endpoint_at(&self, port: u16) -> String {
        format!("http://127.0.0.1:{port}{}", self.kind.base())
    }

    /// The name of the key, which is that of the account on Azurite.
    pub fn key(&self) -> &'static str {
        self.kind.key()
    }

    /// The secret of the key.
    pub fn secret(&self) -> &'static str {
        self.kind.secret()
    }

    /// The key file of a service account that a server of Google's kind knows.
    pub fn account_file(&self) -> PathBuf {
        self.folder.path().join(google::ACCOUNT)
    }

    /// What `gcloud auth application-default login` leaves, of a user that such a server knows.
    pub fn login_file(&self) -> PathBuf {
        self.folder.path().join(google::LOGIN)
    }

    /// Makes a bucket, or a container, whose name starts so, and gives its name.
    pub fn create_bucket(&self, start: &str) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let name = format!("{start}-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let query = self.kind.bucket_query();
        let made = self.request("PUT", &format!("/{name}{query}"), &[], b"");
        assert!(matches!(made.status, 200 | 201), "{name}: {made:?}");
        name
    }

    /// The folder where the objects of all buckets are files, as `bucket/key`, where a server has
    /// one: what is changed there the server finds out by itself.
    pub fn folder(&self) -> Option<PathBuf> {
        self.kind.has_files().then(|| self.folder.path().join(kind::DATA))
    }

    /// Answers a request that is signed with the server's own key. `target` is path and query,
    /// percent-encoded, after what [`StoreServer::endpoint`] ends with.
    pub fn request(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let asked = self.try_request(method, target, headers, body);
        asked.unwrap_or_else(|error| panic!("{method} {target}: {error}\n{}", self.said()))
    }

    fn try_request(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> std::io::Result<Answer> {
        let target = format!("{}{target}", self.kind.base());
        let host = format!("127.0.0.1:{}", self.port());
        let request = request::Request { method, target: &target, host: &host, headers, body };
        request.send(self.port(), &sign::headers(self.kind, &request))
    }

    /// Starts the server, which was stopped or killed, on the port that it had.
    ///
    /// What it still knows then is told with [`StoreKind`].
    pub fn resume(&self) {
        let log = fs::OpenOptions::new().create(true).append(true).open(self.log());
        let running = self.kind.start(self.folder.path(), self.port, &log.expect("a log"));
        if let Some(child) = &running.child {
            let process = self.folder.path().join(PROCESS);
            fs::write(process, child.id().to_string()).expect("its process");
        }
        *self.running() = Some(running);
        self.await_answer();
    }

    /// Waits until the server has noticed that a client was killed, and has done with what that client asked for: until
    /// nobody is connected.
    pub fn settle(&self) {
        let (began, mut quiet) = (Instant::now(), Instant::now());
        while quiet.elapsed() < Duration::from_secs(1) {
            if self.is_connected() {
                quiet = Instant::now();
            }
            assert!(began.elapsed() < Duration::from_secs(60), "{:?} does not settle", self.kind);
            sleep(Duration::from_millis(20));
        }
    }

    /// Whether there is a connection that the server has not closed.
    fn is_connected(&self) -> bool {
        const OPEN: [&str; 2] = ["01", "08"];
        let table = fs::read_to_string("/proc/net/tcp").expect("the connections");
        let port = format!(":{:04X}", self.port());
        table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>()).any(|line| {
            matches!(line[..], [_, own, _, state, ..] if own.ends_with(&port) && OPEN.contains(&state))
        })
    }

    /// Stops the server; clients are cut off.
    pub fn stop(&self) {
        if let Some(Running { child: Some(child), .. }) = &*self.running() {
            finish(unprivileged("kill").args(["-TERM", &child.id().to_string()]));
        }
        self.end();
    }

    /// Stops the server as a crash would.
    pub fn crash(&self) {
        if let Some(Running { child: Some(child), .. }) = &mut *self.running() {
            child.kill().expect("it is killed");
        }
        self.end();
    }

    /// Stops and starts the server.
    pub fn restart(&self) {
        self.stop();
        self.resume();
    }

    fn await_answer(&self) {
        let began = Instant::now();
        let answers = || {
            let answer = self.try_request("GET", self.kind.first_question(), &[], b"");
            answer.is_ok_and(|answer| answer.status == 200)
        };
        while !answers() {
            if let Some(Running { child: Some(child), .. }) = &mut *self.running() {
                let ended = child.try_wait().expect("its state");
                assert!(ended.is_none(), "{:?} has ended:\n{}", self.kind, self.said());
            }
            let patience = began.elapsed() < Duration::from_secs(60);
            assert!(patience, "{:?} does not answer:\n{}", self.kind, self.said());
            sleep(Duration::from_millis(20));
        }
    }

    fn end(&self) {
        // The number of a process that has ended may be given to another.
        let _removed = fs::remove_file(self.folder.path().join(PROCESS));
        if let Some(mut child) = self.running().take().and_then(|mut running| running.child.take())
        {
            child.wait().expect("it ends");
        }
    }

    fn running(&self) -> MutexGuard<'_, Option<Running>> {
        self.running.lock().expect("no thread fails with the server in hand")
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    fn said(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.log()).unwrap_or_default()).into_owned()
    }
}

impl Drop for StoreServer {
    fn drop(&mut self) {
        if let Ok(Some(Running { child: Some(child), .. })) = self.running.get_mut() {
            let _ended = child.kill().and_then(|()| child.wait());
        }
    }
}

/// The file with the number of the server's process.
const PROCESS: &str = "process";

#[cfg(test)]
mod tests;
