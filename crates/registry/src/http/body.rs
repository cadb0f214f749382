//! Bytes between the network and the disk. A thread is held only while the disk is at work: clients that are slow
//! hold none.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use futures_util::stream;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Body as _, Frame, Incoming};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::answer::Body;
use super::off;
use super::patience::Patience;
use crate::fault::{Fault, Result};
use crate::store::Upload;

/// Bytes that are read from the disk at once.
const PIECE: usize = 256 << 10;
/// Pieces that wait between the disk and the network.
const WAITING: usize = 4;
/// Bytes that are read of a body that nobody wants, and the longest that this may take.
const DRAINED: usize = 64 << 20;
const DRAINING: Duration = Duration::from_secs(5);

/// The body of a request, and the patience with whoever sends it.
pub(super) struct Inflow {
    body: Incoming,
    patience: Patience,
}

impl Inflow {
    pub(super) fn new(body: Incoming, patience: Patience) -> Self {
        Self { body, patience }
    }

    /// Reads a body of at most so many bytes.
    pub(super) async fn small(mut self, at_most: u64) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut is_too_large = self.body.size_hint().lower() > at_most;
        while !is_too_large && let Some(data) = self.next().await? {
            bytes.extend_from_slice(&data);
            is_too_large = bytes.len() as u64 > at_most;
        }
        if is_too_large {
            self.drain().await;
            return Err(Fault::TooLarge);
        }
        Ok(bytes)
    }

    /// Reads on for a while, because a client that is still sending does not see an answer.
    pub(super) async fn drain(mut self) {
        let reading = async {
            let mut read = 0;
            while let Ok(Some(data)) = self.next().await {
                read += data.len();
                if read > DRAINED {
                    return;
                }
            }
        };
        let _is_over = timeout(DRAINING, reading).await;
    }

    /// Writes a body to an upload. What arrived before it was cut stays.
    pub(super) async fn receive(mut self, upload: Upload) -> (Result<()>, Result<Upload>) {
        let (send, waiting) = mpsc::channel::<Bytes>(WAITING);
        let writing = tokio::spawn(keep(upload, waiting));
        let arrived = loop {
            let bytes = match self.next().await {
                Ok(Some(bytes)) => bytes,
                Ok(None) => break Ok(()),
                Err(fault) => break Err(fault),
            };
            if send.send(bytes).await.is_err() {
                // The writer has ended, and says why.
                self.drain().await;
                break Ok(());
            }
        };
        drop(send);
        let written = writing.await.unwrap_or_else(|error| Err(Fault::Disk(error.to_string())));
        (arrived, written)
    }

    /// The next bytes, if they come before the patience ends.
    async fn next(&mut self) -> Result<Option<Bytes>> {
        loop {
            let start = Instant::now();
            let frame = timeout(self.patience.left(), self.body.frame()).await;
            self.patience.waited(start.elapsed());
            match frame {
                Ok(Some(Ok(frame))) => {
                    // Trailers are no bytes of the body.
                    if let Ok(data) = frame.into_data() {
                        self.patience.moved(data.len());
                        return Ok(Some(data));
                    }
                }
                Ok(None) => return Ok(None),
                Ok(Some(Err(_))) | Err(_) => return Err(Fault::Cut),
            }
        }
    }
}

/// Writes what comes to an upload.
async fn keep(mut upload: Upload, mut waiting: mpsc::Receiver<Bytes>) -> Result<Upload> {
    let mut pieces = Vec::with_capacity(WAITING);
    while waiting.recv_many(&mut pieces, WAITING).await > 0 {
        let batch = std::mem::take(&mut pieces);
        let written = off(move || {
            batch.iter().try_for_each(|bytes| upload.write(bytes))?;
            Ok(upload)
        });
        upload = written.await?;
    }
    Ok(upload)
}

/// A part of a file as the body of an answer.
pub(super) fn send(file: File, start: u64, length: u64) -> Body {
    let (send, waiting) = mpsc::channel::<io::Result<Bytes>>(WAITING);
    tokio::spawn(async move {
        let (mut file, mut left) = (Some(file), length);
        while let Some(open) = file.take().filter(|_| left > 0) {
            let piece = read(open, start + (length - left), left.min(PIECE as u64) as usize).await;
            let piece = piece.map(|(open, bytes)| {
                (file, left) = (Some(open), left - bytes.len() as u64);
                bytes
            });
            // A client that is gone takes nothing, and one that is there has to see that this is not all.
            if send.send(piece).await.is_err() {
                return;
            }
        }
    });
    let frames = stream::unfold(waiting, |mut waiting| async {
        let piece = waiting.recv().await?;
        Some((piece.map(Frame::data), waiting))
    });
    StreamBody::new(frames).boxed_unsync()
}

async fn read(mut file: File, from: u64, length: usize) -> io::Result<(File, Bytes)> {
    let reading = tokio::task::spawn_blocking(move || {
        let mut piece = BytesMut::zeroed(length);
        file.seek(SeekFrom::Start(from))?;
        file.read_exact(&mut piece)?;
        Ok((file, piece.freeze()))
    });
    reading.await.map_err(io::Error::other)?
}

/// No body at all.
pub(super) fn nothing() -> Body {
    http_body_util::Empty::new().map_err(|never| match never {}).boxed_unsync()
}
