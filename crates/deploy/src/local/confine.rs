//! What a confined engine may see and do.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use landlock::{
    ABI, Access, AccessFs, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetStatus, Scope,
    path_beneath_rules,
};
use longshore_model::spec::Size;
use longshore_model::{Code, Error, Result};
use rustix::process::{Resource, Rlimit, geteuid, setrlimit};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};
use serde::{Deserialize, Serialize};

use super::{Files, MEASURES, ORDER, Order, WORK, read};
use crate::Deployment;

/// A user and a group.
type Account = (u32, u32);

/// The user of images: nobody's.
const USER: Account = (65532, 65532);
/// The newest kind of Landlock whose every right is understood here.
const KIND: ABI = ABI::V6;
/// What every engine may read: names of hosts, authorities of certificates, time zones, what the machine is, random
/// numbers.
const SHARED: [&str; 15] = [
    "/etc/resolv.conf",
    "/etc/hosts",
    "/etc/nsswitch.conf",
    "/etc/ssl",
    "/etc/pki",
    "/etc/ca-certificates",
    "/usr/share/ca-certificates",
    "/usr/local/share/ca-certificates",
    "/etc/localtime",
    "/usr/share/zoneinfo",
    "/proc",
    "/sys/devices/system/cpu",
    "/sys/fs/cgroup",
    // A static engine waits for the first before it reads the second.
    "/dev/random",
    "/dev/urandom",
];
/// Calls that no migration makes, and that attacks on a kernel begin with.
const REFUSED: [libc::c_long; 33] = [
    libc::SYS_acct,
    libc::SYS_add_key,
    libc::SYS_bpf,
    libc::SYS_chroot,
    libc::SYS_clock_settime,
    libc::SYS_delete_module,
    libc::SYS_finit_module,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fsopen,
    libc::SYS_init_module,
    libc::SYS_io_uring_setup,
    libc::SYS_kexec_file_load,
    libc::SYS_kexec_load,
    libc::SYS_keyctl,
    libc::SYS_mount,
    libc::SYS_move_mount,
    libc::SYS_name_to_handle_at,
    libc::SYS_open_by_handle_at,
    libc::SYS_open_tree,
    libc::SYS_perf_event_open,
    libc::SYS_pivot_root,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_ptrace,
    libc::SYS_reboot,
    libc::SYS_request_key,
    libc::SYS_setns,
    libc::SYS_swapoff,
    libc::SYS_swapon,
    libc::SYS_umount2,
    libc::SYS_unshare,
    libc::SYS_userfaultfd,
];

/// Something that keeps a deployment apart from the machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Measure {
    /// What it is.
    pub what: String,
    /// Whether it holds.
    pub holds: bool,
    /// What it means, or why it does not hold.
    pub why: String,
}

/// What is started for a deployment, with its secrets written for the user that it will be.
pub(super) fn order(
    deployment: &Deployment,
    files: &Files<'_>,
    secrets: &BTreeMap<String, String>,
    folder: &Path,
) -> Result<Order> {
    let work = working_folder(deployment, folder)?;
    let real = |path: &Path| {
        path.canonicalize().map_err(|error| Error::io("look at the image", path.display(), error))
    };
    let (engine, migration) = (real(files.engine)?, real(files.migration)?);
    let (user, same_user_because) =
        user(deployment, &[&engine, &migration.join("migration.yaml"), &work])?;
    // Systems that sort on the disk would look for a folder that is closed to them.
    let scratch = folder.join("tmp");
    fs::create_dir_all(&scratch)
        .map_err(|error| Error::io("make a folder", scratch.display(), error))?;
    if let Some((user, group)) = user {
        let own = [&scratch, &work].into_iter().filter(|path| path.starts_with(folder));
        for path in own {
            chown(path, Some(user), Some(group))
                .map_err(|error| Error::io("give a folder", path.display(), error))?;
        }
    }
    let secrets = match secrets.is_empty() {
        true => None,
        false => Some(write_secrets(secrets, folder, user)?),
    };
    let mut environment = deployment.environment.clone();
    environment.insert("TMPDIR".to_string(), scratch.display().to_string());
    for name in &deployment.secrets {
        if let Some(folder) = &secrets {
            environment.insert(format!("{name}_FILE"), folder.join(name).display().to_string());
        }
    }
    let place = |word: &String| match word.as_str() {
        "/migration" => migration.display().to_string(),
        _ => word.clone(),
    };
    let mounts = |read_only: bool| {
        let of_kind = deployment.mounts.iter().filter(move |one| one.read_only == read_only);
        of_kind.map(|one| one.from.clone())
    };
    Ok(Order {
        labels: deployment.labels.clone(),
        arguments: deployment.command.iter().map(place).collect(),
        environment,
        user,
        same_user_because,
        read: mounts(true).chain([migration]).chain(secrets.clone()).collect(),
        write: mounts(false).chain([work.clone(), scratch]).collect(),
        work,
        engine,
        limits: deployment.limits,
        secrets,
    })
}

/// The folder that stands for `/work`: a volume, or one of the deployment's own. Other volumes are where they are.
fn working_folder(deployment: &Deployment, folder: &Path) -> Result<PathBuf> {
    let failed = |error| Error::io("make the working folder", folder.display(), error);
    for mount in &deployment.mounts {
        if mount.to != mount.from && mount.to != Path::new(WORK) {
            return Err(Error::new(Code::Usage, "without containers a folder is where it is")
                .with("volume", format!("{}:{}", mount.from.display(), mount.to.display()))
                .hint(format!(
                    "Write {0}:{0}, or {0}:{WORK} for the folder of relative paths.",
                    mount.from.display()
                )));
        }
        // What is not there would be left out of what it may see, and missed much later.
        fs::metadata(&mount.from)
            .map_err(|error| Error::io("look at the volume", mount.from.display(), error))?;
    }
    match deployment.mounts.iter().find(|mount| mount.to == Path::new(WORK)) {
        Some(mount) => Ok(mount.from.clone()),
        None => {
            let work = folder.join("work");
            fs::create_dir_all(&work).map_err(failed)?;
            Ok(work)
        }
    }
}

/// The user that the engine becomes, or why it stays the account's own.
fn user(deployment: &Deployment, needed: &[&Path]) -> Result<(Option<Account>, Option<String>)> {
    let asked = deployment.user.as_deref().map(numbers).transpose()?;
    if !geteuid().is_root() {
        let own = (geteuid().as_raw(), rustix::process::getegid().as_raw());
        return match asked {
            Some(other) if other != own => {
                Err(Error::new(Code::PermissionDenied, "only root can become another user")
                    .hint("Leave --user away, or deploy as root."))
            }
            _ => Ok((None, Some("only root can become another user".to_string()))),
        };
    }
    if asked.is_some_and(|(user, _)| user == 0) {
        return Ok((None, Some("it stays root, as --user says".to_string())));
    }
    let user = asked.unwrap_or(USER);
    let closed = needed.iter().find_map(|path| closed_to(path, user));
    match (closed, asked) {
        (None, _) => Ok((Some(user), None)),
        (Some(folder), None) => Ok((
            None,
            Some(format!("{} is closed to others; see --state and --user", folder.display())),
        )),
        (Some(folder), Some(_)) => {
            Err(Error::new(Code::PermissionDenied, "the user cannot reach what it needs")
                .with("user", format!("{}:{}", user.0, user.1))
                .with("folder", folder.display().to_string())
                .hint("Let others pass through the folder (chmod o+x), or name another state folder with --state DIR."))
        }
    }
}

/// The first folder on the way to a path that a user may not pass.
fn closed_to(path: &Path, (user, group): (u32, u32)) -> Option<PathBuf> {
    let way: Vec<&Path> = path.ancestors().skip(1).collect();
    let closed = way.into_iter().rev().find(|folder| {
        fs::metadata(folder).is_ok_and(|found| {
            let bit = match () {
                () if found.uid() == user => 0o100,
                () if found.gid() == group => 0o010,
                () => 0o001,
            };
            found.mode() & bit == 0
        })
    });
    closed.map(Path::to_path_buf)
}

fn numbers(text: &str) -> Result<(u32, u32)> {
    let (user, group) = text.split_once(':').unwrap_or((text, text));
    match (user.parse(), group.parse()) {
        (Ok(user), Ok(group)) => Ok((user, group)),
        _ => Err(Error::new(Code::Usage, "a user is not understood")
            .with("user", text)
            .hint("Write numbers, such as 1000:1000.")),
    }
}

fn write_secrets(
    secrets: &BTreeMap<String, String>,
    folder: &Path,
    user: Option<(u32, u32)>,
) -> Result<PathBuf> {
    let secrets_folder = folder.join("secrets");
    let failed = |error| Error::io("write the secrets", secrets_folder.display(), error);
    fs::DirBuilder::new().mode(0o700).create(&secrets_folder).map_err(failed)?;
    let (owner, group) = user.unzip();
    for (name, value) in secrets {
        let path = secrets_folder.join(name);
        let mut file = fs::OpenOptions::new();
        let file = file.write(true).create_new(true).mode(0o400).open(&path).map_err(failed)?;
        std::io::Write::write_all(&mut &file, value.as_bytes()).map_err(failed)?;
        chown(&path, owner, group).map_err(failed)?;
    }
    chown(&secrets_folder, owner, group).map_err(failed)?;
    Ok(secrets_folder)
}

/// Becomes the engine of the deployment in a folder, confined. Comes back only with an error.
pub fn enter(folder: &Path) -> Error {
    match prepare(folder) {
        Ok(mut engine) => {
            let program = engine.get_program().to_string_lossy().into_owned();
            Error::io("start the engine", program, engine.exec())
        }
        Err(error) => error,
    }
}

fn prepare(folder: &Path) -> Result<Command> {
    let order: Order = read(&folder.join(ORDER))?.ok_or_else(|| {
        Error::new(Code::DeploymentMissing, "there is no deployment in the folder")
            .with("folder", folder.display().to_string())
    })?;
    // What is found to hold is written when the folder can no longer be opened.
    let path = folder.join(MEASURES);
    let failed = |error| Error::io("write down what keeps it apart", path.display(), error);
    let file = fs::File::create(&path).map_err(failed)?;
    let mut measures = vec![of_user(&order), without_cores()];
    measures.extend(order.limits.memory.map(memory));
    measures.extend(order.limits.cpus.map(processors));
    measures.extend([view_of(&order), calls()]);
    serde_json::to_writer_pretty(file, &measures).map_err(|error| failed(error.into()))?;
    let mut engine = Command::new(&order.engine);
    engine.args(&order.arguments);
    if let Some((user, group)) = order.user {
        engine.uid(user).gid(group);
    }
    Ok(engine)
}

fn of_user(order: &Order) -> Measure {
    let what = "a user of its own".to_string();
    match (order.user, &order.same_user_because) {
        (Some((user, group)), _) => Measure {
            what,
            holds: true,
            why: format!("it runs as {user}:{group}, without any capability"),
        },
        (None, because) => Measure { what, holds: false, why: because.clone().unwrap_or_default() },
    }
}

/// Rows that were in memory must not get into a file of a crash.
fn without_cores() -> Measure {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    let done = setrlimit(Resource::Core, none);
    Measure {
        what: "no core dumps".to_string(),
        holds: done.is_ok(),
        why: match done {
            Ok(()) => "rows in memory do not come into a file when it crashes".to_string(),
            Err(error) => error.to_string(),
        },
    }
}

/// What it may allocate. A control group would count what is resident, and takes rights that few accounts have.
fn memory(most: u64) -> Measure {
    let limit = Rlimit { current: Some(most), maximum: Some(most) };
    let done = setrlimit(Resource::Data, limit);
    Measure {
        what: "a limit of memory".to_string(),
        holds: done.is_ok(),
        why: match done {
            Ok(()) => format!("it may allocate {}", Size(most)),
            Err(error) => error.to_string(),
        },
    }
}

/// As many processors as hold what was asked for, of those that this process may use.
fn processors(most: f64) -> Measure {
    let limited = || -> rustix::io::Result<usize> {
        let all = sched_getaffinity(None)?;
        let mine: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|one| all.is_set(*one)).collect();
        // Deployments beside each other begin at different ones.
        let first = std::process::id() as usize % mine.len();
        let wanted = (most.ceil() as usize).clamp(1, mine.len());
        let mut chosen = CpuSet::new();
        mine.iter().cycle().skip(first).take(wanted).for_each(|one| chosen.set(*one));
        sched_setaffinity(None, &chosen)?;
        Ok(wanted)
    };
    let done = limited();
    Measure {
        what: "a limit of processors".to_string(),
        holds: done.is_ok(),
        why: match done {
            Ok(1) => "it runs on 1 processor".to_string(),
            Ok(count) => format!("it runs on {count} processors"),
            Err(error) => error.to_string(),
        },
    }
}

/// Shows it only the files that it needs, by Landlock, which also forbids new privileges.
fn view_of(order: &Order) -> Measure {
    let what = "a view of only what it needs".to_string();
    let restricted = || {
        let all = AccessFs::from_all(KIND);
        let look = AccessFs::ReadFile | AccessFs::ReadDir;
        let shared = SHARED.iter().map(PathBuf::from).chain(order.read.iter().cloned());
        let devices = ["/dev/null", "/dev/zero"];
        Ruleset::default()
            .handle_access(all)?
            .scope(Scope::AbstractUnixSocket | Scope::Signal)?
            .create()?
            .add_rules(path_beneath_rules([&order.engine], look | AccessFs::Execute))?
            .add_rules(path_beneath_rules(shared, look))?
            .add_rules(path_beneath_rules(devices, look | AccessFs::WriteFile))?
            .add_rules(path_beneath_rules(&order.write, all & !AccessFs::Execute))?
            .restrict_self()
    };
    match restricted() {
        Ok(status) => {
            let (holds, how) = match status.ruleset {
                RulesetStatus::FullyEnforced => (true, "by Landlock, and without new privileges"),
                RulesetStatus::PartiallyEnforced => {
                    (true, "by Landlock, as far as this kernel knows it; without new privileges")
                }
                RulesetStatus::NotEnforced => (false, "this kernel has no Landlock"),
            };
            Measure { what, holds, why: how.to_string() }
        }
        Err(error) => Measure { what, holds: false, why: error.to_string() },
    }
}

/// Refuses calls of the kernel that no migration makes, by seccomp.
fn calls() -> Measure {
    let what = "no dangerous calls of the kernel".to_string();
    let applied = || -> std::result::Result<(), Box<dyn std::error::Error>> {
        let rules = REFUSED.iter().map(|call| (*call, Vec::new())).collect();
        let filter = SeccompFilter::new(
            rules,
            SeccompAction::Allow,
            SeccompAction::Errno(libc::EPERM.unsigned_abs()),
            std::env::consts::ARCH.try_into()?,
        )?;
        let program: BpfProgram = filter.try_into()?;
        seccompiler::apply_filter(&program)?;
        Ok(())
    };
    match applied() {
        Ok(()) => Measure {
            what,
            holds: true,
            why: format!("by seccomp, {} of them; without new privileges", REFUSED.len()),
        },
        Err(error) => Measure { what, holds: false, why: error.to_string() },
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::{closed_to, numbers};

    #[test]
    fn users_are_numbers() {
        assert_eq!(numbers("7").expect("a user"), (7, 7));
        assert_eq!(numbers("7:8").expect("a user and a group"), (7, 8));
        for wrong in ["", "root", "7:", ":7", "-1"] {
            assert!(numbers(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_closed_folder_on_the_way_is_found() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("inner/file");
        std::fs::create_dir(folder.path().join("inner")).expect("a folder");
        let open = |mode| {
            let mode = std::fs::Permissions::from_mode(mode);
            std::fs::set_permissions(folder.path(), mode).expect("a mode");
        };
        open(0o700);
        assert_eq!(closed_to(&file, (65532, 65532)).as_deref(), Some(folder.path()));
        open(0o711);
        assert_eq!(closed_to(&file, (65532, 65532)), None);
    }
}
