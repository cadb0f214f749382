//! What the client of Azure has no call for: copies within an account, which are blocks that the server takes out of another
//! blob and the list that makes them one, and tags.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{SecondsFormat, Utc};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use longshore_model::object::Original;
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::path::Path;
use object_store::signer::{HeaderMap, HeaderName, HeaderValue};
use object_store::{Attribute, Attributes, TagSet};
use reqwest::Url;
use ring::hmac;

use super::signed::{Tag, again, answered, broken, named, not_sent, tags_of, value};

/// How long a signature holds.
const HOLDS: Duration = Duration::from_secs(3600);
/// The version of the service whose signatures the client makes.
const VERSION: (&str, &str) = ("x-ms-version", "2023-11-03");
/// The blocks of a blob that are under way at a time, how large they are at least, and how many there may be.
const UNDER_WAY: usize = 8;
const BLOCK: u64 = 64 << 20;
const BLOCKS: u64 = 40_000;

/// An account with its key, and a container of it.
#[derive(Clone)]
pub(super) struct Azure {
    account: String,
    key: Arc<hmac::Key>,
    client: reqwest::Client,
    /// Where the account is. What is there is one store.
    server: Url,
    container: String,
}

impl Azure {
    /// `None` without the key of the account: nothing else signs what a server is to read by itself.
    pub(super) fn new(
        builder: &MicrosoftAzureBuilder,
        client: reqwest::Client,
        container: &str,
    ) -> Option<Self> {
        let told = |key: AzureConfigKey| builder.get_config_value(&key);
        let account = told(AzureConfigKey::AccountName)?;
        let key = STANDARD.decode(told(AzureConfigKey::AccessKey)?).ok()?;
        let usual = || format!("https://{account}.blob.core.windows.net");
        let server = told(AzureConfigKey::Endpoint).unwrap_or_else(usual);
        Some(Self {
            key: Arc::new(hmac::Key::new(hmac::HMAC_SHA256, &key)),
            client,
            server: server.trim_end_matches('/').parse().ok()?,
            container: container.to_string(),
            account,
        })
    }

    pub(super) fn server(&self) -> &str {
        self.server.as_str()
    }

    pub(super) fn container(&self) -> &str {
        &self.container
    }

    /// The tags of a blob.
    pub(super) async fn tags(&self, path: &Path) -> object_store::Result<Vec<Tag>> {
        let url = asking(self.signed(&self.container, path, "t")?, "comp=tags");
        let answer = again(|| async {
            let asked = self.client.get(url.clone()).header(VERSION.0, VERSION.1).send();
            answered(asked.await.map_err(broken)?, path).await
        });
        tags_of(&answer.await?)
    }

    /// Makes a blob of one of so many bytes that the account has.
    pub(super) async fn copy(
        &self,
        original: &Original,
        path: &Path,
        size: u64,
        (attributes, tags): (&Attributes, &TagSet),
    ) -> object_store::Result<()> {
        let length = size.div_ceil(BLOCKS).next_multiple_of(1 << 20).max(BLOCK);
        let blocks = (0..size.div_ceil(length)).map(|number| {
            let range = number * length..size.min((number + 1) * length);
            self.block(original, path, number, range)
        });
        let blocks = stream::iter(blocks).buffered(UNDER_WAY);
        let blocks: Vec<String> = blocks.try_collect().await?;
        let listed: String = blocks.iter().map(|id| format!("<Latest>{id}</Latest>")).collect();
        let list =
            format!("<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList>{listed}</BlockList>");
        let mut described = described(attributes)?;
        if !tags.is_empty() {
            described.insert(HeaderName::from_static("x-ms-tags"), value(tags.encoded())?);
        }
        again(|| self.put(path, "comp=blocklist", described.clone(), list.clone())).await
    }

    async fn block(
        &self,
        original: &Original,
        path: &Path,
        number: u64,
        range: Range<u64>,
    ) -> object_store::Result<String> {
        // All of one length, as the service wants them.
        let id = STANDARD.encode(format!("{number:015}"));
        let query = format!("comp=block&blockid={}", id.replace('+', "%2B").replace('=', "%3D"));
        again(|| async {
            let headers = self.original(original, &range)?;
            self.put(path, &query, headers, String::new()).await
        })
        .await?;
        Ok(id)
    }

    /// The headers by which a block says of which blob it is, in which state.
    fn original(&self, original: &Original, range: &Range<u64>) -> object_store::Result<HeaderMap> {
        let Original { container, key, tag } = original;
        let path = Path::parse(key).map_err(not_sent)?;
        let url = self.signed(container, &path, "r")?;
        let mut headers = HeaderMap::new();
        let mut put = |name, told: &str| -> object_store::Result<()> {
            headers.insert(HeaderName::from_static(name), value(told)?);
            Ok(())
        };
        put("x-ms-copy-source", url.as_str())?;
        put("x-ms-source-range", &format!("bytes={}-{}", range.start, range.end - 1))?;
        if let Some(tag) = tag {
            put("x-ms-source-if-match", tag)?;
        }
        Ok(headers)
    }

    /// The address of a blob, with leave to read or to write in its container for a while. The leave is for all of the
    /// container, because names would have to be signed as the service reads them, and not as they are sent.
    fn signed(
        &self,
        container: &str,
        path: &Path,
        leave: &'static str,
    ) -> object_store::Result<Url> {
        let mut url = self.server.clone();
        url.path_segments_mut()
            .map_err(|()| not_sent(std::io::Error::other("the address has no path")))?
            .push(container)
            .extend(path.parts());
        let end = (Utc::now() + HOLDS).to_rfc3339_opts(SecondsFormat::Secs, true);
        let resource = format!("/blob/{}/{container}", self.account);
        let version = VERSION.1;
        let text = format!("{leave}\n\n{end}\n{resource}\n\n\n\n{version}\nc\n\n\n\n\n\n\n");
        let signature = STANDARD.encode(hmac::sign(&self.key, text.as_bytes()));
        url.query_pairs_mut().extend_pairs([
            ("sv", version),
            ("sp", leave),
            ("se", &end),
            ("sr", "c"),
            ("sig", &signature),
        ]);
        Ok(url)
    }

    async fn put(
        &self,
        path: &Path,
        query: &str,
        mut headers: HeaderMap,
        body: String,
    ) -> object_store::Result<()> {
        let url = asking(self.signed(&self.container, path, "wt")?, query);
        let version = HeaderValue::from_static(VERSION.1);
        headers.insert(HeaderName::from_static(VERSION.0), version);
        // A body without bytes needs the header all the same.
        headers.insert("content-length", HeaderValue::from(body.len()));
        let sent = self.client.put(url).headers(headers).body(body).send();
        answered(sent.await.map_err(broken)?, path).await.map(drop)
    }
}

/// An address that is signed, with what is asked of it.
fn asking(mut url: Url, query: &str) -> Url {
    let signature = url.query().unwrap_or_default().to_string();
    url.set_query(Some(&format!("{query}&{signature}")));
    url
}

/// The headers that say what a blob has beside its bytes.
fn described(attributes: &Attributes) -> object_store::Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    for (attribute, told) in attributes {
        let name = match attribute {
            Attribute::StorageClass => "x-ms-access-tier".to_string(),
            Attribute::Metadata(name) => format!("x-ms-meta-{name}"),
            plain => format!("x-ms-blob-{}", named(plain)?),
        };
        headers.insert(HeaderName::try_from(name).map_err(not_sent)?, value(told)?);
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use object_store::azure::MicrosoftAzureBuilder;

    use super::super::client::direct;
    use super::Azure;

    #[test]
    fn a_server_copies_for_the_key_of_its_account_alone() {
        let account = MicrosoftAzureBuilder::new().with_account("shop");
        let of =
            |builder: &MicrosoftAzureBuilder| Azure::new(builder, direct().expect("a client"), "c");
        let own = of(&account.clone().with_access_key("c2VjcmV0")).expect("a key");
        assert_eq!(own.server(), "https://shop.blob.core.windows.net/");
        let path = object_store::path::Path::parse("a b/100%").expect("a path");
        let url = own.signed("c", &path, "r").expect("an address");
        assert!(url.path().starts_with("/c/a%20b/100%25"), "{url}");
        assert!(of(&account).is_none());
        let signed = account.with_config(object_store::azure::AzureConfigKey::SasKey, "sv=1&sig=x");
        assert!(of(&signed).is_none());
    }
}
