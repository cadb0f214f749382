//! An image from one repository to another of the same registry, with all that speaks of it; no byte is copied.

use std::collections::HashSet;

use longshore_image::{Digest, signature};
use longshore_model::Error;

use crate::fault::{Fault, Result};
use crate::store::{Kept, Named, Repository, Store};

/// Gives a repository an image that another has, under a tag, with its signatures and all that is said of it.
/// What was given before a failure stays, and does no harm.
pub fn promote(
    store: &Store,
    (from, reference): (&Repository, &str),
    (to, tag): (&Repository, &str),
) -> longshore_model::Result<Digest> {
    let told = |fault: Fault| match fault {
        Fault::Kept(why) | Fault::OverQuota(why) => refused(&why),
        Fault::ManifestUnknown(_) | Fault::NameUnknown => missing(from, reference),
        other => other.into_error("the image cannot be promoted", store.root()),
    };
    give(store, (from, reference), (to, tag)).map_err(told)
}

fn give(
    store: &Store,
    (from, reference): (&Repository, &str),
    (to, tag): (&Repository, &str),
) -> Result<Digest> {
    let root = store.get_manifest(from, reference)?;
    let mut found = Vec::new();
    gather(store, from, root.clone(), &mut HashSet::new(), &mut found)?;
    for kept in &found {
        // Lists and signatures come after what they name.
        let tags = if kept.digest == root.digest { vec![tag.to_string()] } else { Vec::new() };
        mount(store, from, to, &kept.bytes)?;
        let digest = Some(kept.digest.clone());
        store.put_manifest(to, digest, &tags, Some(&kept.media_type), kept.bytes.clone())?;
        let signed = signature::tag_of(&kept.digest);
        if let Ok(signatures) = store.get_manifest(from, &signed) {
            mount(store, from, to, &signatures.bytes)?;
            let media_type = signatures.media_type;
            let digest = Some(signatures.digest);
            store.put_manifest(to, digest, &[signed], Some(&media_type), signatures.bytes)?;
        }
        mounted_referrers(store, from, to, &kept.digest)?;
    }
    Ok(root.digest)
}

/// A manifest after all those that it names.
pub(crate) fn gather(
    store: &Store,
    from: &Repository,
    kept: Kept,
    seen: &mut HashSet<Digest>,
    found: &mut Vec<Kept>,
) -> Result<()> {
    if !seen.insert(kept.digest.clone()) {
        return Ok(());
    }
    for need in named(&kept.bytes)?.needs.into_iter().filter(|need| need.is_manifest) {
        let inner = store.get_manifest(from, need.digest.as_str())?;
        gather(store, from, inner, seen, found)?;
    }
    found.push(kept);
    Ok(())
}

fn mounted_referrers(
    store: &Store,
    from: &Repository,
    to: &Repository,
    subject: &Digest,
) -> Result<()> {
    for one in store.referrers(from, subject)? {
        let kept = store.get_manifest(from, one.digest.as_str())?;
        mount(store, from, to, &kept.bytes)?;
        store.put_manifest(to, Some(kept.digest), &[], Some(&kept.media_type), kept.bytes)?;
        mounted_referrers(store, from, to, &one.digest)?;
    }
    Ok(())
}

fn mount(store: &Store, from: &Repository, to: &Repository, manifest: &[u8]) -> Result<()> {
    if from == to {
        return Ok(());
    }
    let needs = named(manifest)?.needs;
    for need in needs.iter().filter(|need| !need.is_manifest && !need.is_foreign) {
        if !store.mount(to, from, &need.digest)? {
            return Err(Fault::BlobUnknown(need.digest.clone()));
        }
    }
    Ok(())
}

pub(crate) fn named(bytes: &[u8]) -> Result<Named> {
    Named::of(bytes)
        .map_err(|error| Fault::ManifestInvalid(format!("it is not understood: {error}")))
}

fn refused(why: &str) -> Error {
    Error::new(longshore_model::Code::RegistryRefused, "the registry keeps things as they are")
        .because(why.to_string())
        .hint("Its policy, or a hold, says so.")
}

pub(crate) fn missing(from: &Repository, reference: &str) -> Error {
    Error::new(longshore_model::Code::ImageMissing, "there is no such image in the registry")
        .with("image", format!("{}:{reference}", from.as_str()))
}
