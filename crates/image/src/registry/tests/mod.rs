//! What no registry at hand does: tokens, redirects, lists in pages, lies. Real registries are asked by the
//! tests of the binary.

mod server;
mod upload;

use std::path::Path;

use longshore_model::{Code, Error};

use super::{Client, CredentialFile, Credentials, Settings, pull};
use crate::document::{Descriptor, Index, Manifest, media, to_json};
use crate::{Digest, Layout, Name};
use server::{Reply, Request, Server};

fn layout(folder: &Path) -> Layout {
    Layout::open_or_create(&folder.join("images")).expect("a layout")
}

fn name(host: &str, rest: &str) -> Name {
    format!("{host}/{rest}").parse().expect("a name")
}

/// A layer, and an image of it, as bytes.
fn image() -> (Vec<u8>, Vec<u8>) {
    let layer = b"a layer of some bytes".repeat(100);
    let manifest = Manifest {
        schema_version: 2,
        media_type: Some(media::MANIFEST.to_string()),
        artifact_type: None,
        config: Descriptor::of(media::EMPTY, b"{}"),
        layers: vec![Descriptor::of(media::LAYER, &layer)],
        subject: None,
        annotations: Default::default(),
    };
    (layer, to_json(&manifest).expect("JSON"))
}

/// What an honest registry answers that has the one image, and nothing to say of it.
fn honest(request: &Request) -> Reply {
    let (layer, manifest) = image();
    if request.target.contains("/referrers/") || request.target.contains(".sig") {
        return Reply::new(404);
    }
    if request.target.contains("/manifests/sha256-") {
        return Reply::new(404);
    }
    if request.target.contains("/manifests/") {
        return Reply::new(200).header("Content-Type", media::MANIFEST).body(&manifest);
    }
    match request.target.rsplit_once("/blobs/").map(|(_, digest)| digest) {
        Some(digest) if digest == Digest::of(&layer).as_str() => Reply::new(200).body(&layer),
        Some(_) => Reply::new(200).body(b"{}"),
        None => Reply::new(200),
    }
}

async fn pulled(server: &Server, settings: &Settings) -> Result<Descriptor, Error> {
    let folder = tempfile::tempdir().expect("a folder");
    let layout = layout(folder.path());
    let client = Client::new(&server.host(), settings)?;
    let name = name(&server.host(), "team/shop:1");
    let pulled = pull(&client, &name, &layout, None).await;
    let named = layout.find(&name).expect("a list").is_some();
    assert_eq!(named, pulled.is_ok(), "a name is given when all is there");
    pulled.map(|pulled| pulled.image)
}

fn credentials(folder: &Path, host: &str, entry: &str) -> Settings {
    let file = folder.join("config.json");
    let text = format!(r#"{{"auths":{{"{host}":{entry}}}}}"#);
    std::fs::write(&file, text).expect("a file");
    let credentials = Credentials::from_files(vec![CredentialFile::named(file)]);
    Settings { credentials, ..Settings::default() }
}

/// A registry that wants a token, which a realm at the same address gives.
fn with_tokens(given: &'static str, right: fn(&Request) -> bool) -> Server {
    Server::start(move |request| {
        if request.target.starts_with("/token") {
            return match right(request) {
                true => Reply::new(200).body(given.as_bytes()),
                false => Reply::new(401).body(br#"{"errors":[{"code":"DENIED"}]}"#),
            };
        }
        if request.header("authorization") == Some("Bearer sesame") {
            return honest(request);
        }
        let host = request.header("host").unwrap_or_default();
        let asks = format!("Bearer realm=\"http://{host}/token?a=b\",service=\"the registry\"");
        Reply::new(401).header("WWW-Authenticate", &asks)
    })
}

#[tokio::test]
async fn tokens_are_asked_for_with_what_is_known() {
    let folder = tempfile::tempdir().expect("a folder");
    // Nobody, by name and password, and by an identity.
    let server = with_tokens(r#"{"token":"sesame"}"#, |request| {
        request.is("GET", "/token?a=b&service=the%20registry&scope=repository:team/shop:pull")
            && request.header("authorization").is_none()
    });
    pulled(&server, &Settings::default()).await.expect("anyone may");
    let tokens = server.seen().iter().filter(|one| one.target.starts_with("/token")).count();
    assert_eq!(tokens, 1, "one serves for all");
    let server = with_tokens(r#"{"access_token":"sesame"}"#, |request| {
        request.header("authorization") == Some("Basic bWU6cHc=")
            && request.target.contains("account=me")
    });
    let settings = credentials(folder.path(), &server.host(), r#"{"auth":"bWU6cHc="}"#);
    pulled(&server, &settings).await.expect("the password is right");
    let denied = pulled(&server, &Settings::default()).await.expect_err("nobody may not");
    assert_eq!(denied.code(), Code::RegistryRefused);
    let server = with_tokens(r#"{"access_token":"sesame"}"#, |request| {
        let body = String::from_utf8_lossy(&request.body).into_owned();
        request.method == "POST"
            && body.contains("grant_type=refresh_token")
            && body.contains("refresh_token=i%26t")
            && body.contains("scope=repository:team/shop:pull")
    });
    let settings = credentials(folder.path(), &server.host(), r#"{"identitytoken":"i&t"}"#);
    pulled(&server, &settings).await.expect("the identity is right");
    // A token that does not serve is asked for again, and then no more.
    let server = with_tokens(r#"{"token":"another"}"#, |_| true);
    let refused = pulled(&server, &Settings::default()).await.expect_err("refused");
    assert_eq!(refused.code(), Code::RegistryRefused);
    assert!(server.seen().len() < 8, "{}", server.seen().len());
    for given in ["", "{}", r#"{"token":""}"#, r#"{"token":"a\nb"}"#, "[]"] {
        let server = with_tokens(given, |_| true);
        let refused = pulled(&server, &Settings::default()).await.expect_err(given);
        assert_eq!(refused.code(), Code::Registry, "{refused}");
    }
}

#[tokio::test]
async fn credentials_go_to_no_other_host_and_to_no_realm_without_tls() {
    let folder = tempfile::tempdir().expect("a folder");
    let other = Server::start(|request| {
        assert!(request.header("authorization").is_none(), "{request:?}");
        honest(request)
    });
    let elsewhere = other.host();
    let server = Server::start(move |request| match request.header("authorization") {
        None => Reply::new(401).header("WWW-Authenticate", "Basic realm=\"x\""),
        Some(_) if request.target.contains("/blobs/") => {
            Reply::new(307).header("Location", &format!("http://{elsewhere}{}", request.target))
        }
        Some(_) => honest(request),
    });
    let settings = credentials(folder.path(), &server.host(), r#"{"auth":"bWU6cHc="}"#);
    pulled(&server, &settings).await.expect("led elsewhere");
    assert_eq!(other.seen().len(), 2);
    for lead in ["http://registry.example/x", "ftp://127.0.0.1/x", "http://a:b@127.0.0.1/x"] {
        let server = Server::start(move |request| match request.target.contains("/blobs/") {
            true => Reply::new(302).header("Location", lead),
            false => honest(request),
        });
        let refused = pulled(&server, &Settings::default()).await.expect_err(lead);
        assert_eq!(refused.code(), Code::Registry, "{refused}");
        assert!(!format!("{refused:?}").contains("a:b"), "{refused:?}");
    }
    let server = Server::start(|request| match request.target == "/v2/" {
        true => Reply::new(200),
        false => {
            Reply::new(401).header("WWW-Authenticate", "Bearer realm=\"http://evil.example/token\"")
        }
    });
    let settings = credentials(folder.path(), &server.host(), r#"{"auth":"bWU6cHc="}"#);
    let refused = pulled(&server, &settings).await.expect_err("refused");
    assert!(refused.to_string().contains("without TLS"), "{refused}");
    assert!(!format!("{refused:?}").contains("bWU6cHc"), "{refused:?}");
    let server = Server::start(|request| match request.target.contains("/blobs/") {
        true => Reply::new(302).header("Location", &request.target),
        false => honest(request),
    });
    let refused = pulled(&server, &Settings::default()).await.expect_err("in circles");
    assert!(refused.to_string().contains("too often"), "{refused}");
}

#[tokio::test]
async fn lies_of_a_registry_are_found() {
    let (layer, manifest) = image();
    let as_manifest = |kind: &'static str, bytes: Vec<u8>| {
        move |request: &Request| match request.target.contains("/manifests/1") {
            true => Reply::new(200).header("Content-Type", kind).body(&bytes),
            false => honest(request),
        }
    };
    let another = Digest::of(b"another");
    let lies: Vec<(&str, Server)> = vec![
        ("is not of the type", Server::start(as_manifest(media::INDEX, manifest.clone()))),
        ("known here", Server::start(as_manifest("text/html", b"{}".to_vec()))),
        ("not JSON", Server::start(as_manifest(media::MANIFEST, b"<html>".to_vec()))),
        ("too long", Server::start(as_manifest(media::MANIFEST, vec![b' '; 5 << 20]))),
        ("what its digest says", {
            let told = another.to_string();
            Server::start(move |request| match request.target.contains("/manifests/1") {
                true => honest(request).header("Docker-Content-Digest", &told),
                false => honest(request),
            })
        }),
        ("is not what its digest says", {
            let mut wrong = layer.clone();
            wrong[7] ^= 1;
            Server::start(move |request| {
                let reply = honest(request);
                if reply.body.len() == wrong.len() { reply.body(&wrong) } else { reply }
            })
        }),
        ("longer than its descriptor says", {
            let long = [layer.as_slice(), b"x"].concat();
            Server::start(move |request| {
                let reply = honest(request);
                if reply.body.len() + 1 == long.len() { reply.body(&long) } else { reply }
            })
        }),
        // Two documents with one digest by what they say, an index that leads to itself cannot be made;
        // one that leads to what is not there can.
        ("found nothing", {
            let lost = Descriptor::of(media::MANIFEST, b"lost");
            let index = to_json(&Index::new(vec![lost], Default::default())).expect("JSON");
            Server::start(move |request| match &request.target {
                target if target.contains("/manifests/1") => {
                    Reply::new(200).header("Content-Type", media::INDEX).body(&index)
                }
                _ => Reply::new(404),
            })
        }),
    ];
    for (why, server) in lies {
        let refused = pulled(&server, &Settings::default()).await.expect_err(why);
        assert!(refused.to_string().contains(why), "{why}: {refused}");
    }
}

#[tokio::test]
async fn digests_of_the_other_algorithm_are_proved_too() {
    let hex = |bytes: &[u8]| {
        use sha2::Digest as _;
        let digest = sha2::Sha512::digest(bytes);
        let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("sha512:{hex}").parse::<Digest>().expect("a digest")
    };
    let layer = b"long".to_vec();
    let manifest = Manifest {
        schema_version: 2,
        media_type: Some(media::MANIFEST.to_string()),
        artifact_type: None,
        config: Descriptor::of(media::EMPTY, b"{}"),
        layers: vec![Descriptor::new(media::LAYER, hex(&layer), 4)],
        subject: None,
        annotations: Default::default(),
    };
    let manifest = to_json(&manifest).expect("JSON");
    let digest = hex(&manifest);
    for wrong in [false, true] {
        let (manifest, layer) = (manifest.clone(), layer.clone());
        let server = Server::start(move |request| match request.target.as_str() {
            target if target.contains("/manifests/sha512:") => {
                Reply::new(200).header("Content-Type", media::MANIFEST).body(&manifest)
            }
            target if target.contains("/blobs/sha512:") => {
                Reply::new(200).body(if wrong { b"lung" } else { &layer })
            }
            target if target.contains("/blobs/") => Reply::new(200).body(b"{}"),
            _ => Reply::new(404),
        });
        let folder = tempfile::tempdir().expect("a folder");
        let layout = layout(folder.path());
        let client = Client::new(&server.host(), &Settings::default()).expect("a client");
        let name = name(&server.host(), &format!("team/shop@{digest}"));
        let pulled = pull(&client, &name, &layout, None).await;
        assert_eq!(pulled.is_ok(), !wrong, "{pulled:?}");
        assert_eq!(layout.find(&name).expect("a list").is_some(), !wrong);
    }
}

#[tokio::test]
async fn tags_come_in_pages_that_end() {
    let paged = Server::start(|request| {
        let page = |tags: &str| Reply::new(200).body(format!(r#"{{"tags":{tags}}}"#).as_bytes());
        match request.target.as_str() {
            "/v2/" => Reply::new(200),
            target if target.contains("last=b") => page(r#"["c"]"#),
            target if target.contains("last=x") => page("null"),
            _ => page(r#"["b","a","e\u001b[2J"]"#)
                .header("Link", "</v2/team/shop/tags/list?last=b&n=2>; rel=\"next\""),
        }
    });
    let client = Client::new(&paged.host(), &Settings::default()).expect("a client");
    assert_eq!(client.tags("team/shop").await.expect("tags"), ["a", "b", "c", "e [2J"]);
    for link in ["</v2/team/shop/tags/list?n=1000>; rel=next", "<http://127.0.0.1:1/x>; rel=next"] {
        let endless =
            Server::start(move |_| Reply::new(200).header("Link", link).body(br#"{"tags":["a"]}"#));
        let client = Client::new(&endless.host(), &Settings::default()).expect("a client");
        let refused = client.tags("team/shop").await.expect_err("it has no end");
        assert_eq!(refused.code(), Code::Registry);
    }
}
