//! An image out of the registry, into a layout on the same machine.

use std::collections::HashSet;

use longshore_image::Layout;
use longshore_image::document::Descriptor;
use longshore_model::Result;

use crate::fault::Fault;
use crate::promote::{gather, missing, named};
use crate::store::{Repository, Store};

/// What a layout need not be told of a blob, which is kept by its digest.
const UNTOLD: &str = "application/octet-stream";

/// Brings an image, without what is said of it, into a layout. It gets no name there.
pub fn take_out(
    store: &Store,
    from: &Repository,
    reference: &str,
    layout: &Layout,
) -> Result<Descriptor> {
    let told = |fault: Fault| match fault {
        Fault::ManifestUnknown(_) | Fault::NameUnknown => missing(from, reference),
        other => other.into_error("the image cannot be taken out", store.root()),
    };
    let root = store.get_manifest(from, reference).map_err(told)?;
    let mut found = Vec::new();
    gather(store, from, root.clone(), &mut HashSet::new(), &mut found).map_err(told)?;
    for kept in &found {
        let needs = named(&kept.bytes).map_err(told)?.needs;
        for need in needs.iter().filter(|need| !need.is_manifest && !need.is_foreign) {
            let (file, size) = store.open_blob(from, &need.digest).map_err(told)?;
            layout.put_from(&Descriptor::new(UNTOLD, need.digest.clone(), size), file)?;
        }
        layout.put(&kept.media_type, &kept.bytes)?;
    }
    Ok(Descriptor::new(&root.media_type, root.digest, root.bytes.len() as u64))
}
