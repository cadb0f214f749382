//! What travels together: an image and all that speaks of it.

use std::collections::{BTreeMap, BTreeSet};

use longshore_model::{Code, Error, Result};

use crate::document::{Descriptor, Index, Manifest, from_json};
use crate::layout::is_known;
use crate::{Digest, Layout};

/// Artifacts by the digests of what they speak of.
pub(super) type Speaking = BTreeMap<Digest, Vec<Descriptor>>;

/// How many manifests belong to an image at most.
pub(super) const MANY: usize = 20_000;

/// An image and all that speaks of it, in the order in which a registry takes it.
#[derive(Debug, Clone)]
pub struct Parcel {
    /// The image.
    pub root: Descriptor,
    /// Configs and layers, each once.
    pub blobs: Vec<Descriptor>,
    /// The manifests of the image and of the artifacts' own parts, those that others lead to first.
    pub(super) manifests: Vec<Descriptor>,
    /// Artifacts, each after what it speaks of.
    pub(super) artifacts: Vec<Spoken>,
}

/// An artifact, and what it speaks of.
#[derive(Debug, Clone)]
pub(super) struct Spoken {
    pub(super) subject: Digest,
    pub(super) artifact: Descriptor,
}

impl Parcel {
    /// An image of a layout with what speaks of it there.
    pub fn of(layout: &Layout, root: &Descriptor) -> Result<Self> {
        Self::with(layout, root, &layout.speaking()?)
    }

    /// An image whose manifests, and those of the artifacts, are in a layout. Blobs need not be.
    pub(super) fn with(layout: &Layout, root: &Descriptor, speaking: &Speaking) -> Result<Self> {
        let root = Descriptor { annotations: Default::default(), ..root.clone() };
        let mut parcel = Self {
            root: root.clone(),
            blobs: Vec::new(),
            manifests: Vec::new(),
            artifacts: Vec::new(),
        };
        let mut walk = Walk { layout, seen: BTreeSet::new(), waiting: Vec::new() };
        walk.tree(&root, &mut parcel, None)?;
        while let Some(subject) = walk.next() {
            for artifact in speaking.get(&subject).into_iter().flatten() {
                walk.tree(artifact, &mut parcel, Some(&subject))?;
            }
        }
        Ok(parcel)
    }

    /// How many blobs and manifests it has, and their bytes.
    pub fn extent(&self) -> (usize, u64) {
        let artifacts = self.artifacts.iter().map(|one| &one.artifact);
        let all = self.blobs.iter().chain(&self.manifests).chain(artifacts);
        all.fold((0, 0), |(count, bytes), one| (count + 1, bytes + one.size))
    }

    /// The manifests of the image itself.
    pub(super) fn own<'a>(&'a self, layout: &Layout) -> Result<Vec<&'a Descriptor>> {
        let mut own = vec![self.root.digest.clone()];
        if self.root.is_index() {
            let index: Index = from_json("index", &layout.read(&self.root)?)?;
            own.extend(index.manifests.into_iter().map(|one| one.digest));
        }
        Ok(self.manifests.iter().filter(|one| own.contains(&one.digest)).collect())
    }
}

struct Walk<'a> {
    layout: &'a Layout,
    seen: BTreeSet<Digest>,
    /// Manifests whose artifacts are still to be looked for, the next one last.
    waiting: Vec<Digest>,
}

impl Walk<'_> {
    fn next(&mut self) -> Option<Digest> {
        match self.waiting.is_empty() {
            true => None,
            false => Some(self.waiting.remove(0)),
        }
    }

    fn tree(
        &mut self,
        one: &Descriptor,
        parcel: &mut Parcel,
        subject: Option<&Digest>,
    ) -> Result<()> {
        if !self.seen.insert(one.digest.clone()) {
            return Ok(());
        }
        if !is_known(&one.media_type) {
            return Err(Error::new(
                Code::ImageInvalid,
                "a part of an image is of a type that is not known here",
            )
            .with("type", super::error::shown(&one.media_type))
            .with("digest", one.digest.to_string()));
        }
        if self.seen.len() > MANY {
            return Err(too_many());
        }
        let bytes = self.layout.read(one)?;
        if one.is_index() {
            for child in from_json::<Index>("index", &bytes)?.manifests {
                self.tree(&child, parcel, None)?;
            }
        } else {
            let manifest: Manifest = from_json("manifest", &bytes)?;
            for blob in std::iter::once(manifest.config).chain(manifest.layers) {
                if self.seen.insert(blob.digest.clone()) {
                    parcel.blobs.push(blob);
                }
            }
        }
        self.waiting.push(one.digest.clone());
        match subject {
            None => parcel.manifests.push(one.clone()),
            Some(subject) => {
                parcel.artifacts.push(Spoken { subject: subject.clone(), artifact: one.clone() })
            }
        }
        Ok(())
    }
}

pub(super) fn too_many() -> Error {
    Error::new(Code::ImageInvalid, "too many manifests belong to an image")
        .with("limit", MANY.to_string())
}
