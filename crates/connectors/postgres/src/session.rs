//! Connections: how they are made, and the settings under which values mean the same everywhere.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use longshore_model::{Code, Error, Result, Retry};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio::net::UnixStream;
use tokio_postgres::config::{SslMode, SslNegotiation};
use tokio_postgres::tls::ChannelBinding;
use tokio_postgres::{CancelToken, Client, NoTls, SimpleQueryMessage};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::address::{Address, Protection};
use crate::failure::failure;
use crate::tap::Tap;
use crate::tap::connect::{Encrypted, Plain};

/// Values have one text form, names are qualified, nothing times out in between, and rows that a
/// policy hides are an error. Bytes of a database without encoding stay as they are. A client that
/// is gone without a word is noticed within a minute. In force until the transaction ends: a pooler
/// gives the next transaction to another session.
pub(crate) const SETTINGS: &str = "\
    SET LOCAL search_path = '';
    SET LOCAL datestyle = 'ISO, YMD';
    SET LOCAL intervalstyle = 'postgres';
    SET LOCAL timezone = 'UTC';
    SET LOCAL extra_float_digits = 3;
    SET LOCAL bytea_output = 'hex';
    SET LOCAL lc_monetary = 'C';
    SET LOCAL xmloption = 'content';
    SET LOCAL row_security = off;
    SET LOCAL check_function_bodies = off;
    SET LOCAL synchronize_seqscans = off;
    SET LOCAL statement_timeout = 0;
    SET LOCAL lock_timeout = 0;
    SET LOCAL idle_in_transaction_session_timeout = 0;
    SET LOCAL tcp_keepalives_idle = 30;
    SET LOCAL tcp_keepalives_interval = 10;
    SET LOCAL tcp_keepalives_count = 3;
    SELECT pg_catalog.set_config('client_encoding', 'SQL_ASCII', true)
        WHERE pg_catalog.current_setting('server_encoding') = 'SQL_ASCII';
    SELECT pg_catalog.set_config('transaction_timeout', '0', true)
        WHERE pg_catalog.current_setting('server_version_num')::pg_catalog.int4 >= 170000;";

/// What holds of timeouts in [`SETTINGS`], for what runs in no transaction; until `RESET ALL`.
pub(crate) const UNHURRIED: &str = "\
    SET statement_timeout = 0;
    SET lock_timeout = 0;
    SELECT pg_catalog.set_config('transaction_timeout', '0', false)
        WHERE pg_catalog.current_setting('server_version_num')::pg_catalog.int4 >= 170000;";

/// The oldest version that is read and written, as the server numbers it.
const OLDEST: u32 = 130_000;

/// How often a fresh connection may be lost at its first transaction.
const ATTEMPTS: u32 = 3;

/// Connects. The connection ends when the client is dropped.
pub(crate) async fn connect(address: &Address) -> Result<Client> {
    let client = match &address.protection {
        Protection::None => {
            let mut config = address.config.clone();
            config.ssl_mode(SslMode::Disable);
            let (client, connection) = config.connect(NoTls).await.map_err(lost(address))?;
            // How the connection ends is seen by whoever waits for an answer on it.
            tokio::spawn(connection);
            client
        }
        protection => {
            let mut config = address.config.clone();
            config.ssl_mode(SslMode::Require);
            let tls = MakeRustlsConnect::new(tls(protection)?);
            let (client, connection) = config.connect(tls).await.map_err(lost(address))?;
            tokio::spawn(connection);
            client
        }
    };
    Ok(client)
}

/// Connects through a tap.
pub(crate) async fn connect_tapped(address: &Address) -> Result<(Client, Tap)> {
    let tap = Tap::default();
    let mut config = address.config.clone();
    if let Some(path) = address.socket() {
        config.ssl_mode(SslMode::Disable);
        let stream = connect_socket(address, path).await?;
        let stream = tap.on(stream, |_| ChannelBinding::none());
        let (client, connection) =
            config.connect_raw(stream, NoTls).await.map_err(lost(address))?;
        tokio::spawn(connection);
        return Ok((client, tap));
    }
    config.ssl_mode(SslMode::Require);
    let client = match &address.protection {
        Protection::None => {
            config.ssl_negotiation(SslNegotiation::Direct);
            let plain = Plain(tap.clone());
            let (client, connection) = config.connect(plain).await.map_err(lost(address))?;
            tokio::spawn(connection);
            client
        }
        protection => {
            let tls = MakeRustlsConnect::new(tls(protection)?);
            let tls = Encrypted { tls, tap: tap.clone() };
            let (client, connection) = config.connect(tls).await.map_err(lost(address))?;
            tokio::spawn(connection);
            client
        }
    };
    Ok((client, tap))
}

/// Connects to the server's Unix socket.
async fn connect_socket(address: &Address, path: PathBuf) -> Result<UnixStream> {
    let connecting = UnixStream::connect(&path);
    let limit = address.config.get_connect_timeout().copied().unwrap_or(Duration::MAX);
    let connected = tokio::time::timeout(limit, connecting).await.unwrap_or_else(|_| {
        Err(std::io::Error::new(std::io::ErrorKind::TimedOut, "the server does not answer"))
    });
    connected.map_err(|error| {
        Error::new(Code::Database, "could not connect: the connection failed")
            .with("address", address.shown.clone())
            .because(error)
            .temporary()
    })
}

/// Begins a transaction under [`SETTINGS`].
pub(crate) async fn begin(client: &Client, mode: &str) -> Result<()> {
    let sql = format!("BEGIN {mode}; {SETTINGS}");
    client.batch_execute(&sql).await.map_err(|error| failure("begin a transaction", error))
}

/// Like [`begin`], with some more SQL at its end, and the answers to all of it.
pub(crate) async fn begin_with(client: &Client, sql: &str) -> Result<Vec<SimpleQueryMessage>> {
    let sql = format!("BEGIN; {SETTINGS} {sql}");
    client.simple_query(&sql).await.map_err(|error| failure("begin a transaction", error))
}

/// The server's version, such as 150004; one that is too old is refused.
pub(crate) async fn version(client: &Client) -> Result<u32> {
    let text = text(client, "SELECT current_setting('server_version_num')").await?;
    let number = text.parse().map_err(|error| {
        Error::new(Code::Database, "the server's version is not understood").because(error)
    })?;
    if number < OLDEST {
        return Err(Error::new(Code::Unsupported, "the server is too old")
            .with("version", text)
            .hint("PostgreSQL 13 and later are moved."));
    }
    Ok(number)
}

/// Two connections at once, both sessions of their own. A pooler that gives each transaction to
/// another session breaks what sessions share: snapshots, prepared statements, locks.
pub(crate) async fn connect_two(address: &Address) -> Result<(Client, Client)> {
    const PID: &str = "SELECT pg_catalog.pg_backend_pid()::pg_catalog.text";
    let (first, mut second) = (connect(address).await?, connect(address).await?);
    let one = text(&first, PID).await?;
    // A pooler that allows no transactions says so and hangs up, and what it said may be lost.
    for attempt in 1.. {
        match begin(&second, "").await {
            Ok(()) => break,
            Err(error) if second.is_closed() && error.retry() != Retry::Never => {
                if attempt == ATTEMPTS {
                    return Err(pooled().with("address", address.shown.clone()).because(error));
                }
                second = connect(address).await?;
            }
            Err(error) => return Err(error),
        }
    }
    let other = text(&second, PID).await?;
    second.batch_execute("COMMIT").await.map_err(|error| failure("end a transaction", error))?;
    if one == other {
        return Err(pooled().with("address", address.shown.clone()));
    }
    Ok((first, second))
}

/// What is said of a pooler that is found in between.
pub(crate) fn pooled() -> Error {
    Error::new(Code::Unsupported, "a pooler in between does not keep sessions apart")
        .hint("Give the address of the server itself, or of a pool in session mode.")
}

/// Whether a schema is there: who may not make schemas may still use it.
pub(crate) async fn has_schema(client: &Client, name: &str) -> Result<bool> {
    let told = |error| failure("look for a schema", error).with("schema", name);
    let sql = "SELECT EXISTS (SELECT FROM pg_catalog.pg_namespace
               WHERE nspname = $1::pg_catalog.text)";
    client.query_one(sql, &[&name]).await.and_then(|row| row.try_get(0)).map_err(told)
}

/// The one text that a query gives.
pub(crate) async fn text(client: &Client, sql: &str) -> Result<String> {
    let row = client.query_one(sql, &[]).await.map_err(|error| failure("ask the server", error))?;
    row.try_get(0).map_err(|error| failure("read the server's answer", error))
}

fn lost(address: &Address) -> impl Fn(tokio_postgres::Error) -> Error + '_ {
    |error| failure("connect", error).with("address", address.shown.clone())
}

fn tls(protection: &Protection) -> Result<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::new(Code::Internal, "TLS cannot be set up").because(error))?;
    Ok(match protection {
        Protection::Encrypted(None) | Protection::None => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
            .with_no_client_auth(),
        Protection::Encrypted(Some(file)) => {
            builder.with_root_certificates(roots_of(file)?).with_no_client_auth()
        }
        Protection::Verified(Some(file)) => {
            builder.with_root_certificates(roots_of(file)?).with_no_client_auth()
        }
        Protection::Verified(None) => {
            builder.with_root_certificates(system_roots()?).with_no_client_auth()
        }
    })
}

fn roots_of(file: &std::path::Path) -> Result<RootCertStore> {
    let wrong = |error: rustls::pki_types::pem::Error| {
        Error::new(Code::NotFound, "the certificates of sslrootcert cannot be read")
            .with("path", file.display().to_string())
            .because(error)
    };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file).map_err(wrong)? {
        roots.add(certificate.map_err(wrong)?).map_err(|error| {
            Error::new(Code::NotFound, "a certificate of sslrootcert is not valid")
                .with("path", file.display().to_string())
                .because(error)
        })?;
    }
    Ok(roots)
}

fn system_roots() -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        return Err(Error::new(Code::NotFound, "this system has no trusted certificates")
            .hint("Name the server's certificate authority with ?sslrootcert=FILE."));
    }
    Ok(roots)
}

/// Takes any certificate: what `sslmode=require` means where no authority is given.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// Asks the server to stop what a tapped connection waits for.
pub(crate) async fn cancel(token: &CancelToken, address: &Address) {
    if let Some(path) = address.socket() {
        if let Ok(stream) = connect_socket(address, path).await {
            let _unanswered = token.cancel_query_raw(stream, NoTls).await;
        }
        return;
    }
    let _unanswered = match &address.protection {
        Protection::None => token.cancel_query(Plain(Tap::default())).await,
        protection => match tls(protection) {
            Ok(config) => token.cancel_query(MakeRustlsConnect::new(config)).await,
            Err(_) => return,
        },
    };
}
