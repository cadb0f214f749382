//! Uploads as a registry takes them that keeps what arrived of a part, asks for larger parts, and lists
//! what speaks of an image.

use std::sync::{Arc, Mutex};

use super::server::{Reply, Request, Server};
use super::{image, layout, name};
use crate::Digest;
use crate::artifact::attach;
use crate::document::{Descriptor, Index, Manifest, media, to_json};
use crate::registry::{Client, Destination, Settings, push};

/// A registry in memory with one repository.
#[derive(Default)]
struct Store {
    blobs: Vec<Vec<u8>>,
    manifests: Vec<(String, Vec<u8>)>,
    upload: Vec<u8>,
    /// How many bytes of uploads arrived in all.
    arrived: usize,
    /// Parts that are cut in their middle.
    cuts: usize,
    shortest: usize,
    lists: bool,
}

fn serve(store: &Mutex<Store>, request: &Request) -> Reply {
    let mut store = store.lock().expect("no thread failed");
    let store = &mut *store;
    let place = |upload: &[u8]| {
        let reply = Reply::new(202).header("Location", "/upload/1?x=y");
        match upload.len() {
            0 => reply.header("Range", "0-0"),
            length => reply.header("Range", &format!("0-{}", length - 1)),
        }
    };
    let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
    match (request.method.as_str(), path) {
        ("HEAD", path) if path.contains("/blobs/") => {
            let digest = path.rsplit_once('/').expect("a path").1;
            let found = store.blobs.iter().any(|blob| Digest::of(blob).as_str() == digest);
            Reply::new(if found { 200 } else { 404 })
        }
        ("POST", _) => {
            store.upload.clear();
            place(&[]).header("OCI-Chunk-Min-Length", &store.shortest.to_string())
        }
        ("GET", "/upload/1") => Reply { status: 204, ..place(&store.upload) },
        ("PATCH", "/upload/1") => {
            let range = request.header("content-range").expect("a range");
            let start: usize =
                range.split('-').next().and_then(|one| one.parse().ok()).expect(range);
            if start != store.upload.len() {
                return Reply::new(416);
            }
            let mut part = request.body.as_slice();
            let is_cut = store.cuts > 0;
            if is_cut {
                store.cuts -= 1;
                part = &part[..part.len() / 2];
            }
            store.arrived += part.len();
            store.upload.extend_from_slice(part);
            Reply { cut: is_cut.then_some(0), ..place(&store.upload) }
        }
        ("PUT", "/upload/1") => {
            store.arrived += request.body.len();
            let blob = [store.upload.as_slice(), &request.body].concat();
            let digest = Digest::of(&blob).to_string().replace(':', "%3A");
            if !query.ends_with(&format!("digest={digest}")) {
                return Reply::new(400).body(br#"{"errors":[{"code":"DIGEST_INVALID"}]}"#);
            }
            store.blobs.push(blob);
            Reply::new(201)
        }
        ("PUT", path) if path.contains("/manifests/") => {
            let reference = path.rsplit_once('/').expect("a path").1.to_string();
            let manifest: Option<Manifest> = serde_json::from_slice(&request.body).ok();
            let subject = manifest.and_then(|manifest| manifest.subject);
            store.manifests.push((reference, request.body.clone()));
            match subject.filter(|_| store.lists) {
                Some(subject) => Reply::new(201).header("OCI-Subject", subject.digest.as_str()),
                None => Reply::new(201),
            }
        }
        ("GET", path) if path.contains("/referrers/") && store.lists => {
            let empty = to_json(&Index::new(Vec::new(), Default::default())).expect("JSON");
            Reply::new(200).header("Content-Type", media::INDEX).body(&empty)
        }
        ("GET" | "HEAD", path) if path.contains("/manifests/") => {
            let reference = path.rsplit_once('/').expect("a path").1;
            let found = store.manifests.iter().rev().find(|(known, _)| known == reference);
            match found {
                Some((_, bytes)) => {
                    let kind: serde_json::Value = serde_json::from_slice(bytes).expect("JSON");
                    let kind = kind["mediaType"].as_str().expect("a type").to_string();
                    Reply::new(200).header("Content-Type", &kind).body(bytes)
                }
                None => Reply::new(404),
            }
        }
        ("GET", "/v2/") => Reply::new(200),
        _ => Reply::new(404),
    }
}

fn start(store: Store) -> (Server, Arc<Mutex<Store>>) {
    let store = Arc::new(Mutex::new(store));
    let own = store.clone();
    (Server::start(move |request| serve(&own, request)), store)
}

#[tokio::test]
async fn what_arrived_of_a_part_is_not_sent_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let layout = layout(folder.path());
    let large: Vec<u8> = (0..40_000_000u32).map(|number| (number % 251) as u8).collect();
    let blob = layout.put(media::LAYER, &large).expect("a blob");
    for (shortest, cuts, requests) in [(0, 0, 3), (0, 3, 4), (30_000_000, 0, 2)] {
        let (server, store) = start(Store { cuts, shortest, ..Store::default() });
        let client = Client::new(&server.host(), &Settings::default()).expect("a client");
        client.upload("team/shop", &blob, &[], &layout).await.expect("it is sent");
        let store = store.lock().expect("no thread failed");
        assert_eq!(store.blobs, [large.as_slice()]);
        assert_eq!(store.arrived, large.len(), "no byte twice");
        let parts = server.seen().iter().filter(|one| one.method == "PATCH").count();
        assert_eq!(parts, requests, "parts of at least {shortest}, {cuts} cut");
    }
}

#[tokio::test]
async fn lists_of_the_registry_are_used_where_it_has_them_and_else_kept() {
    for lists in [true, false] {
        let folder = tempfile::tempdir().expect("a folder");
        let layout = layout(folder.path());
        let (layer, manifest) = image();
        layout.put(media::EMPTY, b"{}").expect("a blob");
        layout.put(media::LAYER, &layer).expect("a blob");
        let image = layout.put(media::MANIFEST, &manifest).expect("a manifest");
        let kind = "application/vnd.example";
        let artifact = attach(&layout, &image, kind, b"said", Default::default()).expect("said");
        let (server, store) = start(Store { lists, ..Store::default() });
        let client = Client::new(&server.host(), &Settings::default()).expect("a client");
        let name = name(&server.host(), "team/shop:1");
        let destination = Destination::new(&name, &image).expect("a destination");
        push(&client, &image, &destination, &layout).await.expect("pushed");
        let store = store.lock().expect("no thread failed");
        let references: Vec<&str> = store.manifests.iter().map(|(one, _)| one.as_str()).collect();
        let tag = format!("sha256-{}", image.digest.hex());
        let mut expected = vec![image.digest.as_str(), artifact.digest.as_str()];
        if !lists {
            expected.push(&tag);
        }
        expected.push("1");
        assert_eq!(references, expected, "the tag is last");
        if !lists {
            let index: Index = serde_json::from_slice(&store.manifests[2].1).expect("an index");
            let listed: &Descriptor = &index.manifests[0];
            assert_eq!(listed.artifact_type.as_deref(), Some(kind));
        }
    }
}
