//! What a run will do.

use longshore_engine::{describe_plan, is_clean};
use longshore_model::plan::Plan;
use longshore_model::spec::Spec;
use longshore_model::{Error, Result};

use crate::args::PlanArgs;
use crate::commands::migration;
use crate::context::Context;
use crate::failure::{DIFFERENCE, DONE};
use longshore_service::number::counted;

pub(crate) async fn plan(args: &PlanArgs, context: &Context) -> Result<u8> {
    let (mut spec, _) = migration::read(&args.migration)?;
    args.overrides.overrides().apply(&mut spec);
    let plan = make(&spec, context).await?;
    if let Some(path) = &args.output {
        std::fs::write(path, plan.to_json()?)
            .map_err(|error| Error::io("write the plan", path.display(), error))?;
    }
    if args.sql {
        context.print(&statements(&plan));
    } else {
        show(&plan, args.details, context)?;
    }
    if !args.check {
        return Ok(DONE);
    }
    if !context.json && !args.sql {
        context.print(&format!("\ncheck: {}\n", verdict(&plan)));
    }
    Ok(if is_clean(&plan) { DONE } else { DIFFERENCE })
}

/// Works a migration out, with progress that is no part of the answer.
pub(crate) async fn make(spec: &Spec, context: &Context) -> Result<Plan> {
    let quiet = Context { quiet: context.quiet || context.json, json: false, ..context.again() };
    quiet
        .drive(|progress, cancel| async move {
            context.service.plan(spec, &progress.events(), &cancel).await
        })
        .await
}

/// Prints a plan, for people or as JSON.
pub(crate) fn show(plan: &Plan, details: bool, context: &Context) -> Result<()> {
    context.print(&if context.json { plan.to_json()? } else { describe_plan(plan, details) });
    Ok(())
}

/// What `--check` finds, in one line.
fn verdict(plan: &Plan) -> String {
    let losses: usize = plan.moves.iter().map(|one| one.losses.len()).sum();
    let left: usize = plan.moves.iter().map(|one| one.not_moved.len()).sum();
    if is_clean(plan) {
        return "a run would move everything exactly".to_string();
    }
    format!(
        "{} and {} that would stay behind",
        counted(losses as u64, "predicted loss"),
        counted(left as u64, "thing")
    )
}

fn statements(plan: &Plan) -> String {
    let mut out = String::new();
    for one in &plan.moves {
        out.push_str(&format!("-- {}\n-- before the copy\n", one.to));
        for (index, statement) in one.prepare.iter().chain(&one.finish).enumerate() {
            if index == one.prepare.len() {
                out.push_str("\n-- after the copy\n");
            }
            let sql = statement.sql.trim_end().trim_end_matches(';');
            out.push_str(&format!("\n-- {}\n{sql};\n", statement.purpose));
        }
    }
    out
}
