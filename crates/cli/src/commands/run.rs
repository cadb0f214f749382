//! Runs: `copy` and `run`.

use std::path::PathBuf;

use longshore_engine::Process;
use longshore_model::Result;
use longshore_model::plan::Plan;
use longshore_model::spec::Spec;
use longshore_service::{Ended, RunOrder, load_plan, report_line};

use crate::args::{CopyArgs, RunArgs, RunOptions, VerifyChoice};
use crate::commands::{migration, plan, sealed};
use crate::context::{Context, machine};
use crate::failure::{self, DONE, exit_of, exit_of_outcome};
use crate::{summary, traces};

pub(crate) async fn copy(args: &CopyArgs, context: &Context) -> Result<u8> {
    start(Spec::short(&args.from, &args.to), None, &args.options, None, false, context).await
}

pub(crate) async fn run(args: &RunArgs, context: &Context) -> Result<u8> {
    sealed::enter(&args.migration, &args.trust, context).await?;
    let (spec, plan) = migration::read(&args.migration)?;
    let process = args.processes.process();
    let plan = args.plan.clone().or(plan);
    start(spec, plan, &args.options, process, args.emit_report, context).await
}

async fn start(
    mut spec: Spec,
    plan_file: Option<PathBuf>,
    options: &RunOptions,
    process: Option<Process>,
    emit_report: bool,
    context: &Context,
) -> Result<u8> {
    options.overrides.overrides().apply(&mut spec);
    let given: Option<Plan> = plan_file.as_deref().map(load_plan).transpose()?;
    if options.dry_run {
        let plan = match given {
            Some(plan) => plan,
            None => plan::make(&spec, context).await?,
        };
        plan::show(&plan, false, context)?;
        return Ok(DONE);
    }
    let verify = options.verify.map_or(Some(spec.verify), VerifyChoice::level);
    let traces = options.traces.open()?;
    let followed = traces.as_ref();
    let ended = context
        .drive(|progress, cancel| async move {
            let order = RunOrder {
                spec,
                plan: given,
                verify,
                machine: machine(),
                process,
                events: traces::follow(followed, progress.events(), "run", context),
                cancel,
            };
            context.service.run(order, &context.store()).await
        })
        .await;
    traces::end(traces.as_ref(), context).await;
    let ended = ended?;
    if emit_report && context.json {
        context.print(&format!("{}\n", report_line(&ended.report)?));
    }
    Ok(finish(&ended, context))
}

/// Shows how a run ended; returns the exit code.
pub(crate) fn finish(ended: &Ended, context: &Context) -> u8 {
    let page = ended.folder.path.join("report.html");
    let exit = match &ended.error {
        Some(error) => exit_of(error.kind()),
        None => exit_of_outcome(ended.report.outcome),
    };
    if !context.json {
        context.print(&summary::render(&ended.report, &page, &context.output));
    }
    if let Some(warning) = &ended.warning {
        failure::warn(&context.output, warning);
    }
    if let Some(error) = &ended.error {
        failure::show(&context.output, error, context.json);
    }
    if context.json {
        let line = serde_json::json!({
            "event": "result",
            "run": ended.folder.id,
            "outcome": ended.report.outcome,
            "exit": exit,
            "report": ended.folder.path.join("report.json"),
        });
        context.output.print(&format!("{line}\n"));
    }
    exit
}
