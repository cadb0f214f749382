//! A client that takes nothing for granted: one connection for each request.

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::header::HeaderMap;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use longshore_image::Digest;
use longshore_registry::{Access, House, Limits, Serving, Store, serve};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};

pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";

/// A registry of its own for each test.
pub(crate) struct Registry {
    port: u16,
    folder: TempDir,
}

/// What a registry answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Registry {
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let port = serve_folder(&folder).await;
        Self { port, folder }
    }

    /// One whose owner wrote a policy before its first start.
    pub(crate) async fn with_policy(text: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().join("registry");
        std::fs::create_dir(&root).expect("a folder");
        std::fs::write(root.join("policy.yaml"), text).expect("a policy");
        let port = serve_folder(&folder).await;
        Self { port, folder }
    }

    pub(crate) fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The same folder, as a verb opens it.
    pub(crate) fn store(&self) -> Store {
        Store::open(&self.root()).expect("a registry")
    }

    /// The same folder, served anew.
    pub(crate) async fn again(self) -> Self {
        let port = serve_folder(&self.folder).await;
        Self { port, ..self }
    }

    pub(crate) fn root(&self) -> std::path::PathBuf {
        self.folder.path().join("registry")
    }

    pub(crate) async fn call(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answer {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).await.expect("a connection");
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.expect("HTTP");
        let driving = tokio::spawn(connection);
        let mut request = Request::builder().method(method).uri(path).header("host", "registry");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body.into())).expect("a request");
        let answer = sender.send_request(request).await.expect("an answer");
        let (head, body) = answer.into_parts();
        let body = body.collect().await.expect("a body").to_bytes();
        driving.abort();
        Answer { status: head.status, headers: head.headers, body }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.call("GET", path, &[], "").await
    }

    /// Pushes a blob in one request.
    pub(crate) async fn push(&self, name: &str, bytes: &[u8]) -> Digest {
        let digest = Digest::of(bytes);
        let path = format!("/v2/{name}/blobs/uploads/?digest={digest}");
        let answer = self.call("POST", &path, &[], bytes.to_vec()).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        digest
    }

    /// Begins an upload, and returns its place.
    pub(crate) async fn begin(&self, name: &str) -> String {
        let answer = self.call("POST", &format!("/v2/{name}/blobs/uploads/"), &[], "").await;
        assert_eq!(answer.status, 202, "{answer:?}");
        answer.header("location").to_string()
    }

    /// Pushes a manifest with a configuration and a layer that are its own.
    pub(crate) async fn push_manifest(&self, name: &str, tag: &str, more: Value) -> Digest {
        let mut manifest = self.manifest(name, tag).await;
        for (key, value) in more.as_object().into_iter().flatten() {
            manifest[key] = value.clone();
        }
        let bytes = serde_json::to_vec(&manifest).expect("JSON");
        let path = format!("/v2/{name}/manifests/{tag}");
        let answer = self.call("PUT", &path, &[("content-type", MANIFEST)], bytes.clone()).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        Digest::of(&bytes)
    }

    /// A manifest whose blobs are pushed.
    pub(crate) async fn manifest(&self, name: &str, word: &str) -> Value {
        let config = self.push(name, b"{}").await;
        let layer = self.push(name, word.as_bytes()).await;
        json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": { "mediaType": CONFIG, "digest": config, "size": 2 },
            "layers": [{ "mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": layer, "size": word.len() }],
        })
    }
}

async fn serve_folder(folder: &TempDir) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let store = Arc::new(Store::open(&folder.path().join("registry")).expect("a registry"));
    let access = Arc::new(Access::open());
    let (limits, meter) = (Limits::default(), Arc::default());
    let house = House { log: Arc::new(|why| panic!("{why}")), limits, meter };
    let serving = Serving { store, access, house };
    tokio::spawn(serve(listener, None, serving, std::future::pending()));
    port
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).unwrap_or_else(|| panic!("{name} in {self:?}"));
        value.to_str().expect("text")
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("JSON in {self:?}"))
    }

    /// The code of the error that it is.
    pub(crate) fn code(&self) -> String {
        self.json()["errors"][0]["code"].as_str().expect("a code").to_string()
    }
}
