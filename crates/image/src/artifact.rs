//! Artifacts: manifests of one blob that speak of an image, such as its bill of materials, a signature or
//! a statement on what it did.

use longshore_model::Result;

use crate::Layout;
use crate::document::{Annotations, Descriptor, Manifest, from_json, media, to_json};

/// Keeps a blob as an artifact that speaks of an image, and returns its manifest.
pub fn attach(
    layout: &Layout,
    image: &Descriptor,
    kind: &str,
    bytes: &[u8],
    annotations: Annotations,
) -> Result<Descriptor> {
    let subject = Descriptor::new(&image.media_type, image.digest.clone(), image.size);
    let manifest = Manifest {
        schema_version: 2,
        media_type: Some(media::MANIFEST.to_string()),
        artifact_type: Some(kind.to_string()),
        config: layout.put(media::EMPTY, b"{}")?,
        layers: vec![layout.put(kind, bytes)?],
        subject: Some(subject),
        annotations: annotations.clone(),
    };
    let mut described = layout.put(media::MANIFEST, &to_json(&manifest)?)?;
    described.artifact_type = Some(kind.to_string());
    described.annotations = annotations;
    layout.refer(&described, &image.digest)?;
    Ok(described)
}

/// The bytes of an artifact.
pub fn content(layout: &Layout, artifact: &Descriptor) -> Result<Vec<u8>> {
    let manifest: Manifest = from_json("manifest", &layout.read(artifact)?)?;
    match manifest.layers.first() {
        Some(blob) => layout.read_whole(blob),
        None => Ok(Vec::new()),
    }
}
