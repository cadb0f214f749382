//! What must hold of the folder of a registry, looked at from outside, by its documented layout.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use longshore_image::Digest;
use serde_json::Value;

/// What the manifests of each repository need, by digest.
type Needs = BTreeMap<String, BTreeSet<String>>;

/// Every manifest that a repository has is whole: its bytes and all that it names are there and are what their
/// digests say. Returns what they need.
pub(super) fn whole(root: &Path) -> Needs {
    let mut needs = Needs::new();
    for manifest in
        files(&root.join("repositories"), &|path| path.contains("/_manifests/") && !is_hidden(path))
    {
        let path = manifest.to_str().expect("text");
        let (repository, digest) = path.split_once("/_manifests/").expect("a manifest");
        let digest = digest.replace('/', ":");
        let document: Value = serde_json::from_slice(&blob(root, &digest)).expect("a manifest");
        let needed = needs.entry(repository.to_string()).or_default();
        needed.insert(digest);
        let layers = document["layers"].as_array().into_iter().flatten();
        for part in layers.chain([&document["config"]]) {
            let digest = part["digest"].as_str().expect("a digest");
            blob(root, digest);
            let link = Path::new(repository).join("_blobs").join(digest.replace(':', "/"));
            assert!(link.is_file(), "{} has no link to {digest}", path);
            needed.insert(digest.to_string());
        }
    }
    let root = root.join("repositories");
    let name =
        |path: String| Path::new(&path).strip_prefix(&root).expect("below").display().to_string();
    needs.into_iter().map(|(path, needed)| (name(path), needed)).collect()
}

/// All is whole, and nothing is there beside it.
pub(super) fn whole_and_clean(root: &Path) {
    let needs = whole(root);
    let needed: BTreeSet<&String> = needs.values().flatten().collect();
    for blob in files(&root.join("blobs"), &|_| true) {
        let digest = digest_of(&blob);
        assert!(needed.contains(&digest), "{digest} is needed by nobody");
    }
    for link in files(&root.join("repositories"), &|path| path.contains("/_blobs/")) {
        let repository = link.strip_prefix(root.join("repositories")).expect("below");
        let repository = repository.to_str().and_then(|path| path.split_once("/_blobs/"));
        let (repository, digest) = (repository.expect("a link").0, digest_of(&link));
        let is_needed = needs.get(repository).is_some_and(|needed| needed.contains(&digest));
        assert!(is_needed, "{repository} needs no {digest}");
    }
    for tag in files(&root.join("repositories"), &|path| path.contains("/_tags/")) {
        let digest = fs::read_to_string(&tag).expect("a tag");
        let manifest = tag.parent().and_then(Path::parent).expect("a repository");
        let manifest = manifest.join("_manifests").join(digest.replace(':', "/"));
        assert!(manifest.is_file(), "{} leads nowhere", tag.display());
    }
    assert_eq!(files(&root.join("uploads"), &|_| true), Vec::<PathBuf>::new());
    assert_eq!(files(root, &is_hidden), Vec::<PathBuf>::new());
}

/// Whether a path is that of a file that was begun and has no name yet.
pub(super) fn is_hidden(path: &str) -> bool {
    path.rsplit('/').next().is_some_and(|name| name.starts_with('.'))
}

/// The bytes of a blob, which are what its digest says.
fn blob(root: &Path, digest: &str) -> Vec<u8> {
    let path = root.join("blobs").join(digest.replace(':', "/"));
    let bytes = fs::read(&path).unwrap_or_else(|error| panic!("{digest} is lost: {error}"));
    assert_eq!(Digest::of(&bytes).to_string(), digest);
    bytes
}

fn digest_of(path: &Path) -> String {
    let hex = path.file_name().and_then(|name| name.to_str()).expect("a name");
    format!("sha256:{hex}")
}

/// The files below a folder that are wanted.
pub(super) fn files(folder: &Path, is_wanted: &dyn Fn(&str) -> bool) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries {
            let path = entry.expect("an entry").path();
            match path.is_dir() {
                true => folders.push(path),
                false if path.to_str().is_some_and(is_wanted) => found.push(path),
                false => {}
            }
        }
    }
    found
}
