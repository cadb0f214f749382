//! Who we are to a registry: what `docker login`, `podman login` and the helpers of both have kept.

use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use longshore_model::{Code, Error, Result};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::DOCKER_HUB;

/// The name of Docker Hub in the files of Docker.
const DOCKER_HUB_KEY: &str = "https://index.docker.io/v1/";
/// What a helper says where others have the name of a user.
const TOKEN: &str = "<token>";
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What proves who we are. It is never shown.
#[derive(Clone, PartialEq, Eq)]
pub enum Credential {
    /// Name and password, which may be a token for machines.
    Password {
        /// The name.
        user: String,
        /// The password.
        password: String,
    },
    /// A token that others are given for.
    Identity(String),
    /// A token for the registry itself.
    Registry(String),
}

/// Where credentials are looked for, in this order.
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    files: Vec<CredentialFile>,
    /// What is known without a file, by host.
    known: Vec<(String, Credential)>,
}

/// A file in the form of Docker's `config.json`.
#[derive(Debug, Clone)]
pub struct CredentialFile {
    path: PathBuf,
    must_be: bool,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Content {
    auths: Map<String, Value>,
    cred_helpers: Map<String, Value>,
    creds_store: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "lowercase", default)]
struct Entry {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    identitytoken: Option<String>,
    registrytoken: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Helped {
    username: String,
    secret: String,
}

impl CredentialFile {
    /// A file that need not be there.
    pub fn optional(path: PathBuf) -> Self {
        Self { path, must_be: false }
    }

    /// A file that somebody has named, so that its absence is an error.
    pub fn named(path: PathBuf) -> Self {
        Self { path, must_be: true }
    }
}

impl Credentials {
    /// Credentials from files; the first that knows a registry decides.
    pub fn from_files(files: Vec<CredentialFile>) -> Self {
        Self { files, known: Vec::new() }
    }

    /// The same, and what proves who we are to one host, whatever files say.
    pub fn and(mut self, host: &str, credential: Credential) -> Self {
        self.known.push((host.to_string(), credential));
        self
    }

    /// What is known for a repository of a host. Blocks where a helper is asked.
    pub(super) fn find(&self, host: &str, repository: &str) -> Result<Option<Credential>> {
        if let Some((_, known)) = self.known.iter().find(|(known, _)| known == host) {
            return Ok(Some(known.clone()));
        }
        for file in &self.files {
            if let Some(found) = find_in(file, host, repository)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }
}

fn find_in(file: &CredentialFile, host: &str, repository: &str) -> Result<Option<Credential>> {
    let text = match std::fs::read(&file.path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !file.must_be => {
            return Ok(None);
        }
        Err(error) => {
            return Err(Error::io("read the credentials", file.path.display(), error));
        }
    };
    // What serde says of it could show a part of a password.
    let content: Content = serde_json::from_slice(&text)
        .map_err(|_| wrong_file(&file.path, "is no JSON of Docker's form"))?;
    for key in keys(host, repository) {
        let helper = content.cred_helpers.get(&key).and_then(Value::as_str);
        if let Some(helper) = helper {
            return ask(helper, &key);
        }
    }
    for key in keys(host, repository) {
        if let Some(found) =
            content.auths.get(&key).map(|entry| read(entry, &file.path)).transpose()?
            && found.is_some()
        {
            return Ok(found);
        }
    }
    match &content.creds_store {
        Some(helper) => ask(helper, keys(host, "")[0].as_str()),
        None => Ok(None),
    }
}

/// Under which keys a repository may be found, the most exact first: podman has namespaces too.
fn keys(host: &str, repository: &str) -> Vec<String> {
    let mut keys = Vec::new();
    let mut path = repository;
    while !path.is_empty() {
        keys.push(format!("{host}/{path}"));
        path = path.rsplit_once('/').map_or("", |(before, _)| before);
    }
    if host == DOCKER_HUB {
        keys.extend([DOCKER_HUB_KEY, "index.docker.io"].map(str::to_string));
    }
    keys.push(host.to_string());
    keys.extend([format!("https://{host}"), format!("https://{host}/"), format!("http://{host}")]);
    keys.extend([format!("https://{host}/v1/"), format!("https://{host}/v2/")]);
    keys
}

fn read(entry: &Value, path: &Path) -> Result<Option<Credential>> {
    let entry: Entry = serde_json::from_value(entry.clone())
        .map_err(|_| wrong_file(path, "has an entry that is not understood"))?;
    let some = |text: Option<String>| text.filter(|text| !text.is_empty());
    if let Some(token) = some(entry.identitytoken) {
        return Ok(Some(Credential::Identity(token)));
    }
    if let Some(token) = some(entry.registrytoken) {
        return Ok(Some(Credential::Registry(token)));
    }
    if let Some(auth) = some(entry.auth) {
        let text = BASE64.decode(auth.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let pair = text.as_deref().and_then(|text| text.split_once(':'));
        let (user, password) =
            pair.ok_or_else(|| wrong_file(path, "has an entry that is not understood"))?;
        // Docker pads passwords with NUL.
        let password = password.trim_end_matches('\0').to_string();
        return Ok(Some(Credential::Password { user: user.to_string(), password }));
    }
    Ok(match (some(entry.username), entry.password) {
        (Some(user), Some(password)) => Some(Credential::Password { user, password }),
        _ => None,
    })
}

fn wrong_file(path: &Path, why: &str) -> Error {
    Error::new(Code::RegistryRefused, format!("the file of credentials {why}"))
        .with("path", path.display().to_string())
        .hint("`docker login` or `podman login` write it anew.")
}

/// Asks a helper, which reads a host and prints JSON.
fn ask(helper: &str, key: &str) -> Result<Option<Credential>> {
    let failed = |why: &str| {
        Error::new(Code::RegistryRefused, format!("the credential helper {why}"))
            .with("helper", format!("docker-credential-{}", shown(helper)))
            .with("registry", key)
            .hint("Its name stands in the file of credentials under credsStore or credHelpers; the program must be in the PATH and know the registry.")
    };
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if helper.is_empty() || !helper.bytes().all(is_name) {
        return Err(failed("has a name that cannot be one"));
    }
    let mut command = Command::new(format!("docker-credential-{helper}"));
    command.arg("get").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().map_err(|error| failed("cannot be started").because(error))?;
    if let Some(mut input) = child.stdin.take() {
        // One that needs no input has gone already.
        let _ = input.write_all(key.as_bytes());
    }
    let output =
        child.wait_with_output().map_err(|error| failed("cannot be read").because(error))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stdout);
        return match said.contains("credentials not found") {
            true => Ok(None),
            false => Err(failed("failed").with("status", output.status.to_string())),
        };
    }
    let helped: Helped = serde_json::from_slice(&output.stdout)
        .map_err(|_| failed("prints what is not understood"))?;
    Ok(match (helped.username.as_str(), helped.secret) {
        (_, secret) if secret.is_empty() => None,
        (TOKEN, secret) => Some(Credential::Identity(secret)),
        (user, password) => Some(Credential::Password { user: user.to_string(), password }),
    })
}

fn shown(helper: &str) -> String {
    helper.chars().filter(|c| !c.is_control()).take(60).collect()
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credential(***)")
    }
}

#[cfg(test)]
mod tests;
