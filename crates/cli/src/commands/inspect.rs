//! What is in an image.

use longshore_image::document::Platform;
use longshore_model::plan::Plan;
use longshore_model::{Code, Error, Result};
use longshore_service::number::{counted, size};
use longshore_service::{Images, Inspection, LayerLine, Referrer};

use crate::args::InspectArgs;
use crate::commands::evidence::{line, public_key};
use crate::commands::registry;
use crate::context::Context;
use crate::failure::DONE;

pub(crate) async fn inspect(args: &InspectArgs, context: &Context) -> Result<u8> {
    let images = Images::of(&context.state)?;
    let image = registry::find(&images, &args.image, None, &args.fetch, context).await?;
    if args.sbom {
        let platform = args.platform.clone().unwrap_or_else(Platform::here);
        let sbom = images.sbom(&image, &platform)?;
        context.print(&format!("{}\n", String::from_utf8_lossy(&sbom)));
        return Ok(DONE);
    }
    let key = args.key.as_deref().map(public_key).transpose()?;
    let found = images.inspect(&image, key.as_ref())?;
    let text = if args.migration {
        found.migration
    } else if args.plan && !context.json {
        longshore_engine::describe_plan(&plan(&found)?, false)
    } else if args.plan {
        pretty(&found.plan)?
    } else if context.json {
        pretty(&found)?
    } else {
        describe(&found)?
    };
    context.print(&text);
    Ok(DONE)
}

fn plan(found: &Inspection) -> Result<Plan> {
    Plan::from_json(&found.plan.to_string())
}

fn pretty(value: &impl serde::Serialize) -> Result<String> {
    serde_json::to_string_pretty(value)
        .map(|text| text + "\n")
        .map_err(|error| Error::new(Code::Internal, "an image cannot be shown").because(error))
}

fn describe(found: &Inspection) -> Result<String> {
    let mut out = format!("{}\n", found.digest);
    for name in &found.names {
        out.push_str(&format!("  {name}\n"));
    }
    let plan = plan(found)?;
    let rows: u64 = plan.moves.iter().map(|one| one.rows()).sum();
    let bytes: u64 = plan.moves.iter().map(|one| one.bytes()).sum();
    out.push_str(&format!("\nMigration {} {}\n", plan.name, plan.version));
    for one in &plan.moves {
        out.push_str(&format!("  {} → {}\n", one.from, one.to));
    }
    out.push_str(&format!("  {}, {}\n", counted(rows, "row"), size(bytes)));
    out.push_str(&format!("  plan {}\n", plan.digest()?));
    for platform in &found.platforms {
        out.push_str(&format!("\nFor {}: {}\n", platform.platform, platform.digest));
        platform.layers.iter().for_each(|layer| out.push_str(&layer_line(layer)));
        platform.referrers.iter().for_each(|one| out.push_str(&referrer_line(one)));
    }
    if !found.referrers.is_empty() {
        out.push_str("\nFor all\n");
        found.referrers.iter().for_each(|one| out.push_str(&referrer_line(one)));
    }
    let stated: Vec<_> = found.evidence.iter().filter(|one| one.image == found.digest).collect();
    if !stated.is_empty() {
        out.push_str("\nSignatures and runs\n");
        stated.iter().for_each(|one| out.push_str(&format!("  {}", line(one))));
    }
    Ok(out)
}

fn layer_line(layer: &LayerLine) -> String {
    let made = layer.made.as_deref().unwrap_or("a layer");
    let made = made.strip_prefix("longshore build: ").unwrap_or(made);
    let shared = match layer.shared {
        0 => String::new(),
        others => format!(", in {} too", counted(others as u64, "other image")),
    };
    format!("  {made:<10} {:>10}  {}{shared}\n", size(layer.size), layer.digest.short())
}

fn referrer_line(one: &Referrer) -> String {
    format!("  {}  {}\n", one.digest.short(), one.kind)
}
