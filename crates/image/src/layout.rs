//! An image layout: a folder with blobs by their digests, and an index of the images in it.
//!
//! A blob is written beside and renamed, so that what has its name is whole. The index is changed by
//! one process at a time.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use longshore_model::{Code, Error, Result};
use rustix::fs::{FlockOperation, flock};

use crate::digest::{Hashed, Hasher};
use crate::document::{
    Annotations, Descriptor, Index, LONGEST, Manifest, annotation, from_json, media, to_json,
};
use crate::name::LATEST;
use crate::{Digest, Name};

/// The images that have names, which is what other tools look for.
pub(crate) const INDEX: &str = "index.json";
/// The artifacts that speak of them. They have a list of their own, because other tools take a layout with
/// one entry for one image, and ask for a name when there are more.
pub(crate) const REFERRERS: &str = "referrers.json";
pub(crate) const MARKER: &str = r#"{"imageLayoutVersion":"1.0.0"}"#;
const BUFFER: usize = 1 << 20;

/// A folder in the layout of the OCI image specification.
#[derive(Debug, Clone)]
pub struct Layout {
    root: PathBuf,
}

impl Layout {
    /// Opens a layout, and makes it where nothing is.
    pub fn open_or_create(root: &Path) -> Result<Self> {
        let layout = Self { root: root.to_path_buf() };
        let marker = layout.marker();
        if !marker.exists() {
            if root.is_dir() && fs::read_dir(root).is_ok_and(|mut entries| entries.next().is_some())
            {
                return Err(Error::new(
                    Code::TargetNotEmpty,
                    "the folder holds something that is no image layout",
                )
                .with("path", root.display().to_string())
                .hint("Name an empty folder, or one that is not there yet."));
            }
            let failed = |error| Error::io("make the image layout", root.display(), error);
            fs::create_dir_all(layout.blobs()).map_err(failed)?;
            layout.write_list(INDEX, &Index::new(Vec::new(), Annotations::new()))?;
            layout.write_beside(&marker, MARKER.as_bytes())?;
        }
        fs::create_dir_all(layout.blobs())
            .map_err(|error| Error::io("make the image layout", root.display(), error))?;
        Ok(layout)
    }

    /// Opens a layout that is there.
    pub fn open(root: &Path) -> Result<Self> {
        let layout = Self { root: root.to_path_buf() };
        fs::metadata(layout.marker())
            .map_err(|error| Error::io("open the image layout", root.display(), error))?;
        Ok(layout)
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    fn marker(&self) -> PathBuf {
        self.root.join("oci-layout")
    }

    /// The folders of blobs, one for each algorithm.
    pub(crate) fn blobs(&self) -> PathBuf {
        self.root.join("blobs")
    }

    pub(crate) fn path(&self, digest: &Digest) -> PathBuf {
        self.root.join("blobs").join(digest.algorithm()).join(digest.hex())
    }

    /// Whether a blob is there.
    pub fn has(&self, blob: &Descriptor) -> bool {
        fs::metadata(self.path(&blob.digest)).is_ok_and(|there| there.len() == blob.size)
    }

    /// Whether a blob is there as its digest says.
    pub(crate) fn is_sound(&self, blob: &Descriptor) -> bool {
        self.has(blob) && self.check(blob).is_ok()
    }

    /// Keeps bytes, and describes them. What was damaged since is mended.
    pub fn put(&self, media_type: &str, bytes: &[u8]) -> Result<Descriptor> {
        let blob = Descriptor::of(media_type, bytes);
        if !self.is_sound(&blob) {
            self.write_beside(&self.path(&blob.digest), bytes)?;
        }
        Ok(blob)
    }

    /// Keeps what a reader gives, if it is what a descriptor says.
    pub fn put_from(&self, blob: &Descriptor, mut reader: impl Read) -> Result<()> {
        if self.is_sound(blob) {
            return Ok(());
        }
        let mut writing = self.begin(blob)?;
        let mut buffer = vec![0; BUFFER];
        loop {
            match reader.read(&mut buffer) {
                Ok(0) => return writing.finish(),
                Ok(count) => writing.write(&buffer[..count])?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    return Err(Error::io("read a blob", &blob.digest, error));
                }
            }
        }
    }

    /// Begins a blob of which the descriptor is known.
    pub fn begin(&self, blob: &Descriptor) -> Result<Writing> {
        let path = self.path(&blob.digest);
        let beside = self.beside();
        let file = folder_of(&path)
            .and_then(|()| File::create(&beside))
            .map_err(|error| Error::io("write a blob", beside.display(), error))?;
        Ok(Writing { blob: blob.clone(), path, beside, file, hasher: Hasher::like(&blob.digest) })
    }

    /// A reader of a blob's bytes, which are as they were written unless the disk or somebody has
    /// changed them: see [`Self::check`].
    pub fn reader(&self, blob: &Descriptor) -> Result<File> {
        let path = self.path(&blob.digest);
        let file =
            File::open(&path).map_err(|error| Error::io("read a blob", path.display(), error))?;
        let size =
            file.metadata().map_err(|error| Error::io("read a blob", path.display(), error))?.len();
        if size != blob.size {
            return Err(self.damaged(blob));
        }
        Ok(file)
    }

    /// Reads a small blob whole, and proves it.
    pub fn read(&self, blob: &Descriptor) -> Result<Vec<u8>> {
        if blob.size > LONGEST {
            return Err(Error::new(Code::ImageInvalid, "a document of an image is too long")
                .with("digest", blob.digest.to_string())
                .with("bytes", blob.size.to_string()));
        }
        self.read_whole(blob)
    }

    /// Reads a blob whole, whatever its size, and proves it.
    pub fn read_whole(&self, blob: &Descriptor) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let path = self.path(&blob.digest);
        self.reader(blob)?
            .read_to_end(&mut bytes)
            .map_err(|error| Error::io("read a blob", path.display(), error))?;
        if !blob.digest.is_of(&bytes) {
            return Err(self.damaged(blob));
        }
        Ok(bytes)
    }

    /// Reads a blob through, and proves it.
    pub fn check(&self, blob: &Descriptor) -> Result<()> {
        let mut hashed = Hashed::new(self.reader(blob)?, &blob.digest);
        io::copy(&mut hashed, &mut io::sink())
            .map_err(|error| Error::io("read a blob", self.path(&blob.digest).display(), error))?;
        match hashed.finish().0 == blob.digest {
            true => Ok(()),
            false => Err(self.damaged(blob)),
        }
    }

    fn damaged(&self, blob: &Descriptor) -> Error {
        Error::new(Code::ImageInvalid, "a blob of an image is not what its digest says")
            .with("path", self.path(&blob.digest).display().to_string())
            .hint("It was damaged or changed. Remove that file, and build or pull the image again.")
    }

    /// The images, as the index lists them.
    pub fn index(&self) -> Result<Index> {
        self.list(INDEX)
    }

    /// The artifacts that speak of images or of each other.
    pub(crate) fn artifacts(&self) -> Result<Index> {
        match self.root.join(REFERRERS).exists() {
            true => self.list(REFERRERS),
            false => Ok(Index::new(Vec::new(), Annotations::new())),
        }
    }

    fn list(&self, file: &str) -> Result<Index> {
        let path = self.root.join(file);
        let bytes = fs::read(&path)
            .map_err(|error| Error::io("read a list of images", path.display(), error))?;
        from_json("index", &bytes).map_err(|error| error.with("path", path.display().to_string()))
    }

    /// The image that a name stands for: its digest's, if it has one, else its tag's.
    pub fn find(&self, name: &Name) -> Result<Option<Descriptor>> {
        let images = self.index()?.manifests;
        let wanted = tagged(name);
        let is_it = |image: &Descriptor| match &name.digest {
            Some(digest) => image.digest == *digest,
            None => named(image) == Some(&wanted),
        };
        Ok(images.into_iter().find(is_it))
    }

    /// Gives an image the tag of a name, which another may have had before; returns that one.
    pub fn tag(&self, image: &Descriptor, name: &Name) -> Result<Option<Descriptor>> {
        let mut before = None;
        self.change(INDEX, |index| {
            before = take(index, &tagged(name));
            index.manifests.push(with_name(image, name));
        })?;
        Ok(before)
    }

    /// Takes a tag from its image; returns the image. Its blobs stay.
    pub fn untag(&self, name: &Name) -> Result<Option<Descriptor>> {
        let mut before = None;
        self.change(INDEX, |index| before = take(index, &tagged(name)))?;
        Ok(before)
    }

    /// Lists an artifact as one that speaks of another manifest, in the place of an earlier one if there is
    /// one.
    pub(crate) fn refer(
        &self,
        artifact: &Descriptor,
        subject: &Digest,
        before: Option<&Descriptor>,
    ) -> Result<()> {
        self.change(REFERRERS, |index| {
            index.manifests.retain(|one| before.is_none_or(|before| before.digest != one.digest));
            if !index.manifests.iter().any(|one| one.digest == artifact.digest) {
                let mut artifact = artifact.clone();
                artifact.annotations.insert(annotation::SUBJECT.to_string(), subject.to_string());
                index.manifests.push(artifact);
            }
        })
    }

    /// Lists an artifact as one that speaks of what its own manifest says, as indexes of other tools leave it.
    pub(crate) fn refer_as_it_says(&self, artifact: &Descriptor) -> Result<()> {
        let manifest: Manifest = from_json("manifest", &self.read(artifact)?)?;
        match manifest.subject {
            Some(subject) => self.refer(artifact, &subject.digest, None),
            None => Ok(()),
        }
    }

    /// Forgets the artifacts that are not wanted.
    pub(crate) fn forget_artifacts(&self, is_wanted: &dyn Fn(&Descriptor) -> bool) -> Result<()> {
        self.change(REFERRERS, |index| index.manifests.retain(|one| is_wanted(one)))
    }

    /// The artifacts that speak of a manifest, in the order in which they came.
    pub fn referrers(&self, subject: &Digest) -> Result<Vec<Descriptor>> {
        let mut found = Vec::new();
        for mut one in self.artifacts()?.manifests {
            let told = one.annotations.remove(annotation::SUBJECT);
            if told.as_deref() == Some(subject.as_str()) {
                found.push(one);
            }
        }
        Ok(found)
    }

    /// All artifacts, by the digests of what they speak of.
    pub(crate) fn speaking(&self) -> Result<BTreeMap<Digest, Vec<Descriptor>>> {
        let mut found: BTreeMap<Digest, Vec<Descriptor>> = BTreeMap::new();
        for mut one in self.artifacts()?.manifests {
            let told = one.annotations.remove(annotation::SUBJECT);
            if let Some(subject) = told.and_then(|told| told.parse().ok()) {
                found.entry(subject).or_default().push(one);
            }
        }
        Ok(found)
    }

    fn change(&self, file: &str, change: impl FnOnce(&mut Index)) -> Result<()> {
        let path = self.root.join("lock");
        let failed =
            |error: io::Error| Error::io("lock the lists of images", path.display(), error);
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let lock = lock.map_err(failed)?;
        flock(&lock, FlockOperation::LockExclusive).map_err(|error| failed(error.into()))?;
        let mut index = if file == INDEX { self.index()? } else { self.artifacts()? };
        change(&mut index);
        self.write_list(file, &index)
    }

    fn write_list(&self, file: &str, index: &Index) -> Result<()> {
        self.write_beside(&self.root.join(file), &to_json(index)?)
    }

    /// Writes a file so that its name never stands for a part of it.
    fn write_beside(&self, path: &Path, bytes: &[u8]) -> Result<()> {
        let beside = self.beside();
        let written = folder_of(path)
            .and_then(|()| File::create(&beside))
            .and_then(|mut file| {
                file.write_all(bytes)?;
                file.sync_all()
            })
            .and_then(|()| fs::rename(&beside, path));
        written.map_err(|error| {
            // What stays is no blob, and does no harm.
            let _ = fs::remove_file(&beside);
            Error::io("write into the image layout", path.display(), error)
        })
    }

    /// A name that no other process and no other thread takes.
    fn beside(&self) -> PathBuf {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        self.root.join(format!(".part-{}-{number}", std::process::id()))
    }
}

/// A blob that is being written.
#[derive(Debug)]
pub struct Writing {
    blob: Descriptor,
    path: PathBuf,
    beside: PathBuf,
    file: File,
    hasher: Hasher,
}

impl Writing {
    /// Adds bytes.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.hasher.update(bytes);
        let written = self.file.write_all(bytes);
        written.map_err(|error| Error::io("write a blob", self.beside.display(), error))
    }

    /// Gives the blob its name, if it is what the descriptor says.
    pub fn finish(mut self) -> Result<()> {
        let found = std::mem::take(&mut self.hasher).finish();
        if found != (self.blob.digest.clone(), self.blob.size) {
            return Err(Error::new(Code::ImageInvalid, "a blob is not what its descriptor says")
                .with("digest", self.blob.digest.to_string())
                .with("found", found.0.to_string()));
        }
        self.file
            .sync_all()
            .and_then(|()| fs::rename(&self.beside, &self.path))
            .map_err(|error| Error::io("write a blob", self.path.display(), error))
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        // It is there only when the blob never became whole.
        let _ = fs::remove_file(&self.beside);
    }
}

/// Makes the folder of a file.
fn folder_of(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), fs::create_dir_all)
}

/// The name that an index gives an image.
pub fn named(image: &Descriptor) -> Option<&str> {
    image.annotations.get(annotation::NAME).map(String::as_str)
}

/// An image as an index lists it under a name.
pub(crate) fn with_name(image: &Descriptor, name: &Name) -> Descriptor {
    let annotations = Annotations::from([
        (annotation::REFERENCE.to_string(), reference(name).to_string()),
        (annotation::NAME.to_string(), tagged(name)),
    ]);
    Descriptor { artifact_type: None, annotations, ..image.clone() }
}

/// A name by its tag, or by its digest where it has no tag.
fn tagged(name: &Name) -> String {
    match (&name.tag, &name.digest) {
        (None, Some(digest)) => name.at(digest).to_string(),
        _ => name.tagged(reference(name)).to_string(),
    }
}

fn reference(name: &Name) -> &str {
    match (&name.tag, &name.digest) {
        (Some(tag), _) => tag,
        (None, Some(digest)) => digest.as_str(),
        (None, None) => LATEST,
    }
}

fn take(index: &mut Index, name: &str) -> Option<Descriptor> {
    let place = index.manifests.iter().position(|image| named(image) == Some(name))?;
    Some(index.manifests.remove(place))
}

/// Whether a type of media is one that this project reads as an image.
pub(crate) fn is_known(media_type: &str) -> bool {
    matches!(
        media_type,
        media::MANIFEST | media::INDEX | media::DOCKER_MANIFEST | media::DOCKER_LIST
    )
}

#[cfg(test)]
mod tests;
