//! The registry in the box.

use std::net::SocketAddr;
use std::sync::Arc;

use longshore_model::{Code, Error, Result};
use longshore_registry::{
    Access, Fate, House, Identity, Limits, Order, Serving, Store, collect, serve_metrics,
};
use longshore_service::number::{counted, size};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::json;
use tokio::net::TcpListener;

use crate::args::{GcArgs, PatienceArgs, ServeArgs};
use crate::context::Context;
use crate::failure::DONE;
use crate::interrupt;

/// Files that a connection has at most, with those that its request opens; and those of the process itself.
const FILES: usize = 4;
const OWN_FILES: usize = 100;

pub(crate) async fn serve_registry(args: &ServeArgs, context: &Context) -> Result<u8> {
    refuse_carelessness(args)?;
    let access = match &args.access {
        Some(file) => Access::read(file)?,
        None => Access::open(),
    };
    let identity = match (&args.certificate, &args.key) {
        (Some(certificate), Some(key)) => Some(Identity::read(certificate, key)?),
        _ => None,
    };
    let root = args.root.clone().unwrap_or_else(|| context.state.join("registry"));
    let store = Store::open(&root)?;
    let (listener, address) = bind(args.listen).await?;
    let metrics = match args.metrics_listen {
        Some(address) => Some(bind(address).await?),
        None => None,
    };
    let scheme = if identity.is_some() { "https" } else { "http" };
    if context.json {
        let metrics = metrics.as_ref().map(|(_, address)| address.to_string());
        let line = json!({
            "event": "serving", "address": address.to_string(), "scheme": scheme,
            "root": root.display().to_string(), "metrics": metrics,
        });
        context.print(&format!("{line}\n"));
    } else {
        context.print(&format!("{scheme}://{address} serves {}\n", root.display()));
        if let Some((_, address)) = &metrics {
            context.print(&format!("http://{address}/metrics has its numbers\n"));
        }
    }
    let output = context.output.clone();
    let serving = Serving {
        store: Arc::new(store),
        access: Arc::new(access),
        house: House {
            limits: limits(&args.patience),
            ..House::new(move |why| output.note(&format!("{why}\n")))
        },
    };
    let stop = async {
        // Without signals it serves until it is killed.
        if interrupt::asked().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    if let Some((listener, _)) = metrics {
        tokio::spawn(serve_metrics(listener, serving.clone()));
    }
    longshore_registry::serve(listener, identity, serving, stop).await;
    Ok(DONE)
}

pub(super) async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr)> {
    let failed = |error| Error::io("listen", address, error);
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

/// What is asked for, as far as this process may have so many files.
pub(super) fn limits(args: &PatienceArgs) -> Limits {
    let most = open_files().saturating_sub(OWN_FILES) / FILES;
    let connections = (args.max_connections as usize).min(most);
    Limits { head: args.head_timeout, stall: args.stall_timeout, connections }
}

/// How many files this process may have, after it asked for as many as it gets.
fn open_files() -> usize {
    let mut limit = getrlimit(Resource::Nofile);
    let given = Rlimit { current: limit.maximum, ..limit };
    if setrlimit(Resource::Nofile, given).is_ok() {
        limit = given;
    }
    limit.current.and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX)
}

pub(crate) fn gc(args: &GcArgs, context: &Context) -> Result<u8> {
    let root = args.root.clone().unwrap_or_else(|| context.state.join("registry"));
    let order = Order { grace: args.grace, untagged: args.untagged, only_told: args.dry_run };
    let collected = collect(&Store::open_there(&root)?, order)?;
    if context.json {
        let text = serde_json::to_string_pretty(&collected).map_err(|error| {
            Error::new(Code::Internal, "what was collected cannot be shown").because(error)
        })?;
        context.print(&format!("{text}\n"));
        return Ok(DONE);
    }
    let mut text = String::new();
    for (path, item) in &collected.items {
        let fate = match (item.fate, args.dry_run) {
            (Fate::Swept, false) => "freed",
            (Fate::Swept, true) => "would be freed",
            (Fate::Waits, _) => "waits",
            (Fate::Spared, _) => "was asked for meanwhile",
            (Fate::Held, _) => "stays",
        };
        text.push_str(&format!("{path}  {}, {}: {fate}\n", size(item.bytes), item.why));
    }
    let freed = if args.dry_run { "would be freed" } else { "freed" };
    let needed = counted(collected.needed as u64, "blob");
    context.print(&format!("{text}{} {freed}; needed: {needed}\n", size(collected.freed)));
    Ok(DONE)
}

/// Other machines are served only with TLS and rules of access, or when it is said that they are not wanted.
fn refuse_carelessness(args: &ServeArgs) -> Result<()> {
    if args.listen.ip().is_loopback() {
        return Ok(());
    }
    let refused = |why: &str, hint: &str| {
        Err(Error::new(Code::Usage, why).with("listen", args.listen.to_string()).hint(hint))
    };
    if args.access.is_none() && !args.open {
        return refused(
            "other machines would be let in without being asked who they are",
            "Say who may do what with --access FILE, or that everybody may do everything with --open.",
        );
    }
    if args.certificate.is_none() && !args.plain_http {
        return refused(
            "passwords and images would cross the network in the clear",
            "Name a certificate and its key with --certificate and --key, or say --plain-http where a proxy has them.",
        );
    }
    Ok(())
}
