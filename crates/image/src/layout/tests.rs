//! Blobs, names and artifacts of a layout.

use longshore_model::Code;

use super::Layout;
use crate::Name;
use crate::artifact::{attach, content};
use crate::document::{Descriptor, media};

fn layout() -> (tempfile::TempDir, Layout) {
    let folder = tempfile::tempdir().expect("a folder");
    let layout = Layout::open_or_create(&folder.path().join("images")).expect("a layout");
    (folder, layout)
}

fn name(text: &str) -> Name {
    text.parse().expect(text)
}

#[test]
fn what_is_put_is_there_and_names_move() {
    let (_folder, layout) = layout();
    let put = |bytes| layout.put(media::MANIFEST, bytes).expect("a blob");
    let (one, two, shop) = (put(b"1"), put(b"2"), name("shop:1"));
    assert_eq!(layout.tag(&one, &shop).expect("a name"), None);
    let before = layout.tag(&two, &shop).expect("a name").expect("the first");
    assert_eq!(before.digest, one.digest);
    let again = Layout::open_or_create(layout.root()).expect("the same");
    let found = |name: &Name| again.find(name).expect("an index").map(|image| image.digest);
    assert_eq!(found(&shop), Some(two.digest.clone()));
    assert_eq!(found(&shop.at(&two.digest)), Some(two.digest.clone()));
    assert_eq!(found(&name("shop")), None);
    assert_eq!(found(&name("localhost/shop:1")), None);
    assert_eq!(layout.untag(&shop).expect("an index").expect("an image").digest, two.digest);
    assert!(layout.index().expect("an index").manifests.is_empty());
    assert_eq!(layout.read(&one).expect("the blob stays"), b"1");
}

#[test]
fn artifacts_are_found_by_what_they_speak_of() {
    let (_folder, layout) = layout();
    let image = layout.put(media::MANIFEST, b"{}").expect("a blob");
    let kind = "application/vnd.example";
    let one = attach(&layout, &image, kind, b"1", Default::default()).expect("an artifact");
    attach(&layout, &one, kind, b"2", Default::default()).expect("an artifact");
    attach(&layout, &image, kind, b"1", Default::default()).expect("the same again");
    assert_eq!(layout.referrers(&image.digest).expect("a list"), std::slice::from_ref(&one));
    assert_eq!(content(&layout, &one).expect("bytes"), b"1");
    assert_eq!(layout.referrers(&one.digest).expect("a list").len(), 1);
}

#[test]
fn many_at_once_lose_no_name() {
    let (_folder, layout) = layout();
    std::thread::scope(|scope| {
        for number in 0..16 {
            let layout = layout.clone();
            scope.spawn(move || {
                let image = layout.put(media::MANIFEST, &[number % 4]).expect("a blob");
                layout.tag(&image, &name(&format!("shop:{number}"))).expect("a name");
            });
        }
    });
    assert_eq!(layout.index().expect("an index").manifests.len(), 16);
}

#[test]
fn what_is_not_as_its_digest_says_is_refused() {
    let (_folder, layout) = layout();
    let said = Descriptor::of(media::LAYER, b"right");
    for wrong in [&b"wrong"[..], b"righ", b"rightt", b""] {
        assert_eq!(layout.put_from(&said, wrong).expect_err("refused").code(), Code::ImageInvalid);
        assert!(!layout.has(&said));
    }
    layout.put_from(&said, &b"right"[..]).expect("taken");
    layout.check(&said).expect("sound");
    for (bytes, why) in [(&b"bored"[..], "changed"), (b"rig", "cut")] {
        std::fs::write(layout.path(&said.digest), bytes).expect("a file");
        assert_eq!(layout.check(&said).expect_err(why).code(), Code::ImageInvalid);
        assert_eq!(layout.read(&said).expect_err(why).code(), Code::ImageInvalid);
    }
    let left: Vec<_> = std::fs::read_dir(layout.root()).expect("a folder").collect();
    assert_eq!(left.len(), 3, "{left:?}");
}

#[test]
fn folders_with_something_else_are_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("mine"), "x").expect("a file");
    let error = Layout::open_or_create(folder.path()).expect_err("refused");
    assert_eq!(error.code(), Code::TargetNotEmpty);
    assert_eq!(Layout::open(folder.path()).expect_err("none").code(), Code::NotFound);
}
