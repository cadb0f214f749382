//! An image's files, to run it without a container.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use longshore_image::document::{Descriptor, Platform};
use longshore_image::{Image, layer};
use longshore_model::{Error, Result};

use super::{Images, not_a_migration};
use crate::folder::write_whole;

pub(super) const ENGINE: &str = "longshore";
const MIGRATION: &str = "migration/";

/// The files of an image, unpacked.
#[derive(Debug, Clone)]
pub struct Unpacked {
    /// The manifest that was unpacked.
    pub image: Descriptor,
    /// The engine.
    pub engine: PathBuf,
    /// The folder of the migration.
    pub migration: PathBuf,
}

impl Images {
    /// Unpacks the image for a platform into the state folder. Every layer is proved on the way.
    pub fn unpack(&self, root: &Descriptor, platform: &Platform) -> Result<Unpacked> {
        let image = Image::for_platform(&self.layout, root, platform)?;
        let files = self.files(&image)?;
        let folder = self.state.join("unpacked").join(image.descriptor.digest.hex());
        if !files.contains_key(ENGINE) || !files.contains_key("migration/migration.yaml") {
            return Err(not_a_migration(&image.descriptor));
        }
        for (path, bytes) in &files {
            if path == ENGINE || path.starts_with(MIGRATION) {
                put(&folder.join(path), bytes, path == ENGINE)?;
            }
        }
        Ok(Unpacked {
            image: image.descriptor,
            engine: folder.join(ENGINE),
            migration: folder.join(MIGRATION),
        })
    }

    /// Every file of an image, the uppermost layer's where several have one.
    pub(super) fn files(&self, image: &Image) -> Result<BTreeMap<String, Vec<u8>>> {
        let mut files = BTreeMap::new();
        for blob in &image.manifest.layers {
            let bytes = self.layout.read_whole(blob)?;
            files.extend(
                layer::files(bytes.as_slice())
                    .map_err(|error| error.with("layer", blob.digest.to_string()))?,
            );
        }
        Ok(files)
    }
}

/// Writes a file unless it is there as it is.
fn put(path: &Path, bytes: &[u8], is_program: bool) -> Result<()> {
    let failed = |error| Error::io("unpack the image", path.display(), error);
    if fs::read(path).is_ok_and(|there| there == bytes) {
        return Ok(());
    }
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(failed)?;
    write_whole(path, bytes)?;
    let mode = if is_program { 0o755 } else { 0o644 };
    fs::set_permissions(path, Permissions::from_mode(mode)).map_err(failed)
}
