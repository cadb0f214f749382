//! The images of the registry on the same port, with their sizes and what is said of them.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::Read as _;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use longshore_image::Digest;
use longshore_image::document::{Config, Descriptor, Index, LONGEST, Manifest, annotation};
use longshore_image::statement::{BUNDLE, Statement, opened};
use longshore_model::{Code, Error, Result};
use longshore_registry::{Repository, Store, Usage, usage};
use schemars::JsonSchema;
use serde::Serialize;

/// Tags of a repository that are looked at.
const TAGS: usize = 1000;
/// Repositories that are looked at.
const REPOSITORIES: usize = 1000;

/// An image under a tag.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Image {
    /// The repository.
    pub(crate) repository: String,
    /// The tag.
    pub(crate) tag: String,
    /// The digest.
    pub(crate) digest: String,
    /// When it was made, as it says.
    pub(crate) created: Option<String>,
    /// The migration in it.
    pub(crate) migration: Option<String>,
    /// The migration's version.
    pub(crate) version: Option<String>,
    /// The digest of the plan in it.
    pub(crate) plan: Option<String>,
    /// S: bytes of all its layers and documents.
    pub(crate) size: u64,
    /// Bytes of it that no other image has.
    pub(crate) unique: u64,
    /// Its layers.
    pub(crate) layers: Vec<Layer>,
    /// How many signatures it has.
    pub(crate) signatures: u64,
    /// What its runs came to, as is stated on it.
    pub(crate) evidence: Vec<Stated>,
    #[serde(skip)]
    parts: BTreeMap<Digest, u64>,
}

/// A layer of an image.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Layer {
    digest: String,
    /// Bytes.
    size: u64,
    media_type: String,
    /// How many other images have it too.
    shared_by: usize,
}

/// What is stated of a run.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Stated {
    /// The kind of statement.
    kind: String,
    run: Option<String>,
    outcome: Option<String>,
    at: Option<String>,
}

/// All images that have a tag.
pub(crate) fn list(store: &Store) -> Result<Vec<Image>> {
    let mut images = Vec::new();
    let page = store.catalog("", REPOSITORIES, &|_| true).map_err(|fault| told(store, fault))?;
    for name in page.names {
        let repository: Repository = name.parse().map_err(|fault| told(store, fault))?;
        let tags = store.tags(&repository, "", TAGS).map_err(|fault| told(store, fault))?;
        for tag in tags.names {
            // Fallback tags of referrers are no images of their own.
            if is_fallback(&tag) {
                continue;
            }
            images.extend(look(store, &repository, &tag));
        }
    }
    compare(&mut images);
    Ok(images)
}

fn told(store: &Store, fault: longshore_registry::Fault) -> Error {
    fault.into_error("the registry cannot be read", store.root())
}

fn is_fallback(tag: &str) -> bool {
    let hex = |text: &str| text.len() >= 64 && text.bytes().take(64).all(|c| c.is_ascii_hexdigit());
    tag.strip_prefix("sha256-").is_some_and(hex)
}

/// What a tag names; nothing, when it is gone meanwhile or is no image.
fn look(store: &Store, repository: &Repository, tag: &str) -> Option<Image> {
    let kept = store.get_manifest(repository, tag).ok()?;
    let mut image = Image {
        repository: repository.as_str().to_string(),
        tag: tag.to_string(),
        digest: kept.digest.to_string(),
        created: None,
        migration: None,
        version: None,
        plan: None,
        size: 0,
        unique: 0,
        layers: Vec::new(),
        signatures: 0,
        evidence: Vec::new(),
        parts: BTreeMap::new(),
    };
    image.parts.insert(kept.digest.clone(), kept.bytes.len() as u64);
    match serde_json::from_slice::<Index>(&kept.bytes) {
        Ok(index) => {
            image.annotated(&index.annotations);
            for one in &index.manifests {
                let inner = store.get_manifest(repository, &one.digest.to_string()).ok()?;
                image.parts.insert(inner.digest.clone(), inner.bytes.len() as u64);
                image.contents(store, repository, &inner.bytes)?;
            }
        }
        Err(_) => image.contents(store, repository, &kept.bytes)?,
    }
    image.spoken_of(store, repository, &kept.digest);
    image.size = image.parts.values().sum();
    Some(image)
}

impl Image {
    fn annotated(&mut self, annotations: &BTreeMap<String, String>) {
        let told = |name: &str| annotations.get(name).cloned();
        self.migration = self.migration.take().or_else(|| told(annotation::MIGRATION));
        self.version = self.version.take().or_else(|| told(annotation::MIGRATION_VERSION));
        self.plan = self.plan.take().or_else(|| told(annotation::PLAN));
    }

    fn contents(&mut self, store: &Store, repository: &Repository, bytes: &[u8]) -> Option<()> {
        let manifest: Manifest = serde_json::from_slice(bytes).ok()?;
        self.annotated(&manifest.annotations);
        self.parts.insert(manifest.config.digest.clone(), manifest.config.size);
        if let Ok((file, _)) = store.open_blob(repository, &manifest.config.digest)
            && let Ok(config) = serde_json::from_reader::<_, Config>(std::io::BufReader::new(file))
        {
            self.created = self.created.take().or(config.created);
        }
        for layer in manifest.layers {
            self.parts.insert(layer.digest.clone(), layer.size);
            self.layers.push(Layer {
                digest: layer.digest.to_string(),
                size: layer.size,
                media_type: layer.media_type,
                shared_by: 0,
            });
        }
        Some(())
    }

    /// What refers to it: signatures, and statements on runs.
    fn spoken_of(&mut self, store: &Store, repository: &Repository, digest: &Digest) {
        for one in store.referrers(repository, digest).unwrap_or_default() {
            let Some(statement) = statement(store, repository, &one) else { continue };
            let said = |name: &str| statement.predicate[name].as_str().map(str::to_string);
            match said("outcome") {
                Some(outcome) => self.evidence.push(Stated {
                    kind: statement.predicate_type.clone(),
                    run: said("run"),
                    outcome: Some(outcome),
                    at: said("started"),
                }),
                None => self.signatures += 1,
            }
        }
    }
}

/// The statement in a bundle that refers to an image.
fn statement(store: &Store, repository: &Repository, one: &Descriptor) -> Option<Statement> {
    if one.artifact_type.as_deref() != Some(BUNDLE) {
        return None;
    }
    let kept = store.get_manifest(repository, &one.digest.to_string()).ok()?;
    let manifest: Manifest = serde_json::from_slice(&kept.bytes).ok()?;
    let (file, size) = store.open_blob(repository, &manifest.layers.first()?.digest).ok()?;
    let mut bytes = Vec::new();
    file.take(size.min(LONGEST)).read_to_end(&mut bytes).ok()?;
    opened(&bytes)
}

/// Who else has the same parts.
fn compare(images: &mut [Image]) {
    let mut owners: HashMap<Digest, HashSet<String>> = HashMap::new();
    for image in images.iter() {
        for part in image.parts.keys() {
            // Two tags of one digest are one image.
            owners.entry(part.clone()).or_default().insert(image.digest.clone());
        }
    }
    let others = |digest: &Digest| owners.get(digest).map_or(0, |all| all.len().saturating_sub(1));
    for image in images {
        image.unique =
            image.parts.iter().filter(|(part, _)| others(part) == 0).map(|(_, size)| size).sum();
        for layer in &mut image.layers {
            layer.shared_by = layer.digest.parse().map_or(0, |digest: Digest| others(&digest));
        }
    }
}

/// What a registry holds, as it was measured last: measuring looks at every blob.
#[derive(Default)]
pub(crate) struct Measured(Mutex<Option<(Instant, Usage)>>);

impl Measured {
    /// What the registry holds, measured anew when it was long ago.
    pub(crate) fn usage(&self, store: &Store, at_most: Duration) -> Result<Usage> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*kept {
            Some((at, usage)) if at.elapsed() < at_most => Ok(usage.clone()),
            _ => Ok(kept.insert((Instant::now(), usage(store)?)).1.clone()),
        }
    }
}

/// Refuses where there is no registry on this port.
pub(crate) fn store(app: &crate::App) -> Result<&std::sync::Arc<Store>> {
    let registry = app.registry.as_ref();
    registry.map(|registry| &registry.store).ok_or_else(|| {
        Error::new(Code::NotKept, "this server has no registry")
            .hint("Start it without --no-registry.")
    })
}
