//! Images that stay.

use longshore_image::Digest;
use longshore_model::{Code, Error, Result};
use longshore_registry::{Fault, Held, Hold, Repository, Store};
use longshore_service::rfc3339;
use serde_json::{Value, json};

use super::{open, print_json};
use crate::args::HoldArgs;
use crate::context::Context;
use crate::failure::DONE;

pub(crate) fn hold(args: &HoldArgs, context: &Context) -> Result<u8> {
    let store = open(args.root.as_ref(), context)?;
    if args.list {
        return list(&store, context);
    }
    let images: Vec<(Repository, &str)> =
        args.images.iter().map(|image| named(image)).collect::<Result<_>>()?;
    let reason = args.reason.as_deref().unwrap_or_default();
    if !args.release && reason.trim().is_empty() {
        return Err(Error::new(Code::Usage, "the reason says nothing"));
    }
    let hold = Hold::new(reason, args.until);
    if hold.is_over() {
        return Err(Error::new(Code::Usage, "the hold would be over already"));
    }
    // All are looked at before one is changed.
    for (repository, reference) in &images {
        find(&store, args.release, repository, reference)?;
    }
    for (repository, reference) in &images {
        let (digest, fate) = change(&store, args, &hold, repository, reference)?;
        match context.json {
            true => {
                let line = json!({
                    "event": "hold", "repository": repository.as_str(), "digest": digest,
                    "fate": fate,
                });
                context.print(&format!("{line}\n"));
            }
            false => context.print(&format!("{repository}@{digest}  {fate}\n")),
        }
    }
    Ok(DONE)
}

/// Holds an image, or lets it go, or says that it would. Returns what became of it.
fn change(
    store: &Store,
    args: &HoldArgs,
    hold: &Hold,
    repository: &Repository,
    reference: &str,
) -> Result<(Digest, &'static str)> {
    let failed = |fault| failed(fault, repository, reference);
    Ok(match (args.dry_run, args.release) {
        (true, release) => {
            let digest = find(store, release, repository, reference)?;
            (digest, if release { "would be let go" } else { "would be held" })
        }
        (false, false) => (store.hold(repository, reference, hold).map_err(failed)?, "held"),
        (false, true) => {
            let (digest, was_held) = store.release(repository, reference).map_err(failed)?;
            (digest, if was_held { "let go" } else { "was not held" })
        }
    })
}

/// What a tag or digest names. What is let go need not be there any more.
fn find(store: &Store, release: bool, repository: &Repository, reference: &str) -> Result<Digest> {
    let found = match release {
        false => store.find(repository, reference),
        true => store
            .resolve(repository, reference)
            .and_then(|found| found.ok_or_else(|| Fault::ManifestUnknown(reference.to_string()))),
    };
    found.map_err(|fault| failed(fault, repository, reference))
}

fn list(store: &Store, context: &Context) -> Result<u8> {
    let held = store.holds().map_err(|fault| {
        Error::new(Code::Io, "the holds cannot be listed").because(said(&fault))
    })?;
    if context.json {
        let lines: Vec<Value> = held.iter().map(line).collect();
        print_json(&lines, context)?;
        return Ok(DONE);
    }
    for one in &held {
        let until = match one.hold.until {
            None => String::new(),
            Some(until) if one.hold.is_over() => format!(", over since {}", rfc3339(until)),
            Some(until) => format!(", until {}", rfc3339(until)),
        };
        let Held { repository, digest, hold } = one;
        let since = rfc3339(hold.since);
        context.print(&format!("{repository}@{digest}  since {since}{until}: {}\n", hold.reason));
    }
    Ok(DONE)
}

fn line(held: &Held) -> Value {
    json!({
        "repository": held.repository.as_str(), "digest": held.digest, "reason": held.hold.reason,
        "since": rfc3339(held.hold.since), "until": held.hold.until.map(rfc3339),
        "over": held.hold.is_over(),
    })
}

/// The repository and the tag or digest of an image of the registry itself.
fn named(image: &str) -> Result<(Repository, &str)> {
    let wrong = || {
        Error::new(Code::ImageName, "this names no image of the registry")
            .with("image", image)
            .hint("Write REPOSITORY:TAG or REPOSITORY@DIGEST, without a host.")
    };
    let parts = image.split_once('@').or_else(|| image.rsplit_once(':'));
    let (repository, reference) = parts.ok_or_else(wrong)?;
    Ok((repository.parse().map_err(|_| wrong())?, reference))
}

fn failed(fault: Fault, repository: &Repository, reference: &str) -> Error {
    let (code, why) = match &fault {
        Fault::NameUnknown => (Code::ImageMissing, "the registry has no such repository"),
        Fault::ManifestUnknown(_) => (Code::ImageMissing, "the repository has no such image"),
        Fault::TagInvalid | Fault::DigestInvalid(_) => {
            (Code::ImageName, "the tag or digest is not understood")
        }
        Fault::ManifestBlobUnknown(_) => (Code::ImageInvalid, "a part of the image is missing"),
        _ => (Code::Io, "the hold cannot be written"),
    };
    let error = Error::new(code, why)
        .with("repository", repository.to_string())
        .with("reference", reference);
    match &fault {
        Fault::Disk(_) | Fault::Full => error.because(said(&fault)),
        Fault::ManifestBlobUnknown(digest) => {
            error.with("part", digest.to_string()).hint("`longshore registry check` says more.")
        }
        _ => error,
    }
}

fn said(fault: &Fault) -> String {
    match fault {
        Fault::Disk(why) => why.clone(),
        Fault::Full => "the disk is full".to_string(),
        other => format!("{other:?}"),
    }
}
