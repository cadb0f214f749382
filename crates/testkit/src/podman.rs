//! A Podman of its own: its images, containers and settings are in a folder that goes with it.

use std::fs::{self, File};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(60);

/// Podman, which takes the rights of root. Its containers have no network but their own.
#[derive(Debug)]
pub struct Podman {
    folder: TempDir,
    service: Option<Child>,
}

impl Podman {
    /// Writes its settings. Nothing is started: it has no daemon.
    ///
    /// # Panics
    /// When they cannot be written.
    pub fn prepare() -> Self {
        // A socket's path must be short.
        let folder = tempfile::Builder::new().prefix("ls-podman").tempdir_in("/tmp");
        let podman = Self { folder: folder.expect("a folder"), service: None };
        let at = |name: &str| podman.folder.path().join(name);
        // It looks for the rules of trust in the home folder.
        fs::create_dir_all(at(".config/containers")).expect("a folder");
        let write = |name: &str, text: String| fs::write(at(name), text).expect("a file");
        let anything = r#"{"default": [{"type": "insecureAcceptAnything"}]}"#;
        write(".config/containers/policy.json", anything.to_string());
        write("containers.conf", settings());
        let folder = podman.folder.path().display();
        write(
            "storage.conf",
            format!(
                "[storage]\ndriver = \"vfs\"\ngraphroot = \"{folder}/data\"\nrunroot = \"{folder}/run\"\n"
            ),
        );
        podman
    }

    /// Starts the service of its API.
    ///
    /// # Panics
    /// When it does not come up.
    pub fn serve(&mut self) {
        let address = format!("unix://{}", self.socket().display());
        let mut command = self.command(&["system", "service", "--time", "0", &address]);
        let log = File::create(self.folder.path().join("log")).expect("a log");
        command.stdout(log.try_clone().expect("a log")).stderr(log);
        // A signal to this process's group, such as Ctrl-C, is not for the service.
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        self.service = Some(command.spawn().expect("podman starts"));
        let start = Instant::now();
        while UnixStream::connect(self.socket()).is_err() {
            let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            assert!(start.elapsed() < PATIENCE, "Podman takes the rights of root:\n{log}");
            sleep(Duration::from_millis(50));
        }
    }

    /// The socket of its API.
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    /// A command of it.
    pub fn command(&self, args: &[&str]) -> Command {
        let folder = self.folder.path();
        let mut command = Command::new(longshore_services::podman().join("usr/bin/podman"));
        command.arg("--tmpdir").arg(folder.join("tmp")).args(args).stdin(Stdio::null());
        command.env("HOME", folder).env("PODMAN_IGNORE_CGROUPSV1_WARNING", "1");
        command.env_remove("XDG_CONFIG_HOME").env_remove("XDG_RUNTIME_DIR");
        command.env("CONTAINERS_CONF", folder.join("containers.conf"));
        command.env("CONTAINERS_STORAGE_CONF", folder.join("storage.conf"));
        command
    }

    /// Runs a command to its end.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().expect("podman starts: cargo x services fetches it")
    }
}

impl Drop for Podman {
    fn drop(&mut self) {
        if let Some(service) = &mut self.service {
            let _ = service.kill();
            let _ = service.wait();
        }
        let _ = self.command(&["rm", "--all", "--force", "--time", "0"]).output();
        // What a container that was killed has left mounted holds its folder.
        for mounted in ["data", "run"] {
            let _ = Command::new("umount").arg("-R").arg(self.folder.path().join(mounted)).output();
        }
    }
}

/// Where it finds what it starts. Its own runtime refuses machines with both kinds of control groups; that of
/// Docker takes each kind.
fn settings() -> String {
    let podman = longshore_services::podman();
    let [daemons, _] = longshore_services::docker();
    format!(
        "[containers]\ndefault_ulimits = []\nnetns = \"none\"\n\
         [engine]\nconmon_path = [\"{0}/usr/bin/conmon\"]\nhelper_binaries_dir = [\"{0}/usr/lib/podman\"]\n\
         runtime = \"runc\"\ncgroup_manager = \"cgroupfs\"\nevents_logger = \"file\"\n\
         [engine.runtimes]\nrunc = [\"{1}/runc\"]\n",
        podman.display(),
        daemons.display(),
    )
}
