//! Connections.

use std::convert::Infallible;
use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
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

use super::Serving;

/// The longest that a client may take for the head of a request, or to agree on TLS.
const HEAD: Duration = Duration::from_secs(30);
/// The longest that requests may take to end when the registry is to stop.
const GRACE: Duration = Duration::from_secs(10);
/// How long to wait when no connection can be taken.
const PAUSE: Duration = Duration::from_millis(100);

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

/// Serves until `stop` ends, and then ends what was begun. What fails with one client is no matter of the
/// others.
pub async fn serve(
    listener: TcpListener,
    identity: Option<Identity>,
    serving: Serving,
    stop: impl Future<Output = ()>,
) {
    let graceful = GracefulShutdown::new();
    let acceptor = identity.map(|identity| TlsAcceptor::from(identity.0));
    let mut stop = std::pin::pin!(stop);
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    (serving.log)(&format!("no connection can be taken: {error}"));
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            },
            () = &mut stop => break,
        };
        tokio::spawn(greet(stream, acceptor.clone(), serving.clone(), graceful.watcher()));
    }
    drop(listener);
    let _ended = timeout(GRACE, graceful.shutdown()).await;
}

async fn greet(stream: TcpStream, tls: Option<TlsAcceptor>, serving: Serving, watcher: Watcher) {
    // What it costs when it is not set is only speed.
    let _ = stream.set_nodelay(true);
    match tls {
        None => talk(stream, serving, watcher).await,
        // A client that does not agree on TLS hears so by TLS itself.
        Some(tls) => {
            if let Ok(Ok(stream)) = timeout(HEAD, tls.accept(stream)).await {
                talk(stream, serving, watcher).await;
            }
        }
    }
}

async fn talk<S>(stream: S, serving: Serving, watcher: Watcher)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request| {
        let serving = serving.clone();
        async move { Ok::<_, Infallible>(serving.answer(request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .serve_connection(TokioIo::new(stream), service);
    // A client that goes away is no failure.
    let _ = watcher.watch(connection).await;
}
