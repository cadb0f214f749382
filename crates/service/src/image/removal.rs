//! Images that are no longer wanted.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use longshore_image::document::Descriptor;
use longshore_image::{Image, Name, named};
use longshore_model::{Code, Error, Result};
use serde::Serialize;

use super::Images;

/// What is removed with the names of images.
#[derive(Debug, Clone, Serialize)]
pub struct Removal {
    /// The images whose names are taken away, by name.
    pub images: Vec<(String, Descriptor)>,
    /// Bytes that no other image needs.
    pub bytes: u64,
    /// Whether the bytes are freed: not while another process works with the images.
    pub is_swept: bool,
}

impl Images {
    /// Takes names from their images, and frees what no other image needs; with `only_told`, says what that
    /// would be.
    pub fn remove(&self, names: &[Name], only_told: bool) -> Result<Removal> {
        let missing = |name: &Name| {
            Error::new(Code::ImageMissing, "there is no such image here")
                .with("image", name.to_string())
        };
        let mut images = Vec::new();
        for name in names {
            let image = self.layout.find(name)?.ok_or_else(|| missing(name))?;
            let name = named(&image).unwrap_or_default().to_string();
            images.push((name, image));
        }
        if !only_told {
            for (name, _) in &images {
                self.layout.untag(&name.parse()?)?;
            }
        }
        // Looked at only now: what another process has just named is needed.
        let is_swept = !only_told && self.hold.alone();
        let gone: BTreeSet<&str> = images.iter().map(|(name, _)| name.as_str()).collect();
        let mut kept = self.layout.index()?.manifests;
        kept.retain(|image| !named(image).is_some_and(|name| gone.contains(name)));
        let unneeded = self.layout.unneeded(&kept)?;
        let (folders, unpacked) = self.unpacked_of_none(&kept)?;
        if is_swept {
            self.layout.sweep(&unneeded)?;
            for folder in folders {
                fs::remove_dir_all(&folder).map_err(|error| {
                    Error::io("remove an unpacked image", folder.display(), error)
                })?;
            }
        }
        Ok(Removal { images, bytes: unneeded.bytes + unpacked, is_swept })
    }

    /// The folders of unpacked images that are none of some, and their bytes.
    fn unpacked_of_none(&self, images: &[Descriptor]) -> Result<(Vec<PathBuf>, u64)> {
        let mut needed = BTreeSet::new();
        for root in images {
            let parts = Image::all(&self.layout, root)?;
            needed.extend(parts.iter().map(|part| part.descriptor.digest.hex().to_string()));
        }
        let folder = self.state.join("unpacked");
        let failed = |error| Error::io("list the unpacked images", folder.display(), error);
        let (mut folders, mut bytes) = (Vec::new(), 0);
        if !folder.exists() {
            return Ok((folders, bytes));
        }
        for entry in fs::read_dir(&folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if !needed.contains(&*entry.file_name().to_string_lossy()) {
                bytes += fs::metadata(entry.path().join(super::unpack::ENGINE))
                    .map_or(0, |engine| engine.len());
                folders.push(entry.path());
            }
        }
        Ok((folders, bytes))
    }
}
