//! What belongs to an image: everything that its digest leads to, and what speaks of it.

use std::collections::BTreeSet;

use longshore_model::{Code, Error, Result};

use crate::document::{Config, Descriptor, Index, Manifest, Platform, from_json, media};
use crate::layout::is_known;
use crate::{Digest, Layout};

/// Every blob that belongs to an image, each once; those that others lead to come first.
pub fn reach(layout: &Layout, root: &Descriptor) -> Result<Vec<Descriptor>> {
    let mut found = Reached { layout, seen: BTreeSet::new(), blobs: Vec::new() };
    found.manifest(root)?;
    Ok(found.blobs)
}

struct Reached<'a> {
    layout: &'a Layout,
    seen: BTreeSet<Digest>,
    blobs: Vec<Descriptor>,
}

impl Reached<'_> {
    fn manifest(&mut self, blob: &Descriptor) -> Result<()> {
        if !self.seen.insert(blob.digest.clone()) {
            return Ok(());
        }
        if !is_known(&blob.media_type) {
            return Err(unknown(blob));
        }
        let bytes = self.layout.read(blob)?;
        if blob.is_index() {
            for one in from_json::<Index>("index", &bytes)?.manifests {
                self.manifest(&one)?;
            }
        } else {
            let manifest: Manifest = from_json("manifest", &bytes)?;
            for one in std::iter::once(manifest.config).chain(manifest.layers) {
                if self.seen.insert(one.digest.clone()) {
                    self.blobs.push(one);
                }
            }
        }
        self.blobs.push(blob.clone());
        for referrer in self.layout.referrers(&blob.digest)? {
            self.manifest(&referrer)?;
        }
        Ok(())
    }
}

/// An image for one platform, with its documents read.
#[derive(Debug, Clone)]
pub struct Image {
    /// Its manifest's descriptor.
    pub descriptor: Descriptor,
    /// Its manifest.
    pub manifest: Manifest,
    /// How it runs.
    pub config: Config,
}

impl Image {
    /// Reads the images of a descriptor: the one, or all of an index.
    pub fn all(layout: &Layout, root: &Descriptor) -> Result<Vec<Self>> {
        if !is_known(&root.media_type) {
            return Err(unknown(root));
        }
        let bytes = layout.read(root)?;
        if !root.is_index() {
            return Ok(vec![Self::of(layout, root.clone(), &bytes)?]);
        }
        let mut images = Vec::new();
        for one in from_json::<Index>("index", &bytes)?.manifests {
            if one.is_manifest() {
                let bytes = layout.read(&one)?;
                images.push(Self::of(layout, one, &bytes)?);
            }
        }
        Ok(images)
    }

    /// The image for a platform.
    pub fn for_platform(layout: &Layout, root: &Descriptor, wanted: &Platform) -> Result<Self> {
        let images = Self::all(layout, root)?;
        let there: Vec<String> = images.iter().map(|image| image.platform().to_string()).collect();
        let found = images.into_iter().find(|image| image.platform() == *wanted);
        found.ok_or_else(|| {
            Error::new(Code::ImageMissing, "the image is for other platforms")
                .with("platform", wanted.to_string())
                .with("image's", there.join(", "))
                .hint("Build it with an engine for this platform too: --engine FILE.")
        })
    }

    fn of(layout: &Layout, descriptor: Descriptor, bytes: &[u8]) -> Result<Self> {
        let manifest: Manifest = from_json("manifest", bytes)?;
        if ![media::CONFIG, media::DOCKER_CONFIG].contains(&&*manifest.config.media_type) {
            return Err(unknown(&manifest.config));
        }
        let config = from_json("config", &layout.read(&manifest.config)?)?;
        Ok(Self { descriptor, manifest, config })
    }

    /// Where it runs.
    pub fn platform(&self) -> Platform {
        Platform {
            architecture: self.config.architecture.clone(),
            os: self.config.os.clone(),
            variant: None,
        }
    }
}

fn unknown(blob: &Descriptor) -> Error {
    Error::new(Code::ImageInvalid, "a part of an image is of a type that is not known here")
        .with("type", blob.media_type.chars().take(100).collect::<String>())
        .with("digest", blob.digest.to_string())
}
