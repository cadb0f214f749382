//! The bytes of a connection: counted, and given up when the client does not take them.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep};

use super::patience::Patience;
use super::queue::not_taken;
use crate::meter::Meter;

/// A connection.
pub(super) struct Stream {
    inner: TcpStream,
    meter: Arc<Meter>,
    patience: Patience,
    waiting: Option<Waiting>,
}

/// A client is waited for.
struct Waiting {
    since: Instant,
    /// What he had not taken then.
    queued: usize,
    until: Pin<Box<Sleep>>,
}

impl Stream {
    pub(super) fn new(inner: TcpStream, meter: Arc<Meter>, patience: Patience) -> Self {
        Self { inner, meter, patience, waiting: None }
    }

    /// Waits for a client who takes nothing, until the patience ends. The system says that there is room only when
    /// there is much of it: who is slow may have taken a lot before.
    fn wait(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        loop {
            let waiting = match &mut self.waiting {
                Some(waiting) => waiting,
                none => none.insert(Waiting {
                    since: Instant::now(),
                    queued: not_taken(&self.inner),
                    until: Box::pin(sleep(self.patience.left())),
                }),
            };
            ready!(waiting.until.as_mut().poll(context));
            self.waited();
            if self.patience.left().is_zero() {
                return Poll::Ready(io::Error::from(io::ErrorKind::TimedOut));
            }
        }
    }

    fn waited(&mut self) {
        if let Some(waiting) = self.waiting.take() {
            self.patience.waited(waiting.since.elapsed());
            self.patience.moved(waiting.queued.saturating_sub(not_taken(&self.inner)));
        }
    }

    fn written(
        &mut self,
        written: Poll<io::Result<usize>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let Poll::Ready(written) = written else { return self.wait(context).map(Err) };
        self.waited();
        self.meter.sent(*written.as_ref().unwrap_or(&0));
        Poll::Ready(written)
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = ready!(Pin::new(&mut self.inner).poll_read(context, buffer));
        self.meter.received(buffer.filled().len() - before);
        Poll::Ready(read)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(context, bytes);
        self.written(written, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write_vectored(context, bytes);
        self.written(written, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}
