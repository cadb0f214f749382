//! Blobs from a registry: on behind what is here, and proved before they get their names.

use bytes::Bytes;
use longshore_model::{Code, Error, Result};
use reqwest::header::{CONTENT_RANGE, HeaderMap, RANGE};
use reqwest::{Method, Response};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use super::auth::Scope;
use super::error::refused;
use super::partial::Partial;
use super::transport::{Ask, Client, Failure, Tries, may_pass, read, wait};
use super::{Route, TransferEvent};
use crate::Layout;
use crate::document::Descriptor;

/// Pieces that wait to be written.
const WAITING: usize = 32;
const ERROR_BODY: u64 = 64 << 10;

impl Client {
    /// Brings a blob into a layout.
    pub(super) async fn download(
        &self,
        repository: &str,
        blob: &Descriptor,
        layout: &Layout,
    ) -> Result<Route> {
        let route = self.bring(repository, blob, layout).await.map_err(|error| {
            error
                .with("blob", blob.digest.short())
                .with("from", format!("{}/{repository}", self.host()))
        })?;
        let (digest, bytes) = (blob.digest.clone(), blob.size);
        self.settings.listener.tell(TransferEvent::BlobDone { digest, bytes, route });
        Ok(route)
    }

    async fn bring(&self, repository: &str, blob: &Descriptor, layout: &Layout) -> Result<Route> {
        let (own, wanted) = (layout.clone(), blob.clone());
        if blocking(move || Ok(own.is_sound(&wanted))).await? {
            return Ok(Route::There);
        }
        let (own, wanted) = (layout.clone(), blob.clone());
        let mut partial = blocking(move || Partial::open(&own, &wanted)).await?;
        // Another process may have brought it while this one waited.
        if partial.size == 0 && layout.is_sound(blob) {
            return Ok(Route::There);
        }
        self.tell(blob, partial.size);
        let path = format!("blobs/{}", blob.digest);
        let ask = self.ask("pulling a blob", &Scope::read(repository), Method::GET, &path).await?;
        let mut tries = Tries::of(self, &ask);
        loop {
            while !partial.is_whole() {
                let before = partial.size;
                let (back, result) = self.go_on(&ask, blob, partial).await?;
                partial = back;
                let Err((error, after)) = result else { continue };
                if partial.size > before {
                    tries.refresh();
                }
                tries.again(error, after).await?;
            }
            let (own, was_kept, size) = (layout.clone(), partial.kept > 0, partial.size);
            match blocking(move || partial.finish(&own)).await {
                Ok(()) => return Ok(Route::Fetched),
                // What an earlier process left may have been damaged since.
                Err(error) if was_kept && error.code() == Code::ImageInvalid => {
                    self.tell_reset(blob, size);
                    let (own, wanted) = (layout.clone(), blob.clone());
                    partial = blocking(move || Partial::open(&own, &wanted)).await?;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Fetches what is missing, as far as that goes in one request.
    async fn go_on(
        &self,
        ask: &Ask,
        blob: &Descriptor,
        mut partial: Partial,
    ) -> Result<(Partial, Result<(), Failure>)> {
        let mut ask = ask.clone();
        if partial.size > 0 {
            ask = ask.header(RANGE, &format!("bytes={}-", partial.size))?;
        }
        let answer = match self.once(&ask).await {
            Ok(answer) => answer,
            Err(error) => return Ok((partial, Err((error, None)))),
        };
        match answer.status().as_u16() {
            206 if begins_at(answer.headers()) == Some(partial.size) => {}
            // It has no ranges, or gives another than was asked for.
            200 | 206 | 416 if partial.size > 0 => {
                self.tell_reset(blob, partial.size);
                partial.restart()?;
                if answer.status().as_u16() != 200 {
                    let error = ask.asked.odd("has another part of the blob").temporary();
                    return Ok((partial, Err((error, None))));
                }
            }
            200 => {}
            _ => return refuse(&ask, answer, partial).await,
        }
        let (partial, result) = self.take(&ask, answer, blob, partial).await?;
        Ok((partial, result.map_err(|error| (error, None))))
    }

    /// Writes an answer's body behind the part.
    async fn take(
        &self,
        ask: &Ask,
        mut answer: Response,
        blob: &Descriptor,
        partial: Partial,
    ) -> Result<(Partial, Result<()>)> {
        let (sender, receiver) = mpsc::channel::<Bytes>(WAITING);
        let writing = spawn_blocking(move || partial.take(receiver));
        let arrived = loop {
            match answer.chunk().await {
                Ok(Some(piece)) => {
                    self.tell(blob, piece.len() as u64);
                    if let Err(stopped) = self.check() {
                        break Err(stopped);
                    }
                    if sender.send(piece).await.is_err() {
                        // The writer has the reason.
                        break Ok(());
                    }
                }
                Ok(None) => break Ok(()),
                Err(error) => break Err(ask.asked.failed(error).temporary()),
            }
        };
        drop(sender);
        let (partial, written) = writing.await.map_err(|error| ended(&error))?;
        let result = written.and(arrived).and_then(|()| match partial.is_whole() {
            true => Ok(()),
            false => Err(ask.asked.odd("ends too early").temporary()),
        });
        Ok((partial, result))
    }

    fn tell(&self, blob: &Descriptor, bytes: u64) {
        let digest = blob.digest.clone();
        self.settings.listener.tell(TransferEvent::BlobMoved { digest, bytes });
    }

    fn tell_reset(&self, blob: &Descriptor, bytes: u64) {
        let digest = blob.digest.clone();
        self.settings.listener.tell(TransferEvent::BlobReset { digest, bytes });
    }
}

async fn refuse(
    ask: &Ask,
    answer: Response,
    partial: Partial,
) -> Result<(Partial, Result<(), Failure>)> {
    let (status, after) = (answer.status(), wait(answer.headers()));
    let body = read(answer, ERROR_BODY, &ask.asked).await.unwrap_or_default();
    let error = refused(&ask.asked, status, &body);
    let error = if may_pass(status) { error.temporary() } else { error };
    Ok((partial, Err((error, after))))
}

/// Where the part of an answer begins: `bytes 5-9/10`.
fn begins_at(headers: &HeaderMap) -> Option<u64> {
    let range = headers.get(CONTENT_RANGE)?.to_str().ok()?;
    range.trim().strip_prefix("bytes")?.trim_start().split('-').next()?.trim().parse().ok()
}

/// Runs what blocks where that does no harm.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    spawn_blocking(work).await.map_err(|error| ended(&error))?
}

fn ended(error: &tokio::task::JoinError) -> Error {
    Error::new(Code::Internal, "a thread ended").because(error.to_string())
}
