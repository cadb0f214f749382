//! Blobs to a registry: those that it lacks, taken from another of its repositories where that has them, in
//! parts where they are large, and on where an earlier process stopped.

use std::os::unix::fs::FileExt;

use longshore_model::{Code, Error, Result, failpoint};
use reqwest::header::{CONTENT_RANGE, CONTENT_TYPE, LOCATION, RANGE};
use reqwest::{Method, Url};

use super::auth::Scope;
use super::download::blocking;
use super::record::{Record, Upload};
use super::transport::{Answer, Ask, Client, Tries};
use super::{Route, TransferEvent};
use crate::Layout;
use crate::document::Descriptor;

/// The size of a part. Each is acknowledged, so no more than this is sent twice.
const PART: u64 = 16 << 20;
/// The largest part that a registry can ask for.
const LARGEST_PART: u64 = 256 << 20;
/// How often a blob begins anew, because the registry does not know its upload any more.
const BEGINNINGS: u32 = 4;
const LONGEST_ANSWER: u64 = 64 << 10;
const BYTES: &str = "application/octet-stream";

impl Client {
    /// Whether a repository has a blob.
    pub(super) async fn has_blob(&self, repository: &str, blob: &Descriptor) -> Result<bool> {
        let path = format!("blobs/{}", blob.digest);
        let ask =
            self.ask("looking for a blob", &Scope::read(repository), Method::HEAD, &path).await?;
        let answer = self.send(&ask, 0).await?;
        match answer.status.as_u16() {
            200 => Ok(true),
            404 => Ok(false),
            _ => Err(ask.refused(&answer)),
        }
    }

    /// Brings a blob into a repository. `from` are repositories of the same registry that may have it.
    pub(super) async fn upload(
        &self,
        repository: &str,
        blob: &Descriptor,
        from: &[String],
        layout: &Layout,
    ) -> Result<Route> {
        let route = self
            .store(repository, blob, from, layout)
            .await
            .map_err(|error| error.with("blob", blob.digest.short()))?;
        let (digest, bytes) = (blob.digest.clone(), blob.size);
        self.settings.listener.tell(TransferEvent::BlobDone { digest, bytes, route });
        Ok(route)
    }

    /// Asks the registry to take a blob from another of its repositories; says whether it did.
    pub(super) async fn mount(
        &self,
        repository: &str,
        blob: &Descriptor,
        from: &str,
        layout: &Layout,
    ) -> Result<bool> {
        let sending = Sending { client: self, repository, blob, layout };
        Ok(matches!(sending.mount(from).await?, Mounted::Done))
    }

    async fn store(
        &self,
        repository: &str,
        blob: &Descriptor,
        from: &[String],
        layout: &Layout,
    ) -> Result<Route> {
        let mut record = match blob.size > PART {
            true => Record::open(layout, self.host(), repository, blob)?,
            false => None,
        };
        let sending = Sending { client: self, repository, blob, layout };
        let route = sending.store(from, record.as_mut()).await?;
        if let Some(record) = record {
            record.remove();
        }
        Ok(route)
    }
}

/// A blob on its way to a repository.
struct Sending<'a> {
    client: &'a Client,
    repository: &'a str,
    blob: &'a Descriptor,
    layout: &'a Layout,
}

/// How far an upload is.
struct State {
    location: Url,
    sent: u64,
    shortest: u64,
}

enum Mounted {
    Done,
    Begun(State),
    Refused,
}

impl Sending<'_> {
    /// Goes on with an upload, or has the blob mounted, or begins an upload.
    async fn store(&self, from: &[String], mut record: Option<&mut Record>) -> Result<Route> {
        let known = record.as_mut().and_then(|record| record.read());
        if let Some(upload) = known.filter(|upload| upload.digest == self.blob.digest)
            && let Some(state) = self.find(&upload).await?
            && self.finish(state, record.as_deref_mut()).await?
        {
            return Ok(Route::Sent);
        }
        let mut begun = None;
        for other in from {
            match self.mount(other).await? {
                Mounted::Done => return Ok(Route::Mounted),
                // It has begun an upload instead.
                Mounted::Begun(state) => {
                    begun = Some(state);
                    break;
                }
                Mounted::Refused => {}
            }
        }
        for _ in 0..BEGINNINGS {
            let state = match begun.take() {
                Some(state) => state,
                None => self.begin().await?,
            };
            if self.finish(state, record.as_deref_mut()).await? {
                return Ok(Route::Sent);
            }
            // The answer to the end of an upload may have been lost.
            if self.client.has_blob(self.repository, self.blob).await? {
                return Ok(Route::There);
            }
        }
        let asked = self.client.asked("pushing a blob", self.repository);
        Err(asked.error(Code::Registry, "was begun several times, and the registry forgot it"))
    }

    async fn ask(&self, doing: &'static str, method: Method, path: &str) -> Result<Ask> {
        self.client.ask(doing, &Scope::write(self.repository), method, path).await
    }

    /// Asks the registry to take the blob from another of its repositories.
    async fn mount(&self, from: &str) -> Result<Mounted> {
        let path = format!("blobs/uploads/?mount={}&from={}", self.blob.digest, from);
        let mut ask = self.ask("mounting a blob", Method::POST, &path).await?;
        ask.scope = ask.scope.and_from(from);
        let answer = match self.client.send(&ask, LONGEST_ANSWER).await {
            Ok(answer) => answer,
            // A realm that gives no token for the other repository; a plain upload may do.
            Err(error) if error.code() == Code::RegistryRefused => return Ok(Mounted::Refused),
            Err(error) => return Err(error),
        };
        match answer.status.as_u16() {
            201 => Ok(Mounted::Done),
            202 => self.begun(&ask, &answer).map(Mounted::Begun),
            _ => Ok(Mounted::Refused),
        }
    }

    async fn begin(&self) -> Result<State> {
        let ask = self.ask("pushing a blob", Method::POST, "blobs/uploads/").await?;
        let answer = self.client.send(&ask, LONGEST_ANSWER).await?;
        match answer.status.as_u16() {
            202 => self.begun(&ask, &answer),
            _ => Err(ask.refused(&answer)),
        }
    }

    fn begun(&self, ask: &Ask, answer: &Answer) -> Result<State> {
        let shortest = answer.header("oci-chunk-min-length").and_then(|text| text.parse().ok());
        let shortest = shortest.unwrap_or(0);
        if shortest > LARGEST_PART {
            return Err(ask.asked.odd("asks for parts that are too large"));
        }
        Ok(State { location: self.location(ask, answer)?, sent: 0, shortest })
    }

    fn location(&self, ask: &Ask, answer: &Answer) -> Result<Url> {
        let location = answer.headers.get(LOCATION).and_then(|to| to.to_str().ok());
        let location = location.ok_or_else(|| ask.asked.odd("does not say where it goes on"))?;
        self.client.lead(&answer.url, location)
    }

    /// How far an upload of an earlier process is; `None` when the registry does not know it.
    async fn find(&self, upload: &Upload) -> Result<Option<State>> {
        let mut ask = self.ask("going on with a blob", Method::GET, "").await?;
        let Ok(location) = self.client.lead(&ask.url, &upload.location) else { return Ok(None) };
        ask.url = location;
        let answer = self.client.send(&ask, LONGEST_ANSWER).await?;
        if !matches!(answer.status.as_u16(), 200 | 202 | 204) {
            return Ok(None);
        }
        let Some(sent) = end_of(&answer).filter(|sent| *sent <= self.blob.size) else {
            return Ok(None);
        };
        let location = self.location(&ask, &answer).unwrap_or(ask.url);
        let state = State { location, sent, shortest: upload.shortest };
        self.tell(sent);
        Ok(Some(state))
    }

    /// Sends what is missing; `false` when the registry does not know the upload any more.
    async fn finish(&self, mut state: State, mut record: Option<&mut Record>) -> Result<bool> {
        let began = state.sent;
        if self.blob.size > PART {
            while state.sent < self.blob.size {
                self.note(&state, record.as_deref_mut())?;
                failpoint::hit("registry.part")?;
                self.client.check()?;
                if !self.part(&mut state).await? {
                    self.reset(state.sent);
                    return Ok(false);
                }
            }
            self.note(&state, record)?;
        }
        if self.close(&state).await? {
            return Ok(true);
        }
        self.reset(state.sent.max(began));
        Ok(false)
    }

    fn note(&self, state: &State, record: Option<&mut Record>) -> Result<()> {
        let Some(record) = record else { return Ok(()) };
        record.write(&Upload {
            host: self.client.host().to_string(),
            repository: self.repository.to_string(),
            digest: self.blob.digest.clone(),
            location: state.location.to_string(),
            shortest: state.shortest,
        })
    }

    /// Sends one part. After a failure it asks the registry how much of it arrived.
    async fn part(&self, state: &mut State) -> Result<bool> {
        let mut tries: Option<Tries<'_>> = None;
        loop {
            let length = PART.max(state.shortest).min(self.blob.size - state.sent);
            let ask = self.ask("pushing a part of a blob", Method::PATCH, "").await?;
            let range = format!("{}-{}", state.sent, state.sent + length - 1);
            let body = self.read(state.sent, length).await?;
            let mut ask =
                ask.header(CONTENT_RANGE, &range)?.header(CONTENT_TYPE, BYTES)?.body(body);
            ask.url = state.location.clone();
            let answer = self.client.once_whole(&ask, LONGEST_ANSWER).await;
            let error = match answer {
                Ok(answer) if matches!(answer.status.as_u16(), 201 | 202 | 204) => {
                    let end = end_of(&answer).unwrap_or(state.sent + length);
                    if end <= state.sent || end > state.sent + length {
                        return Ok(false);
                    }
                    self.tell(end - state.sent);
                    state.location = self.location(&ask, &answer)?;
                    state.sent = end;
                    return Ok(true);
                }
                // It knows the upload no more, or has another part than this.
                Ok(answer) if matches!(answer.status.as_u16(), 404 | 416) => {
                    return self.ask_again(state).await;
                }
                Ok(answer) => return Err(ask.refused(&answer)),
                Err(failure) => failure,
            };
            let tries = tries.get_or_insert_with(|| Tries::of(self.client, &ask));
            tries.again(error.0, error.1).await?;
            if !self.ask_again(state).await? {
                return Ok(false);
            }
            if state.sent >= self.blob.size {
                return Ok(true);
            }
        }
    }

    /// Asks how much of the blob the registry has by now.
    async fn ask_again(&self, state: &mut State) -> Result<bool> {
        let mut ask = self.ask("going on with a blob", Method::GET, "").await?;
        ask.url = state.location.clone();
        let answer = self.client.send(&ask, LONGEST_ANSWER).await?;
        let end = end_of(&answer).filter(|end| *end <= self.blob.size);
        match (answer.status.as_u16(), end) {
            (200 | 202 | 204, Some(end)) if end >= state.sent => {
                self.tell(end - state.sent);
                state.sent = end;
                if let Ok(location) = self.location(&ask, &answer) {
                    state.location = location;
                }
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// Ends the upload, with the whole blob where it is small.
    async fn close(&self, state: &State) -> Result<bool> {
        let rest = match self.blob.size > PART {
            true => Vec::new(),
            false => {
                let (layout, blob) = (self.layout.clone(), self.blob.clone());
                blocking(move || layout.read_whole(&blob)).await?
            }
        };
        let length = rest.len() as u64;
        let ask = self.ask("pushing a blob", Method::PUT, "").await?;
        let mut ask = ask.header(CONTENT_TYPE, BYTES)?.body(rest);
        ask.url = state.location.clone();
        ask.url.query_pairs_mut().append_pair("digest", self.blob.digest.as_str());
        let answer = self.client.send(&ask, LONGEST_ANSWER).await?;
        match answer.status.as_u16() {
            201 | 202 | 204 => {
                if length > 0 {
                    self.tell(length);
                }
                Ok(true)
            }
            404 | 416 => Ok(false),
            // Whose fault is it that it is not what its digest says?
            400 if self.blob.size > PART => {
                let (layout, blob) = (self.layout.clone(), self.blob.clone());
                blocking(move || layout.check(&blob)).await?;
                Err(ask.refused(&answer))
            }
            _ => Err(ask.refused(&answer)),
        }
    }

    async fn read(&self, from: u64, length: u64) -> Result<Vec<u8>> {
        let (layout, blob) = (self.layout.clone(), self.blob.clone());
        blocking(move || {
            let file = layout.reader(&blob)?;
            let mut bytes = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
            file.read_exact_at(&mut bytes, from)
                .map_err(|error| Error::io("read a blob", &blob.digest, error))?;
            Ok(bytes)
        })
        .await
    }

    fn tell(&self, bytes: u64) {
        let digest = self.blob.digest.clone();
        self.client.settings.listener.tell(TransferEvent::BlobMoved { digest, bytes });
    }

    fn reset(&self, bytes: u64) {
        let digest = self.blob.digest.clone();
        self.client.settings.listener.tell(TransferEvent::BlobReset { digest, bytes });
    }
}

/// How many bytes a registry has: `Range: 0-4` says five, and none is said in several ways.
fn end_of(answer: &Answer) -> Option<u64> {
    let range = answer.headers.get(RANGE)?.to_str().ok()?;
    let range = range.trim().trim_start_matches("bytes=");
    let (start, end) = range.split_once('-')?;
    let (start, end) = (start.parse::<u64>().ok()?, end.parse::<u64>().ok()?);
    match (start, end) {
        // Nothing and one byte look the same; no part is of one byte.
        (0, 0) => Some(0),
        (0, end) => end.checked_add(1),
        _ => None,
    }
}
