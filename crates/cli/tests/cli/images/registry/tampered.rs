//! What a registry changes, or was changed in it, is not taken.

use std::fs;

use longshore_testkit::registry::Registry;

use super::{blobs, elsewhere, refused, sealed, told};

#[test]
fn blobs_and_manifests_that_were_changed_in_the_registry_are_refused() {
    let registry = Registry::start(Default::default());
    let name = format!("{}/changed/shop:1", registry.host());
    let stage = sealed(&name);
    let pushed = told(&stage.done(&["push", &name, "--json"]));
    let root = pushed["digest"].as_str().expect("a digest").to_string();
    let (_, layer) = blobs(&stage.join(".longshore/images"))[0].clone();
    let change = |digest: &str, change: &dyn Fn(&mut Vec<u8>)| {
        let file = registry.file(digest);
        let before = fs::read(&file).expect("a blob");
        let mut bytes = before.clone();
        change(&mut bytes);
        fs::write(&file, bytes).expect("a file");
        move || fs::write(&file, &before).expect("a file")
    };
    let other = elsewhere(&stage);
    let refuse = |words: &[&str]| {
        refused(&other, &["pull", &name], 43, &[&["LS0701"], words].concat());
        assert_eq!(other.done(&["images"]).out.lines().count(), 1, "nothing is named");
    };
    // A byte of the largest layer.
    let undo = change(&layer, &|bytes| {
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
    });
    refuse(&["a blob from a registry is not what its digest says"]);
    undo();
    // A layer that is longer than it was.
    let undo = change(&layer, &|bytes| bytes.extend(b"more"));
    refuse(&["is longer than its descriptor says"]);
    undo();
    // The image itself, of the same length.
    let undo = change(&root, &|bytes| {
        let text = String::from_utf8_lossy(bytes).replace("linux", "lunix");
        *bytes = text.into_bytes();
    });
    refuse(&["a manifest from a registry is not what its digest says"]);
    undo();
    other.done(&["pull", &name]);
    // A layer that is gone.
    fs::remove_file(registry.file(&layer)).expect("a file");
    let third = elsewhere(&stage);
    refused(&third, &["pull", &name], 42, &["LS0708", "404"]);
    assert_eq!(third.done(&["images"]).out.lines().count(), 1);
}

#[test]
fn a_push_of_what_was_damaged_here_is_refused() {
    let registry = Registry::shared();
    let name = format!("{}/damaged/shop:1", registry.host());
    let stage = sealed(&name);
    let (_, layer) = blobs(&stage.join(".longshore/images"))[0].clone();
    let file = stage.join(".longshore/images/blobs/sha256").join(layer);
    let mut bytes = fs::read(&file).expect("a blob");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&file, bytes).expect("a file");
    refused(
        &stage,
        &["push", &name],
        43,
        &["LS0701", "a blob of an image is not what its digest says"],
    );
    refused(&elsewhere(&stage), &["pull", &name], 42, &["LS0708"]);
}
