//! Registries, by the OCI distribution specification 1.1: images are pushed and pulled, with all that speaks
//! of them.
//!
//! Whatever is interrupted goes on in a later process: uploads where the registry says that they are,
//! downloads behind the bytes that are kept. Whatever comes from a registry is proved by its digest before it
//! gets its name.

mod address;
mod auth;
mod challenge;
mod credentials;
mod download;
mod error;
mod event;
mod manifests;
mod parcel;
mod partial;
mod pull;
mod push;
mod record;
mod referrers;
mod single;
mod tls;
mod transport;
mod trust;
mod upload;

use std::path::PathBuf;

pub use credentials::{Credential, CredentialFile, Credentials};
pub use event::{Listener, Route, Stop, TransferEvent};
pub use parcel::Parcel;
pub(crate) use partial::PARTIAL;
pub use pull::{Pulled, documents, pull, resolve};
pub use push::{Destination, Forecast, Pushed, forecast, promote, push};
pub use tls::client as http_client;
pub use transport::Client;
pub use trust::demand;

/// How many blobs travel at the same time.
const TOGETHER: usize = 4;

/// How registries are reached.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Whether hosts other than this machine may be spoken to without TLS.
    pub plain_http: bool,
    /// Authorities that are trusted besides those of the system, in PEM.
    pub authorities: Option<PathBuf>,
    /// Who we are.
    pub credentials: Credentials,
    /// Who is told what happens.
    pub listener: Listener,
    /// Who may ask to stop.
    pub stop: Stop,
}

#[cfg(test)]
mod tests;
