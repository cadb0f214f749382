//! Single parts of a registry, for whoever mends or copies it: a manifest, a blob, the list of repositories.

use std::path::PathBuf;

use longshore_model::Result;
use reqwest::Method;
use serde::Deserialize;

use super::auth::Scope;
use super::transport::{Ask, Client};
use crate::document::Descriptor;
use crate::{Digest, Layout};

#[derive(Deserialize)]
struct Catalog {
    repositories: Option<Vec<String>>,
}

impl Client {
    /// A manifest by its tag or digest, proved by its digest, with its type; `None` when there is none.
    pub async fn fetch_manifest(
        &self,
        repository: &str,
        reference: &str,
    ) -> Result<Option<(Descriptor, Vec<u8>)>> {
        let found = self.manifest(repository, reference).await?;
        Ok(found.map(|found| (found.descriptor, found.bytes)))
    }

    /// Brings a blob into a layout, proved by its digest and on the disk, and says where it is.
    pub async fn fetch_blob(
        &self,
        repository: &str,
        blob: &Descriptor,
        layout: &Layout,
    ) -> Result<PathBuf> {
        self.download(repository, blob, layout).await?;
        Ok(layout.path(&blob.digest))
    }

    /// Whether a repository has a blob, or a manifest.
    pub async fn has(&self, repository: &str, digest: &Digest, is_manifest: bool) -> Result<bool> {
        match is_manifest {
            true => self.head(repository, digest.as_str()).await,
            false => self.has_blob(repository, &Descriptor::new("", digest.clone(), 0)).await,
        }
    }

    /// The repositories of the registry, sorted, as far as it tells them.
    pub async fn repositories(&self) -> Result<Vec<String>> {
        let scope = Scope::catalog();
        let asked = self.asked("listing repositories", "");
        let url = self.base().await?.join("/v2/_catalog?n=1000");
        let url = url.map_err(|error| asked.odd("is no address").because(error))?;
        let ask = Ask {
            asked,
            method: Method::GET,
            url,
            scope,
            headers: Default::default(),
            body: Default::default(),
        };
        let mut found = Vec::new();
        self.pages_of(ask, &mut |ask, answer| {
            if answer.status.as_u16() != 200 {
                return Err(ask.refused(answer).hint(
                    "Not every registry tells its repositories; name them one by one instead of by a pattern.",
                ));
            }
            let page: Catalog = serde_json::from_slice(&answer.body)
                .map_err(|error| ask.asked.odd("is no list of repositories").because(error))?;
            let names = page.repositories.unwrap_or_default();
            found.extend(names.into_iter().filter(|name| crate::is_repository(name)));
            Ok(true)
        })
        .await?;
        found.sort();
        found.dedup();
        Ok(found)
    }
}
