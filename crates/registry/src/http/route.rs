//! What a request asks for.

use hyper::Method;
use hyper::http::request::Parts;
use longshore_image::Digest;
use percent_encoding::percent_decode_str;

use crate::fault::{Fault, Result};
use crate::store::Repository;

/// Parameters of a request at most; a manifest may be given so many tags.
const PARAMETERS: usize = 100;

/// The places of a registry.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Route {
    Base,
    Catalog,
    Tags(Repository),
    Referrers(Repository, Digest),
    Manifest(Repository, String),
    Blob(Repository, Digest),
    Uploads(Repository),
    Upload(Repository, String),
}

/// A place, with the parameters.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) route: Route,
    parameters: Vec<(String, String)>,
}

impl Asked {
    pub(super) fn of(head: &Parts) -> Result<Self> {
        let parameters = head.uri.query().unwrap_or_default().split('&').filter_map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((decoded(key)?, decoded(value)?))
        });
        let parameters: Vec<_> = parameters.filter(|(key, _)| !key.is_empty()).collect();
        if parameters.len() > PARAMETERS {
            return Err(Fault::Unreadable("a query of so many parameters"));
        }
        let path = percent_decode_str(head.uri.path()).decode_utf8();
        Ok(Self { route: Route::of(&path.map_err(|_| Fault::NoSuchPath)?)?, parameters })
    }

    /// The first value of a parameter.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        let mut pairs = self.parameters.iter();
        pairs.find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// All values of a parameter.
    pub(super) fn all(&self, name: &str) -> Vec<String> {
        let wanted = self.parameters.iter().filter(|(key, _)| key == name);
        wanted.map(|(_, value)| value.clone()).collect()
    }

    /// A parameter that is a digest.
    pub(super) fn digest(&self, name: &str) -> Result<Option<Digest>> {
        self.parameter(name).map(digest).transpose()
    }
}

impl Route {
    fn of(path: &str) -> Result<Self> {
        let rest = match path.strip_prefix("/v2") {
            Some("" | "/") => return Ok(Self::Base),
            Some("/_catalog") => return Ok(Self::Catalog),
            Some(rest) => rest.strip_prefix('/').ok_or(Fault::NoSuchPath)?,
            None => return Err(Fault::NoSuchPath),
        };
        let parts: Vec<&str> = rest.split('/').collect();
        let name = |parts: &[&str]| parts.join("/").parse::<Repository>();
        match parts.as_slice() {
            [at @ .., "blobs", "uploads"] | [at @ .., "blobs", "uploads", ""] => {
                Ok(Self::Uploads(name(at)?))
            }
            [at @ .., "blobs", "uploads", id] => Ok(Self::Upload(name(at)?, (*id).to_string())),
            [at @ .., "blobs", one] => Ok(Self::Blob(name(at)?, digest(one)?)),
            [at @ .., "manifests", reference] => {
                Ok(Self::Manifest(name(at)?, (*reference).to_string()))
            }
            [at @ .., "referrers", one] => Ok(Self::Referrers(name(at)?, digest(one)?)),
            [at @ .., "tags", "list"] => Ok(Self::Tags(name(at)?)),
            _ => Err(Fault::NoSuchPath),
        }
    }

    /// What places of its kind are called where requests are counted.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Base => "base",
            Self::Catalog => "catalog",
            Self::Tags(_) => "tags",
            Self::Referrers(..) => "referrers",
            Self::Manifest(..) => "manifest",
            Self::Blob(..) => "blob",
            Self::Uploads(_) | Self::Upload(..) => "upload",
        }
    }

    /// Whether bytes of blobs come with a method.
    pub(super) fn takes_blobs(&self, method: &Method) -> bool {
        let is_upload = matches!(self, Self::Uploads(_) | Self::Upload(..));
        is_upload && matches!(*method, Method::POST | Method::PATCH | Method::PUT)
    }

    /// The methods that a place has.
    pub(super) fn methods(&self) -> &'static str {
        match self {
            Self::Base | Self::Catalog | Self::Tags(_) | Self::Referrers(..) => "GET, HEAD",
            Self::Manifest(..) => "GET, HEAD, PUT, DELETE",
            Self::Blob(..) => "GET, HEAD, DELETE",
            Self::Uploads(_) => "POST",
            Self::Upload(..) => "GET, HEAD, PATCH, PUT, DELETE",
        }
    }
}

fn digest(text: &str) -> Result<Digest> {
    text.parse().map_err(|_| Fault::DigestInvalid("it is not understood"))
}

fn decoded(text: &str) -> Option<String> {
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8().ok().map(|text| text.into_owned())
}

#[cfg(test)]
mod tests {
    use super::Route;
    use crate::Fault;

    #[test]
    fn paths_lead_to_places() {
        let digest = format!("sha256:{}", "0".repeat(64));
        let name = |text: &str| text.parse().expect("a name");
        for (path, expected) in [
            ("/v2", Route::Base),
            ("/v2/", Route::Base),
            ("/v2/_catalog", Route::Catalog),
            ("/v2/a/b/tags/list", Route::Tags(name("a/b"))),
            ("/v2/a/manifests/1.0", Route::Manifest(name("a"), "1.0".to_string())),
            ("/v2/a/blobs/uploads/", Route::Uploads(name("a"))),
            ("/v2/a/blobs/uploads", Route::Uploads(name("a"))),
            (
                "/v2/blobs/uploads/blobs/uploads/7",
                Route::Upload(name("blobs/uploads"), "7".to_string()),
            ),
            (
                &format!("/v2/tags/list/blobs/{digest}"),
                Route::Blob(name("tags/list"), digest.parse().expect("a digest")),
            ),
        ] {
            assert_eq!(Route::of(path).expect(path), expected);
        }
    }

    #[test]
    fn tricks_lead_nowhere() {
        for path in ["/", "/v1/", "/v2x", "/v2/a", "/v2/a/tags", "/v2/a/b"] {
            assert!(matches!(Route::of(path), Err(Fault::NoSuchPath)), "{path}");
        }
        for path in [
            "/v2/../manifests/1",
            "/v2/a/../b/manifests/1",
            "/v2//manifests/1",
            "/v2/_tags/manifests/1",
            "/v2/a\0b/manifests/1",
            "/v2/A/manifests/1",
        ] {
            assert!(matches!(Route::of(path), Err(Fault::NameInvalid)), "{path}");
        }
        assert!(matches!(Route::of("/v2/a/blobs/..%2f"), Err(Fault::DigestInvalid(_))));
    }
}
