//! A process that dies at any step of its way to the disk loses nothing that it answered, and what it leaves is
//! collected.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::thread;

use super::Server;
use super::client::{Answer, Client, MANIFEST, digest, manifest};
use super::shelf::{whole, whole_and_clean};
use crate::stage::Stage;

/// Every point on the way to the disk.
const POINTS: [&str; 6] = [
    "registry.file-sync",
    "registry.rename",
    "registry.folder-sync",
    "registry.folder-synced",
    "registry.removal",
    "registry.removed",
];

/// What the registry answered: the digest of each tag, and none for what was deleted.
type Told = BTreeMap<(&'static str, &'static str), Option<String>>;

fn taken(answer: &Answer) {
    assert!(matches!(answer.status, 201 | 202 | 404), "{answer:?}");
}

/// Pushes, mounts and deletes until all is done, or the registry dies. What is begun and not answered is in neither
/// state: it leaves the list.
fn work(client: &Client, told: &mut Told) -> io::Result<()> {
    let layer = b"a layer of some length".repeat(50);
    let first = manifest(&layer, "first", None);
    let about = manifest(&layer, "about", Some(&first));
    taken(&client.push("a", b"{}")?);
    taken(&client.push_in_parts("a", &layer)?);
    put(client, told, ("a", "first"), &first)?;
    put(client, told, ("a", "about"), &about)?;
    for part in [b"{}".as_slice(), &layer] {
        taken(&client.mount("b/c", "a", &digest(part))?);
    }
    put(client, told, ("b/c", "mounted"), &first)?;
    put(client, told, ("b/c", "second"), &first)?;
    delete(client, told, ("a", "about"), &digest(&about))?;
    delete(client, told, ("b/c", "second"), "second")?;
    let path = format!("/v2/a/blobs/{}", digest(&client_own(client)?));
    taken(&client.call("DELETE", &path, None, b"")?);
    Ok(())
}

/// A blob that no manifest names.
fn client_own(client: &Client) -> io::Result<Vec<u8>> {
    let bytes = b"nobody names this".to_vec();
    taken(&client.push("a", &bytes)?);
    Ok(bytes)
}

fn put(
    client: &Client,
    told: &mut Told,
    at: (&'static str, &'static str),
    manifest: &[u8],
) -> io::Result<()> {
    let before = told.remove(&at);
    let answer = client.put(at.0, at.1, manifest)?;
    assert_eq!(answer.status, 201, "{at:?} after {before:?}: {answer:?}");
    told.insert(at, Some(digest(manifest)));
    Ok(())
}

fn delete(
    client: &Client,
    told: &mut Told,
    at: (&'static str, &'static str),
    reference: &str,
) -> io::Result<()> {
    told.remove(&at);
    taken(&client.delete(at.0, reference)?);
    told.insert(at, None);
    Ok(())
}

/// All that was answered is so.
fn kept(client: &Client, told: &Told) {
    for ((name, tag), digest) in told {
        let answer = client.get(&format!("/v2/{name}/manifests/{tag}")).expect("an answer");
        match digest {
            Some(digest) => {
                assert_eq!(answer.status, 200, "{name}:{tag}");
                assert_eq!(answer.header("docker-content-digest"), Some(digest.as_str()));
                assert_eq!(answer.header("content-type"), Some(MANIFEST));
            }
            None => assert_eq!(answer.status, 404, "{name}:{tag}"),
        }
    }
}

fn collect_twice(stage: &Stage) {
    for _ in 0..2 {
        stage.done(&["registry", "gc", "--root", "images", "--grace", "0s"]);
    }
}

/// After a death: what was answered is there, the work can be done again, and two collections leave nothing else.
fn mended(stage: &Stage, told: &mut Told, root: &Path) {
    let server = Server::start(stage, &[]);
    kept(&server.client, told);
    whole(root);
    work(&server.client, told).expect("it lives");
    kept(&server.client, told);
    collect_twice(stage);
    whole_and_clean(root);
    kept(&server.client, told);
}

#[test]
fn a_registry_that_dies_on_its_way_to_the_disk_loses_nothing() {
    // Mostly they wait for the disk: beside each other they wait less.
    let dying = POINTS.map(|point| thread::spawn(move || deaths(point)));
    let deaths: u32 = dying.into_iter().map(|point| point.join().expect("a point")).sum();
    assert!(deaths > 60, "{deaths} deaths");
}

/// Dies each time that a point is passed, until all work is done. Returns how often.
fn deaths(point: &str) -> u32 {
    for pass in 1.. {
        let stage = Stage::empty();
        let (root, mut told) = (stage.join("images"), Told::new());
        if !dies(&stage, &mut told, &format!("{point}:{pass}")) {
            assert!(pass > 3, "{point} is passed {pass} times");
            return pass - 1;
        }
        mended(&stage, &mut told, &root);
    }
    unreachable!("the work ends")
}

/// Does the work on a registry that dies at a point. Says whether it did.
fn dies(stage: &Stage, told: &mut Told, point: &str) -> bool {
    let Some(mut server) = Server::try_start(stage, &["--failpoint", point]) else { return true };
    match work(&server.client, told) {
        Ok(()) => false,
        Err(_) => {
            server.child.wait().expect("it died");
            true
        }
    }
}

#[test]
fn a_disk_that_fails_once_fails_one_request() {
    for (point, pass) in POINTS.into_iter().flat_map(|point| [(point, 9), (point, 15)]) {
        let stage = Stage::empty();
        let (root, mut told) = (stage.join("images"), Told::new());
        let mut server = Server::start(&stage, &["--failpoint", &format!("{point}:{pass}:error")]);
        let mut failed = 0;
        let layer = b"a layer".repeat(50);
        let image = manifest(&layer, "one", None);
        for _ in 0..6 {
            for answer in [
                server.client.push("a", b"{}"),
                server.client.push_in_parts("a", &layer),
                server.client.put("a", "one", &image),
                server.client.delete("a", &digest(&image)),
            ] {
                let answer = answer.expect("an answer");
                failed += i32::from(answer.status == 500);
                // What follows on what failed lacks it.
                assert!(matches!(answer.status, 201 | 202 | 404 | 500), "{answer:?}");
            }
        }
        assert_eq!((failed, server.lives()), (1, true), "{point}:{pass}");
        work(&server.client, &mut told).expect("it lives");
        kept(&server.client, &told);
        collect_twice(&stage);
        whole_and_clean(&root);
    }
}

#[test]
fn a_collection_that_dies_loses_nothing_and_leaves_nothing() {
    let stage = Stage::empty();
    let root = stage.join("images");
    let server = Server::start(&stage, &[]);
    let mut deaths = 0;
    for point in POINTS {
        for pass in 1.. {
            let mut told = Told::new();
            work(&server.client, &mut told).expect("it lives");
            // More that nobody needs: what was deleted, what was never named, what was never ended.
            server.client.push("a", format!("{point}{pass}").as_bytes()).expect("pushed");
            server.client.call("POST", "/v2/a/blobs/uploads/", None, b"").expect("begun");
            let once = manifest(b"{}", &format!("{point}{pass}"), None);
            server.client.put("a", "once", &once).expect("put");
            server.client.delete("a", "once").expect("deleted");
            let point = format!("{point}:{pass}");
            let gc = ["registry", "gc", "--root", "images", "--grace", "0s", "--untagged"];
            let ran = stage.run(&[&gc[..], &["--failpoint", &point]].concat());
            whole(&root);
            kept(&server.client, &told);
            stage.done(&gc);
            collect_twice(&stage);
            whole_and_clean(&root);
            kept(&server.client, &told);
            if ran.code == Some(0) {
                break;
            }
            assert_eq!(ran.code, None, "{}", ran.err);
            deaths += 1;
        }
    }
    assert!(deaths > 15, "{deaths} deaths");
}
