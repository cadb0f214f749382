//! Taps in the place where the client library lets a connection be encrypted.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::pin::Pin;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};

use super::{Tap, Tapped};

/// Taps a connection that is not encrypted. The library takes it for TLS that begins at once
/// (`sslnegotiation=direct`), so that nothing is said of TLS to the server.
pub(crate) struct Plain(pub(crate) Tap);

impl<S: AsyncRead + AsyncWrite + Unpin> MakeTlsConnect<S> for Plain {
    type Stream = Tapped<S>;
    type TlsConnect = Plain;
    type Error = Infallible;

    fn make_tls_connect(&mut self, _: &str) -> Result<Plain, Infallible> {
        Ok(Plain(self.0.clone()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> TlsConnect<S> for Plain {
    type Stream = Tapped<S>;
    type Error = Infallible;
    type Future = Ready<Result<Tapped<S>, Infallible>>;

    fn connect(self, stream: S) -> Self::Future {
        ready(Ok(self.0.on(stream, |_| ChannelBinding::none())))
    }
}

/// Taps what comes out of an encrypted connection.
pub(crate) struct Encrypted<T> {
    pub(crate) tls: T,
    pub(crate) tap: Tap,
}

impl<S, T: MakeTlsConnect<S>> MakeTlsConnect<S> for Encrypted<T>
where
    T::TlsConnect: TlsConnect<S, Future: Send + 'static>,
{
    type Stream = Tapped<T::Stream>;
    type TlsConnect = Encrypted<T::TlsConnect>;
    type Error = T::Error;

    fn make_tls_connect(&mut self, domain: &str) -> Result<Self::TlsConnect, T::Error> {
        Ok(Encrypted { tls: self.tls.make_tls_connect(domain)?, tap: self.tap.clone() })
    }
}

impl<S, T: TlsConnect<S, Future: Send + 'static>> TlsConnect<S> for Encrypted<T> {
    type Stream = Tapped<T::Stream>;
    type Error = T::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Tapped<T::Stream>, T::Error>> + Send>>;

    fn connect(self, stream: S) -> Self::Future {
        let (connecting, tap) = (self.tls.connect(stream), self.tap);
        Box::pin(async move { Ok(tap.on(connecting.await?, TlsStream::channel_binding)) })
    }
}
