//! What there is to see of images.

use std::collections::{BTreeMap, BTreeSet};

use longshore_image::document::{Annotations, Descriptor, annotation};
use longshore_image::{Digest, Image, PublicKey, named, reach};
use longshore_model::Result;
use serde::Serialize;

use super::{Evidence, Images};

/// An image in a list.
#[derive(Debug, Clone, Serialize)]
pub struct ImageLine {
    /// Its name.
    pub name: String,
    /// Its digest.
    pub digest: Digest,
    /// When it was made, as it says.
    pub created: Option<String>,
    /// The digest of the plan in it.
    pub plan: Option<String>,
    /// Where it runs.
    pub platforms: Vec<String>,
    /// Bytes of all that belongs to it.
    pub size: u64,
    /// Bytes that no other image has as well.
    pub unique: u64,
}

/// All that is known of an image.
#[derive(Debug, Clone, Serialize)]
pub struct Inspection {
    /// Its digest.
    pub digest: Digest,
    /// The names that it has here.
    pub names: Vec<String>,
    /// What it says of itself.
    pub annotations: Annotations,
    /// The images in it, one for each platform.
    pub platforms: Vec<PlatformLine>,
    /// What speaks of it.
    pub referrers: Vec<Referrer>,
    /// What is stated of it: that it is signed, what its runs did and whether everything arrived.
    pub evidence: Vec<Evidence>,
    /// The migration, as it is sealed.
    pub migration: String,
    /// The plan, as it is sealed.
    pub plan: serde_json::Value,
}

/// The image for one platform.
#[derive(Debug, Clone, Serialize)]
pub struct PlatformLine {
    /// Where it runs.
    pub platform: String,
    /// Its digest.
    pub digest: Digest,
    /// The version of its engine.
    pub engine: Option<String>,
    /// What it is made of.
    pub layers: Vec<LayerLine>,
    /// What speaks of it.
    pub referrers: Vec<Referrer>,
}

/// A layer.
#[derive(Debug, Clone, Serialize)]
pub struct LayerLine {
    /// How it was made.
    pub made: Option<String>,
    /// Its digest.
    pub digest: Digest,
    /// Its bytes.
    pub size: u64,
    /// How many other images here have it too.
    pub shared: usize,
}

/// An artifact that speaks of an image.
#[derive(Debug, Clone, Serialize)]
pub struct Referrer {
    /// What it is.
    pub kind: String,
    /// Its digest.
    pub digest: Digest,
    /// What is said of it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: Annotations,
}

impl Images {
    /// The images that have a name, by it.
    pub fn list(&self) -> Result<Vec<ImageLine>> {
        let users = self.users()?;
        let mut lines = Vec::new();
        for root in self.layout.index()?.manifests {
            let Some(name) = named(&root) else { continue };
            let blobs = reach(&self.layout, &root)?;
            let images = Image::all(&self.layout, &root)?;
            let told = |name: &str| {
                images.first().and_then(|image| image.manifest.annotations.get(name).cloned())
            };
            let alone =
                |blob: &&Descriptor| users.get(&blob.digest).is_some_and(|users| users.len() == 1);
            lines.push(ImageLine {
                name: name.to_string(),
                digest: root.digest.clone(),
                created: told(annotation::CREATED),
                plan: told(annotation::PLAN),
                platforms: images.iter().map(|image| image.platform().to_string()).collect(),
                size: blobs.iter().map(|blob| blob.size).sum(),
                unique: blobs.iter().filter(alone).map(|blob| blob.size).sum(),
            });
        }
        lines.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(lines)
    }

    /// All that is known of an image; with a key, whether that proves what is stated of it.
    pub fn inspect(&self, root: &Descriptor, key: Option<&PublicKey>) -> Result<Inspection> {
        let users = self.users()?;
        let images = Image::all(&self.layout, root)?;
        let first = images.first().ok_or_else(|| super::not_a_migration(root))?;
        let (migration, plan) = self.sealed_files(root)?;
        let index = self.layout.index()?.manifests;
        let names = index.iter().filter(|one| one.digest == root.digest).filter_map(named);
        Ok(Inspection {
            digest: root.digest.clone(),
            names: names.map(str::to_string).collect(),
            annotations: first.manifest.annotations.clone(),
            referrers: if root.is_index() { self.referrers(&root.digest)? } else { Vec::new() },
            platforms: images
                .iter()
                .map(|image| self.platform(image, root, &users))
                .collect::<Result<_>>()?,
            evidence: self.evidence(root, key)?,
            migration,
            plan: longshore_image::document::from_json("plan", plan.as_bytes())?,
        })
    }

    fn platform(
        &self,
        image: &Image,
        root: &Descriptor,
        users: &BTreeMap<Digest, BTreeSet<Digest>>,
    ) -> Result<PlatformLine> {
        let made = image.config.history.iter().map(|history| history.created_by.clone());
        let made = made.chain(std::iter::repeat(None));
        let layers = image.manifest.layers.iter().zip(made).map(|(blob, made)| LayerLine {
            made,
            digest: blob.digest.clone(),
            size: blob.size,
            shared: users
                .get(&blob.digest)
                .map_or(0, |users| users.iter().filter(|user| **user != root.digest).count()),
        });
        Ok(PlatformLine {
            platform: image.platform().to_string(),
            digest: image.descriptor.digest.clone(),
            engine: image.manifest.annotations.get(annotation::ENGINE).cloned(),
            layers: layers.collect(),
            referrers: self.referrers(&image.descriptor.digest)?,
        })
    }

    fn referrers(&self, digest: &Digest) -> Result<Vec<Referrer>> {
        let found = self.layout.referrers(digest)?.into_iter();
        Ok(found
            .map(|one| Referrer {
                kind: one.artifact_type.unwrap_or_default(),
                digest: one.digest,
                annotations: one.annotations,
            })
            .collect())
    }

    /// Which named images have each blob.
    fn users(&self) -> Result<BTreeMap<Digest, BTreeSet<Digest>>> {
        let mut users: BTreeMap<Digest, BTreeSet<Digest>> = BTreeMap::new();
        for root in self.layout.index()?.manifests {
            if named(&root).is_some() {
                for blob in reach(&self.layout, &root)? {
                    users.entry(blob.digest).or_default().insert(root.digest.clone());
                }
            }
        }
        Ok(users)
    }
}
