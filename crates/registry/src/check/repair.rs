//! Mends what a check finds: with what the disk has, and with what another registry has.

use std::path::PathBuf;
use std::sync::Arc;

use longshore_image::document::Descriptor;
use longshore_image::registry::Client;
use longshore_image::{Digest, Layout};
use longshore_model::{Code, Error, Result};

use super::graph::Graph;
use super::{Bytes, Checked, Harm, Problem, State, failed, look};
use crate::store::{Repository, Store, read};

/// How often it is looked for what became known by mending: lists in lists.
const ROUNDS: usize = 32;
/// Where parts of downloads are kept, in the folder of the registry.
const FOLDER: &str = ".mend";

/// Another registry that has the same repositories.
#[derive(Debug)]
pub struct Source {
    /// The registry.
    pub client: Client,
    /// What stands before the names of repositories there, such as `copies`.
    pub prefix: Option<String>,
}

/// What became of an attempt.
enum Mending {
    /// It is mended, in these words.
    Done(String),
    /// It is not, in these words.
    Not(String),
    /// Something else must be mended first.
    Later,
}

/// Mends what is damaged or missing. Each thing is proved by its digest and gets its place at once. What was brought
/// back may name what is missing too, so it is looked again until nothing more can be mended.
pub async fn repair(store: Arc<Store>, source: &Source, only_told: bool) -> Result<Checked> {
    let locked = store.mend().map_err(|fault| failed(&store, fault))?;
    let folder = store.root().join(FOLDER);
    let mender = Mender { store: store.clone(), source, only_told, folder };
    let (mut bytes, mut mended) = (Bytes::default(), Vec::<Problem>::new());
    let mut checked = Checked::default();
    for _ in 0..ROUNDS {
        let (looked, graph);
        (looked, graph, bytes) = mender.look(bytes).await?;
        checked = looked;
        let before = mended.len();
        for problem in &mut checked.problems {
            match mender.mend(&problem.harm, &graph, &bytes).await? {
                Mending::Done(how) => {
                    (problem.state, problem.how) = (State::Mended, Some(how));
                    mended.push(problem.clone());
                }
                Mending::Not(why) => problem.how = Some(why),
                Mending::Later => {}
            }
        }
        if mended.len() == before || only_told {
            break;
        }
    }
    if !only_told {
        checked.problems.retain(|problem| problem.state == State::Remains);
        checked.problems.extend(mended);
        checked.problems.sort_by(|a, b| (&a.path, a.state as u8).cmp(&(&b.path, b.state as u8)));
        // What is left of downloads that failed is as good as fetched again.
        let _ = std::fs::remove_dir_all(&mender.folder);
    }
    drop(locked);
    Ok(checked)
}

struct Mender<'a> {
    store: Arc<Store>,
    source: &'a Source,
    only_told: bool,
    folder: PathBuf,
}

impl Mender<'_> {
    async fn look(&self, mut bytes: Bytes) -> Result<(Checked, Graph, Bytes)> {
        let store = self.store.clone();
        let looking = tokio::task::spawn_blocking(move || {
            let (checked, graph) =
                look(&store, &mut bytes).map_err(|fault| failed(&store, fault))?;
            Ok((checked, graph, bytes))
        });
        looking.await.map_err(|error| {
            Error::new(Code::Internal, "a thread ended").because(error.to_string())
        })?
    }

    async fn mend(&self, harm: &Harm, graph: &Graph, bytes: &Bytes) -> Result<Mending> {
        let store = &self.store;
        let done = |how: &str| Ok(Mending::Done(how.to_string()));
        let local = |work: &dyn Fn() -> crate::fault::Result<()>| match self.only_told {
            true => Ok(()),
            false => work().map_err(|fault| failed(store, fault)),
        };
        match harm {
            Harm::Damaged(digest) | Harm::Missing(digest) => self.bytes(digest, graph).await,
            Harm::Unlinked(at, digest) if bytes.sound.contains(digest) => {
                local(&|| store.link_again(at, digest))?;
                done("linked again")
            }
            Harm::Unlinked(..) => Ok(Mending::Later),
            Harm::Unknown(at, digest)
            | Harm::Untyped(at, digest)
            | Harm::Held(at, digest)
            | Harm::Tag(at, _, Some(digest)) => self.manifest(at, digest).await,
            Harm::Tag(at, tag, None) => self.tag(at, tag).await,
            Harm::Dangling(at, digest) => {
                local(&|| store.unlink_dangling(at, digest))?;
                done("the link is removed")
            }
            Harm::Unlisted(at, subject, digest) => {
                local(&|| store.list_again(at, subject, digest))?;
                done("listed again")
            }
            Harm::Listed(at, path) => {
                let text = read(&store.at(at).join(path)).map_err(|fault| failed(store, fault))?;
                let said = serde_json::from_slice::<Descriptor>(&text.unwrap_or_default());
                if let Ok(said) = said
                    && let Mending::Done(how) = self.manifest(at, &said.digest).await?
                {
                    return Ok(Mending::Done(how));
                }
                local(&|| store.unlist(at, path))?;
                done("the entry is removed")
            }
        }
    }

    /// Bytes that are damaged or missing, from a repository of the same name.
    async fn bytes(&self, digest: &Digest, graph: &Graph) -> Result<Mending> {
        let repositories = graph.repositories(digest);
        let parents = graph.parents(digest);
        let is_known = |at: &Repository| self.store.manifest(at, digest).exists();
        let is_manifest =
            parents.iter().any(|parent| parent.is_manifest) || repositories.iter().any(is_known);
        if parents.is_empty() && !is_manifest {
            if !self.only_told {
                self.store.remove_damaged(digest).map_err(|fault| failed(&self.store, fault))?;
            }
            return Ok(Mending::Done("removed, because no manifest names it".to_string()));
        }
        let mut why = None;
        for at in &repositories {
            let size = parents.iter().find_map(|parent| parent.size);
            match self.fetch(&self.source.place(at), digest, size, is_manifest).await {
                Ok(true) => return Ok(Mending::Done(format!("from {}", self.source.named(at)))),
                Ok(false) => {}
                Err(error) if error.code() == Code::Cancelled => return Err(error),
                Err(error) => why = Some(error.chain().join(": ")),
            }
        }
        let names: Vec<String> = repositories.iter().map(|at| self.source.named(at)).collect();
        let lacks = || format!("{} lacks it", names.join(", "));
        Ok(Mending::Not(why.unwrap_or_else(lacks)))
    }

    /// Brings bytes and puts them back. Says whether they were there.
    async fn fetch(
        &self,
        at: &str,
        digest: &Digest,
        size: Option<u64>,
        is_manifest: bool,
    ) -> Result<bool> {
        let client = &self.source.client;
        if self.only_told || !is_manifest {
            let is_there = client.has(at, digest, is_manifest).await?;
            if self.only_told || !is_there {
                return Ok(is_there);
            }
        }
        if is_manifest {
            let Some((_, bytes)) = client.fetch_manifest(at, digest.as_str()).await? else {
                return Ok(false);
            };
            self.store.put_back(digest, &bytes).map_err(|fault| failed(&self.store, fault))?;
            return Ok(true);
        }
        let Some(size) = size else {
            return Err(Error::new(Code::ImageInvalid, "no manifest says how large the blob is"));
        };
        let layout = Layout::open_or_create(&self.folder)?;
        let blob = Descriptor::new("application/octet-stream", digest.clone(), size);
        let path = client.fetch_blob(at, &blob, &layout).await?;
        self.store.put_back_file(digest, &path).map_err(|fault| failed(&self.store, fault))?;
        Ok(true)
    }

    /// A manifest that a repository does not know, or not its type: from the disk or from the other registry.
    async fn manifest(&self, at: &Repository, digest: &Digest) -> Result<Mending> {
        let found =
            self.source.client.fetch_manifest(&self.source.place(at), digest.as_str()).await;
        let (described, bytes) = match found {
            Ok(Some(found)) => found,
            Ok(None) => return Ok(Mending::Not(format!("{} lacks it", self.source.named(at)))),
            Err(error) if error.code() == Code::Cancelled => return Err(error),
            Err(error) => return Ok(Mending::Not(error.chain().join(": "))),
        };
        if !self.only_told {
            let store = &self.store;
            let kept = store
                .put_back(digest, &bytes)
                .and_then(|()| store.know_again(at, digest, &described.media_type));
            kept.map_err(|fault| failed(store, fault))?;
        }
        Ok(Mending::Done(format!("from {}", self.source.named(at))))
    }

    /// A tag that is not understood: it names what it names in the other registry.
    async fn tag(&self, at: &Repository, tag: &str) -> Result<Mending> {
        let found = self.source.client.fetch_manifest(&self.source.place(at), tag).await;
        let digest = match found {
            Ok(Some((described, _))) => described.digest,
            Ok(None) => return Ok(Mending::Not(format!("{} lacks it", self.source.named(at)))),
            Err(error) if error.code() == Code::Cancelled => return Err(error),
            Err(error) => return Ok(Mending::Not(error.chain().join(": "))),
        };
        if !self.store.manifest(at, &digest).exists()
            && let Mending::Not(why) = self.manifest(at, &digest).await?
        {
            return Ok(Mending::Not(why));
        }
        if !self.only_told {
            let tagged = self.store.tag_again(at, tag, &digest);
            tagged.map_err(|fault| failed(&self.store, fault))?;
        }
        Ok(Mending::Done(format!("names {digest}, as in {}", self.source.named(at))))
    }
}

impl Source {
    /// The repository there that has what one here has.
    fn place(&self, at: &Repository) -> String {
        match &self.prefix {
            Some(prefix) => format!("{prefix}/{at}"),
            None => at.to_string(),
        }
    }

    fn named(&self, at: &Repository) -> String {
        format!("{}/{}", self.client.host(), self.place(at))
    }
}
