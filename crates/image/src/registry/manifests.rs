//! Manifests and tags of a repository.

use std::time::Duration;

use longshore_model::{Code, Error, Result};
use reqwest::Method;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap};
use serde::Deserialize;

use super::address;
use super::auth::Scope;
use super::error::code_of;
use super::transport::{Answer, Ask, Client};
use crate::Digest;
use crate::document::{Descriptor, LONGEST, media};
use crate::layout::is_known;

/// The longest list that is read, in its parts and as a whole.
const LIST: u64 = 16 << 20;
const PAGES: usize = 10_000;
/// How long to wait before a tag is written again that another wrote at the same time.
const TAGGED_TOGETHER: [Duration; 3] =
    [Duration::from_millis(50), Duration::from_millis(200), Duration::from_millis(800)];
const ALL: [&str; 4] = [media::INDEX, media::MANIFEST, media::DOCKER_LIST, media::DOCKER_MANIFEST];

/// A manifest, proved by its digest.
#[derive(Debug, Clone)]
pub(super) struct Fetched {
    pub(super) descriptor: Descriptor,
    pub(super) bytes: Vec<u8>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Typed {
    media_type: Option<String>,
}

#[derive(Deserialize)]
struct Tags {
    tags: Option<Vec<String>>,
}

impl Client {
    /// A manifest by its tag or digest; `None` when there is none.
    pub(super) async fn manifest(
        &self,
        repository: &str,
        reference: &str,
    ) -> Result<Option<Fetched>> {
        let ask =
            self.of_manifest("pulling a manifest", Method::GET, repository, reference).await?;
        let answer = self.send(&ask, LONGEST).await?;
        match answer.status.as_u16() {
            200 => proved(&ask, reference, answer).map(Some),
            404 => Ok(None),
            _ => Err(ask.refused(&answer)),
        }
    }

    /// Like [`Self::manifest`]; that there is none is an error.
    pub(super) async fn demand_manifest(
        &self,
        repository: &str,
        reference: &str,
    ) -> Result<Fetched> {
        let found = self.manifest(repository, reference).await?;
        found.ok_or_else(|| {
            self.asked("pulling a manifest", repository)
                .error(Code::RegistryRefused, "found nothing")
                .with("reference", reference)
                .hint("Check the name: host, repository, tag; `longshore tags HOST/REPOSITORY` lists tags. Some registries say so too when an account may not see it.")
        })
    }

    /// The digest of a manifest, if it is there.
    pub(super) async fn head(&self, repository: &str, reference: &str) -> Result<bool> {
        let ask =
            self.of_manifest("looking for a manifest", Method::HEAD, repository, reference).await?;
        let answer = self.send(&ask, 0).await?;
        match answer.status.as_u16() {
            200 => Ok(true),
            404 => Ok(false),
            _ => Err(ask.refused(&answer)),
        }
    }

    /// Stores a manifest under a tag or its digest; returns what the registry answers.
    pub(super) async fn put(
        &self,
        repository: &str,
        reference: &str,
        media_type: &str,
        bytes: &[u8],
    ) -> Result<HeaderMap> {
        let scope = Scope::write(repository);
        let path = format!("manifests/{reference}");
        let ask = self.ask("pushing a manifest", &scope, Method::PUT, &path).await?;
        let ask = ask.header(CONTENT_TYPE, media_type)?.body(bytes.to_vec());
        let mut answer = self.send(&ask, LONGEST).await?;
        for pause in TAGGED_TOGETHER {
            // Two who write one tag at once may find the bytes of each other, which nobody told a digest of.
            let is_mixed_up = answer.status.as_u16() == 400
                && !reference.contains(':')
                && code_of(&answer.body).as_deref() == Some("DIGEST_INVALID");
            if !is_mixed_up {
                break;
            }
            tokio::time::sleep(pause).await;
            answer = self.send(&ask, LONGEST).await?;
        }
        if !matches!(answer.status.as_u16(), 200..=202) {
            return Err(ask.refused(&answer).with("reference", reference));
        }
        let told = answer.header("docker-content-digest").map(str::parse::<Digest>);
        match told {
            Some(Ok(told)) if !told.is_of(bytes) => {
                Err(ask.asked.odd("names another digest than what was sent"))
            }
            _ => Ok(answer.headers),
        }
    }

    /// The tags of a repository, sorted.
    pub async fn tags(&self, repository: &str) -> Result<Vec<String>> {
        let mut tags = Vec::new();
        self.pages("listing tags", repository, "tags/list?n=1000", &mut |ask, answer| {
            if answer.status.as_u16() != 200 {
                return Err(ask.refused(answer));
            }
            let page: Tags = serde_json::from_slice(&answer.body)
                .map_err(|error| ask.asked.odd("is no list of tags").because(error))?;
            tags.extend(page.tags.unwrap_or_default().iter().map(|tag| super::error::shown(tag)));
            Ok(true)
        })
        .await?;
        tags.sort();
        tags.dedup();
        Ok(tags)
    }

    /// Reads the pages of a list until there is none or `take` says that it has enough.
    pub(super) async fn pages(
        &self,
        doing: &'static str,
        repository: &str,
        path: &str,
        take: &mut (dyn FnMut(&Ask, &Answer) -> Result<bool> + Send),
    ) -> Result<()> {
        let ask = self.ask(doing, &Scope::read(repository), Method::GET, path).await?;
        self.pages_of(ask, take).await
    }

    /// The same from a request for the first page.
    pub(super) async fn pages_of(
        &self,
        mut ask: Ask,
        take: &mut (dyn FnMut(&Ask, &Answer) -> Result<bool> + Send),
    ) -> Result<()> {
        for _ in 0..PAGES {
            let answer = self.send(&ask, LIST).await?;
            if !take(&ask, &answer)? {
                return Ok(());
            }
            let Some(next) = answer.header("link").and_then(next_page) else { return Ok(()) };
            let next = self.lead(&answer.url, next)?;
            if !address::is_same(&next, &ask.url) || next == ask.url {
                return Err(ask.asked.odd("leads to a next page that is none"));
            }
            ask.url = next;
        }
        Err(ask.asked.odd("has no end"))
    }

    async fn of_manifest(
        &self,
        doing: &'static str,
        method: Method,
        repository: &str,
        reference: &str,
    ) -> Result<Ask> {
        let path = format!("manifests/{reference}");
        let mut ask = self.ask(doing, &Scope::read(repository), method, &path).await?;
        for media_type in ALL {
            ask = ask.header(ACCEPT, media_type)?;
        }
        Ok(ask)
    }
}

/// A manifest that is what its reference and the registry say.
fn proved(ask: &Ask, reference: &str, answer: Answer) -> Result<Fetched> {
    let asked: Option<Digest> = reference.parse().ok();
    let is_it = |told: &Digest| told.is_of(&answer.body);
    let digest = asked.clone().filter(is_it).unwrap_or_else(|| Digest::of(&answer.body));
    let wrong = |why: &str, told: &str| {
        Error::new(Code::ImageInvalid, format!("a manifest from a registry is not {why}"))
            .with("registry", ask.asked.registry.clone())
            .with("repository", ask.asked.repository.clone())
            .with("told", super::error::shown(told))
            .with("found", digest.to_string())
    };
    let told = answer.header("docker-content-digest").and_then(|told| told.parse().ok());
    for told in asked.iter().chain(&told) {
        if !is_it(told) {
            return Err(wrong("what its digest says", told.as_str()));
        }
    }
    let header = answer.header("content-type").unwrap_or_default();
    let header = header.split(';').next().unwrap_or_default().trim().to_string();
    let inner = serde_json::from_slice::<Typed>(&answer.body)
        .map_err(|error| wrong("JSON", &header).because(error))?
        .media_type;
    // Read as another type, a document could mean two things.
    if inner.as_ref().is_some_and(|inner| *inner != header) {
        return Err(wrong("of the type that it says", &header));
    }
    if !is_known(&header) {
        return Err(wrong("of a type that is known here", &header));
    }
    let descriptor = Descriptor::new(&header, digest, answer.body.len() as u64);
    Ok(Fetched { descriptor, bytes: answer.body })
}

/// Where the next page of a list is, by RFC 8288.
fn next_page(link: &str) -> Option<&str> {
    link.split(',').find_map(|one| {
        let (address, rest) = one.trim().strip_prefix('<')?.split_once('>')?;
        let is_next = rest.split(';').any(|part| {
            let part = part.trim();
            part.eq_ignore_ascii_case("rel=next") || part.eq_ignore_ascii_case("rel=\"next\"")
        });
        is_next.then_some(address)
    })
}

#[cfg(test)]
mod tests {
    use super::next_page;

    #[test]
    fn the_next_page_is_found() {
        for (link, expected) in [
            ("</v2/a/tags/list?last=x&n=1>; rel=\"next\"", Some("/v2/a/tags/list?last=x&n=1")),
            ("<https://r/v2/a>;rel=next", Some("https://r/v2/a")),
            ("</a>; rel=\"prev\", </b>; rel=\"next\"", Some("/b")),
            ("</a>; rel=\"prev\"", None),
            ("", None),
            ("<</>>;", None),
        ] {
            assert_eq!(next_page(link), expected, "{link}");
        }
    }
}
