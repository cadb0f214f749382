//! Who may ask: a service account that signs its tokens itself, and a user and a machine that are
//! given some.

use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chrono::Utc;
use ring::rsa::KeyPair;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use serde_json::{Value, json};

use crate::server::finish;

/// The key file of the service account.
pub(crate) const ACCOUNT: &str = "account.json";
/// What a login of the user leaves.
pub(crate) const LOGIN: &str = "login.json";

const EMAIL: &str = "longshore@tests.iam.gserviceaccount.com";
const KEY_ID: &str = "of-the-tests";
const CLIENT: [(&str, &str); 3] = [
    ("client_id", "client-of-the-tests"),
    ("client_secret", "secret-of-the-tests"),
    ("refresh_token", "1//refresh-of-the-tests"),
];

/// Whom the server knows.
pub(super) struct Identity {
    /// The key of the account's signatures.
    public: Vec<u8>,
    /// The token of the tests themselves.
    own: &'static str,
    given: Mutex<HashSet<String>>,
}

impl Identity {
    /// Writes the files of credentials into a folder where they are not yet.
    pub(super) fn new(folder: &Path, port: u16, own: &'static str) -> Self {
        let file = folder.join(ACCOUNT);
        if !file.exists() {
            let write = |name: &str, value: &Value| {
                fs::write(folder.join(name), value.to_string()).expect("credentials are written");
            };
            let token_uri = format!("http://127.0.0.1:{port}/token");
            write(
                ACCOUNT,
                &json!({
                    "type": "service_account", "project_id": "tests", "private_key_id": KEY_ID,
                    "private_key": made_key(), "client_email": EMAIL, "token_uri": token_uri,
                }),
            );
            let mut login = json!({"type": "authorized_user", "token_uri": token_uri});
            CLIENT.iter().for_each(|(name, value)| login[name] = json!(value));
            write(LOGIN, &login);
        }
        let account = fs::read(file).expect("the account");
        let account: Value = serde_json::from_slice(&account).expect("JSON");
        let key = pem_bytes(account["private_key"].as_str().expect("a key"));
        let key = KeyPair::from_pkcs8(&key).expect("a key of RSA");
        Self { public: key.public().as_ref().to_vec(), own, given: Mutex::default() }
    }

    /// Whether a token is one of those that were given, or signed by the account.
    pub(super) fn knows(&self, token: &str) -> bool {
        let given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        token == self.own || given.contains(token) || self.is_signed(token).is_some()
    }

    /// Whether an authorization is that of the tests themselves.
    pub(super) fn is_own(&self, authorization: &str) -> bool {
        authorization.strip_prefix("Bearer ") == Some(self.own)
    }

    /// A token for who proves to be the user; the answer of the token server.
    pub(super) fn exchange(&self, form: &str) -> (u16, Value) {
        let has = |name: &str, value: &str| {
            super::super::sign::parts(form)
                .any(|(known, told)| known == name && super::super::sign::decoded(told) == value)
        };
        if !has("grant_type", "refresh_token") {
            return (400, json!({"error": "unsupported_grant_type"}));
        }
        if !CLIENT.iter().all(|(name, value)| has(name, value)) {
            let why = "Token has been expired or revoked.";
            return (400, json!({"error": "invalid_grant", "error_description": why}));
        }
        (200, self.give("ya29.user"))
    }

    /// A new token, as it is answered.
    pub(super) fn give(&self, start: &str) -> Value {
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        let token = format!("{start}-{}", given.len());
        given.insert(token.clone());
        json!({"access_token": token, "expires_in": 3599, "token_type": "Bearer"})
    }

    /// <https://google.aip.dev/auth/4111>
    fn is_signed(&self, token: &str) -> Option<()> {
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &self.public);
        public.verify(signed.as_bytes(), &signature).ok()?;
        let part = |text: &str| -> Option<Value> {
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()
        };
        let (header, claims) = (part(header)?, part(claims)?);
        let now = Utc::now().timestamp();
        let (from, to) = (claims["iat"].as_i64()?, claims["exp"].as_i64()?);
        let scopes = claims["scope"].as_str()?;
        let may = scopes.split(' ').any(|scope| {
            scope.ends_with("/auth/cloud-platform") || scope.contains("/auth/devstorage.")
        });
        let holds = header["alg"] == "RS256"
            && header["kid"] == KEY_ID
            && claims["iss"] == EMAIL
            && claims["sub"] == EMAIL
            && may
            && from <= now + 60
            && now < to
            && to <= from + 3600;
        holds.then_some(())
    }
}

/// A new key, by the packages of moto.
fn made_key() -> String {
    const SCRIPT: &str = "\
from cryptography.hazmat.primitives import serialization as s
from cryptography.hazmat.primitives.asymmetric import rsa
key = rsa.generate_private_key(65537, 2048)
print(key.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, s.NoEncryption()).decode(), end='')";
    let (python, packages) = longshore_services::moto();
    let mut command = Command::new(python);
    command.args(["-c", SCRIPT]).env("PYTHONPATH", packages).env("PYTHONDONTWRITEBYTECODE", "1");
    finish(&mut command)
}

fn pem_bytes(pem: &str) -> Vec<u8> {
    let lines: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    STANDARD.decode(lines).expect("base64")
}
