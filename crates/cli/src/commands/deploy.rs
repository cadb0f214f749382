//! Images where containers run: `deploy`, `status`, `logs`, `stop`, `undeploy`.

use std::path::PathBuf;
use std::time::SystemTime;

use futures_util::StreamExt;
use longshore_engine::Cancel;
use longshore_engine::report::Report;
use longshore_model::{Code, Error, Result};
use longshore_service::{
    Cluster, DeployOptions, DeployOrder, Deployed, Images, Kubernetes, Line, Namespace, Place,
    Platform, Record, Records, Standing, State, Wanted, enter_confined, parse_report_line,
    supervise_confined,
};
use serde_json::{Value, json};

use crate::args::{ConfinedVerb, DeployArgs, LogsArgs, On, StatusArgs, StopArgs, UndeployArgs};
use crate::commands::evidence::public_key;
use crate::commands::images::columns;
use crate::commands::registry;
use crate::context::Context;
use crate::failure::{self, DONE, STOPPED};
use crate::progress::Progress;
use crate::summary;

pub(crate) async fn deploy(args: &DeployArgs, context: &Context) -> Result<u8> {
    let images = Images::of(&context.state)?;
    let key = args.trust.require_signature.as_deref().map(public_key).transpose()?;
    let image =
        registry::find(&images, &args.image, key.as_ref(), &args.trust.fetch, context).await?;
    if let Some(key) = &key {
        images.demand(&image, key)?;
    }
    let wanted = Wanted {
        image: &image,
        name: match &args.image {
            Place::Name(name) => name.to_string(),
            place => place.to_string(),
        },
        options: options(args),
    };
    if args.processes > 1 && !matches!(args.on, On::Kubernetes) {
        return Err(Error::new(Code::Usage, "several processes are for Kubernetes")
            .hint("Start them yourself: `longshore run MIGRATION --process INDEX/COUNT`."));
    }
    let order = DeployOrder {
        wanted,
        on: match args.on {
            // Objects need no cluster.
            On::Kubernetes if args.dry_run => Platform::Kubernetes(Namespace::default()),
            On::Kubernetes => Platform::Kubernetes(
                Kubernetes::place(args.context.as_deref(), args.namespace.as_deref()).await?,
            ),
            On::Docker => docker(args.socket.clone())?,
            On::Podman => podman(args.socket.clone())?,
            On::Local => local(context)?,
        },
        private: private_folder(context),
        launcher: launcher()?,
        now: SystemTime::now(),
    };
    if args.dry_run {
        context.print(&context.service.rendered(&order, &images)?);
        return Ok(DONE);
    }
    for path in context.service.unseen(&order.wanted, &images)? {
        context.output.note(&format!(
            "warning: the migration names {path}, which no --volume or --claim shows it; what it writes there goes with the deployment\n"
        ));
    }
    let records = Records::of(&context.state);
    let (record, how) = context.service.deploy(&order, &images, &records).await?;
    tell(&record, how, context)?;
    match args.detach {
        true => Ok(DONE),
        false => follow(&record, context).await,
    }
}

fn options(args: &DeployArgs) -> DeployOptions {
    DeployOptions {
        name: args.name.clone(),
        mounts: args.volume.clone(),
        network: args.network.clone(),
        user: args.user.clone(),
        memory: args.memory.map(|size| size.0),
        cpus: args.cpus,
        environment: args.env.iter().cloned().collect(),
        arguments: args.arguments.clone(),
        cluster: Cluster {
            namespace: args.namespace.clone(),
            secret: args.secret.clone(),
            pull_secret: args.pull_secret.clone(),
            ports: args.egress.clone(),
            claims: args.claim.clone(),
            processes: args.processes,
        },
    }
}

fn tell(record: &Record, how: Deployed, context: &Context) -> Result<()> {
    let measures = record.measures()?;
    if context.json {
        let line =
            json!({ "event": "deployed", "how": how, "deployment": record, "isolation": measures });
        context.print(&format!("{line}\n"));
        return Ok(());
    }
    let what = match how {
        Deployed::Started => "is started",
        Deployed::Joined => "runs already",
    };
    context.print(&format!("{} {what} on {}\n", record.name, record.platform.name()));
    context.print(&format!("  image   {}\n  digest  {}\n", record.image, record.digest));
    for one in measures {
        let holds = if one.holds { "yes" } else { "NO " };
        context.print(&format!("  {holds}     {}: {}\n", one.what, one.why));
    }
    Ok(())
}

/// What a process of ours does for a deployment on this machine itself.
pub(crate) fn confined(verb: &ConfinedVerb) -> Result<()> {
    match verb {
        ConfinedVerb::Supervise { folder } => supervise_confined(folder, &launcher()?),
        ConfinedVerb::Enter { folder } => Err(enter_confined(folder)),
    }
}

/// This program, also when its file was replaced meanwhile.
pub(super) fn launcher() -> Result<PathBuf> {
    std::env::current_exe().map_err(|error| Error::io("find this program", "/proc/self/exe", error))
}

pub(crate) async fn status(args: &StatusArgs, context: &Context) -> Result<u8> {
    let records = Records::of(&context.state);
    let asked = match &args.name {
        Some(name) => vec![records.find(Some(name))?],
        None => records.list()?,
    };
    let standing = futures_util::future::join_all(asked.into_iter().map(Record::standing)).await;
    if context.json {
        for one in &standing {
            context.print(&format!("{}\n", json!(one)));
        }
        return Ok(DONE);
    }
    let mut rows = vec![["NAME", "ON", "STATE", "IMAGE", "DEPLOYED"].map(str::to_string)];
    rows.extend(standing.iter().map(|one| {
        let record = &one.record;
        let on = record.platform.name().to_string();
        [record.name.clone(), on, state(one), record.image.clone(), record.deployed.clone()]
    }));
    context.print(&columns(&rows));
    for one in &standing {
        if let Some(problem) = &one.problem {
            context.output.note(&format!("{}: {problem}\n", one.record.name));
        }
    }
    Ok(DONE)
}

fn state(one: &Standing) -> String {
    match &one.state {
        None if one.problem.is_some() => "unknown".to_string(),
        None => "gone".to_string(),
        Some(State::Created) => "not started".to_string(),
        Some(State::Running { .. }) => "running".to_string(),
        Some(State::Ended { out_of_memory: true, .. }) => "out of memory".to_string(),
        Some(State::Ended { exit, .. }) => meaning(*exit),
    }
}

/// What an exit code of the engine says.
fn meaning(exit: i64) -> String {
    let what = match exit {
        0 => "done",
        3 => "differences",
        130 => "stopped",
        137 => "killed",
        _ => "failed",
    };
    format!("{what} ({exit})")
}

pub(crate) async fn logs(args: &LogsArgs, context: &Context) -> Result<u8> {
    let record = Records::of(&context.state).find(args.name.as_deref())?;
    if args.follow {
        return follow(&record, context).await;
    }
    let mut lines = record.lines(false).await?;
    while let Some(line) = lines.next().await {
        match line? {
            Line::Out(text) => context.print(&format!("{text}\n")),
            Line::Error(text) => context.output.note(&format!("{text}\n")),
        }
    }
    Ok(DONE)
}

pub(crate) async fn stop(args: &StopArgs, context: &Context) -> Result<u8> {
    let record = Records::of(&context.state).find(args.name.as_deref())?;
    record.stop(args.grace).await?;
    let standing = record.standing().await;
    context.print(&format!("{}  {}\n", standing.record.name, state(&standing)));
    Ok(DONE)
}

pub(crate) async fn undeploy(args: &UndeployArgs, context: &Context) -> Result<u8> {
    let records = Records::of(&context.state);
    let record = records.find(args.name.as_deref())?;
    record.remove(&private_folder(context), &records).await?;
    context.print(&format!("{}  removed\n", record.name));
    Ok(DONE)
}

/// Follows a deployment until it ends, as if it ran here, and brings its report here. An interrupt leaves it.
async fn follow(record: &Record, context: &Context) -> Result<u8> {
    let followed = context
        .drive(|progress, cancel| async move {
            let mut lines = record.lines(true).await?;
            let mut report = None;
            loop {
                match until(&cancel, lines.next()).await {
                    None => return Ok(None),
                    Some(None) => return Ok(Some(report)),
                    Some(Some(line)) => relay(&line?, &progress, &mut report),
                }
            }
        })
        .await?;
    let Some(report) = followed else {
        context.output.note(&format!(
            "{} goes on. Follow it with `longshore logs {0} --follow`, end it with `longshore stop {0}`.\n",
            record.name
        ));
        return Ok(STOPPED);
    };
    ended(record, report.as_ref(), context).await
}

/// What comes, or nothing when somebody asks to stop first.
async fn until<T>(cancel: &Cancel, work: impl Future<Output = T>) -> Option<T> {
    cancel.guard(async { Ok(work.await) }).await.ok()
}

/// Shows a line, and notes the report.
fn relay(line: &Line, progress: &Progress, report: &mut Option<Report>) {
    let text = match line {
        Line::Error(text) => return progress.say(text),
        Line::Out(text) => text,
    };
    if let Some(whole) = parse_report_line(text) {
        *report = Some(whole);
        return;
    }
    // An engine writes nothing but JSON; what is not understood is shown, and not lost.
    if serde_json::from_str::<Value>(text).is_err() {
        return progress.say(text);
    }
    progress.relay(text);
}

async fn ended(record: &Record, report: Option<&Report>, context: &Context) -> Result<u8> {
    if let Some(report) = report {
        match context.service.keep_report(report, &context.store()) {
            Ok(folder) if !context.json => {
                let page = folder.path.join("report.html");
                context.print(&summary::render(report, &page, &context.output));
            }
            Ok(_) => {}
            // How the migration ended does not depend on whether its report could be kept here.
            Err(error) => failure::warn(&context.output, &error),
        }
    }
    match record.state().await? {
        Some(State::Ended { out_of_memory: true, .. }) => {
            Err(Error::new(Code::PlatformRefused, "the deployment ran out of memory")
                .with("deployment", record.name.clone())
                .hint("Give it more with --memory SIZE, or allow less for rows: `limits: {memory: …}` in the migration. The same command goes on."))
        }
        Some(State::Ended { exit, .. }) => {
            if context.json {
                let line = json!({ "event": "ended", "deployment": record.name, "exit": exit });
                context.print(&format!("{line}\n"));
            }
            Ok(u8::try_from(exit).unwrap_or(1))
        }
        _ => Err(Error::new(Code::PlatformUnreachable, "the deployment was lost from sight")
            .with("deployment", record.name.clone())
            .hint(format!("Look with `longshore status {}`.", record.name))),
    }
}

pub(super) fn docker(socket: Option<PathBuf>) -> Result<Platform> {
    let usual = vec![PathBuf::from("/var/run/docker.sock")];
    Ok(Platform::Docker { socket: choose(socket, "DOCKER_HOST", usual)? })
}

pub(super) fn podman(socket: Option<PathBuf>) -> Result<Platform> {
    let own = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let own = own.map(|folder| folder.join("podman/podman.sock"));
    let of_root = PathBuf::from("/run/podman/podman.sock");
    let usual = own.into_iter().chain([of_root]).collect();
    Ok(Platform::Podman { socket: choose(socket, "CONTAINER_HOST", usual)? })
}

pub(super) fn local(context: &Context) -> Result<Platform> {
    let folder = context.state.join("local");
    let folder = std::path::absolute(&folder)
        .map_err(|error| Error::io("find a folder", folder.display(), error))?;
    Ok(Platform::Local { folder })
}

/// The socket that is given, that of the variable which the platform's own client reads, or a usual one.
fn choose(given: Option<PathBuf>, variable: &str, usual: Vec<PathBuf>) -> Result<PathBuf> {
    if let Some(socket) = given {
        return Ok(socket);
    }
    if let Some(socket) = told_socket(variable)? {
        return Ok(socket);
    }
    let there = usual.iter().find(|socket| socket.exists());
    Ok(there.or(usual.last()).cloned().unwrap_or_default())
}

fn told_socket(variable: &str) -> Result<Option<PathBuf>> {
    let Some(value) = std::env::var_os(variable).filter(|value| !value.is_empty()) else {
        return Ok(None);
    };
    let value = value.to_string_lossy().into_owned();
    match value.strip_prefix("unix://") {
        Some(path) => Ok(Some(path.into())),
        None => Err(Error::new(Code::Usage, "only sockets of this machine are spoken to")
            .with("variable", variable.to_string())
            .hint(
                "Run longshore on the machine of the engine, or name a socket with --socket FILE.",
            )),
    }
}

/// Where files of secrets are kept: in memory where the machine has a folder for that.
pub(super) fn private_folder(context: &Context) -> PathBuf {
    let own = std::env::var_os("XDG_RUNTIME_DIR").filter(|path| !path.is_empty());
    let of_root = || rustix::process::geteuid().is_root().then(|| PathBuf::from("/run"));
    match own.map(PathBuf::from).or_else(of_root).filter(|folder| folder.is_dir()) {
        Some(folder) => folder.join("longshore"),
        None => context.state.join("secrets"),
    }
}
