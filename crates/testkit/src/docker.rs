//! A Docker engine of its own: its images, containers and socket are in a folder that goes with it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(60);

/// A Docker engine, which takes the rights of root. Its containers have no network but their own.
#[derive(Debug)]
pub struct Docker {
    daemon: Child,
    folder: TempDir,
}

impl Docker {
    /// Starts an engine.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start() -> Self {
        // A socket's path must be short.
        let folder = tempfile::Builder::new().prefix("ls-docker").tempdir_in("/tmp");
        let folder = folder.expect("a folder");
        let at = |name: &str| folder.path().join(name);
        let log = File::create(at("log")).expect("a log");
        let mut command = Command::new(longshore_services::docker()[0].join("dockerd"));
        command.arg("--data-root").arg(at("data")).arg("--exec-root").arg(at("exec"));
        command.arg("--host").arg(address(folder.path())).arg("--pidfile").arg(at("pid"));
        command.args(["--bridge=none", "--iptables=false", "--ip6tables=false"]);
        command.args(["--storage-driver=vfs"]).env("PATH", path());
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("a log")).stderr(log);
        // A signal to this process's group, such as Ctrl-C, is not for the engine.
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let daemon = command.spawn().expect("dockerd starts: cargo x services fetches it");
        let docker = Self { daemon, folder };
        docker.wait();
        docker
    }

    fn wait(&self) {
        let start = Instant::now();
        while !self.command(&["version"]).output().is_ok_and(|output| output.status.success()) {
            let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            assert!(start.elapsed() < PATIENCE, "Docker takes the rights of root:\n{log}");
            sleep(Duration::from_millis(100));
        }
    }

    /// The socket of its API.
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    /// A command of its client.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(longshore_services::docker()[1].join("docker"));
        command.arg("--config").arg(self.folder.path());
        command.arg("--host").arg(address(self.folder.path())).args(args);
        command.env("PATH", path()).stdin(Stdio::null());
        command
    }

    /// Runs a command of its client to its end.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().expect("docker starts")
    }
}

impl Drop for Docker {
    fn drop(&mut self) {
        let process = self.daemon.id().to_string();
        let _ = Command::new("kill").args(["-TERM", &process]).status();
        let _ = self.daemon.wait();
        // What an engine that was killed has left mounted holds its folder.
        let _ = Command::new("umount").arg("-R").arg(self.folder.path().join("exec")).output();
    }
}

fn address(folder: &Path) -> String {
    format!("unix://{}", folder.join("socket").display())
}

/// Where the engine finds what it starts, before what the machine has.
fn path() -> String {
    let own = longshore_services::docker().map(|folder| folder.display().to_string());
    format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", own.join(":"))
}
