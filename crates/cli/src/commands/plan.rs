//! What a run will do.

use longshore_engine::{describe_plan, is_clean};
use longshore_model::plan::Plan;
use longshore_model::spec::Spec;
use longshore_model::{Error, Result};

use crate::args::PlanArgs;
use crate::commands::migration;
use crate::context::Context;
use crate::failure::{DIFFERENCE, DONE};

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
        show(&plan, context)?;
    }
    Ok(if args.check && !is_clean(&plan) { DIFFERENCE } else { DONE })
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
pub(crate) fn show(plan: &Plan, context: &Context) -> Result<()> {
    context.print(&if context.json { plan.to_json()? } else { describe_plan(plan) });
    Ok(())
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
