//! A registry with much in it: 100,000 tags, 100,000 blobs that nobody needs. With `--no-capture` it says how long
//! everything took; with `LONGSHORE_SOAK_BINARY` it measures another build, with `LONGSHORE_REGISTRY_FOLDER` in a
//! folder of a disk.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::Server;
use super::client::{digest, manifest};
use crate::stage::Stage;

const MANY: usize = 100_000;

fn mib(server: &Server, what: &str) -> u64 {
    let path = format!("/proc/{}/status", server.child.id());
    let status = fs::read_to_string(path).expect("a status");
    let line = status.lines().find_map(|line| line.strip_prefix(what)).expect(what);
    let kib = line.trim_matches([':', ' ', '\t', 'k', 'B']);
    kib.parse::<u64>().expect("a number") / 1024
}

/// A stage whose registry is in memory, unless a folder is given: how long a disk takes to free what a file held is
/// no matter of ours.
fn registry_stage() -> (Stage, tempfile::TempDir) {
    let folder = std::env::var_os("LONGSHORE_REGISTRY_FOLDER").unwrap_or("/dev/shm".into());
    let (stage, memory) = (Stage::empty(), tempfile::tempdir_in(folder).expect("a folder"));
    std::os::unix::fs::symlink(memory.path(), stage.join("images")).expect("a link");
    (stage, memory)
}

/// What is promised of a release build; development builds, on a machine that does other things too, get more.
fn promised() -> Duration {
    let is_release = std::env::var_os("LONGSHORE_SOAK_BINARY").is_some();
    Duration::from_secs(if is_release { 10 } else { 40 })
}

/// Pushes an image with its blobs.
fn push(server: &Server, name: &str, word: &str) -> Vec<u8> {
    let layer = format!("layer of {word}").into_bytes();
    let image = manifest(&layer, word, None);
    for bytes in [b"{}".as_slice(), &layer] {
        assert_eq!(server.client.push(name, bytes).expect("an answer").status, 201);
    }
    assert_eq!(server.client.put(name, word, &image).expect("an answer").status, 201);
    image
}

#[test]
fn a_hundred_thousand_tags_are_listed_in_pages() {
    let (stage, _memory) = registry_stage();
    let server = Server::start(&stage, &[]);
    let image = digest(&push(&server, "many", "one"));
    let tags = stage.join("images/repositories/many/_tags");
    // Straight into the folder: the way over the disk's slow side is tested elsewhere.
    for number in 0..MANY {
        fs::write(tags.join(format!("v{number:06}")), &image).expect("a tag");
    }
    let before = mib(&server, "VmRSS");
    for size in [100, 1_000, 10_000] {
        let (start, mut pages, mut found) = (Instant::now(), 0, 0);
        let mut next = Some(format!("/v2/many/tags/list?n={size}"));
        let mut longest = Duration::ZERO;
        while let Some(path) = next {
            let one = Instant::now();
            let answer = server.client.get(&path).expect("an answer");
            longest = longest.max(one.elapsed());
            let page: Value = serde_json::from_slice(&answer.body).expect("JSON");
            found += page["tags"].as_array().expect("tags").len();
            pages += 1;
            let link = answer.header("link").and_then(|link| link.strip_prefix('<'));
            next = link.and_then(|link| Some(link.split_once('>')?.0.to_string()));
        }
        assert_eq!(found, MANY + 1);
        println!(
            "{pages} pages of {size} tags: {:.2?} all, {longest:.2?} the longest",
            start.elapsed()
        );
        assert!(start.elapsed() < promised(), "{:?}", start.elapsed());
    }
    // A tag that comes or goes is seen at once.
    push(&server, "many", "zzz");
    let last = server.client.get("/v2/many/tags/list?n=10&last=v099998").expect("an answer");
    let last: Value = serde_json::from_slice(&last.body).expect("JSON");
    assert_eq!(last["tags"], serde_json::json!(["v099999", "zzz"]));
    assert_eq!(server.client.delete("many", "zzz").expect("an answer").status, 202);
    let last = server.client.get("/v2/many/tags/list?last=v099998").expect("an answer");
    let last: Value = serde_json::from_slice(&last.body).expect("JSON");
    assert_eq!(last["tags"], serde_json::json!(["v099999"]));
    let start = Instant::now();
    assert_eq!(server.client.delete("many", &image).expect("an answer").status, 202);
    println!("a manifest with {MANY} tags is deleted in {:.2?}", start.elapsed());
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
    let memory = (before, mib(&server, "VmRSS"), mib(&server, "VmHWM"));
    println!("memory in MiB before, after, at most: {memory:?}");
    assert!(memory.2 < 80, "{memory:?}");
}

#[test]
fn a_hundred_thousand_blobs_are_collected_while_pushes_go_on() {
    let (stage, memory) = registry_stage();
    let root = memory.path().to_path_buf();
    let server = Server::start(&stage, &[]);
    push(&server, "busy", "first");
    for number in 0..MANY {
        let digest = digest(format!("dead {number}").as_bytes());
        let hex = digest.split_once(':').expect("a digest").1;
        fs::write(root.join("blobs/sha256").join(hex), format!("dead {number}")).expect("a blob");
        fs::write(link(&root, hex), b"").expect("a link");
    }
    let (is_over, longest, pushed) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    let (server, over, most, count) = (&server, &is_over, &longest, &pushed);
    thread::scope(|scope| {
        for worker in 0..2 {
            scope.spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    let start = Instant::now();
                    let number = count.fetch_add(1, Ordering::Relaxed);
                    push(server, "busy", &format!("w{worker}-{number}"));
                    let millis = u64::try_from(start.elapsed().as_millis()).expect("a time");
                    most.fetch_max(millis, Ordering::Relaxed);
                }
            });
        }
        let gc = |grace: &str| {
            let start = Instant::now();
            let ran = stage.done(&["registry", "gc", "--root", "images", "--grace", grace]);
            let last = ran.out.lines().last().expect("a line");
            println!("gc --grace {grace}: {:.2?}, {last}", start.elapsed());
            start.elapsed()
        };
        let took = [gc("1s"), {
            thread::sleep(Duration::from_secs(1));
            gc("1s")
        }];
        over.store(true, Ordering::Relaxed);
        assert!(took.iter().all(|took| *took < promised()), "{took:?}");
    });
    let pushes = pushed.load(Ordering::Relaxed);
    println!("meanwhile {pushes} images pushed, the longest took {longest:?} ms");
    assert!(pushes > 10, "{pushes}");
    let left = fs::read_dir(root.join("blobs/sha256")).expect("blobs").count();
    // The configuration, and a layer and a manifest of each image.
    assert!(left < 2 * pushes as usize + 10, "{left} blobs of {pushes} images");
    println!("memory in MiB now, at most: {:?}", (mib(server, "VmRSS"), mib(server, "VmHWM")));
}

fn link(root: &Path, hex: &str) -> std::path::PathBuf {
    root.join("repositories/busy/_blobs/sha256").join(hex)
}
