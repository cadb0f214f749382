//! Connections.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use longshore_model::{Code, Error};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::answer::{Body, watched};
use super::crowd::{Crowd, Seat};
use super::patience::{Limits, Patience};
use super::stream::Stream;
use crate::meter::Meter;

/// The longest that the head of a request may be, in bytes.
const LONGEST_HEAD: usize = 64 << 10;
/// The longest that requests may take to end when the registry is to stop.
const GRACE: Duration = Duration::from_secs(10);
/// How long to wait when no connection can be taken.
pub(super) const PAUSE: Duration = Duration::from_millis(100);

/// The certificate that a registry shows, and its key.
#[derive(Clone)]
pub struct Identity(Arc<ServerConfig>);

impl Identity {
    /// Reads a certificate, with those between it and its authority, and its key, both PEM.
    pub fn read(certificate: &Path, key: &Path) -> longshore_model::Result<Self> {
        let wrong = |what: &str, path: &Path| {
            Error::new(Code::NotFound, format!("the {what} of the registry cannot be used"))
                .with("path", path.display().to_string())
        };
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(certificate)
            .and_then(Iterator::collect)
            .map_err(|error| wrong("certificate", certificate).because(error))?;
        let own =
            PrivateKeyDer::from_pem_file(key).map_err(|error| wrong("key", key).because(error))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::new(Code::Internal, "TLS cannot be set up").because(error))?
            .with_no_client_auth()
            .with_single_cert(chain, own)
            .map_err(|error| wrong("certificate", certificate).because(error))?;
        Ok(Self(Arc::new(config)))
    }
}

/// Where a request came from: an extension of each.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub SocketAddr);

/// How clients are taken in.
#[derive(Clone)]
pub struct House {
    /// Takes what went wrong here, in words for whoever runs it.
    pub log: Arc<dyn Fn(&str) + Send + Sync>,
    /// How long clients are waited for.
    pub limits: Limits,
    /// Counts what is done.
    pub meter: Arc<Meter>,
}

impl House {
    /// Clients are waited for as long as is usual.
    pub fn new(log: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self { log: Arc::new(log), limits: Limits::default(), meter: Arc::default() }
    }
}

/// Serves what `handler` answers until `stop` ends, and then ends what was begun. What fails with one client is
/// no matter of the others.
pub async fn serve_with<H, F>(
    listener: TcpListener,
    identity: Option<Identity>,
    house: House,
    handler: H,
    stop: impl Future<Output = ()>,
) where
    H: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    let graceful = GracefulShutdown::new();
    let acceptor = identity.map(|identity| TlsAcceptor::from(identity.0));
    let crowd = Crowd::new(house.limits.connections, house.meter.clone());
    let mut stop = std::pin::pin!(stop);
    loop {
        let next = async {
            let seat = crowd.enter().await;
            (seat, listener.accept().await)
        };
        let (seat, (stream, peer)) = tokio::select! {
            (seat, accepted) = next => match accepted {
                Ok((stream, from)) => (seat, (stream, Peer(from))),
                Err(error) => {
                    (house.log)(&format!("no connection can be taken: {error}"));
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            },
            () = &mut stop => break,
        };
        let guest =
            Guest { house: house.clone(), handler: handler.clone(), seat: seat.clone(), peer };
        let greeting = guest.greet(stream, acceptor.clone(), graceful.watcher());
        tokio::spawn(async move {
            tokio::select! {
                () = greeting => {}
                () = seat.is_needed() => {}
            }
        });
    }
    drop(listener);
    let _ended = timeout(GRACE, graceful.shutdown()).await;
}

/// A client that is connected.
struct Guest<H> {
    house: House,
    handler: H,
    seat: Arc<Seat>,
    peer: Peer,
}

impl<H, F> Guest<H>
where
    H: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    async fn greet(self, stream: TcpStream, tls: Option<TlsAcceptor>, watcher: Watcher) {
        // What it costs when it is not set is only speed.
        let _ = stream.set_nodelay(true);
        let House { limits, meter, .. } = &self.house;
        let (head, stream) =
            (limits.head, Stream::new(stream, meter.clone(), Patience::new(*limits)));
        match tls {
            None => self.talk(stream, watcher).await,
            // A client that does not agree on TLS hears so by TLS itself.
            Some(tls) => {
                if let Ok(Ok(stream)) = timeout(head, tls.accept(stream)).await {
                    self.talk(stream, watcher).await;
                }
            }
        }
    }

    async fn talk<S>(self, stream: S, watcher: Watcher)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let head = self.house.limits.head;
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(self.peer);
            let (answer, busy) = ((self.handler)(request), self.seat.begin());
            async move { Ok::<_, Infallible>(watched(answer.await, busy)) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(head)
            .max_buf_size(LONGEST_HEAD)
            .serve_connection(TokioIo::new(stream), service);
        // A client that goes away is no failure.
        let _ = watcher.watch(connection).await;
    }
}
