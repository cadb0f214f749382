//! Whether all that a registry holds is there and what its digest says, also while it serves.
//!
//! Blobs are read without a lock: they never change. Each repository is looked through while nobody changes it and
//! nothing is swept, so that what is found is no push that is half-way.

mod graph;
mod repair;
mod scan;

use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io::{self, Read};
use std::sync::atomic::{AtomicUsize, Ordering};

use longshore_image::{Digest, Hasher};
use serde::Serialize;

use crate::fault::{Fault, Result};
use crate::store::{Repository, Store};
use graph::Graph;

pub use repair::{Source, repair};

const BUFFER: usize = 1 << 20;
/// Blobs that are read at the same time at most.
const MOST: usize = 4;

/// What a check found.
#[derive(Debug, Default, Serialize)]
pub struct Checked {
    /// Blobs that were read, with manifests.
    pub blobs: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Manifests of repositories.
    pub manifests: usize,
    /// Tags.
    pub tags: usize,
    /// What is not as it must be.
    pub problems: Vec<Problem>,
}

/// Something that is not as it must be.
#[derive(Debug, Clone, Serialize)]
pub struct Problem {
    /// Where, in the folder of the registry.
    pub path: String,
    /// What is wrong.
    pub what: String,
    /// The images that need it: tags where there are some, else digests.
    pub needed_by: Vec<String>,
    /// What becomes of it.
    pub state: State,
    /// How it was or would be mended, or why not.
    pub how: Option<String>,
    #[serde(skip)]
    harm: Harm,
}

/// What becomes of a problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It is as it was found.
    Remains,
    /// It is mended, or would be.
    Mended,
}

/// What is wrong, for whoever mends it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Harm {
    /// Bytes have another digest.
    Damaged(Digest),
    /// Bytes are not there.
    Missing(Digest),
    /// A repository lacks the link to a blob that a manifest of it names.
    Unlinked(Repository, Digest),
    /// A repository lacks a manifest that a list of it names.
    Unknown(Repository, Digest),
    /// A link to a blob that is not there and that no manifest names.
    Dangling(Repository, Digest),
    /// What a repository knows of a manifest is not understood.
    Untyped(Repository, Digest),
    /// A tag names nothing that is there; `None` when it is not understood.
    Tag(Repository, String, Option<Digest>),
    /// A manifest is not in the list of what speaks of another.
    Unlisted(Repository, Digest, Digest),
    /// The list of what speaks of a manifest names what is not there, or is not understood.
    Listed(Repository, String),
    /// A manifest that is held is not there.
    Held(Repository, Digest),
}

/// What is known of the bytes on the disk, which spares reading them again.
#[derive(Debug, Default)]
struct Bytes {
    sound: HashSet<Digest>,
    damaged: HashSet<Digest>,
}

/// Reads all that a registry holds.
pub fn check(store: &Store) -> longshore_model::Result<Checked> {
    let looked = look(store, &mut Bytes::default());
    looked.map(|(checked, _)| checked).map_err(|fault| failed(store, fault))
}

fn failed(store: &Store, fault: Fault) -> longshore_model::Error {
    fault.into_error("the registry cannot be checked", store.root())
}

fn look(store: &Store, bytes: &mut Bytes) -> Result<(Checked, Graph)> {
    let mut checked = Checked::default();
    let blobs = store.all_blobs()?;
    checked.blobs = blobs.len();
    checked.bytes = bytes.read_all(store, &blobs)?;
    let mut graph = Graph::default();
    // By path, because several repositories find the same bytes.
    let mut found: BTreeMap<String, Harm> = BTreeMap::new();
    for digest in &bytes.damaged {
        found.insert(blob_path(digest), Harm::Damaged(digest.clone()));
    }
    for repository in store.all_repositories()? {
        let harms = scan::scan(store, &repository, bytes, &mut graph)?;
        found.extend(harms.into_iter().map(|harm| (path_of(store, &harm), harm)));
    }
    checked.manifests = graph.manifests;
    checked.tags = graph.tag_count();
    checked.problems = found.into_iter().map(|(path, harm)| problem(path, harm, &graph)).collect();
    Ok((checked, graph))
}

impl Bytes {
    /// Reads the blobs that were not read before, several at a time, and returns how many bytes all have.
    fn read_all(&mut self, store: &Store, blobs: &[Digest]) -> Result<u64> {
        let (next, sound) = (AtomicUsize::new(0), &self.sound);
        let work = || {
            let mut done = Vec::new();
            while let Some(digest) = blobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                done.push((digest, read_blob(store, digest, sound.contains(digest))?));
            }
            Ok(done)
        };
        let threads = std::thread::available_parallelism().map_or(1, |count| count.get().min(MOST));
        let done: Vec<Result<Vec<_>>> = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            let ended = |_| Err(Fault::Disk("a thread that read blobs ended".to_string()));
            workers.into_iter().map(|worker| worker.join().unwrap_or_else(ended)).collect()
        });
        let mut length = 0;
        for (digest, found) in done.into_iter().collect::<Result<Vec<_>>>()?.concat() {
            // One that is gone was swept meanwhile.
            let Some((bytes, is_sound)) = found else { continue };
            length += bytes;
            match is_sound {
                true => drop((self.damaged.remove(digest), self.sound.insert(digest.clone()))),
                false => drop(self.damaged.insert(digest.clone())),
            }
        }
        self.damaged.retain(|digest| store.blob(digest).exists());
        Ok(length)
    }
}

/// How many bytes a blob has, and whether they are what its digest says; `None` when it is gone.
fn read_blob(store: &Store, digest: &Digest, is_known: bool) -> Result<Option<(u64, bool)>> {
    let path = store.blob(digest);
    let failed = |error| Fault::disk("read", &path)(error);
    let mut file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let length = file.metadata().map_err(failed)?.len();
    if is_known {
        return Ok(Some((length, true)));
    }
    let (mut hasher, mut buffer) = (Hasher::like(digest), vec![0; BUFFER]);
    let is_sound = loop {
        match file.read(&mut buffer) {
            Ok(0) => break hasher.finish().0 == *digest,
            Ok(count) => hasher.update(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // A disk that cannot read a blob back has lost it.
            Err(_) => break false,
        }
    };
    Ok(Some((length, is_sound)))
}

fn problem(path: String, harm: Harm, graph: &Graph) -> Problem {
    let what = match &harm {
        Harm::Damaged(_) => "the bytes are not what their digest says",
        Harm::Missing(_) => "the bytes are missing",
        Harm::Unlinked(..) => "a manifest of the repository names it, and the link is missing",
        Harm::Unknown(..) => "a list of the repository names it, and the manifest is missing",
        Harm::Dangling(..) => "the link leads to nothing, and no manifest names it",
        Harm::Untyped(..) => "the type of the manifest is not understood",
        Harm::Tag(_, _, None) => "the tag is not understood",
        Harm::Tag(..) => "the tag names a manifest that is missing",
        Harm::Unlisted(..) => "it is missing in the list of what speaks of its subject",
        Harm::Listed(..) => "the list names a manifest that is missing, or is not understood",
        Harm::Held(..) => "the hold is on a manifest that is missing",
    };
    let needed_by = match &harm {
        Harm::Damaged(digest) | Harm::Missing(digest) => graph.needing(digest, None),
        Harm::Unlinked(at, digest)
        | Harm::Unknown(at, digest)
        | Harm::Dangling(at, digest)
        | Harm::Held(at, digest)
        | Harm::Unlisted(at, _, digest)
        | Harm::Untyped(at, digest) => graph.needing(digest, Some(at)),
        Harm::Tag(at, tag, _) => vec![format!("{at}:{tag}")],
        Harm::Listed(..) => Vec::new(),
    };
    Problem { path, what: what.to_string(), needed_by, state: State::Remains, how: None, harm }
}

fn blob_path(digest: &Digest) -> String {
    format!("blobs/{}/{}", digest.algorithm(), digest.hex())
}

fn path_of(store: &Store, harm: &Harm) -> String {
    let whole = match harm {
        Harm::Damaged(digest) | Harm::Missing(digest) => store.blob(digest),
        Harm::Unlinked(at, digest) | Harm::Dangling(at, digest) => store.link(at, digest),
        Harm::Unknown(at, digest) | Harm::Untyped(at, digest) => store.manifest(at, digest),
        Harm::Tag(at, tag, _) => store.tag(at, tag),
        Harm::Unlisted(at, subject, digest) => store.speaking(at, subject, digest),
        Harm::Listed(at, name) => store.at(at).join(name),
        Harm::Held(at, digest) => store.held(at, digest),
    };
    let path = whole.strip_prefix(store.root()).unwrap_or(&whole);
    path.display().to_string()
}
