//! Whole repositories, copied.

use std::path::Path;
use std::sync::Arc;

use longshore_image::registry::{Credential, Settings};
use longshore_model::{Error, Result};
use longshore_registry::{Access, House, Serving, Store};
use longshore_service::number::{counted, size};
use longshore_service::{MirrorFate, MirrorLine, MirrorOrder};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::place;
use crate::args::MirrorArgs;
use crate::commands::registry::stoppable;
use crate::context::Context;
use crate::failure::{DIFFERENCE, DONE};

pub(crate) async fn mirror(args: &MirrorArgs, context: &Context) -> Result<u8> {
    let source = match &args.from_root {
        Some(root) => Some(Inner::of(Store::open_there(root)?, context).await?),
        None => None,
    };
    let (target, to) = match (&args.root, &args.to) {
        (Some(root), _) => (Some(Inner::of(target_at(root, args, context)?, context).await?), None),
        (None, to) => (None, to.as_deref()),
    };
    let (host, prefix) = match (&target, to) {
        (Some(target), _) => (target.host.clone(), None),
        (None, to) => place(to.unwrap_or_default())?,
    };
    let origins = args.origins(source.as_ref().map(|source| source.host.as_str()))?;
    let order = MirrorOrder {
        origins: &origins,
        host: &host,
        prefix: prefix.as_deref(),
        only_told: args.dry_run,
    };
    let folder = context.state.join("mirror");
    let inner = [&source, &target];
    let lines = context
        .drive(|progress, cancel| async move {
            let settings = stoppable(&args.registry, &progress, &cancel);
            let settings = inner.into_iter().flatten().fold(settings, |all, one| one.known_to(all));
            longshore_service::mirror(&order, &folder, &settings).await
        })
        .await?;
    let lines: Vec<MirrorLine> = lines.into_iter().map(|line| named(line, args, inner)).collect();
    show(&lines, args.dry_run, context);
    let has_failed = lines.iter().any(|line| line.fate == MirrorFate::Failed);
    Ok(if has_failed { DIFFERENCE } else { DONE })
}

/// The registry in a folder, which is made where nothing is. A dry run makes none there: it compares with an empty
/// one of its own.
fn target_at(root: &Path, args: &MirrorArgs, context: &Context) -> Result<Store> {
    match args.dry_run && !root.exists() {
        true => Store::open(&context.state.join("mirror-of-nothing")),
        false => Store::open(root),
    }
}

/// A registry that this process serves to itself.
struct Inner {
    host: String,
    credential: Credential,
    serving: JoinHandle<()>,
}

impl Inner {
    async fn of(store: Store, context: &Context) -> Result<Self> {
        let failed = |error| Error::io("listen", "127.0.0.1", error);
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(failed)?;
        let host = listener.local_addr().map_err(failed)?.to_string();
        // Whoever else is on this machine can reach the port.
        let (access, user, password) = Access::private()?;
        let output = context.output.clone();
        let serving = Serving {
            store: Arc::new(store),
            access: Arc::new(access),
            house: House::new(move |why| output.note(&format!("{why}\n"))),
        };
        let forever = std::future::pending();
        let serving = tokio::spawn(longshore_registry::serve(listener, None, serving, forever));
        Ok(Self { host, credential: Credential::Password { user, password }, serving })
    }

    fn known_to(&self, settings: Settings) -> Settings {
        let credentials = settings.credentials.clone().and(&self.host, self.credential.clone());
        Settings { credentials, ..settings }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// A line that names folders where they are meant, and not the ports at which this process served them.
fn named(mut line: MirrorLine, args: &MirrorArgs, inner: [&Option<Inner>; 2]) -> MirrorLine {
    let roots = [&args.from_root, &args.root];
    for (one, root) in inner.into_iter().zip(roots) {
        if let (Some(one), Some(root)) = (one, root) {
            let shown = |text: &str| text.replace(&one.host, &shown_root(root));
            (line.from, line.to, line.why) = (shown(&line.from), shown(&line.to), shown(&line.why));
        }
    }
    line
}

fn shown_root(root: &Path) -> String {
    root.display().to_string().trim_end_matches('/').to_string()
}

fn show(lines: &[MirrorLine], only_told: bool, context: &Context) {
    let of = |fate: MirrorFate| lines.iter().filter(move |line| line.fate == fate).count();
    let (there, copied) = (of(MirrorFate::There), of(MirrorFate::Copied));
    let failed = of(MirrorFate::Failed);
    let bytes: u64 = lines.iter().map(|line| line.bytes).sum();
    let sent: usize = lines.iter().map(|line| line.sent).sum();
    if context.json {
        for line in lines {
            let mut told = json!(line);
            told["event"] = json!("mirrored");
            context.print(&format!("{told}\n"));
        }
        let summary = json!({
            "event": "mirror", "tags": lines.len(), "there": there, "copied": copied,
            "failed": failed, "sent": sent, "bytes": bytes, "dry_run": only_told,
        });
        context.print(&format!("{summary}\n"));
        return;
    }
    for line in lines {
        let fate = match (line.fate, only_told) {
            (MirrorFate::There, _) => "there",
            (MirrorFate::Copied, false) => "copied",
            (MirrorFate::Copied, true) => "would be copied",
            (MirrorFate::Failed, _) => "FAILED",
        };
        let bytes = if line.bytes > 0 { format!("{}, ", size(line.bytes)) } else { String::new() };
        context.print(&format!("{} -> {}  {bytes}{}: {fate}\n", line.from, line.to, line.why));
    }
    let verb = if only_told { "would be copied" } else { "copied" };
    context.print(&format!(
        "{}: {copied} {verb}, {there} there, {failed} failed; {}, {}\n",
        counted(lines.len() as u64, "tag"),
        counted(sent as u64, "blob"),
        size(bytes)
    ));
}
