//! Images from a registry.

use std::collections::BTreeSet;

use futures_util::stream::{self, StreamExt, TryStreamExt};
use longshore_model::{Code, Error, Result, failpoint};

use super::download::blocking;
use super::manifests::Fetched;
use super::parcel::{MANY, Parcel, Speaking, too_many};
use super::transport::Client;
use super::{Route, TOGETHER, TransferEvent};
use crate::document::{Descriptor, Index, Manifest, from_json};
use crate::signature::{COSIGN, tag_of};
use crate::{Layout, Name, PublicKey};

/// What a pull brought.
#[derive(Debug, Clone)]
pub struct Pulled {
    /// The image.
    pub image: Descriptor,
    /// How many blobs were there already.
    pub there: usize,
    /// How many were fetched.
    pub fetched: usize,
    /// Bytes of those that were fetched.
    pub bytes: u64,
    /// How many artifacts speak of it.
    pub artifacts: usize,
}

/// What a name stands for in a registry.
pub async fn resolve(client: &Client, name: &Name) -> Result<Descriptor> {
    Ok(client.demand_manifest(&name.repository, name.reference()).await?.descriptor)
}

/// Brings an image, and all that speaks of it, into a layout, and gives it its name there when all of it is
/// there. With a key, an image that it does not prove is refused before its layers come.
pub async fn pull(
    client: &Client,
    name: &Name,
    layout: &Layout,
    key: Option<&PublicKey>,
) -> Result<Pulled> {
    let parcel = documents(client, name, layout).await?;
    if let Some(key) = key {
        super::demand(client, name, &parcel, layout, key).await?;
    }
    let (blobs, bytes) = parcel.extent();
    client.settings.listener.tell(TransferEvent::TransferPlanned { blobs, bytes });
    let mut pulled = Pulled {
        image: parcel.root.clone(),
        there: 0,
        fetched: 0,
        bytes: 0,
        artifacts: parcel.artifacts.len(),
    };
    let downloads = parcel.blobs.iter().map(|blob| async move {
        let route = client.download(&name.repository, blob, layout).await?;
        Ok::<_, Error>((route, blob.size))
    });
    let mut downloads = stream::iter(downloads).buffer_unordered(TOGETHER);
    while let Some((route, size)) = downloads.try_next().await? {
        match route {
            Route::Fetched => {
                (pulled.fetched, pulled.bytes) = (pulled.fetched + 1, pulled.bytes + size)
            }
            _ => pulled.there += 1,
        }
    }
    failpoint::hit("registry.pulled")?;
    let (layout, name) = (layout.clone(), name.clone());
    blocking(move || {
        for one in &parcel.artifacts {
            layout.refer(&one.artifact, &one.subject, None)?;
        }
        layout.tag(&parcel.root, &name)
    })
    .await?;
    Ok(pulled)
}

/// Brings the manifests of an image, and of all that speaks of it, into a layout.
pub async fn documents(client: &Client, name: &Name, layout: &Layout) -> Result<Parcel> {
    let repository = name.repository.as_str();
    let root = client.demand_manifest(repository, name.reference()).await?;
    let root = keep(layout, &root)?;
    let mut speaking = Speaking::new();
    let mut seen = BTreeSet::new();
    let own = tree(client, repository, &root, layout, &mut seen).await?;
    let mut waiting: Vec<(Descriptor, bool)> = own.into_iter().map(|one| (one, true)).collect();
    while !waiting.is_empty() {
        let listed = std::mem::take(&mut waiting);
        let listed = listed.into_iter().map(|(one, is_own)| async move {
            let found = speak_of(client, repository, &one, is_own, layout).await?;
            Ok::<_, Error>((one, found))
        });
        let listed: Vec<_> = stream::iter(listed).buffered(TOGETHER).try_collect().await?;
        for (subject, found) in listed {
            for artifact in found {
                let is_new = !seen.contains(&artifact.digest);
                speaking.entry(subject.digest.clone()).or_default().push(artifact.clone());
                if is_new {
                    let parts = tree(client, repository, &artifact, layout, &mut seen).await?;
                    waiting.extend(parts.into_iter().map(|one| (one, false)));
                }
            }
        }
    }
    let (layout, root) = (layout.clone(), root);
    blocking(move || Parcel::with(&layout, &root, &speaking)).await
}

fn keep(layout: &Layout, manifest: &Fetched) -> Result<Descriptor> {
    layout.put_from(&manifest.descriptor, manifest.bytes.as_slice())?;
    Ok(manifest.descriptor.clone())
}

/// A manifest, which is here, and those that it leads to, which are brought here.
async fn tree(
    client: &Client,
    repository: &str,
    root: &Descriptor,
    layout: &Layout,
    seen: &mut BTreeSet<crate::Digest>,
) -> Result<Vec<Descriptor>> {
    let (mut found, mut waiting) = (Vec::new(), vec![root.clone()]);
    while let Some(one) = waiting.pop() {
        if !seen.insert(one.digest.clone()) {
            continue;
        }
        if seen.len() > MANY {
            return Err(too_many());
        }
        let bytes = match layout.has(&one).then(|| layout.read(&one)) {
            Some(Ok(bytes)) => bytes,
            // It is not here, or damaged.
            _ => fetch(client, repository, &one, layout).await?.bytes,
        };
        if one.is_index() {
            waiting.extend(from_json::<Index>("index", &bytes)?.manifests);
        }
        found.push(one);
    }
    Ok(found)
}

async fn fetch(
    client: &Client,
    repository: &str,
    one: &Descriptor,
    layout: &Layout,
) -> Result<Fetched> {
    let fetched = client.demand_manifest(repository, one.digest.as_str()).await?;
    let told = (&one.media_type, one.size);
    if told != (&fetched.descriptor.media_type, fetched.descriptor.size) {
        return Err(Error::new(
            Code::ImageInvalid,
            "a manifest from a registry is not what its descriptor says",
        )
        .with("digest", one.digest.to_string()));
    }
    keep(layout, &fetched)?;
    Ok(fetched)
}

/// The artifacts that speak of a manifest, their manifests brought here.
async fn speak_of(
    client: &Client,
    repository: &str,
    subject: &Descriptor,
    is_own: bool,
    layout: &Layout,
) -> Result<Vec<Descriptor>> {
    let mut found: Vec<Descriptor> = Vec::new();
    for listed in client.referrers(repository, &subject.digest).await? {
        // A list that clients keep may name what is gone.
        let Some(fetched) = client.manifest(repository, listed.digest.as_str()).await? else {
            continue;
        };
        found.extend(artifact(&fetched, subject, None, layout)?);
    }
    if is_own && let Some(fetched) = client.manifest(repository, &tag_of(&subject.digest)).await? {
        found.extend(artifact(&fetched, subject, Some(COSIGN), layout)?);
    }
    let mut seen = BTreeSet::new();
    found.retain(|one| seen.insert(one.digest.clone()));
    Ok(found)
}

/// An artifact as layouts list it; `None` when it does not say that it speaks of the subject. Signatures
/// of cosign need not say so, because their tag does.
fn artifact(
    fetched: &Fetched,
    subject: &Descriptor,
    kind: Option<&str>,
    layout: &Layout,
) -> Result<Option<Descriptor>> {
    if fetched.descriptor.is_index() {
        return Ok(None);
    }
    let manifest: Manifest = from_json("manifest", &fetched.bytes)?;
    let told = manifest.subject.as_ref().map(|told| &told.digest);
    if told.map_or(kind.is_none(), |told| *told != subject.digest) {
        return Ok(None);
    }
    let mut described = keep(layout, fetched)?;
    let own = manifest.artifact_type.or(Some(manifest.config.media_type));
    described.artifact_type = kind.map(str::to_string).or(own);
    described.annotations = manifest.annotations;
    Ok(Some(described))
}
