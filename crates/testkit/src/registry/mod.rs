//! Private registries of images, and skopeo, a client of another make: what one pushes the other must pull.

mod realm;

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, OnceLock};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::account::unprivileged;
use crate::server::{Guard, certificate, free_port, give};

use realm::Realm;

const PATIENCE: Duration = Duration::from_secs(30);
const PROCESS: &str = "process";

/// The user of a registry that asks for one.
pub const USER: &str = "U";
/// The password of the user.
pub const PASSWORD: &str = "U*U";
/// Its hash by bcrypt, one of the test vectors of that algorithm.
const HASH: &str = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";

/// How a registry is spoken to.
#[derive(Debug, Clone, Copy, Default)]
pub struct Choice {
    /// Whether it asks for [`USER`] and [`PASSWORD`].
    pub login: bool,
    /// Whether it asks for tokens, which are given to [`USER`] with [`PASSWORD`], and to anyone who only pulls.
    pub tokens: bool,
    /// Whether it speaks TLS, with a certificate for `localhost` and `127.0.0.1`.
    pub tls: bool,
    /// Whether it listens on all addresses of this machine.
    pub everywhere: bool,
}

/// Debian's registry, a distribution 2.8: it has no list of referrers, and loses an upload whose part was cut.
#[derive(Debug)]
pub struct Registry {
    choice: Choice,
    port: u16,
    child: Mutex<Option<Child>>,
    folder: TempDir,
    realm: Option<Realm>,
    /// Removes what is left when this process is gone.
    _guard: Guard,
}

impl Registry {
    /// An empty registry.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start(choice: Choice) -> Self {
        let program = longshore_services::docker_registry();
        assert!(program.exists(), "{} is missing: run `cargo x services`", program.display());
        let folder = tempfile::Builder::new().prefix("longshore-registry-").tempdir();
        let folder = folder.expect("a temporary folder");
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("data")).expect("a folder for the data");
        certificate::write(folder.path());
        let port = free_port();
        let host = if choice.everywhere { "0.0.0.0" } else { "127.0.0.1" };
        let mut settings = format!(
            "version: 0.1\nlog: {{level: warn, accesslog: {{disabled: true}}}}\n\
             storage: {{filesystem: {{rootdirectory: {}}}, delete: {{enabled: true}}}}\n",
            at("data").display()
        );
        if choice.login {
            fs::write(at("users"), format!("{USER}:{HASH}\n")).expect("a file");
            let users = at("users");
            settings.push_str(&format!(
                "auth: {{htpasswd: {{realm: longshore, path: {}}}}}\n",
                users.display()
            ));
        }
        let realm = choice.tokens.then(|| Realm::start(folder.path()));
        if let Some(realm) = &realm {
            settings.push_str(&format!(
                "auth: {{token: {{realm: \"http://127.0.0.1:{}/token\", service: {}, issuer: {}, \
                 rootcertbundle: {}}}}}\n",
                realm.port,
                realm::SERVICE,
                realm::ISSUER,
                at(realm::CERTIFICATE).display()
            ));
        }
        settings.push_str(&format!("http:\n  addr: {host}:{port}\n  secret: of-no-one\n"));
        if choice.tls {
            settings.push_str(&format!(
                "  tls: {{certificate: {}, key: {}}}\n",
                at(certificate::CERTIFICATE).display(),
                at(certificate::KEY).display()
            ));
        }
        fs::write(at("settings.yml"), settings).expect("a file");
        give(folder.path());
        give(&at("data"));
        let guard = Guard::over(folder.path(), &at(PROCESS), "KILL");
        let registry = Self { choice, port, child: Mutex::new(None), folder, realm, _guard: guard };
        registry.resume();
        registry
    }

    /// The registry that all tests of this process share, each with repositories of its own. It speaks HTTP and
    /// asks for no user.
    pub fn shared() -> &'static Self {
        static REGISTRY: OnceLock<Registry> = OnceLock::new();
        REGISTRY.get_or_init(|| Self::start(Choice::default()))
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What names of its images begin with.
    pub fn host(&self) -> String {
        host(self.port)
    }

    /// The certificate of the authority that signed the registry's own.
    pub fn authority(&self) -> PathBuf {
        self.folder.path().join(certificate::AUTHORITY)
    }

    /// The file in which the registry keeps a blob or a manifest.
    pub fn file(&self, digest: &str) -> PathBuf {
        let hex = digest.strip_prefix("sha256:").unwrap_or(digest);
        let folder = self.folder.path().join("data/docker/registry/v2/blobs/sha256");
        folder.join(&hex[..2]).join(hex).join("data")
    }

    /// What was asked of the giver of tokens so far: paths with their queries.
    pub fn tokens_asked(&self) -> Vec<String> {
        self.realm.as_ref().map(Realm::asked).unwrap_or_default()
    }

    /// Stops the server as a crash would.
    pub fn crash(&self) {
        if let Some(mut child) = self.child.lock().expect("no thread failed with it").take() {
            child.kill().expect("it is killed");
            let _ended = child.wait();
        }
    }

    /// Starts the server again.
    pub fn resume(&self) {
        let log = fs::OpenOptions::new().create(true).append(true).open(self.log());
        let log = log.expect("a log");
        let mut command = unprivileged(longshore_services::docker_registry());
        command.arg("serve").arg(self.folder.path().join("settings.yml"));
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("a log")).stderr(log);
        // A signal to this process's group, such as Ctrl-C, is not for the server.
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let child = command.spawn().expect("docker-registry starts");
        fs::write(self.folder.path().join(PROCESS), child.id().to_string()).expect("its process");
        *self.child.lock().expect("no thread failed with it") = Some(child);
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(began.elapsed() < PATIENCE, "{}", self.said());
            sleep(Duration::from_millis(20));
        }
    }

    /// What the server has said.
    pub fn said(&self) -> String {
        fs::read_to_string(self.log()).unwrap_or_default()
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// A file as `docker login` would leave it for this registry by way of a port.
    pub fn login(&self, port: u16, password: &str) -> String {
        login(&host(port), USER, password)
    }

    /// Runs skopeo, which trusts this registry and asks for no signature.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn skopeo(&self, folder: &Path, args: &[&str]) -> Output {
        let authority = self.authority();
        skopeo(folder, self.choice.tls.then_some(authority.as_path()), args)
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.crash();
    }
}

/// A command of skopeo, which trusts every image and the certificates of an authority.
///
/// # Panics
/// When it cannot be started.
pub fn skopeo(folder: &Path, authority: Option<&Path>, args: &[&str]) -> Output {
    skopeo_by(&["--insecure-policy"], folder, authority, args)
}

/// A command of skopeo with other rules of trust, as it is told them before its verb.
///
/// # Panics
/// When it cannot be started.
pub fn skopeo_by(trust: &[&str], folder: &Path, authority: Option<&Path>, args: &[&str]) -> Output {
    let mut command = Command::new(longshore_services::skopeo());
    command.args(trust).arg("--tmpdir").arg(folder);
    command.args(args).current_dir(folder).env("HOME", folder).stdin(Stdio::null());
    if let Some(authority) = authority {
        command.env("SSL_CERT_FILE", authority);
    }
    command.output().expect("skopeo starts: cargo x services fetches it")
}

/// A file as `docker login` would leave it for the registry at a host.
pub fn login(host: &str, user: &str, password: &str) -> String {
    use base64::Engine as _;
    let pair = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
    format!(r#"{{"auths":{{"{host}":{{"auth":"{pair}"}}}}}}"#)
}

/// What names begin with that lead to a port of this machine.
pub fn host(port: u16) -> String {
    format!("127.0.0.1:{port}")
}
