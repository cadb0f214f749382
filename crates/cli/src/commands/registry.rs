//! Images to and from registries.

use std::path::{Path, PathBuf};

use longshore_engine::Cancel;
use longshore_image::document::Descriptor;
use longshore_image::registry::{
    CredentialFile, Credentials, Forecast, Pulled, Pushed, Route, Settings, Stop,
};
use longshore_image::{Name, PublicKey};
use longshore_model::{Code, Error, Result};
use longshore_service::number::{counted, size};
use longshore_service::{Images, Place, refuse_local};
use serde_json::{Value, json};

use crate::args::{FetchArgs, PromoteArgs, PullArgs, PushArgs, RegistryArgs, TagsArgs};
use crate::commands::evidence::public_key;
use crate::commands::images::columns;
use crate::context::Context;
use crate::failure::DONE;
use crate::progress::Progress;

/// Names the file of an authority that registries' certificates are proved by.
const AUTHORITY: &str = "LONGSHORE_REGISTRY_CA";

pub(crate) async fn push(args: &PushArgs, context: &Context) -> Result<u8> {
    let images = Images::of(&context.state)?;
    let name = match (&args.name, &args.image) {
        (Some(name), _) | (None, Place::Name(name)) => name,
        (None, place) => {
            return Err(Error::new(Code::Usage, "the image has no name to push it under")
                .with("image", place.to_string())
                .hint("Write longshore push PLACE HOST/REPOSITORY:TAG."));
        }
    };
    refuse_local(name)?;
    let image = images.find(&args.image)?;
    if args.dry_run {
        let lines = images.forecast_push(&image, name, &settings(&args.registry)).await?;
        return foretell(&image, name, &lines, context);
    }
    let pushed = context
        .drive(|progress, cancel| async move {
            let settings = stoppable(&args.registry, &progress, &cancel);
            images.push(&image, name, &settings).await.map(|pushed| (image, pushed))
        })
        .await?;
    tell_pushed("pushed", &pushed.0, name, &pushed.1, context);
    Ok(DONE)
}

pub(crate) async fn pull(args: &PullArgs, context: &Context) -> Result<u8> {
    let images = Images::of(&context.state)?;
    refuse_local(&args.image)?;
    let key = args.require_signature.as_deref().map(public_key).transpose()?;
    let pulled = fetch(&images, &args.image, key.as_ref(), &args.registry, context).await?;
    if context.json {
        let line = json!({
            "event": "pulled", "name": args.image.to_string(), "digest": pulled.image.digest,
            "fetched": pulled.fetched, "bytes": pulled.bytes, "there": pulled.there,
            "artifacts": pulled.artifacts,
        });
        context.print(&format!("{line}\n"));
    } else {
        context.print(&format!("{}\n  digest    {}\n", args.image, pulled.image.digest));
        let fetched = counted(pulled.fetched as u64, "blob");
        context.print(&format!("  fetched   {fetched}, {}\n", size(pulled.bytes)));
        context.print(&rest(&[("there", pulled.there), ("artifacts", pulled.artifacts)]));
    }
    Ok(DONE)
}

pub(crate) async fn tags(args: &TagsArgs, context: &Context) -> Result<u8> {
    let found = longshore_service::tags(&args.repository, &settings(&args.registry)).await?;
    for tag in found {
        let line = if context.json { json!({ "tag": tag }).to_string() } else { tag };
        context.print(&format!("{line}\n"));
    }
    Ok(DONE)
}

pub(crate) async fn promote(args: &PromoteArgs, context: &Context) -> Result<u8> {
    let images = Images::of(&context.state)?;
    let (from, to) = (&args.from, &args.to);
    refuse_local(from)?;
    refuse_local(to)?;
    let key = args.require_signature.as_deref().map(public_key).transpose()?;
    let key = key.as_ref();
    if args.dry_run {
        let settings = settings(&args.registry);
        let (image, lines) = images.forecast_promote(from, to, key, &settings).await?;
        return foretell(&image, to, &lines, context);
    }
    let (image, pushed) = context
        .drive(|progress, cancel| async move {
            let settings = stoppable(&args.registry, &progress, &cancel);
            images.promote(from, to, key, &settings).await
        })
        .await?;
    tell_pushed("promoted", &image, to, &pushed, context);
    Ok(DONE)
}

/// The image at a place; pulled where it is not here and may be pulled, with a key only if that proves it.
pub(crate) async fn find(
    images: &Images,
    place: &Place,
    key: Option<&PublicKey>,
    args: &FetchArgs,
    context: &Context,
) -> Result<Descriptor> {
    match (images.find(place), place) {
        (Err(error), Place::Name(name)) if error.code() == Code::ImageMissing && args.pull => {
            refuse_local(name)?;
            Ok(fetch(images, name, key, &args.registry, context).await?.image)
        }
        (Err(error), Place::Name(_)) if error.code() == Code::ImageMissing => Err(error
            .hint("`longshore images` lists those that are here; --pull looks in its registry.")),
        (found, _) => found,
    }
}

async fn fetch(
    images: &Images,
    name: &Name,
    key: Option<&PublicKey>,
    args: &RegistryArgs,
    context: &Context,
) -> Result<Pulled> {
    context
        .drive(|progress, cancel| async move {
            let settings = stoppable(args, &progress, &cancel);
            cancel.guard(images.pull(name, key, &settings)).await
        })
        .await
}

/// Settings with progress. A part of an upload on its way is finished before it stops, because some
/// registries lose an upload whose part was cut.
pub(super) fn stoppable(args: &RegistryArgs, progress: &Progress, cancel: &Cancel) -> Settings {
    let cancel = cancel.clone();
    Settings {
        listener: progress.listener(),
        stop: Stop::new(move || cancel.is_requested()),
        ..settings(args)
    }
}

pub(super) fn settings(args: &RegistryArgs) -> Settings {
    let authority = || std::env::var_os(AUTHORITY).filter(|path| !path.is_empty());
    Settings {
        plain_http: args.plain_http,
        authorities: args.ca.clone().or_else(|| authority().map(PathBuf::from)),
        credentials: Credentials::from_files(credential_files()),
        ..Settings::default()
    }
}

/// The files of docker and podman, in the order in which they are asked.
fn credential_files() -> Vec<CredentialFile> {
    let folder =
        |name: &str| std::env::var_os(name).filter(|path| !path.is_empty()).map(PathBuf::from);
    // Who names a file means that one.
    if let Some(file) = folder("REGISTRY_AUTH_FILE") {
        return vec![CredentialFile::named(file)];
    }
    let home = folder("HOME");
    let docker = folder("DOCKER_CONFIG").or(home.as_deref().map(|home| home.join(".docker")));
    let runtime = folder("XDG_RUNTIME_DIR").map(|folder| folder.join("containers/auth.json"));
    let own = folder("XDG_CONFIG_HOME").or(home.as_deref().map(|home: &Path| home.join(".config")));
    let files = [
        docker.map(|folder| folder.join("config.json")),
        runtime,
        own.map(|folder| folder.join("containers/auth.json")),
    ];
    files.into_iter().flatten().map(CredentialFile::optional).collect()
}

fn tell_pushed(event: &str, image: &Descriptor, name: &Name, pushed: &Pushed, context: &Context) {
    if context.json {
        let mut line = json!({
            "event": event, "name": name.to_string(), "digest": image.digest,
        });
        if let (Value::Object(line), Ok(Value::Object(more))) =
            (&mut line, serde_json::to_value(pushed))
        {
            line.extend(more);
        }
        context.print(&format!("{line}\n"));
        return;
    }
    context.print(&format!("{name}\n  digest    {}\n", image.digest));
    let sent = counted(pushed.sent as u64, "blob");
    context.print(&format!("  sent      {sent}, {}\n", size(pushed.bytes)));
    context.print(&rest(&[
        ("mounted", pushed.mounted),
        ("there", pushed.there),
        ("artifacts", pushed.artifacts),
    ]));
}

/// Counts that are not zero, a line each.
fn rest(counts: &[(&str, usize)]) -> String {
    let counts = counts.iter().filter(|(_, count)| *count > 0);
    counts.map(|(name, count)| format!("  {name:9} {count}\n")).collect()
}

fn foretell(image: &Descriptor, name: &Name, lines: &[Forecast], context: &Context) -> Result<u8> {
    if context.json {
        let line = json!({
            "event": "forecast", "name": name.to_string(), "digest": image.digest, "blobs": lines,
        });
        context.print(&format!("{line}\n"));
        return Ok(DONE);
    }
    let mut rows = vec![["WOULD BE", "SIZE", "DIGEST", "TYPE"].map(str::to_string)];
    rows.extend(lines.iter().map(|line| {
        let route = match line.route {
            Route::There => "there",
            Route::Mounted => "mounted",
            Route::Sent | Route::Fetched => "sent",
        };
        let kind = line.media_type.clone();
        [route.to_string(), size(line.size), line.digest.short().to_string(), kind]
    }));
    context.print(&columns(&rows));
    let sent = lines.iter().filter(|line| line.route == Route::Sent);
    let bytes: u64 = sent.clone().map(|line| line.size).sum();
    let count = counted(sent.count() as u64, "blob");
    context.print(&format!("\n{count}, {}, would be sent to {name}\n", size(bytes)));
    Ok(DONE)
}
