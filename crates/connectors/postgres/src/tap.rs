//! Rows of a COPY, taken from a connection before the client library sees them.
//!
//! The server sends a message for each row, and the library makes an allocation of each. A [`Tap`]
//! stands between the two: while rows are asked for, it lays them one after the other into batches and
//! passes everything else on. Messages are framed as in PostgreSQL's protocol 3: a letter, a length of
//! four bytes that counts itself, the rest.

pub(crate) mod connect;

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use futures_channel::mpsc;
use longshore_model::{Code, Error, Result, WireBatch};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, TlsStream};

use crate::wire::{self, Wire};

const COPY_DATA: u8 = b'd';
const COPY_DONE: u8 = b'c';
const ERROR: u8 = b'E';

/// The letter and the length of a message.
const HEAD: usize = 5;

/// Bytes that are read from the connection at a time.
const READ: usize = 128 << 10;

/// What a batch has room for at first: most tables are small.
const FIRST_ROOM: usize = 16 << 10;

/// The longest row that the server sends (its `MaxAllocSize`); room for more is made as it comes.
const LONGEST_ROW: usize = 1 << 30;

/// The rows of a COPY, in batches.
pub(crate) type Batches = mpsc::Receiver<Result<WireBatch>>;

/// Where rows are asked for.
#[derive(Clone, Default)]
pub(crate) struct Tap(Arc<Mutex<Option<Gathering>>>);

impl Tap {
    /// Takes the rows of the next COPY, in batches of about so many bytes; a larger row is a batch of
    /// its own. The stream ends with the COPY, however that ends. While a batch waits, nothing more
    /// than another is read from the connection.
    pub(crate) fn open(&self, wire: Wire, bytes: usize) -> Batches {
        let (sender, batches) = mpsc::channel(0);
        *self.lock() = Some(Gathering {
            sender: Some(sender),
            header: wire == Wire::Binary,
            trailer: wire == Wire::Binary,
            bound: bytes.max(1),
            bytes: Vec::new(),
            ends: Vec::new(),
            failure: None,
        });
        batches
    }

    /// Asks for nothing any more.
    pub(crate) fn close(&self) {
        *self.lock() = None;
    }

    /// A connection whose rows are taken.
    pub(crate) fn on<S>(&self, inner: S, binding: fn(&S) -> ChannelBinding) -> Tapped<S> {
        let raw = vec![0; READ];
        Tapped { inner, binding, tap: self.clone(), raw, start: 0, end: 0, at: Place::Head }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Gathering>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Rows on their way into batches.
struct Gathering {
    /// `None` when nobody listens any more: what is left is thrown away.
    sender: Option<mpsc::Sender<Result<WireBatch>>>,
    /// Whether the stream's header is still to come.
    header: bool,
    /// Whether the stream ends with a trailer.
    trailer: bool,
    bound: usize,
    bytes: Vec<u8>,
    ends: Vec<usize>,
    failure: Option<Error>,
}

impl Gathering {
    /// Makes room for a row, which may mean that the batch before it has to go first.
    fn begin(&mut self, length: usize, context: &mut Context<'_>) -> Poll<()> {
        if self.bytes.len() >= self.bound || !self.ends.is_empty() && length >= self.bound {
            ready!(self.pass_on(context));
        }
        if self.bytes.capacity() - self.bytes.len() < length {
            let room = match self.bytes.len() + length.min(LONGEST_ROW) {
                few if few <= FIRST_ROOM => FIRST_ROOM,
                many => many.max(self.bound + self.bound / 8),
            };
            self.bytes.reserve_exact(room - self.bytes.len());
        }
        Poll::Ready(())
    }

    /// Takes a part of the row.
    fn extend(&mut self, part: &[u8]) {
        if self.sender.is_some() {
            self.bytes.extend_from_slice(part);
        }
    }

    fn end(&mut self) {
        if std::mem::take(&mut self.header) && self.sender.is_some() {
            match wire::header(&self.bytes) {
                Some(length) => drop(self.bytes.drain(..length)),
                None => {
                    let what = "the server's COPY stream is not understood";
                    self.failure = Some(Error::new(Code::SourceUnreadable, what));
                }
            }
        }
        let start = self.ends.last().copied().unwrap_or(0);
        // Without rows, it comes in one message with the header.
        if self.trailer && self.bytes[start..] == wire::TRAILER {
            self.bytes.truncate(start);
        }
        if self.bytes.len() > start {
            self.ends.push(self.bytes.len());
        }
    }

    /// Passes on what was gathered, as soon as there is room for it.
    fn pass_on(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.ends.is_empty() && self.failure.is_none() {
            return Poll::Ready(());
        }
        let Some(sender) = &mut self.sender else { return Poll::Ready(()) };
        let free = ready!(sender.poll_ready(context)).is_ok();
        let batch = WireBatch {
            bytes: std::mem::take(&mut self.bytes).into(),
            ends: std::mem::take(&mut self.ends),
        };
        let item = self.failure.take().map_or(Ok(batch), Err);
        if !free || sender.start_send(item).is_err() {
            self.sender = None;
        }
        Poll::Ready(())
    }
}

/// Where in the stream of messages a connection stands.
#[derive(Clone, Copy)]
enum Place {
    /// At the head of a message.
    Head,
    /// So many bytes before the end of one that is passed on.
    Other(usize),
    /// So many bytes before the end of a row.
    Row(usize),
}

/// A connection with a [`Tap`].
pub(crate) struct Tapped<S> {
    inner: S,
    binding: fn(&S) -> ChannelBinding,
    tap: Tap,
    /// What was read from the connection; `start..end` is not used yet.
    raw: Vec<u8>,
    start: usize,
    end: usize,
    at: Place,
}

impl<S> Tapped<S> {
    /// Uses what was read, as far as it goes, as there is room in `out`, and as rows are taken.
    fn sort(&mut self, out: &mut ReadBuf<'_>, context: &mut Context<'_>) -> Poll<()> {
        let tap = self.tap.clone();
        let mut gathering = tap.lock();
        loop {
            let left = &self.raw[self.start..self.end];
            match self.at {
                Place::Head => {
                    let Some((head, _)) = left.split_first_chunk::<HEAD>() else {
                        return Poll::Ready(());
                    };
                    let [kind, length @ ..] = *head;
                    // Shorter than itself: the library is to refuse it.
                    let length = (u32::from_be_bytes(length) as usize).max(4);
                    self.at = match (&mut *gathering, kind) {
                        (Some(rows), COPY_DATA) => {
                            ready!(rows.begin(length - 4, context));
                            self.start += HEAD;
                            Place::Row(length - 4)
                        }
                        (Some(rows), COPY_DONE | ERROR) => {
                            ready!(rows.pass_on(context));
                            *gathering = None;
                            Place::Other(length + 1)
                        }
                        _ => Place::Other(length + 1),
                    };
                }
                Place::Row(missing) => {
                    let part = missing.min(left.len());
                    if let Some(rows) = &mut *gathering {
                        rows.extend(&left[..part]);
                    }
                    self.start += part;
                    if part < missing {
                        self.at = Place::Row(missing - part);
                        return Poll::Ready(());
                    }
                    if let Some(rows) = &mut *gathering {
                        rows.end();
                    }
                    self.at = Place::Head;
                }
                Place::Other(missing) => {
                    let part = missing.min(left.len()).min(out.remaining());
                    out.put_slice(&left[..part]);
                    self.start += part;
                    if part < missing {
                        self.at = Place::Other(missing - part);
                        return Poll::Ready(());
                    }
                    self.at = Place::Head;
                }
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Tapped<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = out.filled().len();
        loop {
            let sorted = this.sort(out, context);
            if out.filled().len() > before || out.remaining() == 0 {
                return Poll::Ready(Ok(()));
            }
            ready!(sorted);
            this.raw.copy_within(this.start..this.end, 0);
            (this.start, this.end) = (0, this.end - this.start);
            let mut more = ReadBuf::new(&mut this.raw[this.end..]);
            ready!(Pin::new(&mut this.inner).poll_read(context, &mut more))?;
            match more.filled().len() {
                0 => return Poll::Ready(Ok(())),
                count => this.end += count,
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Tapped<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> TlsStream for Tapped<S> {
    fn channel_binding(&self) -> ChannelBinding {
        (self.binding)(&self.inner)
    }
}

impl<S> Drop for Tapped<S> {
    /// A connection that is gone gives no more rows.
    fn drop(&mut self) {
        self.tap.close();
    }
}

#[cfg(test)]
mod tests;
