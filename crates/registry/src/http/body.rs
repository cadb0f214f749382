//! Bytes between the network and the disk.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::stream;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::answer::Body;
use super::off;
use crate::fault::{Fault, Result};
use crate::store::Upload;

/// Bytes that are read from the disk at once.
const PIECE: usize = 256 << 10;
/// Pieces that wait between the disk and the network.
const WAITING: usize = 4;
/// Bytes that are read of a body that nobody wants, and the longest that this may take.
const DRAINED: usize = 64 << 20;
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest that a client may send nothing.
const SILENCE: Duration = Duration::from_secs(60);

/// Reads a body of at most so many bytes.
pub(super) async fn small(mut body: Incoming, at_most: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    while let Some(data) = next(&mut body).await? {
        bytes.extend_from_slice(&data);
        if bytes.len() as u64 > at_most {
            drain(body).await;
            return Err(Fault::TooLarge);
        }
    }
    Ok(bytes)
}

/// Reads on for a while, because a client that is still sending does not see an answer.
pub(super) async fn drain(mut body: Incoming) {
    let reading = async {
        let mut read = 0;
        while let Ok(Some(data)) = next(&mut body).await {
            read += data.len();
            if read > DRAINED {
                return;
            }
        }
    };
    let _is_over = timeout(PATIENCE, reading).await;
}

/// Writes a body to an upload. What arrived before it was cut stays.
pub(super) async fn receive(mut body: Incoming, upload: Upload) -> (Result<()>, Result<Upload>) {
    let (send, mut waiting) = mpsc::channel::<Bytes>(WAITING);
    let writing = tokio::spawn(off(move || {
        let mut upload = upload;
        while let Some(bytes) = waiting.blocking_recv() {
            upload.write(&bytes)?;
        }
        Ok(upload)
    }));
    let arrived = loop {
        let bytes = match next(&mut body).await {
            Ok(Some(bytes)) => bytes,
            Ok(None) => break Ok(()),
            Err(fault) => break Err(fault),
        };
        if send.send(bytes).await.is_err() {
            // The writer has ended, and says why.
            drain(body).await;
            break Ok(());
        }
    };
    drop(send);
    let written = writing.await.unwrap_or_else(|error| Err(Fault::Disk(error.to_string())));
    (arrived, written)
}

async fn next(body: &mut Incoming) -> Result<Option<Bytes>> {
    loop {
        match timeout(SILENCE, body.frame()).await {
            Ok(Some(Ok(frame))) => {
                // Trailers are no bytes of the body.
                if let Ok(data) = frame.into_data() {
                    return Ok(Some(data));
                }
            }
            Ok(None) => return Ok(None),
            Ok(Some(Err(_))) | Err(_) => return Err(Fault::Cut),
        }
    }
}

/// A part of a file as the body of an answer.
pub(super) fn send(mut file: File, start: u64, length: u64) -> Body {
    let (send, waiting) = mpsc::channel::<io::Result<Bytes>>(WAITING);
    tokio::task::spawn_blocking(move || {
        let mut left = length;
        let mut began = file.seek(SeekFrom::Start(start)).map(drop);
        while left > 0 {
            let size = left.min(PIECE as u64) as usize;
            let mut piece = BytesMut::zeroed(size);
            let read = began.and_then(|()| file.read_exact(&mut piece));
            let is_over = read.is_err();
            if send.blocking_send(read.map(|()| piece.freeze())).is_err() || is_over {
                // The client is gone, or has to see that this is not all.
                return;
            }
            (left, began) = (left - size as u64, Ok(()));
        }
    });
    let frames = stream::unfold(waiting, |mut waiting| async {
        let piece = waiting.recv().await?;
        Some((piece.map(Frame::data), waiting))
    });
    StreamBody::new(frames).boxed_unsync()
}

/// No body at all.
pub(super) fn nothing() -> Body {
    http_body_util::Empty::new().map_err(|never| match never {}).boxed_unsync()
}
