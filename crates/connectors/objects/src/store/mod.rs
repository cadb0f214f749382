//! A bucket or container of S3, GCS or Azure, from some path on: listing, ranges, whole objects and
//! uploads in parts.
//!
//! Keys here are relative to that path. What the client of the store cannot ask for by name, such as
//! `a//b`, is refused when it is listed.

mod address;
mod azure;
mod client;
mod copy;
mod error;
mod google;
mod google_copy;
mod parts;
mod signed;
mod tags;
mod token;
mod uploads;

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use longshore_model::object::escape;
use longshore_model::{Code, Endpoint, Error, Result};
use object_store::list::{PaginatedListOptions, PaginatedListStore};
use object_store::multipart::MultipartStore;
use object_store::path::{Path, PathPart};
use object_store::{
    Attributes, GetOptions, GetRange, ObjectMeta, ObjectStore, ObjectStoreExt, PutOptions,
    PutPayload,
};
use tokio::runtime::Handle;
use tokio::sync::OnceCell;

pub(crate) use address::Provider;
pub(crate) use copy::Server;
use error::{failed, is_broken, is_changed, is_gone, is_undivided};
pub(crate) use parts::PartUpload;
pub(crate) use tags::TAG;

/// A bucket or container, from a path on.
#[derive(Clone)]
pub(crate) struct Store {
    provider: Provider,
    /// The address for people.
    shown: String,
    /// Empty, or ends in `/`.
    prefix: String,
    objects: Arc<dyn ObjectStore>,
    uploads: Arc<dyn MultipartStore>,
    pages: Arc<dyn PaginatedListStore>,
    /// For copies within the store, and tags.
    copier: Option<copy::Copier>,
    handle: Handle,
    /// Whether the server gives parts of objects, once that is known.
    divides: Arc<OnceCell<bool>>,
    /// Whether tags are told among the attributes of objects, for a request more for each.
    tells_tags: bool,
}

/// An object as a listing tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listed {
    /// Without the `/` that it may end in.
    pub(crate) key: String,
    pub(crate) size: u64,
    pub(crate) version: Version,
}

/// What tells one state of an object from another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Version {
    /// The tag that the store gives each state, where it does.
    pub(crate) tag: Option<String>,
    /// Nanoseconds since 1970, by the store's clock; most stores tell seconds.
    pub(crate) modified: i64,
}

/// A part of a listing.
pub(crate) struct Page {
    pub(crate) objects: Vec<Listed>,
    /// The folders, where they were asked for.
    pub(crate) folders: Vec<String>,
    /// What the next page is asked with; `None` at the end.
    pub(crate) next: Option<String>,
}

/// What is asked of a listing.
#[derive(Debug, Clone, Default)]
pub(crate) struct Listing<'a> {
    /// What all keys begin with.
    pub(crate) start: &'a str,
    /// The key after which they begin.
    pub(crate) after: Option<&'a str>,
    /// Whether what is in folders is left out, and the folders are named instead.
    pub(crate) shallow: bool,
    /// What the last page said.
    pub(crate) next: Option<String>,
}

/// An object, or a part of it.
pub(crate) struct Got {
    pub(crate) bytes: Bytes,
    /// Of the whole object.
    pub(crate) size: u64,
    pub(crate) version: Version,
    pub(crate) attributes: Attributes,
}

/// What is known of an object beside its bytes.
pub(crate) struct Described {
    pub(crate) size: u64,
    pub(crate) version: Version,
    pub(crate) attributes: Attributes,
}

/// What comes of asking for one state of an object.
pub(crate) enum Answer {
    Got(Got),
    /// It is in another state now.
    Changed,
    Gone,
    /// The server gives no parts of objects.
    Undivided,
}

/// How often the way to the server may break in one call, and the first pause before the next try.
const BREAKS: u32 = 6;
const PAUSE: Duration = Duration::from_millis(100);

/// An object that is read from its beginning to its end, in one state.
pub(crate) struct Flow {
    pub(crate) size: u64,
    pub(crate) version: Version,
    pub(crate) attributes: Attributes,
    shown: String,
    taken: u64,
    bytes: BoxStream<'static, object_store::Result<Bytes>>,
}

impl Flow {
    /// The next bytes; `None` when all have come.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>> {
        match self.bytes.next().await {
            Some(Ok(bytes)) => {
                self.taken += bytes.len() as u64;
                Ok(Some(bytes))
            }
            Some(Err(error)) => Err(failed("read an object", &self.shown, error)),
            None if self.taken == self.size => Ok(None),
            None => Err(too_few(&self.shown)),
        }
    }
}

impl Store {
    /// The store at an address. Nothing is asked of it yet.
    pub(crate) fn open(provider: Provider, endpoint: &Endpoint) -> Result<Self> {
        let (bucket, path) = endpoint.bucket()?;
        let shown = format!("{}://{bucket}/{path}", provider.scheme());
        let prefix = if path.is_empty() { path } else { format!("{path}/") };
        let opened = address::open(provider, &bucket, endpoint)?;
        let handle = Handle::current();
        let address::Opened { objects, uploads, pages, copier } = opened;
        Ok(Self {
            provider,
            shown,
            prefix,
            objects,
            uploads,
            pages,
            copier,
            handle,
            divides: Arc::default(),
            tells_tags: false,
        })
    }

    /// The folder that the path is in, and the path's name in it; `None` for a whole bucket.
    pub(crate) fn parent(&self) -> Option<(Self, String)> {
        let path = self.prefix.strip_suffix('/')?;
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        let shown = self.shown.strip_suffix(name).unwrap_or(&self.shown).to_string();
        Some((Self { prefix, shown, ..self.clone() }, name.to_string()))
    }

    /// Whether there is an object with bytes.
    pub(crate) async fn has_file(&self, key: &str) -> Result<bool> {
        // Servers before a file system refuse to look at a key that is a folder.
        let listing = Listing { start: key, shallow: true, ..Listing::default() };
        let page = self.page(listing).await?;
        Ok(page.objects.iter().any(|listed| listed.key == key && listed.size > 0))
    }

    /// Refuses a path at which there is nothing.
    pub(crate) async fn must_be_there(&self) -> Result<()> {
        let page = self.page(Listing { shallow: true, ..Listing::default() }).await?;
        if !self.prefix.is_empty() && page.objects.is_empty() && page.folders.is_empty() {
            return Err(Error::new(Code::NotFound, "there is nothing at a path of a store")
                .with("store", self.shown.clone()));
        }
        Ok(())
    }

    pub(crate) fn provider(&self) -> Provider {
        self.provider
    }

    /// Where asynchronous work runs that a thread waits for.
    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// An error of the store while something is done with an object.
    pub(crate) fn failed(&self, doing: &str, key: &str, error: object_store::Error) -> Error {
        failed(doing, &self.shown(key), error)
    }

    /// The address of an object for people.
    pub(crate) fn shown(&self, key: &str) -> String {
        format!("{}/{key}", self.shown.trim_end_matches('/'))
    }

    fn path(&self, key: &str) -> Result<Path> {
        let full = format!("{}{key}", self.prefix);
        let mut path = Path::default();
        for part in full.split('/') {
            // Its error repeats the name as it is.
            let part = PathPart::parse(part).map_err(|_| {
                Error::new(Code::Unsupported, "a name cannot be a key of a store")
                    .with("name", escape(key.as_bytes()))
                    .hint("Rename the object, or leave it out with ?exclude= in the address of the source.")
            })?;
            path = path.join(part);
        }
        Ok(path)
    }

    /// One page of a listing.
    pub(crate) async fn page(&self, listing: Listing<'_>) -> Result<Page> {
        let full = |key: &str| format!("{}{key}", self.prefix);
        let start = full(listing.start);
        let options = PaginatedListOptions {
            offset: listing.after.map(full),
            delimiter: listing.shallow.then_some("/".into()),
            page_token: listing.next,
            ..PaginatedListOptions::default()
        };
        let start = (!start.is_empty()).then_some(start.as_str());
        let page = self.persist(|| self.pages.list_paginated(start, options.clone())).await;
        let page = page.map_err(|error| failed("list a store", &self.shown, error))?;
        let folders = page.result.common_prefixes.iter();
        let folders = folders.map(|path| self.key(path)).collect::<Result<_>>()?;
        let objects =
            page.result.objects.into_iter().filter_map(|meta| self.listed(meta).transpose());
        Ok(Page { objects: objects.collect::<Result<_>>()?, folders, next: page.page_token })
    }

    /// The key of a path; empty for the path of the store itself.
    fn key(&self, path: &Path) -> Result<String> {
        let text = path.as_ref();
        let key = text
            .strip_prefix(&self.prefix)
            .or((text == self.prefix.trim_end_matches('/')).then_some(""));
        key.map(str::to_string).ok_or_else(|| {
            Error::new(Code::SourceUnreadable, "a store lists what it was not asked for")
                .with("store", self.shown.clone())
                .with("key", text)
        })
    }

    fn listed(&self, meta: ObjectMeta) -> Result<Option<Listed>> {
        let key = self.key(&meta.location)?;
        // Some tools put an empty object where the path itself is.
        let listed = Listed { key, size: meta.size, version: Version::of(&meta)? };
        Ok(Some(listed).filter(|listed| !listed.key.is_empty()))
    }

    /// What is known of an object; `None` when it is not there.
    pub(crate) async fn head(&self, key: &str) -> Result<Option<(u64, Version)>> {
        let path = self.path(key)?;
        match self.persist(|| self.objects.head(&path)).await {
            Ok(meta) => Ok(Some((meta.size, Version::of(&meta)?))),
            Err(error) if is_gone(&error) => Ok(None),
            Err(error) => Err(self.failed("look at an object", key, error)),
        }
    }

    /// What is known of an object beside its bytes; `None` when it is not there.
    pub(crate) async fn describe(&self, key: &str) -> Result<Option<Described>> {
        let path = self.path(key)?;
        let options = GetOptions { head: true, ..GetOptions::default() };
        let described = self.persist(|| self.objects.get_opts(&path, options.clone())).await;
        match described {
            Ok(got) => {
                let mut attributes = got.attributes.clone();
                self.add_tags(key, &mut attributes).await?;
                let (size, version) = (got.meta.size, Version::of(&got.meta)?);
                Ok(Some(Described { size, version, attributes }))
            }
            Err(error) if is_gone(&error) => Ok(None),
            Err(error) => Err(self.failed("look at an object", key, error)),
        }
    }

    /// Does something again when the way to the server breaks. What the server answers, the client
    /// deals with.
    async fn persist<T, W>(&self, work: impl Fn() -> W) -> object_store::Result<T>
    where
        W: Future<Output = object_store::Result<T>>,
    {
        let mut pause = PAUSE;
        for _ in 1..BREAKS {
            match work().await {
                Err(error) if is_broken(&error) => rest(pause).await,
                done => return done,
            }
            pause *= 2;
        }
        work().await
    }

    /// An object, or a part of it, in one state or in any.
    pub(crate) async fn get(
        &self,
        key: &str,
        range: Option<Range<u64>>,
        wanted: Option<&Version>,
    ) -> Result<Answer> {
        let path = self.path(key)?;
        let length = range.as_ref().map(|range| range.end - range.start);
        let is_begin = range.as_ref().is_none_or(|range| range.start == 0);
        let options = GetOptions {
            range: range.map(GetRange::Bounded),
            if_match: wanted.and_then(|version| version.tag.clone()),
            ..GetOptions::default()
        };
        let got = self.persist(|| async {
            let result = self.objects.get_opts(&path, options.clone()).await?;
            let (meta, attributes) = (result.meta.clone(), result.attributes.clone());
            Ok((meta, attributes, result.bytes().await?))
        });
        let (meta, mut attributes, bytes) = match got.await {
            Err(error) if is_changed(&error) => return Ok(Answer::Changed),
            Err(error) if is_undivided(&error) => return Ok(Answer::Undivided),
            Err(error) if is_gone(&error) => return Ok(Answer::Gone),
            got => got.map_err(|error| self.failed("read an object", key, error))?,
        };
        let (size, version) = (meta.size, Version::of(&meta)?);
        if wanted.is_some_and(|wanted| !wanted.is_same(&version)) {
            return Ok(Answer::Changed);
        }
        if bytes.len() as u64 != length.unwrap_or(size) {
            return Err(too_few(&self.shown(key)));
        }
        if is_begin {
            self.add_tags(key, &mut attributes).await?;
        }
        Ok(Answer::Got(Got { bytes, size, version, attributes }))
    }

    /// Whether the server gives parts of objects; asked of one that has bytes.
    pub(crate) async fn divides(&self, key: &str) -> Result<bool> {
        let asked = self.divides.get_or_try_init(|| async {
            let answer = self.get(key, Some(0..1), None).await?;
            Ok(!matches!(answer, Answer::Undivided))
        });
        asked.await.copied()
    }

    /// All of an object, in the state that it is in; `None` when it is not there.
    pub(crate) async fn flow(&self, key: &str) -> Result<Option<Flow>> {
        let result = match self.objects.get_opts(&self.path(key)?, GetOptions::default()).await {
            Err(error) if is_gone(&error) => return Ok(None),
            result => result.map_err(|error| self.failed("read an object", key, error))?,
        };
        let mut attributes = result.attributes.clone();
        self.add_tags(key, &mut attributes).await?;
        Ok(Some(Flow {
            size: result.meta.size,
            version: Version::of(&result.meta)?,
            attributes,
            shown: self.shown(key),
            taken: 0,
            bytes: result.into_stream(),
        }))
    }

    /// Writes an object; what was there under its key is replaced.
    pub(crate) async fn put(&self, key: &str, bytes: Bytes, attributes: Attributes) -> Result<()> {
        let (attributes, tags) = self.apart(attributes)?;
        let options = PutOptions { attributes, tags, ..PutOptions::default() };
        let (path, bytes) = (self.path(key)?, PutPayload::from(bytes));
        let put = || self.objects.put_opts(&path, bytes.clone(), options.clone());
        let put = self.persist(put).await;
        put.map(drop).map_err(|error| self.failed("write an object", key, error))
    }

    /// Removes objects; those that are not there are none.
    pub(crate) async fn remove(&self, keys: &[String]) -> Result<()> {
        let paths = keys.iter().map(|key| self.path(key)).collect::<Result<Vec<_>>>()?;
        let paths = stream::iter(paths.into_iter().map(Ok)).boxed();
        let mut removed = self.objects.delete_stream(paths);
        let mut refused = None;
        while let Some(one) = removed.next().await {
            refused = refused.or(one.err().filter(|error| !is_gone(error)));
        }
        let Some(error) = refused else { return Ok(()) };
        // What was removed is gone, whatever else the server could not do.
        for key in keys {
            if self.head(key).await?.is_some() {
                return Err(self.failed("remove an object", key, error));
            }
        }
        Ok(())
    }
}

/// Waits. A thread that is left over when the program ends waits no more: a timer of its own would panic.
async fn rest(pause: Duration) {
    let _over_or_given_up = tokio::spawn(tokio::time::sleep(pause)).await;
}

fn too_few(shown: &str) -> Error {
    Error::new(Code::Store, "a store sent fewer bytes than it announced")
        .with("object", shown.to_string())
        .temporary()
}

impl Version {
    fn of(meta: &ObjectMeta) -> Result<Self> {
        let modified = meta.last_modified.timestamp_nanos_opt().ok_or_else(|| {
            Error::new(Code::SourceUnreadable, "a store tells a time that is none")
                .with("key", meta.location.to_string())
        })?;
        Ok(Self { tag: meta.e_tag.clone(), modified })
    }

    /// Whether both are one state. Headers tell seconds where a listing may tell less.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        match (&self.tag, &other.tag) {
            (Some(one), Some(two)) => one.trim_matches('"') == two.trim_matches('"'),
            _ => self.modified / 1_000_000_000 == other.modified / 1_000_000_000,
        }
    }
}
