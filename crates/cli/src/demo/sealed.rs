//! The migration once more, as a signed image that goes through a registry and carries the proof of its run.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use longshore_engine::report::Report;
use longshore_image::Digest;
use longshore_image::document::Platform;
use longshore_model::{Code, Error, Result};
use longshore_registry::{Access, House, Serving, Store, serve};
use longshore_service::Images;
use longshore_service::number::size;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::{child, finished, say, step};
use crate::context::Context;

/// The image's repository, and its tag.
const REPOSITORY: &str = "demo/shop";
const TAG: &str = "1.0.0";
/// The migration that is sealed.
const MIGRATION: &str = "to-sealed.yaml";
/// What both keys are called before their endings.
const KEYS: &str = "demo";
/// The folder of the registry, and the state folder of those who know the image from there alone.
pub(super) const REGISTRY: &str = "registry";
pub(super) const ELSEWHERE: &str = "elsewhere";

/// Builds and signs the image, runs it where it was pulled to, and puts what the run did on it.
pub(super) async fn run(folder: &Path, context: &Context) -> Result<Report> {
    step(
        context,
        "The same as an image: built, signed, through a registry, run by its own engine, proved",
    );
    let (address, _serving) = registry(folder, context).await?;
    let image = format!("{address}/{REPOSITORY}:{TAG}");
    child::verb(folder, &["build", MIGRATION, "--tag", &image, "--quiet"])?;
    child::verb(folder, &["key", KEYS])?;
    let (private, public) = (format!("{KEYS}.key"), format!("{KEYS}.pub"));
    child::verb(folder, &["sign", &image, "--key", &private])?;
    let digest = describe(folder, &image, context)?;
    tell("pushed", &child::verb(folder, &["push", &image, "--json"])?, context);

    tell("pulled", &child::verb(folder, &elsewhere(&["pull", &image, "--json"]))?, context);
    let trust = [image.as_str(), "--require-signature", &public];
    let args = elsewhere(&[&["run"], &trust[..]].concat());
    let seen = child::run(folder, &args, false, &context.output)?;
    let (report, _) = finished(folder, &seen, context)?;
    child::verb(folder, &elsewhere(&[&["verify", "--quiet"], &trust[..]].concat()))?;
    say(context, "  read back and compared once more, by `longshore verify`");
    child::verb(folder, &elsewhere(&["attest", &image, "--key", &private]))?;
    child::verb(folder, &elsewhere(&["push", &image, "--quiet"]))?;

    child::verb(folder, &["pull", &image, "--quiet"])?;
    let exactly = format!("{address}/{REPOSITORY}@{digest}");
    let evidence = child::verb(folder, &["evidence", &exactly, "--key", &public])?;
    say(context, "  where it was built, the evidence came back under the image's digest:");
    evidence.lines().for_each(|line| say(context, &format!("  {line}")));
    Ok(report)
}

/// Arguments for those who know the image from the registry alone.
fn elsewhere<'a>(args: &[&'a str]) -> Vec<&'a str> {
    [&["--state", ELSEWHERE], args].concat()
}

/// A registry of its own for the demo, until this process ends.
async fn registry(folder: &Path, context: &Context) -> Result<(SocketAddr, JoinHandle<()>)> {
    let failed = |error| Error::io("listen", "127.0.0.1", error);
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let output = context.output.clone();
    let serving = Serving {
        store: Arc::new(Store::open(&folder.join(REGISTRY))?),
        access: Arc::new(Access::open()),
        house: House::new(move |why| output.note(&format!("{why}\n"))),
    };
    Ok((address, tokio::spawn(serve(listener, None, serving, std::future::pending()))))
}

/// How much went over the wire.
fn tell(what: &str, line: &str, context: &Context) {
    let told: Value = serde_json::from_str(line.trim()).unwrap_or_default();
    let bytes = told["bytes"].as_u64().unwrap_or_default();
    let place =
        if what == "pushed" { "to the registry in the box" } else { "from it to another place" };
    say(context, &format!("  {what} {place}: {}", size(bytes)));
}

/// Shows what was built. Returns its digest.
fn describe(folder: &Path, image: &str, context: &Context) -> Result<Digest> {
    let images = Images::of(&folder.join(".longshore"))?;
    let found = images.inspect(&images.find(&image.parse()?)?, None)?;
    let here = Platform::here().to_string();
    let platform = found.platforms.iter().find(|one| one.platform == here).ok_or_else(|| {
        Error::new(Code::Internal, "the image of the demo is not for this platform")
    })?;
    let sizes: Vec<String> = platform.layers.iter().map(|layer| size(layer.size)).collect();
    say(context, &format!("  {image}, {}", found.digest));
    say(
        context,
        &format!("  the engine for {here} and the migration: {}, signed", sizes.join(" and ")),
    );
    Ok(found.digest)
}
