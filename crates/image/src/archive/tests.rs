use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use longshore_model::Code;

use super::{copy, copy_all, read, write};
use crate::artifact::attach;
use crate::document::{Config, Descriptor, Manifest, RootFs, Runtime, media, to_json};
use crate::layer::Tree;
use crate::{Layout, Name};

fn layout(folder: &Path, name: &str) -> Layout {
    Layout::open_or_create(&folder.join(name)).expect("a layout")
}

fn name() -> Name {
    "registry.example/team/shop:1.4.0".parse().expect("a name")
}

/// An image of one file, with an artifact that speaks of it.
fn image(layout: &Layout) -> Descriptor {
    let mut tree = Tree::default();
    tree.file("hello", false, b"world".to_vec());
    let layer = tree.pack().expect("a layer");
    let config = Config {
        created: None,
        architecture: "amd64".to_string(),
        os: "linux".to_string(),
        config: Runtime::default(),
        rootfs: RootFs { kind: "layers".to_string(), diff_ids: vec![layer.diff_id.clone()] },
        history: Vec::new(),
    };
    let put = |kind: &str, bytes: &[u8]| layout.put(kind, bytes).expect("a blob");
    let manifest = Manifest {
        schema_version: 2,
        media_type: Some(media::MANIFEST.to_string()),
        artifact_type: None,
        config: put(media::CONFIG, &to_json(&config).expect("JSON")),
        layers: vec![put(media::LAYER, &layer.bytes)],
        subject: None,
        annotations: BTreeMap::new(),
    };
    let image = put(media::MANIFEST, &to_json(&manifest).expect("JSON"));
    attach(layout, &image, "application/vnd.example", b"said", BTreeMap::new())
        .expect("an artifact");
    image
}

#[test]
fn an_image_comes_back_with_all_that_speaks_of_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let from = layout(folder.path(), "from");
    let image = image(&from);
    let file = folder.path().join("shop.tar");
    write(&from, &image, &name(), &file).expect("an archive");
    let bytes = fs::read(&file).expect("a file");
    write(&from, &image, &name(), &file).expect("an archive");
    assert_eq!(bytes, fs::read(&file).expect("a file"), "the same image, the same bytes");
    let to = layout(folder.path(), "to");
    assert_eq!(read(&file, &to).expect("an image"), [(image.clone(), Some(name()))]);
    assert_eq!(to.find(&name()).expect("an index"), None, "a name is given by who asks for it");
    assert_eq!(to.referrers(&image.digest).expect("a list").len(), 1);
    let third = layout(folder.path(), "third");
    copy(&to, &image, &name(), &third).expect("a copy");
    assert_eq!(third.referrers(&image.digest).expect("a list").len(), 1);
    assert_eq!(third.find(&name()).expect("an index").expect("an image").digest, image.digest);
    let fourth = layout(folder.path(), "fourth");
    assert_eq!(copy_all(&third, &fourth).expect("a copy"), [(image, Some(name()))]);
    assert_eq!(fourth.artifacts().expect("a list"), from.artifacts().expect("a list"));
}

#[test]
fn archives_that_were_tampered_with_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let from = layout(folder.path(), "from");
    let file = folder.path().join("shop.tar");
    write(&from, &image(&from), &name(), &file).expect("an archive");
    let sound = fs::read(&file).expect("a file");
    for (number, place) in (0..sound.len()).step_by(61).enumerate() {
        let mut bytes = sound.clone();
        bytes[place] ^= 0x20;
        let tampered = folder.path().join("tampered.tar");
        fs::write(&tampered, &bytes).expect("a file");
        let to = layout(folder.path(), &format!("to-{number}"));
        // What is no part of any blob may differ; what is taken is what it says it is.
        if let Ok(images) = read(&tampered, &to) {
            for (image, _) in images {
                for blob in crate::reach(&to, &image).expect("the image is whole") {
                    to.check(&blob).expect("sound");
                }
            }
        }
    }
    let to = layout(folder.path(), "cut");
    for length in [0, 512, sound.len() / 2, sound.len() - 1024 - 512] {
        fs::write(&file, &sound[..length]).expect("a file");
        assert!(read(&file, &to).is_err(), "{length} bytes");
    }
    fs::write(&file, b"no archive").expect("a file");
    assert!(read(&file, &to).is_err());
    let none = read(&folder.path().join("none"), &to).expect_err("no file");
    assert_eq!(none.code(), Code::NotFound);
}
