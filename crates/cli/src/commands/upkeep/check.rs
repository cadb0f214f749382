//! Whether all that a registry holds is as it must be.

use std::sync::Arc;

use longshore_image::registry::Client;
use longshore_model::{Code, Error, Result};
use longshore_registry::{Checked, Problem, Source, State};
use longshore_service::number::{counted, size};

use super::{open, place, print_json};
use crate::args::CheckArgs;
use crate::commands::registry::stoppable;
use crate::context::Context;
use crate::failure::{DIFFERENCE, DONE};

/// Images of a problem that are named on a line.
const NAMED: usize = 5;

pub(crate) async fn check(args: &CheckArgs, context: &Context) -> Result<u8> {
    let store = Arc::new(open(args.root.as_ref(), context)?);
    let checked = match &args.repair {
        None => {
            let checking = tokio::task::spawn_blocking(move || longshore_registry::check(&store));
            checking.await.map_err(|error| {
                Error::new(Code::Internal, "the check ended").because(error.to_string())
            })??
        }
        Some(from) => {
            let (host, prefix) = place(from)?;
            context
                .drive(|progress, cancel| async move {
                    let settings = stoppable(&args.registry, &progress, &cancel);
                    let source = Source { client: Client::new(&host, &settings)?, prefix };
                    longshore_registry::repair(store, &source, args.dry_run).await
                })
                .await?
        }
    };
    match context.json {
        true => print_json(&checked, context)?,
        false => show(&checked, args.dry_run, context),
    }
    // What would be mended is damaged still.
    let remains = |problem: &Problem| args.dry_run || problem.state == State::Remains;
    Ok(if checked.problems.iter().any(remains) { DIFFERENCE } else { DONE })
}

fn show(checked: &Checked, only_told: bool, context: &Context) {
    for problem in &checked.problems {
        context.print(&format!("{}  {}", problem.path, problem.what));
        let how = problem.how.as_deref().unwrap_or_default();
        context.print(&match (problem.state, only_told) {
            (State::Mended, false) => format!(": mended, {how}\n"),
            (State::Mended, true) => format!(": would be mended, {how}\n"),
            (State::Remains, _) if how.is_empty() => "\n".to_string(),
            (State::Remains, _) => format!(": not mended, {how}\n"),
        });
        if !problem.needed_by.is_empty() {
            let names: Vec<&str> =
                problem.needed_by.iter().take(NAMED).map(String::as_str).collect();
            let more = problem.needed_by.len() - names.len();
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            context.print(&format!("  needed by {}{more}\n", names.join(", ")));
        }
    }
    let mended = checked.problems.iter().filter(|one| one.state == State::Mended).count();
    let (blobs, manifests) = (checked.blobs as u64, checked.manifests as u64);
    context.print(&format!(
        "{} read, {}; {}, {}; {}{}\n",
        counted(blobs, "blob"),
        size(checked.bytes),
        counted(manifests, "manifest"),
        counted(checked.tags as u64, "tag"),
        counted(checked.problems.len() as u64, "problem"),
        match (mended, only_told) {
            (0, _) => String::new(),
            (mended, false) => format!(", {mended} mended"),
            (mended, true) => format!(", {mended} would be mended"),
        }
    ));
}
