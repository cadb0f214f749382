//! Tags that the policy keeps, and those that go.

use longshore_model::Result;
use longshore_registry::retain;
use longshore_service::number::counted;
use serde_json::json;

use super::{open, print_json};
use crate::args::RetentionArgs;
use crate::context::Context;
use crate::failure::DONE;

pub(crate) fn retention(args: &RetentionArgs, context: &Context) -> Result<u8> {
    let judged = retain(&open(args.root.as_ref(), context)?, args.dry_run)?;
    let removed = judged.iter().filter(|one| !one.kept).count();
    if context.json {
        let answer = json!({
            "tags": judged, "kept": judged.len() - removed, "removed": removed,
            "dry_run": args.dry_run,
        });
        print_json(&answer, context)?;
        return Ok(DONE);
    }
    let gone = if args.dry_run { "would be removed" } else { "removed" };
    for one in &judged {
        let fate = if one.kept { "kept" } else { gone };
        context.print(&format!("{}:{}  {fate}, {}\n", one.repository, one.tag, one.why));
    }
    if judged.is_empty() {
        context.print("no policy has rules of retention: all tags stay\n");
        return Ok(DONE);
    }
    let count = |number: usize| counted(number as u64, "tag");
    context.print(&format!("{} {gone}; kept: {}\n", count(removed), count(judged.len() - removed)));
    if removed > 0 && !args.dry_run {
        context.print("`longshore registry gc --untagged` frees what no tag leads to any more\n");
    }
    Ok(DONE)
}
