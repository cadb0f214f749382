//! Whether an image in a registry is signed, before its layers are brought here or sent on.

use std::collections::BTreeSet;

use longshore_model::Result;

use super::download::blocking;
use super::parcel::Parcel;
use super::transport::Client;
use crate::document::{Manifest, from_json};
use crate::signature::{self, COSIGN};
use crate::{Layout, Name, PublicKey};

/// Brings the signatures of an image whose manifests are here, and refuses one that no key in them proves.
pub async fn demand(
    client: &Client,
    name: &Name,
    parcel: &Parcel,
    layout: &Layout,
    key: &PublicKey,
) -> Result<()> {
    let mut seen = BTreeSet::new();
    for spoken in &parcel.artifacts {
        if spoken.artifact.artifact_type.as_deref() != Some(COSIGN) {
            continue;
        }
        let manifest: Manifest = from_json("manifest", &layout.read(&spoken.artifact)?)?;
        for blob in manifest.layers {
            if seen.insert(blob.digest.clone()) {
                client.download(&name.repository, &blob, layout).await?;
            }
        }
        layout.refer(&spoken.artifact, &spoken.subject, None)?;
    }
    let (layout, image, key) = (layout.clone(), parcel.root.clone(), key.clone());
    blocking(move || signature::demand(&layout, &image, &key)).await.map_err(|error| {
        error.with("name", name.to_string()).hint("Nothing of it was taken but its manifests. Ask who built it to sign and push it, or name another key.")
    })
}
