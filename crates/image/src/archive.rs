//! Archives: a layout in one file, which `docker load` takes as well.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::Path;

use longshore_model::{Code, Error, Result};
use serde::Serialize;
use tar::{EntryType, Header};

use crate::document::{Descriptor, Index, LONGEST, from_json, media, to_json};
use crate::layout::{MARKER, named};
use crate::{Digest, Image, Layout, Name, reach};

const BLOBS: &str = "blobs/sha256/";

/// What `docker load` reads of an archive.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Loaded {
    config: String,
    repo_tags: Vec<String>,
    layers: Vec<String>,
}

/// Writes an image, and all that speaks of it, as one file. The same image gives the same bytes.
pub fn write(layout: &Layout, image: &Descriptor, name: &Name, path: &Path) -> Result<()> {
    let failed = |error| Error::io("write the archive", path.display(), error);
    let beside = path.with_extension("part");
    let written = pack(layout, image, name, &beside)
        .and_then(|()| std::fs::rename(&beside, path).map_err(failed));
    written.inspect_err(|_| drop(std::fs::remove_file(&beside)))
}

fn pack(layout: &Layout, image: &Descriptor, name: &Name, path: &Path) -> Result<()> {
    let failed = |error| Error::io("write the archive", path.display(), error);
    let file = File::create(path).map_err(failed)?;
    let mut archive = tar::Builder::new(BufWriter::with_capacity(1 << 20, file));
    let mut add = |path: &str, size: u64, content: &mut dyn Read| {
        let mut header = Header::new_ustar();
        header.set_entry_type(EntryType::Regular);
        header.set_mode(0o644);
        header.set_mtime(0);
        header.set_size(size);
        archive.append_data(&mut header, path, content).map_err(failed)
    };
    let mut put = |path: &str, bytes: &[u8]| add(path, bytes.len() as u64, &mut &*bytes);
    let (index, loaded) = listing(layout, image, name)?;
    put("oci-layout", MARKER.as_bytes())?;
    put("index.json", &to_json(&index)?)?;
    put("manifest.json", &to_json(&loaded)?)?;
    let mut blobs = reach(layout, image)?;
    blobs.sort_by(|a, b| a.digest.cmp(&b.digest));
    for blob in blobs {
        layout.check(&blob)?;
        let path = format!("{BLOBS}{}", blob.digest.hex());
        add(&path, blob.size, &mut layout.reader(&blob)?)?;
    }
    let mut file = archive.into_inner().map_err(failed)?;
    file.flush().and_then(|()| file.get_ref().sync_all()).map_err(failed)
}

/// What an archive lists: for us and the tools of OCI, and for Docker, which loads the image of one
/// platform: this machine's, if there is one.
fn listing(layout: &Layout, image: &Descriptor, name: &Name) -> Result<(Index, Vec<Loaded>)> {
    let index = alone(layout, image, name)?;
    let images = Image::all(layout, image)?;
    let here = images.iter().find(|image| image.config.architecture == architecture());
    let loaded = here.or(images.first()).map(|image| {
        let path = |blob: &Descriptor| format!("{BLOBS}{}", blob.digest.hex());
        Loaded {
            config: path(&image.manifest.config),
            repo_tags: vec![familiar(name)],
            layers: image.manifest.layers.iter().map(path).collect(),
        }
    });
    Ok((index, loaded.into_iter().collect()))
}

/// The index of a layout that holds one image, and what speaks of it.
pub(crate) fn alone(layout: &Layout, image: &Descriptor, name: &Name) -> Result<Index> {
    let belongs: BTreeSet<Digest> =
        reach(layout, image)?.into_iter().map(|blob| blob.digest).collect();
    let mut manifests = vec![crate::layout::with_name(image, name)];
    let all = layout.index()?.manifests;
    manifests.extend(
        all.into_iter().filter(|one| named(one).is_none() && belongs.contains(&one.digest)),
    );
    Ok(Index::new(manifests, Default::default()))
}

/// Docker's word for the processor of this machine.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// A name as Docker shows it: without its own host.
fn familiar(name: &Name) -> String {
    let whole = name.tagged(name.tag.as_deref().unwrap_or("latest")).to_string();
    let short = whole.strip_prefix("docker.io/").unwrap_or(&whole);
    short.strip_prefix("library/").unwrap_or(short).to_string()
}

/// Takes everything that is in an archive into a layout, and returns its images by their names; each
/// blob is proved, and each image whole.
pub fn read(path: &Path, layout: &Layout) -> Result<Vec<(Descriptor, Option<Name>)>> {
    let failed = |error| Error::io("read the archive", path.display(), error);
    let wrong = |why: &str| {
        Error::new(Code::ImageInvalid, format!("the archive {why}"))
            .with("path", path.display().to_string())
    };
    let file = BufReader::with_capacity(1 << 20, File::open(path).map_err(failed)?);
    let mut archive = tar::Archive::new(file);
    let mut index = None;
    for entry in archive.entries().map_err(failed)? {
        let mut entry = entry.map_err(failed)?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let name = name.strip_prefix("./").unwrap_or(&name);
        if entry.header().entry_type() == EntryType::Directory {
            continue;
        }
        if entry.header().entry_type() != EntryType::Regular {
            return Err(wrong("holds what is neither file nor folder").with("entry", name));
        }
        if name == "index.json" {
            let mut bytes = Vec::new();
            (&mut entry).take(LONGEST).read_to_end(&mut bytes).map_err(failed)?;
            index = Some(from_json::<Index>("index", &bytes)?);
        } else if let Some(hex) = name.strip_prefix(BLOBS) {
            let digest: Digest = format!("sha256:{hex}").parse()?;
            let blob = Descriptor::new(media::LAYER, digest, entry.size());
            layout.put_from(&blob, &mut entry)?;
        }
    }
    let index = index.ok_or_else(|| {
        wrong("is no image layout").hint("`longshore build --output archive:FILE` writes one; of other tools, `skopeo copy … oci-archive:FILE`.")
    })?;
    take(&index, layout).map_err(|error| error.with("archive", path.display().to_string()))
}

/// Lists in one layout what the index of another does; its blobs are there already.
pub(crate) fn take(index: &Index, layout: &Layout) -> Result<Vec<(Descriptor, Option<Name>)>> {
    let (artifacts, images): (Vec<_>, Vec<_>) =
        index.manifests.iter().partition(|one| named(one).is_none() && one.artifact_type.is_some());
    for artifact in artifacts {
        layout.refer_as_it_says(artifact)?;
    }
    let mut found = Vec::new();
    for image in images {
        for blob in reach(layout, image)? {
            if !layout.has(&blob) {
                return Err(Error::new(Code::ImageInvalid, "a part of the image is missing")
                    .with("digest", blob.digest.to_string()));
            }
        }
        let name = named(image).map(str::parse::<Name>).transpose()?;
        if let Some(name) = &name {
            layout.tag(image, name)?;
        }
        let plain = Descriptor { annotations: Default::default(), ..image.clone() };
        found.push((plain, name));
    }
    Ok(found)
}

/// Copies an image, and all that speaks of it, into a layout of its own or one that holds others.
pub fn copy(from: &Layout, image: &Descriptor, name: &Name, to: &Layout) -> Result<()> {
    for blob in reach(from, image)? {
        if !to.has(&blob) {
            to.put_from(&blob, from.reader(&blob)?)?;
        }
    }
    take(&alone(from, image, name)?, to).map(drop)
}

impl Layout {
    /// Takes an image, and all that speaks of it, from another layout.
    pub fn take_all(&self, other: &Layout) -> Result<Vec<(Descriptor, Option<Name>)>> {
        let index = other.index()?;
        for image in &index.manifests {
            for blob in reach(other, image)? {
                self.put_from(&blob, other.reader(&blob)?)?;
            }
        }
        take(&index, self)
    }
}

#[cfg(test)]
mod tests;
