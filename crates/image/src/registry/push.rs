//! Images to a registry: blobs first, then manifests, then what speaks of them, and the tag when all of it is
//! there.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::stream::{self, StreamExt, TryStreamExt};
use longshore_model::{Code, Error, Result, failpoint};
use serde::Serialize;

use super::parcel::{Parcel, Spoken};
use super::transport::Client;
use super::{Route, TOGETHER, TransferEvent, pull};
use crate::document::{Descriptor, Manifest, from_json};
use crate::signature::{self, COSIGN, tag_of};
use crate::{Digest, Layout, Name, PublicKey};

/// Where an image goes, and where the registry may have parts of it.
#[derive(Debug, Clone)]
pub struct Destination {
    /// The name that it gets: a tag, or nothing but its own digest.
    pub name: Name,
    /// Other repositories of the same registry, by the blobs that they may have.
    pub elsewhere: BTreeMap<Digest, Vec<String>>,
}

/// What a push did.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Pushed {
    /// Blobs and manifests that were there.
    pub there: usize,
    /// Blobs that the registry took from another of its repositories.
    pub mounted: usize,
    /// Blobs and manifests that were sent.
    pub sent: usize,
    /// Their bytes.
    pub bytes: u64,
    /// How many artifacts speak of the image.
    pub artifacts: usize,
}

/// What a push would do with a blob or manifest.
#[derive(Debug, Clone, Serialize)]
pub struct Forecast {
    /// Its digest.
    pub digest: Digest,
    /// What it is.
    pub media_type: String,
    /// Its bytes.
    pub size: u64,
    /// How it would come there.
    pub route: Route,
}

impl Destination {
    /// A destination for an image, which a name with a digest must be.
    pub fn new(name: &Name, image: &Descriptor) -> Result<Self> {
        match &name.digest {
            Some(digest) if *digest != image.digest => {
                Err(Error::new(Code::ImageName, "the name has the digest of another image")
                    .with("name", name.to_string())
                    .with("image", image.digest.to_string()))
            }
            _ => Ok(Self { name: name.clone(), elsewhere: BTreeMap::new() }),
        }
    }

    fn elsewhere(&self, blob: &Descriptor) -> &[String] {
        self.elsewhere.get(&blob.digest).map_or(&[], Vec::as_slice)
    }
}

/// Says what a push would do. Nothing is changed.
pub async fn forecast(
    client: &Client,
    parcel: &Parcel,
    destination: &Destination,
) -> Result<Vec<Forecast>> {
    let repository = destination.name.repository.as_str();
    let blobs = parcel.blobs.iter().map(|blob| async move {
        let mut route = Route::Sent;
        if client.has_blob(repository, blob).await? {
            route = Route::There;
        } else {
            for other in destination.elsewhere(blob) {
                if client.has_blob(other, blob).await.unwrap_or(false) {
                    route = Route::Mounted;
                }
            }
        }
        Ok::<_, Error>(line(blob, route))
    });
    let mut lines: Vec<Forecast> = stream::iter(blobs).buffered(TOGETHER).try_collect().await?;
    let artifacts = parcel.artifacts.iter().map(|one| &one.artifact);
    let manifests = parcel.manifests.iter().chain(artifacts).map(|one| async move {
        let is_there = client.head(repository, one.digest.as_str()).await?;
        Ok::<_, Error>(line(one, if is_there { Route::There } else { Route::Sent }))
    });
    let manifests: Vec<Forecast> = stream::iter(manifests).buffered(TOGETHER).try_collect().await?;
    lines.extend(manifests);
    Ok(lines)
}

fn line(blob: &Descriptor, route: Route) -> Forecast {
    Forecast {
        digest: blob.digest.clone(),
        media_type: blob.media_type.clone(),
        size: blob.size,
        route,
    }
}

/// Pushes an image and all that speaks of it in a layout.
pub async fn push(
    client: &Client,
    root: &Descriptor,
    destination: &Destination,
    layout: &Layout,
) -> Result<Pushed> {
    let mut parcel = Parcel::of(layout, root)?;
    if join_signatures(client, &mut parcel, &destination.name.repository, layout, true).await? {
        parcel = Parcel::of(layout, root)?;
    }
    send(client, &parcel, destination, layout, None).await
}

/// Brings an image, and all that speaks of it, from one registry into another, or into another repository.
/// Blobs that must be sent come through the layout. With a key, an image that it does not prove stays where it is.
pub async fn promote(
    from: (&Client, &Name),
    to: &Client,
    destination: impl FnOnce(&Parcel) -> Result<Destination>,
    layout: &Layout,
    key: Option<&PublicKey>,
) -> Result<(Descriptor, Pushed)> {
    let mut parcel = pull::documents(from.0, from.1, layout).await?;
    if let Some(key) = key {
        super::demand(from.0, from.1, &parcel, layout, key).await?;
    }
    let destination = destination(&parcel)?;
    join_signatures(to, &mut parcel, &destination.name.repository, layout, false).await?;
    let pushed = send(to, &parcel, &destination, layout, Some(from)).await?;
    Ok((parcel.root, pushed))
}

async fn send(
    client: &Client,
    parcel: &Parcel,
    destination: &Destination,
    layout: &Layout,
    source: Option<(&Client, &Name)>,
) -> Result<Pushed> {
    let repository = destination.name.repository.as_str();
    let (blobs, bytes) = parcel.extent();
    client.settings.listener.tell(TransferEvent::TransferPlanned { blobs, bytes });
    let mut pushed = Pushed { artifacts: parcel.artifacts.len(), ..Pushed::default() };
    let uploads = parcel.blobs.iter().map(|blob| async move {
        let route = send_blob(client, blob, destination, layout, source).await?;
        Ok::<_, Error>((blob, route))
    });
    let mut uploads = stream::iter(uploads).buffer_unordered(TOGETHER);
    let mut failed = None;
    while let Some(result) = uploads.next().await {
        match result {
            Ok((blob, route)) => pushed.count(blob, route),
            // The parts on their way are ended, because some registries lose an upload whose part was cut.
            Err(error) => {
                client.give_up();
                failed.get_or_insert(error);
            }
        }
    }
    if let Some(error) = failed {
        return Err(error);
    }
    failpoint::hit("registry.blobs")?;
    for one in &parcel.manifests {
        let route = match client.head(repository, one.digest.as_str()).await? {
            true => Route::There,
            false => {
                put(client, repository, one.digest.as_str(), one, layout).await?;
                Route::Sent
            }
        };
        pushed.count(one, route);
        done(client, one, route);
    }
    failpoint::hit("registry.manifests")?;
    send_artifacts(client, parcel, repository, layout, &mut pushed).await?;
    failpoint::hit("registry.artifacts")?;
    if let Some(tag) = &destination.name.tag {
        put(client, repository, tag, &parcel.root, layout).await?;
    }
    Ok(pushed)
}

async fn send_blob(
    client: &Client,
    blob: &Descriptor,
    destination: &Destination,
    layout: &Layout,
    source: Option<(&Client, &Name)>,
) -> Result<Route> {
    let repository = destination.name.repository.as_str();
    if client.has_blob(repository, blob).await? {
        done(client, blob, Route::There);
        return Ok(Route::There);
    }
    let elsewhere = destination.elsewhere(blob);
    let Some((from, name)) = source else {
        return client.upload(repository, blob, elsewhere, layout).await;
    };
    for other in elsewhere {
        if client.mount(repository, blob, other, layout).await? {
            done(client, blob, Route::Mounted);
            return Ok(Route::Mounted);
        }
    }
    from.download(&name.repository, blob, layout).await?;
    client.upload(repository, blob, &[], layout).await
}

async fn put(
    client: &Client,
    repository: &str,
    reference: &str,
    one: &Descriptor,
    layout: &Layout,
) -> Result<bool> {
    let bytes = layout.read(one)?;
    let headers = client.put(repository, reference, &one.media_type, &bytes).await?;
    Ok(headers.contains_key("oci-subject"))
}

/// Sends artifacts, and lists them where the registry does not.
async fn send_artifacts(
    client: &Client,
    parcel: &Parcel,
    repository: &str,
    layout: &Layout,
    pushed: &mut Pushed,
) -> Result<()> {
    let mut listed: BTreeMap<&Digest, BTreeSet<Digest>> = BTreeMap::new();
    let mut unlisted: BTreeMap<&Digest, Vec<Descriptor>> = BTreeMap::new();
    for Spoken { subject, artifact } in &parcel.artifacts {
        if !listed.contains_key(subject) {
            let found = client.referrers(repository, subject).await?;
            listed.insert(subject, found.into_iter().map(|one| one.digest).collect());
        }
        let route = match listed[subject].contains(&artifact.digest)
            && client.head(repository, artifact.digest.as_str()).await?
        {
            true => Route::There,
            false => {
                let reference = artifact.digest.as_str();
                if !put(client, repository, reference, artifact, layout).await? {
                    unlisted.entry(subject).or_default().push(artifact.clone());
                }
                Route::Sent
            }
        };
        pushed.count(artifact, route);
        done(client, artifact, route);
    }
    for (subject, artifacts) in &unlisted {
        client.keep_referrers(repository, subject, artifacts).await?;
    }
    for Spoken { subject, artifact } in &parcel.artifacts {
        if artifact.artifact_type.as_deref() == Some(COSIGN) {
            let tag = tag_of(subject);
            let there = client.manifest(repository, &tag).await?;
            if there.is_none_or(|there| there.descriptor.digest != artifact.digest) {
                put(client, repository, &tag, artifact, layout).await?;
            }
        }
    }
    // Registries have no condition on a write, so one who wrote at the same time may have undone it.
    for (subject, artifacts) in &unlisted {
        client.keep_referrers(repository, subject, artifacts).await?;
    }
    Ok(())
}

/// Adds to our signatures those that others have put under cosign's tag, which has room for one artifact.
/// Says whether there were any.
async fn join_signatures(
    client: &Client,
    parcel: &mut Parcel,
    repository: &str,
    layout: &Layout,
    is_ours: bool,
) -> Result<bool> {
    let mut joined_any = false;
    let own: Vec<Descriptor> = parcel.own(layout)?.into_iter().cloned().collect();
    for subject in own {
        let mine = parcel.artifacts.iter_mut().find(|one| {
            one.subject == subject.digest && one.artifact.artifact_type.as_deref() == Some(COSIGN)
        });
        let Some(mine) = mine else { continue };
        let Some(theirs) = client.manifest(repository, &tag_of(&subject.digest)).await? else {
            continue;
        };
        if theirs.descriptor.digest == mine.artifact.digest || theirs.descriptor.is_index() {
            continue;
        }
        let theirs: Manifest = from_json("manifest", &theirs.bytes)?;
        let Some(joined) = signature::join(layout, &subject, &mine.artifact, &theirs)? else {
            continue;
        };
        for layer in &theirs.layers {
            client.download(repository, layer, layout).await?;
        }
        if is_ours {
            layout.refer(&joined, &subject.digest, Some(&mine.artifact))?;
        }
        let manifest: Manifest = from_json("manifest", &layout.read(&joined)?)?;
        for blob in std::iter::once(manifest.config).chain(manifest.layers) {
            if !parcel.blobs.iter().any(|one| one.digest == blob.digest) {
                parcel.blobs.push(blob);
            }
        }
        mine.artifact = joined;
        joined_any = true;
    }
    Ok(joined_any)
}

fn done(client: &Client, blob: &Descriptor, route: Route) {
    let (digest, bytes) = (blob.digest.clone(), blob.size);
    client.settings.listener.tell(TransferEvent::BlobDone { digest, bytes, route });
}

impl Pushed {
    fn count(&mut self, blob: &Descriptor, route: Route) {
        match route {
            Route::There => self.there += 1,
            Route::Mounted => self.mounted += 1,
            Route::Sent | Route::Fetched => {
                self.sent += 1;
                self.bytes += blob.size;
            }
        }
    }
}
