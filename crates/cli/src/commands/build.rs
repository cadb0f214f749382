//! The image of a migration.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use longshore_image::{Name, Platforms};
use longshore_model::plan::Plan;
use longshore_model::spec::Spec;
use longshore_model::{Code, Error, Result};
use longshore_service::number::size;
use longshore_service::{BuildOrder, Images, Inspection, load_plan, rfc3339};

use crate::args::BuildArgs;
use crate::commands::{migration, plan};
use crate::context::Context;
use crate::failure::DONE;

/// Sets the time that an image says it was made at, as in other tools.
const EPOCH: &str = "SOURCE_DATE_EPOCH";

pub(crate) async fn build(args: &BuildArgs, context: &Context) -> Result<u8> {
    let (mut spec, sealed) = migration::read(&args.migration)?;
    args.overrides.overrides().apply(&mut spec);
    context.service.refuse_open_secrets(&spec)?;
    let names = names(&args.tag, &spec)?;
    let plan = match args.plan.as_ref().or(sealed.as_ref()) {
        Some(file) => load_plan(file)?,
        None => plan::make(&spec, context).await?,
    };
    let images = Images::of(&context.state)?;
    let image = context.service.build(
        &BuildOrder {
            spec: &spec,
            plan: &plan,
            engines: &engines(&args.engine)?,
            platforms: if args.index { Platforms::Index } else { Platforms::One },
            created: rfc3339(created()?),
            names: &names,
        },
        &images,
    )?;
    for place in &args.output {
        images.put(&image, &names[0], place)?;
    }
    let found = images.inspect(&image, None)?;
    if context.json {
        let line = serde_json::json!({
            "event": "built", "digest": found.digest, "names": names.iter().map(Name::to_string).collect::<Vec<_>>(),
            "platforms": found.platforms, "risks": risks(&plan).collect::<Vec<_>>(),
        });
        context.print(&format!("{line}\n"));
    } else {
        context.print(&summary(&found, &names));
        for risk in risks(&plan) {
            context.print(&format!("  risk      {risk}\n"));
        }
        for place in &args.output {
            context.print(&format!("  written   {place}\n"));
        }
    }
    Ok(DONE)
}

/// What the sealed plan says may go wrong.
fn risks(plan: &Plan) -> impl Iterator<Item = &String> {
    plan.moves.iter().flat_map(|one| &one.risks)
}

fn summary(found: &Inspection, names: &[Name]) -> String {
    let mut out = String::new();
    for name in names {
        out.push_str(&format!("{name}\n"));
    }
    out.push_str(&format!("  digest    {}\n", found.digest));
    for platform in &found.platforms {
        let sizes: Vec<String> = platform.layers.iter().map(|layer| size(layer.size)).collect();
        out.push_str(&format!(
            "  platform  {}, engine {} in {}, migration in {}\n",
            platform.platform,
            platform.engine.as_deref().unwrap_or("unknown"),
            sizes.first().map_or("0 B", String::as_str),
            sizes.get(1).map_or("0 B", String::as_str),
        ));
    }
    out
}

/// The names that are asked for, or one after the migration.
fn names(told: &[Name], spec: &Spec) -> Result<Vec<Name>> {
    if let Some(name) = told.iter().find(|name| name.digest.is_some()) {
        return Err(Error::new(Code::ImageName, "an image that is built is named by a tag")
            .with("name", name.to_string()));
    }
    if !told.is_empty() {
        return Ok(told.to_vec());
    }
    let name = format!("localhost/{}:{}", spec.name, spec.version);
    let name = name.parse().map_err(|error: Error| {
        error.hint(
            "The migration's name and version make no name of an image: name it with --tag NAME.",
        )
    });
    Ok(vec![name?])
}

fn engines(told: &[PathBuf]) -> Result<Vec<PathBuf>> {
    if !told.is_empty() {
        return Ok(told.to_vec());
    }
    std::env::current_exe()
        .map(|here| vec![here])
        .map_err(|error| Error::io("find this program's own file", "/proc/self/exe", error))
}

/// The time that the image says it was made at: the same unless somebody says another, so that the
/// digest is the same.
fn created() -> Result<SystemTime> {
    let wrong = || {
        Error::new(Code::Usage, "the time of the image is not understood")
            .with("variable", EPOCH)
            .hint("It is a number of seconds since 1970.")
    };
    let seconds = match std::env::var(EPOCH) {
        Ok(text) => text.parse::<u32>().map_err(|error| wrong().because(error))?,
        Err(std::env::VarError::NotPresent) => 0,
        Err(error) => return Err(wrong().because(error)),
    };
    Ok(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds.into()))
}
