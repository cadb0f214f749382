//! How a store is addressed: what its options and the variables of the environment set.

use std::path::PathBuf;
use std::sync::Arc;

use longshore_model::{Code, Endpoint, Error, Result};
use object_store::ObjectStore;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::list::PaginatedListStore;
use object_store::multipart::MultipartStore;

use super::azure::Azure;
use super::client::{Connector, retries};
use super::copy::Copier;
use super::google::Identity;
use super::google_copy::Google;
use super::signed::Signed;

/// Who runs a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Provider {
    S3,
    Gcs,
    Azure,
}

/// Words and their meanings.
pub(crate) type Words = &'static [(&'static str, &'static str)];

const S3_OPTIONS: Words = &[
    ("region", "of the bucket; us-east-1 unless it is told here or by AWS_REGION"),
    (
        "endpoint",
        "of a server that is not Amazon's: https://host:port, or http:// in a trusted network",
    ),
    (
        "addressing",
        "virtual: the bucket is a part of the host's name; path (the default): of the path",
    ),
    ("access-key-id", "of the credentials; write the secret as ${secret:NAME}"),
    ("secret-access-key", "of the credentials"),
    ("session-token", "of credentials that end"),
    ANONYMOUS,
    AUTHORITY,
];

const GCS_OPTIONS: Words = &[
    (
        "credentials",
        "the JSON file of a service account's key, or of gcloud auth application-default login",
    ),
    ("endpoint", "of a server that is not Google's"),
    ANONYMOUS,
    AUTHORITY,
];

const AZURE_OPTIONS: Words = &[
    ("account", "the storage account"),
    ("account-key", "its key; write it as ${secret:NAME}"),
    ("sas-token", "a shared access signature, in place of the key"),
    (
        "endpoint",
        "of a server that is not Microsoft's, with the account in its path where it has it there",
    ),
    ANONYMOUS,
    AUTHORITY,
];

const ANONYMOUS: (&str, &str) = ("anonymous", "true: requests are not signed, for public data");
const AUTHORITY: (&str, &str) =
    ("ca", "a PEM file of the certificate authorities to trust, in place of the system's");

const S3_VARIABLES: Words = &[
    ("AWS_ACCESS_KEY_ID", "the credentials"),
    ("AWS_SECRET_ACCESS_KEY", "the credentials"),
    ("AWS_SESSION_TOKEN", "of credentials that end"),
    ("AWS_REGION", "the region"),
    ("AWS_DEFAULT_REGION", "the region, where AWS_REGION is not set"),
    ("AWS_ENDPOINT_URL", "the endpoint"),
    ("AWS_ENDPOINT_URL_S3", "the endpoint"),
    (
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "a token to be exchanged for credentials, as Kubernetes gives it",
    ),
    ("AWS_ROLE_ARN", "the role for which it is exchanged"),
    ("AWS_ROLE_SESSION_NAME", "the name of the session"),
    ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "where a container gets credentials"),
    ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "where a container gets credentials"),
    ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "what a container identifies itself with"),
];

const GCS_VARIABLES: Words = &[
    (
        "GOOGLE_APPLICATION_CREDENTIALS",
        "the JSON file of a service account's key, or of a login of gcloud",
    ),
    ("GOOGLE_SERVICE_ACCOUNT_KEY", "the JSON of a service account's key itself"),
    (
        "CLOUDSDK_CONFIG",
        "the folder of gcloud, where `gcloud auth application-default login` writes",
    ),
    ("HOME", "has that folder as `.config/gcloud`, where CLOUDSDK_CONFIG is not set"),
    (
        "GCE_METADATA_HOST",
        "what gives a machine or a pod its tokens, where it is not at its usual place",
    ),
];

const AZURE_VARIABLES: Words = &[
    ("AZURE_STORAGE_ACCOUNT_NAME", "the storage account"),
    ("AZURE_STORAGE_ACCOUNT_KEY", "its key"),
    ("AZURE_STORAGE_SAS_TOKEN", "a shared access signature"),
    ("AZURE_CLIENT_ID", "of a service principal or a managed identity"),
    ("AZURE_CLIENT_SECRET", "of a service principal"),
    ("AZURE_TENANT_ID", "of a service principal"),
    ("AZURE_FEDERATED_TOKEN_FILE", "of a workload identity"),
    ("AZURE_AUTHORITY_HOST", "where tokens are asked for"),
];

/// Options that are credentials.
const CREDENTIALS: &[&str] = &[
    "access-key-id",
    "secret-access-key",
    "session-token",
    "credentials",
    "account-key",
    "sas-token",
];

/// Variables that are not.
const PLACES: &[&str] = &[
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_S3",
    "AZURE_STORAGE_ACCOUNT_NAME",
    "AZURE_AUTHORITY_HOST",
];

/// The client of a store, in its three capacities.
pub(super) struct Opened {
    pub(super) objects: Arc<dyn ObjectStore>,
    pub(super) uploads: Arc<dyn MultipartStore>,
    pub(super) pages: Arc<dyn PaginatedListStore>,
    /// For what the client has no call for, where requests are signed.
    pub(super) copier: Option<Copier>,
}

impl Opened {
    fn of<T>(client: T) -> Self
    where
        T: ObjectStore + MultipartStore + PaginatedListStore,
    {
        let client = Arc::new(client);
        let (objects, uploads) = (client.clone(), client.clone());
        Self { objects, uploads, pages: client, copier: None }
    }
}

impl Provider {
    /// In the order of their numbers.
    pub(crate) const ALL: [Self; 3] = [Self::S3, Self::Gcs, Self::Azure];

    pub(crate) fn scheme(self) -> &'static str {
        match self {
            Self::S3 => "s3",
            Self::Gcs => "gs",
            Self::Azure => "az",
        }
    }

    /// The options of its addresses, beside those of what is in it.
    pub(crate) fn options(self) -> Words {
        match self {
            Self::S3 => S3_OPTIONS,
            Self::Gcs => GCS_OPTIONS,
            Self::Azure => AZURE_OPTIONS,
        }
    }

    /// The variables of the environment that it knows.
    pub(crate) fn variables(self) -> Words {
        match self {
            Self::S3 => S3_VARIABLES,
            Self::Gcs => GCS_VARIABLES,
            Self::Azure => AZURE_VARIABLES,
        }
    }
}

/// Makes the client of a store; its server is not asked anything yet.
pub(super) fn open(provider: Provider, bucket: &str, endpoint: &Endpoint) -> Result<Opened> {
    let settings = Settings { endpoint };
    let authorities = endpoint.options().get("ca").map(PathBuf::from);
    let connector = Connector::new(authorities.as_deref())?;
    let opened = match provider {
        Provider::S3 => s3(bucket, &settings, connector),
        Provider::Gcs => {
            let identity = Identity::find(&settings, connector.client())?;
            gcs(bucket, &settings, identity, connector)
        }
        Provider::Azure => azure(bucket, &settings, connector),
    };
    opened.map_err(|error| {
        Error::new(Code::UrlInvalid, "a store cannot be used as it is addressed")
            .with("address", endpoint.to_string())
            .because(error.to_string())
    })
}

fn s3(bucket: &str, settings: &Settings, connector: Connector) -> object_store::Result<Opened> {
    let client = connector.client().clone();
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(bucket)
        .with_http_connector(connector)
        .with_allow_http(true)
        .with_retry(retries());
    for (name, value) in settings.environment() {
        if let Ok(key) = name.parse::<AmazonS3ConfigKey>() {
            builder = builder.with_config(key, value);
        }
    }
    if let Some(addressing) = settings.told("addressing") {
        builder = builder.with_virtual_hosted_style_request(addressing == "virtual");
    }
    for (name, key) in [
        ("region", AmazonS3ConfigKey::Region),
        ("endpoint", AmazonS3ConfigKey::S3Endpoint),
        ("access-key-id", AmazonS3ConfigKey::AccessKeyId),
        ("secret-access-key", AmazonS3ConfigKey::SecretAccessKey),
        ("session-token", AmazonS3ConfigKey::Token),
    ] {
        if let Some(value) = settings.told(name) {
            builder = builder.with_config(key, value);
        }
    }
    let known = [AmazonS3ConfigKey::S3Endpoint, AmazonS3ConfigKey::Endpoint];
    let server = known.iter().find_map(|key| builder.get_config_value(key));
    let built = builder.with_skip_signature(settings.is_anonymous()).build()?;
    let signer = Arc::new(built.clone());
    let copier = || Copier::S3(Signed::new(signer, client, server, bucket));
    Ok(Opened { copier: (!settings.is_anonymous()).then(copier), ..Opened::of(built) })
}

fn gcs(
    bucket: &str,
    settings: &Settings,
    identity: Identity,
    connector: Connector,
) -> object_store::Result<Opened> {
    let client = connector.client().clone();
    let mut builder = GoogleCloudStorageBuilder::new()
        .with_bucket_name(bucket)
        .with_http_connector(connector.unopened())
        .with_config(GoogleConfigKey::Client(object_store::ClientConfigKey::AllowHttp), "true")
        .with_retry(retries());
    if let Some(base) = settings.told("endpoint") {
        builder = builder.with_base_url(base.trim_end_matches('/'));
    }
    let built = identity.put(builder).build()?;
    let credentials = built.credentials().clone();
    let copier =
        || Copier::Google(Google::new(credentials, client, settings.told("endpoint"), bucket));
    Ok(Opened { copier: (!settings.is_anonymous()).then(copier), ..Opened::of(built) })
}

fn azure(
    container: &str,
    settings: &Settings,
    connector: Connector,
) -> object_store::Result<Opened> {
    let client = connector.client().clone();
    let mut builder = MicrosoftAzureBuilder::new()
        .with_container_name(container)
        .with_http_connector(connector)
        .with_allow_http(true)
        .with_retry(retries());
    for (name, value) in settings.environment() {
        if let Ok(key) = name.parse::<AzureConfigKey>() {
            builder = builder.with_config(key, value);
        }
    }
    for (name, key) in [
        ("account", AzureConfigKey::AccountName),
        ("account-key", AzureConfigKey::AccessKey),
        ("sas-token", AzureConfigKey::SasKey),
        ("endpoint", AzureConfigKey::Endpoint),
    ] {
        if let Some(value) = settings.told(name) {
            builder = builder.with_config(key, value);
        }
    }
    let builder = builder.with_skip_signature(settings.is_anonymous());
    let copier = match settings.is_anonymous() {
        true => None,
        false => Azure::new(&builder, client, container).map(Copier::Azure),
    };
    Ok(Opened { copier, ..Opened::of(builder.build()?) })
}

/// What an address says, and the environment of who gave it.
pub(super) struct Settings<'a> {
    endpoint: &'a Endpoint,
}

impl Settings<'_> {
    pub(super) fn told(&self, option: &str) -> Option<&str> {
        self.endpoint.options().get(option).map(String::as_str)
    }

    pub(super) fn is_anonymous(&self) -> bool {
        self.told("anonymous").is_some_and(|told| told == "true")
    }

    /// A variable of the environment, where it is not empty.
    pub(super) fn variable(&self, name: &str) -> Option<&str> {
        let value = self.endpoint.environment().get(name).map(String::as_str);
        value.filter(|value| !value.is_empty())
    }

    /// The variables as the clients call their settings. An address that has credentials has all of
    /// them: nothing of the environment's is mixed in.
    fn environment(&self) -> impl Iterator<Item = (String, &str)> {
        let own = CREDENTIALS.iter().any(|name| self.told(name).is_some());
        let holds = move |name: &str| !own || PLACES.contains(&name);
        let all = self.endpoint.environment().iter();
        all.filter(move |(name, value)| holds(name) && !value.is_empty())
            .map(|(name, value)| (name.to_ascii_lowercase(), value.as_str()))
    }
}
