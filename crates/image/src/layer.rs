//! Layers: archives whose bytes follow from what is in them and from nothing else.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};

use flate2::{Compression, GzBuilder};
use longshore_model::{Code, Error, Result};
use tar::{EntryType, Header};

use crate::Digest;
use crate::digest::Hasher;

/// The user and group that an image runs as.
pub const USER: u64 = 65532;

/// The most that a layer of a migration may hold: an engine, or a plan.
const LARGEST: u64 = 1 << 30;

/// Files and folders, by their paths without `/` in front.
#[derive(Debug, Default)]
pub struct Tree(BTreeMap<String, Entry>);

#[derive(Debug)]
struct Entry {
    kind: EntryType,
    mode: u32,
    owner: u64,
    bytes: Vec<u8>,
}

/// A layer, compressed.
#[derive(Debug)]
pub struct Layer {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// The digest of the archive in it.
    pub diff_id: Digest,
}

impl Tree {
    /// Adds a file that all may read, and run if it is a program.
    pub fn file(&mut self, path: &str, is_program: bool, bytes: Vec<u8>) {
        let mode = if is_program { 0o755 } else { 0o644 };
        let entry = Entry { kind: EntryType::Regular, mode, owner: 0, bytes };
        self.0.insert(path.to_string(), entry);
    }

    /// Adds a folder that all may read.
    pub fn folder(&mut self, path: &str) {
        self.put_folder(path, 0o755, 0);
    }

    /// Adds a folder of the user that the image runs as.
    pub fn own_folder(&mut self, path: &str) {
        self.put_folder(path, 0o755, USER);
    }

    fn put_folder(&mut self, path: &str, mode: u32, owner: u64) {
        let entry = Entry { kind: EntryType::Directory, mode, owner, bytes: Vec::new() };
        self.0.insert(format!("{path}/"), entry);
    }

    /// Packs the tree: entries in the order of their paths, no times, no names of users.
    pub fn pack(&self) -> Result<Layer> {
        let wrong = |error: io::Error| {
            Error::new(Code::Internal, "a layer cannot be packed").because(error)
        };
        let gzip = GzBuilder::new().mtime(0).operating_system(255);
        let gzip = gzip.write(Vec::new(), Compression::new(6));
        let mut archive = tar::Builder::new(Tee { inner: gzip, hasher: Hasher::default() });
        for (path, entry) in &self.0 {
            let mut header = Header::new_ustar();
            header.set_entry_type(entry.kind);
            header.set_mode(entry.mode);
            header.set_uid(entry.owner);
            header.set_gid(entry.owner);
            header.set_mtime(0);
            header.set_size(entry.bytes.len() as u64);
            archive.append_data(&mut header, path, entry.bytes.as_slice()).map_err(wrong)?;
        }
        let tee = archive.into_inner().map_err(wrong)?;
        let (diff_id, _) = tee.hasher.finish();
        Ok(Layer { bytes: tee.inner.finish().map_err(wrong)?, diff_id })
    }
}

/// Reads the files of a layer; folders are left out. Whatever a migration's image never has is refused:
/// paths that lead elsewhere, links, devices, and more bytes than any has.
pub fn files(layer: impl Read) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(layer).take(LARGEST));
    let mut found = BTreeMap::new();
    for entry in archive.entries().map_err(unreadable)? {
        let mut entry = entry.map_err(unreadable)?;
        let path = entry.path_bytes().into_owned();
        let path = safe(&path).ok_or_else(|| refused("a path leads out of it", &path))?;
        match entry.header().entry_type() {
            EntryType::Directory => continue,
            EntryType::Regular => {}
            _ => return Err(refused("an entry is neither file nor folder", path.as_bytes())),
        }
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).map_err(unreadable)?;
        if bytes.len() as u64 != entry.size() {
            return Err(refused("a file is cut off", path.as_bytes()));
        }
        if found.insert(path.clone(), bytes).is_some() {
            return Err(refused("a file is there twice", path.as_bytes()));
        }
    }
    Ok(found)
}

/// A path that stays where it is unpacked.
fn safe(path: &[u8]) -> Option<String> {
    let path = std::str::from_utf8(path).ok()?;
    let path = path.strip_prefix("./").unwrap_or(path).trim_end_matches('/');
    let good = |part: &str| !part.is_empty() && part != "." && part != "..";
    let clean = !path.contains(['\\', '\0']) && path.split('/').all(good);
    clean.then(|| path.to_string())
}

fn unreadable(error: io::Error) -> Error {
    Error::new(Code::ImageInvalid, "a layer of an image cannot be read").because(error)
}

fn refused(why: &str, path: &[u8]) -> Error {
    Error::new(Code::ImageInvalid, format!("a layer of an image is refused: {why}"))
        .with("path", path.escape_ascii().to_string())
}

/// Writes to another writer and hashes what passes.
struct Tee<W> {
    inner: W,
    hasher: Hasher,
}

impl<W: Write> Write for Tee<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(bytes)?;
        self.hasher.update(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use tar::{EntryType, Header};

    use super::{Tree, files};

    fn tree() -> Tree {
        let mut tree = Tree::default();
        tree.file("b/two", false, b"2".to_vec());
        tree.folder("b");
        tree.file("a", true, vec![7; 100_000]);
        tree.own_folder("work");
        tree
    }

    #[test]
    fn what_is_packed_comes_out() {
        let layer = tree().pack().expect("a layer");
        let found = files(layer.bytes.as_slice()).expect("files");
        assert_eq!(found.keys().collect::<Vec<_>>(), ["a", "b/two"]);
        assert_eq!(found["a"], vec![7; 100_000]);
    }

    /// Another compressor, or other headers, would change the digest of every image.
    #[test]
    fn the_bytes_are_those_of_every_build_before() {
        let layer = tree().pack().expect("a layer");
        assert_eq!(layer.bytes, tree().pack().expect("a layer").bytes);
        assert_eq!(layer.diff_id.short(), "2581e2557349");
        assert_eq!(crate::Digest::of(&layer.bytes).short(), "d7dfc67a43a2");
    }

    #[test]
    fn tricks_are_refused() {
        for (path, kind) in [
            ("../up", EntryType::Regular),
            ("a/../../up", EntryType::Regular),
            ("/etc/passwd", EntryType::Regular),
            ("a//b", EntryType::Regular),
            ("link", EntryType::Symlink),
            ("link", EntryType::Link),
            ("device", EntryType::Char),
            ("pipe", EntryType::Fifo),
        ] {
            let mut header = Header::new_ustar();
            header.set_entry_type(kind);
            header.set_size(0);
            header.set_mode(0o644);
            header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
            header.as_old_mut().linkname[..4].copy_from_slice(b"/etc");
            header.set_cksum();
            let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
            gzip.write_all(header.as_bytes()).expect("a header");
            gzip.write_all(&[0; 1024]).expect("an end");
            let layer = gzip.finish().expect("a layer");
            assert!(files(layer.as_slice()).is_err(), "{path} {kind:?}");
        }
        let layer = tree().pack().expect("a layer").bytes;
        assert!(files(&layer[..layer.len() / 2]).is_err(), "cut off");
        assert!(files(&b"no archive"[..]).is_err());
    }
}
