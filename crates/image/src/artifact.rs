//! Artifacts: manifests that speak of an image, such as its bill of materials, a signature or a statement on
//! what it did.

use longshore_model::Result;

use crate::Layout;
use crate::document::{Annotations, Descriptor, Manifest, from_json, media, to_json};

/// What an artifact is made of; its blobs are kept already.
pub(crate) struct Artifact<'a> {
    pub(crate) kind: &'a str,
    pub(crate) config: Descriptor,
    pub(crate) layers: Vec<Descriptor>,
    pub(crate) annotations: Annotations,
    /// The one that it takes the place of.
    pub(crate) before: Option<Descriptor>,
}

/// Keeps a blob as an artifact that speaks of an image, and returns its manifest.
pub fn attach(
    layout: &Layout,
    image: &Descriptor,
    kind: &str,
    bytes: &[u8],
    annotations: Annotations,
) -> Result<Descriptor> {
    let config = layout.put(media::EMPTY, b"{}")?;
    let layers = vec![layout.put(kind, bytes)?];
    put(layout, image, Artifact { kind, config, layers, annotations, before: None })
}

pub(crate) fn put(layout: &Layout, image: &Descriptor, artifact: Artifact) -> Result<Descriptor> {
    let manifest = Manifest {
        schema_version: 2,
        media_type: Some(media::MANIFEST.to_string()),
        artifact_type: Some(artifact.kind.to_string()),
        config: artifact.config,
        layers: artifact.layers,
        subject: Some(Descriptor::new(&image.media_type, image.digest.clone(), image.size)),
        annotations: artifact.annotations.clone(),
    };
    let mut described = layout.put(media::MANIFEST, &to_json(&manifest)?)?;
    described.artifact_type = Some(artifact.kind.to_string());
    described.annotations = artifact.annotations;
    layout.refer(&described, &image.digest, artifact.before.as_ref())?;
    Ok(described)
}

/// The bytes of an artifact of one blob.
pub fn content(layout: &Layout, artifact: &Descriptor) -> Result<Vec<u8>> {
    let manifest: Manifest = from_json("manifest", &layout.read(artifact)?)?;
    match manifest.layers.first() {
        Some(blob) => layout.read_whole(blob),
        None => Ok(Vec::new()),
    }
}
