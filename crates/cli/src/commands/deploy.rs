//! Images where containers run: `deploy`, `status`, `logs`, `stop`, `undeploy`.

use std::path::PathBuf;
use std::time::SystemTime;

use futures_util::StreamExt;
use longshore_engine::Cancel;
use longshore_engine::report::{Outcome, Report};
use longshore_model::{Code, Error, Result};
use longshore_service::{
    DeployOptions, DeployOrder, Deployed, Images, Line, Place, Platform, Record, Records, Standing,
    State,
};
use serde_json::{Value, json};

use crate::args::{DeployArgs, LogsArgs, On, StatusArgs, StopArgs, UndeployArgs};
use crate::commands::evidence::public_key;
use crate::commands::images::columns;
use crate::commands::registry;
use crate::context::Context;
use crate::failure::{DONE, STOPPED};
use crate::progress::Progress;
use crate::summary;

/// How the engine ended, as far as its lines tell.
#[derive(Default)]
struct Told {
    run: Option<String>,
    outcome: Option<Outcome>,
}

pub(crate) async fn deploy(args: &DeployArgs, context: &Context) -> Result<u8> {
    let images = Images::of(&context.state)?;
    let key = args.trust.require_signature.as_deref().map(public_key).transpose()?;
    let image =
        registry::find(&images, &args.image, key.as_ref(), &args.trust.fetch, context).await?;
    if let Some(key) = &key {
        images.demand(&image, key)?;
    }
    let order = DeployOrder {
        image: &image,
        name: match &args.image {
            Place::Name(name) => name.to_string(),
            place => place.to_string(),
        },
        on: platform(args.on, args.socket.clone())?,
        options: options(args),
        private: private_folder(context),
        now: SystemTime::now(),
    };
    if args.dry_run {
        let body = context.service.rendered(&order, &images)?;
        context.print(&format!("{body:#}\n"));
        return Ok(DONE);
    }
    for path in context.service.unseen(&order, &images)? {
        context.output.note(&format!(
            "warning: the migration names {path}, which no --volume brings into the container\n"
        ));
    }
    let records = Records::of(&context.state);
    let (record, how) = context.service.deploy(&order, &images, &records).await?;
    tell(&record, how, context);
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
    }
}

fn tell(record: &Record, how: Deployed, context: &Context) {
    if context.json {
        let line = json!({ "event": "deployed", "how": how, "deployment": record });
        context.print(&format!("{line}\n"));
        return;
    }
    let what = match how {
        Deployed::Started => "is started",
        Deployed::Joined => "runs already",
    };
    context.print(&format!("{} {what} on {}\n", record.name, record.platform.name()));
    context.print(&format!("  image   {}\n  digest  {}\n", record.image, record.digest));
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
    let told = context
        .drive(|progress, cancel| async move {
            let mut lines = record.lines(true).await?;
            let mut told = Told::default();
            loop {
                match until(&cancel, lines.next()).await {
                    None => return Ok(None),
                    Some(None) => return Ok(Some(told)),
                    Some(Some(line)) => relay(&line?, &progress, &mut told),
                }
            }
        })
        .await?;
    let Some(told) = told else {
        context.output.note(&format!(
            "{} goes on. Follow it with `longshore logs {0} --follow`, end it with `longshore stop {0}`.\n",
            record.name
        ));
        return Ok(STOPPED);
    };
    ended(record, &told, context).await
}

/// What comes, or nothing when somebody asks to stop first.
async fn until<T>(cancel: &Cancel, work: impl Future<Output = T>) -> Option<T> {
    cancel.guard(async { Ok(work.await) }).await.ok()
}

fn relay(line: &Line, progress: &Progress, told: &mut Told) {
    let text = match line {
        Line::Error(text) => return progress.say(text),
        Line::Out(text) => text,
    };
    let value: Value = serde_json::from_str(text).unwrap_or_default();
    if value["event"] == "result" {
        told.run = value["run"].as_str().map(str::to_string);
        told.outcome = serde_json::from_value(value["outcome"].clone()).ok();
    }
    progress.relay(text);
}

async fn ended(record: &Record, told: &Told, context: &Context) -> Result<u8> {
    let store = context.store();
    let folder = match &told.run {
        Some(run) => record.fetch(run, &store).await?,
        None => None,
    };
    let report: Option<Report> = folder.as_ref().map(|folder| folder.report()).transpose()?;
    if let (Some(report), Some(folder), false) = (&report, &folder, context.json) {
        let page = folder.path.join("report.html");
        context.print(&summary::render(report, &page, &context.output));
    }
    match record.state().await? {
        Some(State::Ended { out_of_memory: true, .. }) => {
            Err(Error::new(Code::PlatformRefused, "the container ran out of memory")
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

/// The platform with its socket: the one that is given, that of the variable which its own client reads, or the usual
/// one.
fn platform(on: On, socket: Option<PathBuf>) -> Result<Platform> {
    let (variable, usual) = match on {
        On::Docker => ("DOCKER_HOST", vec![PathBuf::from("/var/run/docker.sock")]),
        On::Podman => {
            let own = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
            let own = own.map(|folder| folder.join("podman/podman.sock"));
            let of_root = PathBuf::from("/run/podman/podman.sock");
            ("CONTAINER_HOST", own.into_iter().chain([of_root]).collect())
        }
    };
    let socket = match socket.or(told_socket(variable)?) {
        Some(socket) => socket,
        None => {
            let there = usual.iter().find(|socket| socket.exists());
            there.unwrap_or(&usual[usual.len() - 1]).clone()
        }
    };
    Ok(match on {
        On::Docker => Platform::Docker { socket },
        On::Podman => Platform::Podman { socket },
    })
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
fn private_folder(context: &Context) -> PathBuf {
    let own = std::env::var_os("XDG_RUNTIME_DIR").filter(|path| !path.is_empty());
    let of_root = || rustix::process::geteuid().is_root().then(|| PathBuf::from("/run"));
    match own.map(PathBuf::from).or_else(of_root).filter(|folder| folder.is_dir()) {
        Some(folder) => folder.join("longshore"),
        None => context.state.join("secrets"),
    }
}
