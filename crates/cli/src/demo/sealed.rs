//! The migration once more, as a signed image that carries the proof of its run.

use std::path::Path;

use longshore_engine::report::Report;
use longshore_image::document::Platform;
use longshore_model::{Code, Error, Result};
use longshore_service::Images;
use longshore_service::number::size;

use super::{child, finished, say, step};
use crate::context::Context;

/// The name of the image.
const IMAGE: &str = "localhost/demo/shop:1.0.0";
/// The migration that is sealed.
const MIGRATION: &str = "to-sealed.yaml";
/// What both keys are called before their endings.
const KEYS: &str = "demo";

/// Builds, signs and runs the image, and puts what the run did on it.
pub(super) fn run(folder: &Path, context: &Context) -> Result<Report> {
    step(context, "The same as an image: built, signed, run by its own engine, proved");
    child::verb(folder, &["build", MIGRATION, "--tag", IMAGE, "--quiet"])?;
    child::verb(folder, &["key", KEYS])?;
    let (private, public) = (format!("{KEYS}.key"), format!("{KEYS}.pub"));
    child::verb(folder, &["sign", IMAGE, "--key", &private])?;
    describe(folder, context)?;
    let args = ["run", IMAGE, "--require-signature", &public];
    let seen = child::run(folder, &args, false, &context.output)?;
    let (report, _) = finished(folder, &seen, context)?;
    child::verb(folder, &["attest", IMAGE, "--key", &private])?;
    let evidence = child::verb(folder, &["evidence", IMAGE, "--key", &public])?;
    evidence.lines().for_each(|line| say(context, &format!("  {line}")));
    Ok(report)
}

fn describe(folder: &Path, context: &Context) -> Result<()> {
    let images = Images::of(&folder.join(".longshore"))?;
    let found = images.inspect(&images.find(&IMAGE.parse()?)?, None)?;
    let here = Platform::here().to_string();
    let platform = found.platforms.iter().find(|one| one.platform == here).ok_or_else(|| {
        Error::new(Code::Internal, "the image of the demo is not for this platform")
    })?;
    let sizes: Vec<String> = platform.layers.iter().map(|layer| size(layer.size)).collect();
    say(context, &format!("  {IMAGE}, {}", found.digest));
    say(
        context,
        &format!("  the engine for {here} and the migration: {}, signed", sizes.join(" and ")),
    );
    Ok(())
}
