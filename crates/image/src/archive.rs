//! Archives: a layout in one file, which `docker load` takes as well.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::Path;

use longshore_model::{Code, Error, Result};
use serde::Serialize;
use tar::{EntryType, Header};

use crate::document::{Descriptor, Index, LONGEST, Platform, from_json, media, to_json};
use crate::layout::{INDEX, MARKER, REFERRERS, named};
use crate::{Digest, Image, Layout, Name, reach};

const BLOBS: &str = "blobs/";

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
    let mut blobs = reach(layout, image)?;
    put("oci-layout", MARKER.as_bytes())?;
    put(INDEX, &to_json(&alone(image, name))?)?;
    put(REFERRERS, &to_json(&speaking(layout, &blobs)?)?)?;
    put("manifest.json", &to_json(&loaded(layout, image, name)?)?)?;
    blobs.sort_by(|a, b| a.digest.cmp(&b.digest));
    for blob in blobs {
        layout.check(&blob)?;
        add(&place(&blob.digest), blob.size, &mut layout.reader(&blob)?)?;
    }
    let mut file = archive.into_inner().map_err(failed)?;
    file.flush().and_then(|()| file.get_ref().sync_all()).map_err(failed)
}

/// What Docker reads of an archive: the image for one platform, this machine's if there is one.
fn loaded(layout: &Layout, image: &Descriptor, name: &Name) -> Result<Vec<Loaded>> {
    let images = Image::all(layout, image)?;
    let here = images.iter().find(|image| image.platform() == Platform::here());
    let path = |blob: &Descriptor| place(&blob.digest);
    let loaded = here.or(images.first()).map(|image| Loaded {
        config: path(&image.manifest.config),
        repo_tags: vec![familiar(name)],
        layers: image.manifest.layers.iter().map(path).collect(),
    });
    Ok(loaded.into_iter().collect())
}

fn place(digest: &Digest) -> String {
    format!("{BLOBS}{}/{}", digest.algorithm(), digest.hex())
}

/// The index of a layout that holds one image.
fn alone(image: &Descriptor, name: &Name) -> Index {
    Index::new(vec![crate::layout::with_name(image, name)], Default::default())
}

/// The artifacts among blobs.
fn speaking(layout: &Layout, blobs: &[Descriptor]) -> Result<Index> {
    let belongs: BTreeSet<&Digest> = blobs.iter().map(|blob| &blob.digest).collect();
    let mut index = layout.artifacts()?;
    index.manifests.retain(|one| belongs.contains(&one.digest));
    Ok(index)
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
    let (mut index, mut artifacts) = (None, Vec::new());
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
        if name == INDEX || name == REFERRERS {
            let mut bytes = Vec::new();
            (&mut entry).take(LONGEST).read_to_end(&mut bytes).map_err(failed)?;
            let list: Index = from_json("index", &bytes)?;
            match name == INDEX {
                true => index = Some(list.manifests),
                false => artifacts = list.manifests,
            }
        } else if let Some(blob) = name.strip_prefix(BLOBS) {
            let digest: Digest = blob.replacen('/', ":", 1).parse()?;
            let blob = Descriptor::new(media::LAYER, digest, entry.size());
            layout.put_from(&blob, &mut entry)?;
        }
    }
    let index = index.ok_or_else(|| {
        wrong("is no image layout").hint("`longshore build --output archive:FILE` writes one; of other tools, `skopeo copy … oci-archive:FILE`.")
    })?;
    take(index, artifacts, layout)
        .map_err(|error| error.with("archive", path.display().to_string()))
}

/// Lists in a layout what the lists of another have; the blobs are there already.
fn take(
    listed: Vec<Descriptor>,
    mut artifacts: Vec<Descriptor>,
    layout: &Layout,
) -> Result<Vec<(Descriptor, Option<Name>)>> {
    // Other tools have one list for both.
    let (others, images): (Vec<_>, Vec<_>) =
        listed.into_iter().partition(|one| named(one).is_none() && one.artifact_type.is_some());
    artifacts.extend(others);
    for artifact in &artifacts {
        layout.refer_as_it_says(artifact)?;
    }
    let mut found = Vec::new();
    for image in images {
        for blob in reach(layout, &image)? {
            if !layout.has(&blob) {
                return Err(Error::new(Code::ImageInvalid, "a part of the image is missing")
                    .with("digest", blob.digest.to_string()));
            }
        }
        let name = named(&image).map(str::parse::<Name>).transpose()?;
        found.push((Descriptor { annotations: Default::default(), ..image }, name));
    }
    Ok(found)
}

/// Copies an image, and all that speaks of it, into a layout of its own or one that holds others.
pub fn copy(from: &Layout, image: &Descriptor, name: &Name, to: &Layout) -> Result<()> {
    let blobs = reach(from, image)?;
    for blob in &blobs {
        to.put_from(blob, from.reader(blob)?)?;
    }
    take(vec![image.clone()], speaking(from, &blobs)?.manifests, to)?;
    to.tag(image, name).map(drop)
}

/// Takes everything that is in another layout, and returns its images by their names.
pub fn copy_all(from: &Layout, to: &Layout) -> Result<Vec<(Descriptor, Option<Name>)>> {
    let (images, artifacts) = (from.index()?.manifests, from.artifacts()?.manifests);
    for root in images.iter().chain(&artifacts) {
        for blob in reach(from, root)? {
            to.put_from(&blob, from.reader(&blob)?)?;
        }
    }
    take(images, artifacts, to)
}

#[cfg(test)]
mod tests;
