//! Migrations in images: the engine that is sealed with one runs it.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use longshore_image::document::Platform;
use longshore_model::{Code, Error, Result};
use longshore_service::{Images, Place};

use crate::args::{MigrationArgs, TrustArgs};
use crate::commands::evidence::public_key;
use crate::commands::registry;
use crate::context::Context;

/// Where the first argument is an image, becomes its engine with the same arguments and the folder of
/// its migration in place of the image. Comes back only where it is none, or with an error.
pub(crate) async fn enter(
    args: &MigrationArgs,
    trust: &TrustArgs,
    context: &Context,
) -> Result<()> {
    let Some(place) = image(args, trust, context)? else { return Ok(()) };
    let images = Images::of(&context.state)?;
    let key = trust.require_signature.as_deref().map(public_key).transpose()?;
    let image = registry::find(&images, &place, key.as_ref(), &trust.fetch, context).await?;
    if let Some(key) = &key {
        images.demand(&image, key)?;
    }
    let unpacked = images.unpack(&image, &Platform::here())?;
    let mut replaced = false;
    let arguments = std::env::args_os().skip(1).map(|argument| {
        let is_it = !replaced && argument == OsString::from(&args.first);
        replaced |= is_it;
        if is_it { unpacked.migration.clone().into_os_string() } else { argument }
    });
    let mut engine = Command::new(&unpacked.engine);
    let error = engine.args(arguments).exec();
    Err(Error::io("start the engine of the image", unpacked.engine.display(), error))
}

/// The image that is meant: what has the form of one, or the name of one that is here.
fn image(args: &MigrationArgs, trust: &TrustArgs, context: &Context) -> Result<Option<Place>> {
    if args.second.is_some() || Path::new(&args.first).exists() {
        return Ok(None);
    }
    if Place::is_told(&args.first) || trust.fetch.pull {
        return args.first.parse().map(Some);
    }
    if !context.state.join("images").exists() {
        return Ok(None);
    }
    let Ok(place) = args.first.parse::<Place>() else { return Ok(None) };
    match Images::of(&context.state)?.find(&place) {
        Ok(_) => Ok(Some(place)),
        Err(error) if error.code() == Code::ImageMissing => Ok(None),
        Err(error) => Err(error),
    }
}
