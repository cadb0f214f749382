//! The HTTP client that all stores share: its patience, and whom it trusts.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use longshore_model::{Code, Error, Result};
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpRequest, HttpResponse, HttpService,
};
use object_store::{BackoffConfig, ClientOptions, RetryConfig};
use reqwest::Method;
use reqwest::header::{ACCEPT_ENCODING, AUTHORIZATION, HeaderValue};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

/// How long a server may take to be reached, and between two parts of an answer.
const CONNECT: Duration = Duration::from_secs(10);
const SILENCE: Duration = Duration::from_secs(60);
/// The same for what must be near.
const DIRECT: Duration = Duration::from_secs(3);

/// How often a request is made again, and for how long. The engine takes chunks again beyond that.
pub(super) fn retries() -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig {
            init_backoff: Duration::from_millis(100),
            max_backoff: Duration::from_secs(10),
            base: 2.0,
        },
        max_retries: 10,
        retry_timeout: Duration::from_secs(120),
    }
}

/// Gives the client to whoever asks.
#[derive(Debug, Clone)]
pub(super) struct Connector {
    client: reqwest::Client,
    as_stored: bool,
}

impl Connector {
    /// A client that trusts the authorities of this system, or those of a file.
    pub(super) fn new(authorities: Option<&Path>) -> Result<Self> {
        let roots = match authorities {
            Some(file) => roots_of(file)?,
            None => system_roots(),
        };
        let client = builder(roots)?.connect_timeout(CONNECT).read_timeout(SILENCE);
        Ok(Self { client: client.build().map_err(unusable)?, as_stored: false })
    }

    /// The same, which asks for objects as they are stored: Google opens what is compressed for
    /// others, so that neither sizes nor ranges are those of the object.
    pub(super) fn unopened(self) -> Self {
        Self { as_stored: true, ..self }
    }

    pub(super) fn client(&self) -> &reqwest::Client {
        &self.client
    }
}

/// A client for what is on this machine or beside it: by no proxy, without TLS, and with little
/// patience.
pub(super) fn direct() -> Result<reqwest::Client> {
    let client = builder(RootCertStore::empty())?.no_proxy().connect_timeout(DIRECT);
    client.timeout(2 * DIRECT).build().map_err(unusable)
}

fn builder(roots: RootCertStore) -> Result<reqwest::ClientBuilder> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::new(Code::Internal, "TLS cannot be set up").because(error))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let client = reqwest::Client::builder().tls_backend_preconfigured(config);
    Ok(client.user_agent(concat!("longshore/", env!("CARGO_PKG_VERSION"))))
}

fn unusable(error: reqwest::Error) -> Error {
    Error::new(Code::Internal, "the HTTP client cannot be made").because(error)
}

impl HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        let client = self.client.clone();
        if self.as_stored {
            return Ok(HttpClient::new(AsStored(client)));
        }
        Ok(HttpClient::new(client))
    }
}

/// A client that says of objects that compressed bytes are welcome. It opens none itself.
#[derive(Debug)]
struct AsStored(reqwest::Client);

#[async_trait]
impl HttpService for AsStored {
    async fn call(&self, mut request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let lists = request.uri().query().is_some_and(|query| query.contains("list-type="));
        if !lists && [Method::GET, Method::HEAD].contains(request.method()) {
            request.headers_mut().insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        }
        // A write without credentials comes with an empty token, which servers take for a wrong one.
        let token = request.headers().get(AUTHORIZATION).map(HeaderValue::as_bytes);
        if token.is_some_and(|token| token.trim_ascii() == b"Bearer") {
            request.headers_mut().remove(AUTHORIZATION);
        }
        self.0.call(request).await
    }
}

/// Where there are none, HTTPS fails with the reason and HTTP does not need them.
fn system_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

fn roots_of(file: &Path) -> Result<RootCertStore> {
    let wrong = |error: Box<dyn std::error::Error + Send + Sync>| {
        Error::new(Code::NotFound, "the certificates of an authority cannot be read")
            .with("path", file.display().to_string())
            .because(error)
    };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file).map_err(|error| wrong(error.into()))? {
        let certificate = certificate.map_err(|error| wrong(error.into()))?;
        roots.add(certificate).map_err(|error| wrong(error.into()))?;
    }
    Ok(roots)
}
