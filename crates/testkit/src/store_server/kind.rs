//! What the servers are, and how each is started.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::google::Front;
use super::thread::Thread;
use crate::account::unprivileged;
use crate::server::free_port;

/// A server of an object store. No two fail alike, and none is the real thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StoreKind {
    /// S3 by rclone, before a folder. It takes no notice of `If-None-Match` and `If-Match`, and
    /// answers a range with the right bytes and status 200. It refuses `a//b` and a key below
    /// another one, and drops a `/` at the end. When it stops it forgets metadata and the types of
    /// contents.
    Rclone,
    /// S3 by s3s, in threads of this process, before a folder. It keeps to conditions, ranges,
    /// signatures and checksums, and forgets nothing when it stops. It refuses keys of more than
    /// some 180 bytes and those below another one, takes `a//b` for `a/b`, and lists nothing whose
    /// key ends in `/`. Its lists have no `ETag`, and parts are not held against theirs.
    S3s,
    /// S3 by moto. Keys and the order of lists are exactly those of S3, and it keeps to conditions
    /// and ranges. It looks at no signature and no checksum, and forgets everything when it stops.
    Moto,
    /// Google Cloud Storage: a front of our own before moto. It takes and gives what Google's XML API
    /// does, and refuses what that refuses, as far as it is told in Google's pages: it is no proof of
    /// how Google's own servers behave. Anybody may read a bucket whose name begins with `public-`.
    Gcs,
    /// Azure Blob Storage by Azurite. What was written in the last seconds is lost in a crash.
    Azurite,
}

/// The folder of the data, in that of the server.
pub(super) const DATA: &str = "data";

impl StoreKind {
    /// Every kind.
    pub const ALL: [Self; 5] = [Self::Rclone, Self::S3s, Self::Moto, Self::Gcs, Self::Azurite];
    /// Those that speak S3.
    pub const S3: [Self; 3] = [Self::Rclone, Self::S3s, Self::Moto];

    /// A file that is there where the server has been fetched.
    pub(super) fn program(self) -> Option<PathBuf> {
        match self {
            Self::Rclone => Some(longshore_services::rclone()),
            Self::S3s => None,
            Self::Moto | Self::Gcs => Some(longshore_services::moto().1.join("moto/server.py")),
            Self::Azurite => Some(longshore_services::azurite().1),
        }
    }

    /// Whether the objects are files below the folder of the data, as `bucket/key`.
    pub(super) fn has_files(self) -> bool {
        self == Self::S3s
    }

    /// What goes before the name of a bucket in a path.
    pub(super) fn base(self) -> &'static str {
        if self == Self::Azurite { "/devstoreaccount1" } else { "" }
    }

    pub(super) fn key(self) -> &'static str {
        if self == Self::Azurite { "devstoreaccount1" } else { "longshore" }
    }

    /// That of Azurite is the same everywhere, and no secret.
    pub(super) fn secret(self) -> &'static str {
        match self {
            Self::Azurite => {
                "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
            }
            _ => "longshore-secret",
        }
    }

    /// What makes a bucket of a path, in a request to put it.
    pub(super) fn bucket_query(self) -> &'static str {
        if self == Self::Azurite { "?restype=container" } else { "" }
    }

    /// Starts the server in a folder where it finds what it left, with a log that it may write to.
    pub(super) fn start(self, folder: &Path, port: u16, log: &File) -> Running {
        let mut front = None;
        let mut command = match self {
            Self::S3s => {
                let data = folder.join(DATA);
                let thread = Thread::start(&data, port, self.key(), self.secret());
                return Running { child: None, _threads: (Some(thread), None) };
            }
            Self::Rclone => self.rclone(folder, port),
            Self::Moto => moto(port),
            Self::Gcs => {
                let behind = free_port();
                front = Some(Front::start(folder, port, behind, self.secret()));
                moto(behind)
            }
            Self::Azurite => azurite(folder, port),
        };
        let log = || log.try_clone().expect("a log");
        // The server must not hold the pipes of whoever waits for this process.
        command.stdin(Stdio::null()).stdout(log()).stderr(log());
        // A signal to this process's group, such as Ctrl-C, is not for the server.
        let child = command.process_group(0).spawn().expect("the server starts");
        Running { child: Some(child), _threads: (None, front) }
    }

    fn rclone(self, folder: &Path, port: u16) -> Command {
        let mut command = unprivileged(longshore_services::rclone());
        // With a short --dir-cache-time it would see what others do in the folder, and forget what it
        // has just written there.
        command.args(["serve", "s3", "--config="]);
        command.arg(format!("--addr=127.0.0.1:{port}"));
        command.arg(format!("--auth-key={},{}", self.key(), self.secret()));
        command.arg(format!("--cache-dir={}", folder.join("cache").display()));
        command.arg(folder.join(DATA));
        command
    }

    /// What a server answers to when it serves.
    pub(super) fn first_question(self) -> &'static str {
        if self == Self::Azurite { "?comp=list" } else { "/" }
    }
}

/// A server that runs: a process, threads of this one, or both.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) child: Option<Child>,
    _threads: (Option<Thread>, Option<Front>),
}

fn moto(port: u16) -> Command {
    let (python, packages) = longshore_services::moto();
    let mut command = unprivileged(python);
    command.args(["-m", "moto.server", "-H", "127.0.0.1", "-p", &port.to_string()]);
    command.env("PYTHONPATH", packages).env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

fn azurite(folder: &Path, port: u16) -> Command {
    let (node, script) = longshore_services::azurite();
    let mut command = unprivileged(node);
    command.arg(script).args(["--blobHost", "127.0.0.1", "--blobPort", &port.to_string()]);
    command.arg("--location").arg(folder.join(DATA));
    command.args(["--silent", "--disableTelemetry", "--skipApiVersionCheck"]);
    command
}
