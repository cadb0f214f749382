//! The HTTP client, and whom it trusts.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use longshore_model::{Code, Error, Result};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

/// How long a registry may take to be reached, and between two parts of an answer. The end of a large
/// upload is silent while the registry reads it through.
const CONNECT: Duration = Duration::from_secs(10);
const SILENCE: Duration = Duration::from_secs(120);

/// A client that trusts Mozilla's authorities, those of the system, and those of a file.
pub fn client(authorities: Option<&Path>, is_here: bool) -> Result<reqwest::Client> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().cloned());
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(file) = authorities {
        add(&mut roots, file)?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::new(Code::Internal, "TLS cannot be set up").because(error))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let client = reqwest::Client::builder()
        .tls_backend_preconfigured(config)
        .connect_timeout(CONNECT)
        .read_timeout(SILENCE)
        // Where a redirect leads, credentials do not go: each is looked at.
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("longshore/", env!("CARGO_PKG_VERSION")));
    let client = if is_here { client.no_proxy() } else { client };
    client.build().map_err(|error| {
        Error::new(Code::Internal, "the HTTP client cannot be made").because(error)
    })
}

fn add(roots: &mut RootCertStore, file: &Path) -> Result<()> {
    let wrong = |why: &str| {
        Error::new(Code::NotFound, format!("the certificates of an authority {why}"))
            .with("path", file.display().to_string())
            .hint("--ca takes a file with certificates in PEM.")
    };
    let certificates = CertificateDer::pem_file_iter(file)
        .map_err(|error| wrong("cannot be read").because(error))?;
    let mut added = 0;
    for certificate in certificates {
        let certificate = certificate.map_err(|error| wrong("are not PEM").because(error))?;
        roots.add(certificate).map_err(|error| wrong("are not understood").because(error))?;
        added += 1;
    }
    if added == 0 {
        return Err(wrong("are not in the file"));
    }
    Ok(())
}
