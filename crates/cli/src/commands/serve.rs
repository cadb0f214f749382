//! The control plane: `serve`, and the tokens for it.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use longshore_model::plan::Plan;
use longshore_model::{Code, Error, Result};
use longshore_registry::{House, Identity, Store};
use longshore_server::{Server, serve as serve_http};
use longshore_service::control::{
    Asked, Control, Role, Setting, User, Where, make_token_in, revoke_token_in,
};
use longshore_service::{Platform, Traces, load, load_plan, rfc3339};
use serde_json::json;

use super::deploy::{docker, launcher, local, podman, private_folder};
use super::registry_serve::{bind, limits};
use crate::args::{ControlArgs, RoleChoice, TokenArgs};
use crate::context::{Context, machine, secret};
use crate::failure::DONE;
use crate::{interrupt, traces};

/// The secret that is the administrator's token, where one is given.
const TOKEN: &str = "LONGSHORE_TOKEN";

pub(crate) async fn serve(args: &ControlArgs, context: &Context) -> Result<u8> {
    refuse_carelessness(args)?;
    let identity = match (&args.certificate, &args.key) {
        (Some(certificate), Some(key)) => Some(Identity::read(certificate, key)?),
        _ => None,
    };
    let sealed =
        args.migrations.iter().filter_map(|path| plan_beside(path)).collect::<Result<_>>()?;
    let traces = args.traces.open()?;
    let control = Control::open(setting(args, sealed, traces.as_ref(), context)?)?;
    let registry = match args.no_registry {
        true => None,
        false => {
            let usual = || context.state.join("registry");
            Some(Store::open(&args.registry.clone().unwrap_or_else(usual))?)
        }
    };
    let (listener, address) = bind(args.listen).await?;
    let first = tokens(&control)?;
    tell(address, identity.is_some(), first.as_deref(), context);
    begin(&control, args)?;

    let output = context.output.clone();
    let house = House {
        limits: limits(&args.patience),
        ..House::new(move |why| output.note(&format!("{why}\n")))
    };
    let stop = stop(control.clone(), args.grace, context);
    let server = Server { control, registry, identity, house };
    serve_http(listener, server, stop).await;
    traces::end(traces.as_ref(), context).await;
    Ok(DONE)
}

/// Ends when somebody asks to stop, and what runs has come to a safe point.
async fn stop(control: Arc<Control>, grace: std::time::Duration, context: &Context) {
    // Without signals it serves until it is killed.
    if interrupt::asked().await.is_err() {
        std::future::pending::<()>().await;
    }
    context
        .output
        .note("Stopping: runs end at their next safe point, and are taken up at the next start.\n");
    control.leave(grace).await;
}

fn setting(
    args: &ControlArgs,
    sealed: Vec<Plan>,
    traces: Option<&Traces>,
    context: &Context,
) -> Result<Setting> {
    let (output, whole) = (context.output.clone(), context.again());
    let platforms = move |on: Where| -> Result<Platform> {
        match on {
            Where::Docker => docker(None),
            Where::Podman => podman(None),
            Where::Local | Where::Here => local(&whole),
        }
    };
    Ok(Setting {
        service: context.service.clone(),
        state: context.state.clone(),
        machine: Box::new(machine),
        runs: usize::from(args.runs),
        sealed,
        platforms: Box::new(platforms),
        webhooks: args.webhook.clone(),
        traces: traces.cloned(),
        private: private_folder(context),
        launcher: launcher()?,
        note: Box::new(move |text| output.note(&format!("{text}\n"))),
    })
}

/// The plan that is sealed beside a migration.
fn plan_beside(path: &Path) -> Option<Result<Plan>> {
    let plan = path.join("plan.json");
    plan.is_file().then(|| load_plan(&plan))
}

/// Takes the administrator's token that is given, or makes one where there is none at all.
fn tokens(control: &Control) -> Result<Option<String>> {
    match secret(TOKEN)? {
        Some(token) => control.take_token("admin", Role::Admin, &token).map(|()| None),
        None => control.first_token(),
    }
}

fn tell(address: SocketAddr, is_secure: bool, first: Option<&str>, context: &Context) {
    let scheme = if is_secure { "https" } else { "http" };
    let url = format!("{scheme}://{address}");
    if context.json {
        let line = json!({ "event": "serving", "address": url, "token": first });
        return context.print(&format!("{line}\n"));
    }
    context.print(&format!("{url} serves {}\n", context.state.display()));
    if let Some(token) = first {
        context.print(&format!("Sign in with this token, which is shown this once:\n{token}\n"));
    }
}

/// Keeps the migrations that are named, takes up what was interrupted, and runs what is to be run.
fn begin(control: &Arc<Control>, args: &ControlArgs) -> Result<()> {
    let by = User { name: "command line".to_string(), role: Role::Admin };
    let mut named = Vec::new();
    for path in &args.migrations {
        let spec = load(path)?;
        control.keep_migration(&spec.to_yaml()?, &by)?;
        named.push((spec.name, spec.version));
    }
    control.begin()?;
    if args.start {
        for (migration, version) in named {
            // Begun by an earlier process, and taken up just now: joined, not doubled.
            if !control.is_at_work(&migration)? {
                let (migration, version) = (Some(migration), Some(version));
                control.ask(Asked { migration, version, ..Asked::default() }, &by)?;
            }
        }
    }
    Ok(())
}

/// Other machines are served only with TLS, or when it is said that something else has it.
fn refuse_carelessness(args: &ControlArgs) -> Result<()> {
    if args.listen.ip().is_loopback() || args.certificate.is_some() || args.plain_http {
        return Ok(());
    }
    Err(Error::new(Code::Usage, "tokens would cross the network in the clear")
        .with("listen", args.listen.to_string())
        .hint("Name a certificate and its key with --certificate and --key, or say --plain-http where a proxy has them."))
}

pub(crate) fn token(args: &TokenArgs, context: &Context) -> Result<u8> {
    let now = rfc3339(machine().now);
    if args.revoke {
        revoke_token_in(&context.state, &args.name, &now)?;
        context.print(&format!("{}  revoked\n", args.name));
        return Ok(DONE);
    }
    let role = match args.role {
        RoleChoice::Viewer => Role::Viewer,
        RoleChoice::Operator => Role::Operator,
        RoleChoice::Admin => Role::Admin,
    };
    let token = make_token_in(&context.state, &args.name, role, &now)?;
    if context.json {
        let line = json!({ "name": args.name, "role": role.as_str(), "token": token });
        context.output.print(&format!("{line}\n"));
    } else {
        context.output.print(&format!("{token}\n"));
    }
    Ok(DONE)
}
