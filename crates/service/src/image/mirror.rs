//! Whole repositories from one registry to another: every tag, with signatures and all that is said of its image.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;
use std::str::FromStr;

use longshore_image::registry::{self, Client, Destination, Parcel, Route, Settings};
use longshore_image::{Digest, Hold, Layout, Name};
use longshore_model::pattern::matches;
use longshore_model::{Code, Error, Result};
use serde::Serialize;

use super::registry::promoted;

/// Repositories of a registry: `HOST/REPOSITORY`, or a pattern in the place of the repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The registry.
    pub host: String,
    /// The repository, or a pattern of repositories.
    pub repositories: String,
}

/// What is copied, and where to.
#[derive(Debug)]
pub struct MirrorOrder<'a> {
    /// What is copied.
    pub origins: &'a [Origin],
    /// The registry that it goes to.
    pub host: &'a str,
    /// What stands before the names of repositories there.
    pub prefix: Option<&'a str>,
    /// Only say what would be copied.
    pub only_told: bool,
}

/// What becomes of a tag.
#[derive(Debug, Clone, Serialize)]
pub struct MirrorLine {
    /// The image, where it is copied from.
    pub from: String,
    /// The image, where it is copied to.
    pub to: String,
    /// Its digest.
    pub digest: Option<Digest>,
    /// What becomes of it.
    pub fate: MirrorFate,
    /// Why.
    pub why: String,
    /// Blobs and manifests that are sent.
    pub sent: usize,
    /// Their bytes.
    pub bytes: u64,
}

/// What becomes of a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum MirrorFate {
    /// All of it is there.
    There,
    /// It is copied, or would be.
    Copied,
    /// It could not be copied.
    Failed,
}

impl FromStr for Origin {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = |why: &str| Error::new(Code::ImageName, why).with("name", text);
        if let Some((host, repositories)) = text.split_once('/').filter(|_| is_pattern(text)) {
            // The host is looked at as a part of some name.
            let name: Name = format!("{host}/x").parse()?;
            if name.host != host {
                return Err(wrong("a pattern of repositories needs the host before it"));
            }
            return Ok(Self { host: name.host, repositories: repositories.to_string() });
        }
        let last = text.rsplit('/').next().unwrap_or_default();
        if text.contains('@') || last.contains(':') {
            return Err(wrong("whole repositories are copied, and this names one image")
                .hint("Leave out the tag or digest, or use `longshore promote` for one image."));
        }
        let name: Name = text.parse()?;
        Ok(Self { host: name.host, repositories: name.repository })
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.host, self.repositories)
    }
}

/// Copies repositories. What is there already is not sent, and a tag that names the same image is not written
/// again; tags that are only there stay. A tag that cannot be copied is told of and ends nothing. What travels
/// goes through a layout in a folder.
pub async fn mirror(
    order: &MirrorOrder<'_>,
    folder: &Path,
    settings: &Settings,
) -> Result<Vec<MirrorLine>> {
    let layout = Layout::open_or_create(folder)?;
    let hold = Hold::of(layout.root())?;
    let target = Client::new(order.host, settings)?;
    let mut mirror =
        Mirror { order, layout, hold, settings, target, have: BTreeMap::new(), lines: Vec::new() };
    for origin in order.origins {
        let source = Client::new(&origin.host, settings)?;
        let repositories = match is_pattern(&origin.repositories) {
            false => vec![origin.repositories.clone()],
            true => {
                let mut all = source.repositories().await?;
                all.retain(|name| matches(&origin.repositories, name));
                all
            }
        };
        if repositories.is_empty() {
            return Err(Error::new(Code::NotFound, "no repository matches the pattern")
                .with("pattern", origin.to_string()));
        }
        for repository in repositories {
            mirror.repository(&source, &repository).await?;
        }
    }
    Ok(mirror.lines)
}

/// A copy on its way.
struct Mirror<'a> {
    order: &'a MirrorOrder<'a>,
    layout: Layout,
    hold: Hold,
    settings: &'a Settings,
    target: Client,
    /// The repositories of the target that have a blob since, or would have it.
    have: BTreeMap<Digest, BTreeSet<String>>,
    lines: Vec<MirrorLine>,
}

impl Mirror<'_> {
    async fn repository(&mut self, source: &Client, repository: &str) -> Result<()> {
        let to = match self.order.prefix {
            Some(prefix) => format!("{prefix}/{repository}"),
            None => repository.to_string(),
        };
        let name = |host: &str, repository: &str, tag: &str| Name {
            host: host.to_string(),
            repository: repository.to_string(),
            tag: Some(tag.to_string()),
            digest: None,
        };
        let tags = source.tags(repository).await?;
        // Signatures come with their images; those of images that have no tag come after.
        let (signatures, images): (Vec<String>, Vec<String>) =
            tags.into_iter().filter(|tag| !is_list(tag)).partition(|tag| is_signature(tag));
        for tag in images.iter().chain(&signatures) {
            let from = name(source.host(), repository, tag);
            let to = name(self.order.host, &to, tag);
            self.settings.stop.check()?;
            match self.tag(source, &from, &to).await {
                Ok(Some(line)) => self.lines.push(line),
                Ok(None) => {}
                Err(error) if error.code() == Code::Cancelled => return Err(error),
                Err(error) => self.lines.push(MirrorLine {
                    from: from.to_string(),
                    to: to.to_string(),
                    digest: None,
                    fate: MirrorFate::Failed,
                    why: error.chain().join(": "),
                    sent: 0,
                    bytes: 0,
                }),
            }
        }
        Ok(())
    }

    /// Copies a tag; `None` for a signature that came with its image.
    async fn tag(&mut self, source: &Client, from: &Name, to: &Name) -> Result<Option<MirrorLine>> {
        let tag = to.tag.as_deref().unwrap_or_default();
        let there = self.target.fetch_manifest(&to.repository, tag).await?;
        let there = there.map(|(described, _)| described.digest);
        if is_signature(tag) && (there.is_some() || self.is_foretold(source, from, to).await?) {
            return Ok(None);
        }
        let (digest, sent, bytes) = match self.order.only_told {
            true => self.foretell(source, from, to).await?,
            false => self.copy(source, from, to, there.as_ref()).await?,
        };
        let (fate, why) = match &there {
            Some(there) if *there != digest => {
                (MirrorFate::Copied, format!("the tag names {there} there"))
            }
            Some(_) if sent == 0 => (MirrorFate::There, "all of it is there".to_string()),
            Some(_) => {
                (MirrorFate::Copied, "parts of it, or what speaks of it, are new".to_string())
            }
            None => (MirrorFate::Copied, "the tag is new there".to_string()),
        };
        let (from, to) = (from.to_string(), to.to_string());
        Ok(Some(MirrorLine { from, to, digest: Some(digest), fate, why, sent, bytes }))
    }

    async fn copy(
        &mut self,
        source: &Client,
        from: &Name,
        to: &Name,
        there: Option<&Digest>,
    ) -> Result<(Digest, usize, u64)> {
        let mut blobs = Vec::new();
        let destination = |parcel: &Parcel| {
            blobs = parcel.blobs.iter().map(|blob| blob.digest.clone()).collect();
            // A tag that is right is not written again: its time is that of its last push.
            let is_right = there == Some(&parcel.root.digest);
            let to = if is_right { to.at(&parcel.root.digest) } else { to.clone() };
            self.with_known(promoted(parcel, from, &to)?)
        };
        let target = &self.target;
        let (image, pushed) =
            registry::promote((source, from), target, destination, &self.layout, None).await?;
        for blob in blobs {
            self.have.entry(blob).or_default().insert(to.repository.clone());
        }
        // What has arrived is not needed here any more.
        if self.hold.alone() {
            self.layout.sweep(&self.layout.unneeded(&[])?)?;
        }
        self.hold.together()?;
        Ok((image.digest, pushed.sent, pushed.bytes))
    }

    /// Whether a signature would come with its image.
    async fn is_foretold(&self, source: &Client, from: &Name, to: &Name) -> Result<bool> {
        let found = source.fetch_manifest(&from.repository, from.reference()).await?;
        let have = found.and_then(|(described, _)| self.have.get(&described.digest));
        Ok(self.order.only_told && have.is_some_and(|have| have.contains(&to.repository)))
    }

    /// Says what would be sent. What an image before brings is there for the next.
    async fn foretell(
        &mut self,
        source: &Client,
        from: &Name,
        to: &Name,
    ) -> Result<(Digest, usize, u64)> {
        let parcel = registry::documents(source, from, &self.layout).await?;
        let destination = self.with_known(promoted(&parcel, from, to)?)?;
        let lines = registry::forecast(&self.target, &parcel, &destination).await?;
        let is_blob = |digest: &Digest| parcel.blobs.iter().any(|blob| blob.digest == *digest);
        let (mut sent, mut bytes) = (0, 0);
        for line in lines {
            let have = self.have.entry(line.digest.clone()).or_default();
            let is_known =
                have.contains(&to.repository) || is_blob(&line.digest) && !have.is_empty();
            if line.route == Route::Sent && !is_known {
                (sent, bytes) = (sent + 1, bytes + line.size);
            }
            have.insert(to.repository.clone());
        }
        Ok((parcel.root.digest, sent, bytes))
    }

    /// A destination that knows where blobs came before.
    fn with_known(&self, mut destination: Destination) -> Result<Destination> {
        for (blob, repositories) in &self.have {
            let known = destination.elsewhere.entry(blob.clone()).or_default();
            for repository in repositories {
                if *repository != destination.name.repository && !known.contains(repository) {
                    known.push(repository.clone());
                }
            }
        }
        Ok(destination)
    }
}

fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?'])
}

/// Whether a tag is the list that clients keep where a registry has none.
fn is_list(tag: &str) -> bool {
    tag.replacen('-', ":", 1).parse::<Digest>().is_ok()
}

/// Whether a tag is that of the signatures of an image.
fn is_signature(tag: &str) -> bool {
    tag.strip_suffix(".sig").is_some_and(is_list)
}

#[cfg(test)]
mod tests {
    use super::{Origin, is_list, is_signature};

    #[test]
    fn whole_repositories_are_named() {
        for (text, host, repositories) in [
            ("r.example:5000/team/shop", "r.example:5000", "team/shop"),
            ("r.example/team/*", "r.example", "team/*"),
            ("r.example/*", "r.example", "*"),
            ("127.0.0.1:5000/shop", "127.0.0.1:5000", "shop"),
            ("team/shop", "docker.io", "team/shop"),
        ] {
            let origin: Origin = text.parse().expect(text);
            assert_eq!((origin.host.as_str(), origin.repositories.as_str()), (host, repositories));
        }
        let digest = format!("r.example/a@sha256:{}", "0".repeat(64));
        for wrong in ["r.example/team/shop:1", "team/*", "*", "", "r.example/", &digest] {
            assert!(wrong.parse::<Origin>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn tags_that_clients_keep_are_known() {
        let tag = format!("sha256-{}", "0".repeat(64));
        assert!(is_list(&tag) && !is_signature(&tag));
        assert!(is_signature(&format!("{tag}.sig")) && !is_list(&format!("{tag}.sig")));
        assert!(!is_list("1.0") && !is_signature("1.sig"));
    }
}
