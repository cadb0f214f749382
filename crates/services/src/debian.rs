//! Packages of a Debian suite in a root of their own.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Suite, run};

const MIRROR: &str = "http://deb.debian.org/debian";
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";
const LIBRARIES: &str = "usr/lib/x86_64-linux-gnu";
const LOADER: &str = "usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2";

/// What no server needs to run, by the start of its package's name.
const LEFT_OUT: &[&str] = &["perl", "libperl", "systemd", "libllvm", "libz3", "locales"];

/// Unpacks a suite's packages and all that they need into `root`.
pub(crate) fn unpack(suite: &Suite, root: &Path) -> Result<(), String> {
    let apt = root.with_extension("apt");
    let archives = download(suite, &apt)?;
    make(root)?;
    for archive in archives {
        run(Command::new("dpkg-deb").arg("--extract").arg(&archive).arg(root))?;
    }
    // Where a suite still has /lib beside /usr/lib, its loader is looked for under the latter.
    let split = root.join("lib");
    if split.is_dir() && !split.is_symlink() {
        run(Command::new("cp").arg("-a").arg(split.join(".")).arg(root.join("usr/lib")))?;
    }
    for program in programs(root)? {
        bind(&program, root)?;
    }
    fs::remove_dir_all(&apt).map_err(|error| format!("{}: {error}", apt.display()))
}

fn make(folder: &Path) -> Result<(), String> {
    fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))
}

/// Asks apt, with lists and state of its own, for the packages and all that they depend on.
fn download(suite: &Suite, apt: &Path) -> Result<Vec<PathBuf>, String> {
    for folder in ["state/lists/partial", "cache/archives/partial"] {
        make(&apt.join(folder))?;
    }
    let at = apt.display();
    let sources = format!("deb [signed-by={KEYRING}] {MIRROR} {} main\n", suite.name);
    let settings = format!(
        "Dir::State \"{at}/state\";\nDir::State::status \"{at}/status\";\n\
         Dir::Cache \"{at}/cache\";\nDir::Etc::SourceList \"{at}/sources.list\";\n\
         Dir::Etc::SourceParts \"/dev/null\";\nAPT::Install-Recommends \"false\";\n\
         APT::Sandbox::User \"root\";\nAcquire::Languages \"none\";\nAcquire::Retries \"3\";\n\
         Acquire::IndexTargets::deb::DEP-11::DefaultEnabled \"false\";\nDebug::NoLocking \"true\";\n"
    );
    for (name, text) in
        [("sources.list", sources), ("apt.conf", settings), ("status", String::new())]
    {
        let file = apt.join(name);
        fs::write(&file, text).map_err(|error| format!("{}: {error}", file.display()))?;
    }
    let hint = |error| {
        format!(
            "{error}\nThe servers for tests come from {MIRROR}, by apt, on Debian or Ubuntu with the package debian-archive-keyring."
        )
    };
    let apt_get = || {
        let mut command = Command::new("apt-get");
        command.env("APT_CONFIG", apt.join("apt.conf")).arg("-q");
        command
    };
    run(apt_get().arg("update")).map_err(hint)?;
    let mut get = apt_get();
    get.args(["install", "--yes", "--download-only"]).args(suite.packages);
    run(&mut get).map_err(hint)?;
    let all = entries(&apt.join("cache/archives"))?;
    let wanted = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.ends_with(".deb") && !LEFT_OUT.iter().any(|start| name.starts_with(start))
    };
    Ok(all.into_iter().filter(wanted).collect())
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let told = |error| format!("{}: {error}", folder.display());
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(told)? {
        paths.push(entry.map_err(told)?.path());
    }
    paths.sort();
    Ok(paths)
}

/// Every program of the root that is not a script.
fn programs(root: &Path) -> Result<Vec<PathBuf>, String> {
    let mut folders: Vec<PathBuf> =
        ["usr/bin", "usr/sbin", "usr/lib/chromium"].map(|at| root.join(at)).into();
    let versions = root.join("usr/lib/postgresql");
    if versions.exists() {
        folders.extend(entries(&versions)?.into_iter().map(|version| version.join("bin")));
    }
    let mut programs = Vec::new();
    for folder in folders.iter().filter(|folder| folder.exists()) {
        programs.extend(entries(folder)?.into_iter().filter(|path| is_program(path)));
    }
    Ok(programs)
}

fn is_program(path: &Path) -> bool {
    let mut magic = [0; 4];
    let read = fs::File::open(path).and_then(|mut file| file.read_exact(&mut magic));
    // A running program cannot be patched, not even by itself.
    !path.is_symlink() && !path.ends_with("patchelf") && read.is_ok() && &magic == b"\x7fELF"
}

/// Makes a program use its root's loader and libraries, whatever the machine has. `DT_RPATH`, unlike
/// its successor, holds for the libraries of libraries too.
fn bind(program: &Path, root: &Path) -> Result<(), String> {
    let tools = root.with_file_name("bookworm");
    let patched = run(Command::new(tools.join(LOADER))
        .arg("--library-path")
        .arg(tools.join(LIBRARIES))
        .arg(tools.join("usr/bin/patchelf"))
        .arg("--set-interpreter")
        .arg(root.join(LOADER))
        .arg("--force-rpath")
        .arg("--set-rpath")
        .arg(root.join(LIBRARIES))
        .arg(program));
    match patched {
        // A static program has no loader to set.
        Err(error) if error.contains(".interp") => Ok(()),
        other => other.map(drop),
    }
}
