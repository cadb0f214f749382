//! Who asks Google: where credentials are found, in the order in which Google's own tools look.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use longshore_model::{Code, Error, Result};
use object_store::gcp::GoogleCloudStorageBuilder;
use serde_json::{Map, Value};

use super::address::Settings;
use super::token::{Grant, TOKEN_SERVER, Tokens};

/// What gcloud calls the credentials of whoever has logged in, in its folder.
const LOGIN: &str = "application_default_credentials.json";

/// Who asks.
pub(super) enum Identity {
    /// Nobody, for public data.
    Anybody,
    /// A service account, by the JSON of its key. It signs its own tokens.
    Account(String),
    /// Who is given tokens.
    Tokens(Tokens),
}

impl Identity {
    /// Finds the credentials that an address or its environment has; nothing is asked yet.
    pub(super) fn find(settings: &Settings, client: &reqwest::Client) -> Result<Self> {
        if settings.is_anonymous() {
            return Ok(Self::Anybody);
        }
        if let Some(file) = settings.told("credentials") {
            return Self::of_file(Path::new(file), client);
        }
        if let Some(text) = settings.variable("GOOGLE_SERVICE_ACCOUNT_KEY") {
            return Self::of_text(text, "GOOGLE_SERVICE_ACCOUNT_KEY", client);
        }
        if let Some(file) = settings.variable("GOOGLE_APPLICATION_CREDENTIALS") {
            return Self::of_file(Path::new(file), client);
        }
        let home = settings.variable("HOME").map(|home| Path::new(home).join(".config/gcloud"));
        let folder = settings.variable("CLOUDSDK_CONFIG").map(PathBuf::from).or(home);
        match folder.map(|folder| folder.join(LOGIN)).filter(|file| file.exists()) {
            Some(file) => Self::of_file(&file, client),
            None => Ok(Self::Tokens(Tokens::of_machine(settings.variable("GCE_METADATA_HOST"))?)),
        }
    }

    fn of_file(file: &Path, client: &reqwest::Client) -> Result<Self> {
        let shown = file.display().to_string();
        let text = fs::read_to_string(file).map_err(|error| {
            Error::new(Code::NotFound, "a file of credentials cannot be read")
                .with("path", shown.clone())
                .because(error)
        })?;
        Self::of_text(&text, &shown, client)
    }

    /// Reads credentials. Errors say nothing of what is in them.
    fn of_text(text: &str, place: &str, client: &reqwest::Client) -> Result<Self> {
        let wrong = |what: String| {
            Error::new(Code::UrlInvalid, "credentials of Google are not understood")
                .with("place", place.to_string())
                .because(what)
                .hint("They are the JSON of a service account's key, or what `gcloud auth application-default login` writes.")
        };
        let fields: Map<String, Value> = serde_json::from_str(text).map_err(|error| {
            wrong(format!("no JSON object: line {}, column {}", error.line(), error.column()))
        })?;
        let field = |name: &str| {
            let value = fields.get(name).and_then(Value::as_str);
            value.map(str::to_string).ok_or_else(|| wrong(format!("there is no {name}")))
        };
        match fields.get("type").map_or(Some("service_account"), Value::as_str) {
            Some("service_account") => {
                for name in ["private_key", "private_key_id", "client_email"] {
                    field(name)?;
                }
                Ok(Self::Account(text.to_string()))
            }
            Some("authorized_user") => {
                let grant = Grant {
                    server: field("token_uri").unwrap_or_else(|_| TOKEN_SERVER.to_string()),
                    client: field("client_id")?,
                    secret: field("client_secret")?,
                    refresh: field("refresh_token")?,
                };
                Ok(Self::Tokens(Tokens::of_user(grant, client.clone())))
            }
            other => Err(wrong(format!("the type {} is not known", other.unwrap_or("?")))),
        }
    }

    /// The builder of a client that asks in this name. It looks for no credentials itself.
    pub(super) fn put(self, builder: GoogleCloudStorageBuilder) -> GoogleCloudStorageBuilder {
        match self {
            Self::Anybody => builder.with_skip_signature(true).with_bearer_token(""),
            Self::Account(text) => builder.with_service_account_key(text),
            Self::Tokens(tokens) => builder.with_credentials(Arc::new(tokens)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Identity;

    #[test]
    fn credentials_that_are_none_are_told_without_what_is_in_them() {
        let client = reqwest::Client::builder().tls_backend_preconfigured(
            rustls::ClientConfig::builder_with_provider(
                rustls::crypto::ring::default_provider().into(),
            )
            .with_safe_default_protocol_versions()
            .expect("TLS")
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth(),
        );
        let client = client.build().expect("a client");
        for (text, why) in [
            ("hunter2", "no JSON object: line 1"),
            (r#"["hunter2"]"#, "no JSON object"),
            (r#"{"private_key": "hunter2"}"#, "there is no private_key_id"),
            (
                r#"{"type": "service_account", "private_key": 7, "client_email": "hunter2"}"#,
                "there is no private_key",
            ),
            (
                r#"{"type": "authorized_user", "client_id": "a", "client_secret": "hunter2"}"#,
                "there is no refresh_token",
            ),
            (r#"{"type": "external_account"}"#, "the type external_account is not known"),
            (r#"{"type": 7}"#, "the type ? is not known"),
        ] {
            let Err(error) = Identity::of_text(text, "there", &client) else {
                panic!("{text} is taken")
            };
            let shown = format!("{error:?}");
            assert!(shown.contains(why) && !shown.contains("hunter2"), "{shown}");
        }
    }
}
