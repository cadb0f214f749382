//! What no named image needs any more, and its removal.

use std::collections::BTreeSet;
use std::fs::{self, FileType};
use std::io;
use std::path::{Path, PathBuf};

use longshore_model::{Error, Result};

use crate::document::Descriptor;
use crate::registry::PARTIAL;
use crate::{Digest, Layout, reach};

/// Files of a layout that nothing needs.
#[derive(Debug, Default)]
pub struct Unneeded {
    /// Where they are.
    pub files: Vec<PathBuf>,
    /// Their bytes.
    pub bytes: u64,
    needed: BTreeSet<Digest>,
}

impl Layout {
    /// What is needed by none of some images, and by nothing that speaks of them: blobs, what a process
    /// that was killed has left half-written, and parts of downloads.
    pub fn unneeded(&self, images: &[Descriptor]) -> Result<Unneeded> {
        let mut found = Unneeded::default();
        for image in images {
            found.needed.extend(reach(self, image)?.into_iter().map(|blob| blob.digest));
        }
        let needed: BTreeSet<PathBuf> = found.needed.iter().map(|one| self.path(one)).collect();
        let mut there = Vec::new();
        for folder in entries(&self.blobs(), FileType::is_dir)? {
            there.extend(entries(&folder, FileType::is_file)?);
        }
        there.retain(|path| !needed.contains(path));
        let parts = entries(self.root(), FileType::is_file)?;
        there.extend(parts.into_iter().filter(|path| is_part(path)));
        let partial = self.root().join(PARTIAL);
        if partial.exists() {
            there.extend(entries(&partial, FileType::is_file)?);
        }
        for path in there {
            let there = fs::metadata(&path)
                .map_err(|error| Error::io("look at a blob", path.display(), error))?;
            found.bytes += there.len();
            found.files.push(path);
        }
        Ok(found)
    }

    /// Removes it. No other process may write into the layout meanwhile.
    pub fn sweep(&self, unneeded: &Unneeded) -> Result<()> {
        self.forget_artifacts(&|one| unneeded.needed.contains(&one.digest))?;
        for path in &unneeded.files {
            match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(Error::io("remove a blob", path.display(), error));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

fn entries(folder: &Path, wanted: fn(&FileType) -> bool) -> Result<Vec<PathBuf>> {
    let failed = |error| Error::io("list the image layout", folder.display(), error);
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if wanted(&entry.file_type().map_err(failed)?) {
            entries.push(entry.path());
        }
    }
    entries.sort();
    Ok(entries)
}

fn is_part(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b".part-"))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use crate::artifact::attach;
    use crate::document::media;
    use crate::{Layout, Name};

    #[test]
    fn what_a_named_image_needs_stays_and_the_rest_goes() {
        let folder = tempfile::tempdir().expect("a folder");
        let layout = Layout::open_or_create(&folder.path().join("images")).expect("a layout");
        let shared = layout.put(media::LAYER, b"the engine").expect("a layer");
        let image = |word: &str| {
            let own = layout.put(media::LAYER, word.as_bytes()).expect("a layer");
            let config = layout.put(media::CONFIG, b"{}").expect("a configuration");
            let manifest = serde_json::json!({
                "schemaVersion": 2, "mediaType": media::MANIFEST, "config": config,
                "layers": [shared, own],
            });
            let bytes = serde_json::to_vec(&manifest).expect("JSON");
            let image = layout.put(media::MANIFEST, &bytes).expect("a manifest");
            let name: Name = format!("shop:{word}").parse().expect("a name");
            layout.tag(&image, &name).expect("a name");
            let kind = "application/vnd.example";
            attach(&layout, &image, kind, word.as_bytes(), Default::default()).expect("attached");
            (image, own)
        };
        let ((one, own), (two, _)) = (image("one"), image("two"));
        fs::write(layout.root().join(".part-1-1"), "half").expect("a file");
        fs::create_dir(layout.root().join("partial")).expect("a folder");
        fs::write(layout.root().join("partial/1234"), "half").expect("a file");
        let all = layout.unneeded(&[one.clone(), two.clone()]).expect("an answer");
        assert_eq!((all.files.len(), all.bytes), (2, 8), "what killed processes left");
        let unneeded = layout.unneeded(std::slice::from_ref(&two)).expect("an answer");
        layout.sweep(&unneeded).expect("swept");
        for gone in [&one, &own] {
            assert!(!layout.has(gone));
        }
        assert!(layout.has(&two) && layout.has(&shared));
        assert!(layout.referrers(&one.digest).expect("a list").is_empty());
        assert_eq!(layout.referrers(&two.digest).expect("a list").len(), 1);
        let index = std::slice::from_ref(&two);
        assert!(layout.unneeded(index).expect("an answer").files.is_empty());
    }
}
