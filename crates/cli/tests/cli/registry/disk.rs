//! A full disk: a file system of its own that is small.

use std::path::PathBuf;
use std::process::Command;

use super::Server;
use super::client::{Answer, digest, manifest};
use super::shelf::{files, is_hidden, whole, whole_and_clean};
use crate::stage::{Ran, Stage};

/// Starts a registry in a mount namespace of its own, where its folder is a file system of so many bytes.
fn start(stage: &Stage, size: &str) -> Server {
    std::fs::create_dir(stage.join("images")).expect("a folder");
    let mount = format!("mount -t tmpfs -o size={size} tmpfs images && exec \"$0\" \"$@\"");
    let serve = ["registry", "serve", "--root", "images", "--listen", "127.0.0.1:0", "--json"];
    let serve = stage.command(&serve);
    let mut command = Command::new("unshare");
    command.args(["--mount", "--map-root-user", "sh", "-c", &mount]);
    command.arg(serve.get_program()).args(serve.get_args()).current_dir(stage.path());
    Server::of(command).expect("it serves")
}

/// Collects where the registry's file system is.
fn gc(stage: &Stage, server: &Server, args: &[&str]) -> Ran {
    let root = stage.join("images");
    let gc = stage
        .command(&[&["registry", "gc", "--root", root.to_str().expect("text")], args].concat());
    let mut command = Command::new("nsenter");
    command.args(["--user", "--mount", "--preserve-credentials", "--target"]);
    command.arg(server.child.id().to_string()).arg(gc.get_program()).args(gc.get_args());
    command.output().expect("nsenter runs").into()
}

/// The registry's folder, seen from outside.
fn seen(stage: &Stage, server: &Server) -> PathBuf {
    let inside = stage.join("images");
    let inside = inside.strip_prefix("/").expect("an absolute path");
    PathBuf::from(format!("/proc/{}/root", server.child.id())).join(inside)
}

fn is_full(answer: &Answer) -> bool {
    match answer.status {
        507 => {
            assert!(answer.message().contains("disk is full"), "{answer:?}");
            true
        }
        201 => false,
        other => panic!("{other}: {answer:?}"),
    }
}

/// Pushes blobs that differ until no byte more goes in.
fn fill(server: &Server, seed: &str) {
    for size in [700_000, 60_000, 5_000, 1] {
        let full = (0..500).any(|number| {
            let bytes = format!("{seed} {size} {number}").into_bytes();
            let length = bytes.len().max(size);
            let bytes: Vec<u8> = bytes.into_iter().cycle().take(length).collect();
            let answer = match number % 2 {
                0 => server.client.push("fill", &bytes),
                _ => server.client.push_in_parts("fill", &bytes),
            };
            let answer = answer.expect("an answer");
            // A part that does not fit is told so too.
            is_full(&answer)
        });
        assert!(full, "{size} bytes always fit");
    }
}

#[test]
fn a_full_disk_refuses_pushes_and_nothing_else() {
    let stage = Stage::empty();
    let mut server = start(&stage, "4m");
    let root = seen(&stage, &server);
    let layer = b"layer".repeat(20_000);
    let image = manifest(&layer, "first", None);
    for bytes in [b"{}".as_slice(), &layer] {
        assert_eq!(server.client.push("a", bytes).expect("an answer").status, 201);
    }
    assert_eq!(server.client.put("a", "first", &image).expect("an answer").status, 201);
    fill(&server, "one");
    // Nothing that was begun stays.
    assert_eq!(files(&root.join("uploads"), &|_| true), Vec::<PathBuf>::new());
    assert_eq!(files(&root, &is_hidden), Vec::<PathBuf>::new());
    whole(&root);
    // What is there is served, and an image that needs new bytes is refused.
    let blob = server.client.get(&format!("/v2/a/blobs/{}", digest(&layer))).expect("an answer");
    assert_eq!(blob.body, layer);
    let other = manifest(&layer, "second", None);
    assert!(is_full(&server.client.put("a", "second", &other).expect("an answer")));
    let missing = server.client.get("/v2/a/manifests/second").expect("an answer");
    assert_eq!(missing.status, 404);
    // A collection cannot write down what it marked.
    let ran = gc(&stage, &server, &[]);
    assert!(ran.code != Some(0), "{}", ran.err);
    assert!(ran.err.contains("disk is full") && ran.err.contains("--grace 0s"), "{}", ran.err);
    // What is deleted and collected makes room.
    assert_eq!(server.client.delete("a", &digest(&image)).expect("an answer").status, 202);
    assert!(server.lives());
    let ran = gc(&stage, &server, &["--grace", "0s"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    whole_and_clean(&root);
    for bytes in [b"{}".as_slice(), &layer] {
        assert_eq!(server.client.push_in_parts("a", bytes).expect("an answer").status, 201);
    }
    assert_eq!(server.client.put("a", "second", &other).expect("an answer").status, 201);
    fill(&server, "two");
    assert!(server.lives());
    whole(&root);
}

#[test]
fn an_upload_that_fills_the_disk_makes_room_for_others() {
    let stage = Stage::empty();
    let server = start(&stage, "2m");
    let begun = server.client.call("POST", "/v2/a/blobs/uploads/", None, b"").expect("an answer");
    let place = begun.header("location").expect("a place");
    let part = vec![7; 700_000];
    for expected in [202, 202, 507] {
        let answer = server.client.call("PATCH", place, None, &part).expect("an answer");
        assert_eq!(answer.status, expected, "{answer:?}");
    }
    // Its client begins anew.
    let answer = server.client.call("PATCH", place, None, &part).expect("an answer");
    assert_eq!(answer.status, 404, "{answer:?}");
    assert_eq!(server.client.push("a", &part).expect("an answer").status, 201);
}
