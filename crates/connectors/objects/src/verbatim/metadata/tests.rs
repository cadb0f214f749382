use longshore_model::object::{Object, ObjectKind};
use object_store::{Attribute, Attributes};

use super::{digest, is_hash, is_same, must_fit, nanoseconds, read, seconds, write};
use crate::store::{Described, Provider, Version};

#[test]
fn times_come_back_as_they_were() {
    for (time, text) in [
        (0, "0"),
        (1_700_000_000_000_000_000, "1700000000"),
        (1_700_000_000_123_456_789, "1700000000.123456789"),
        (1_700_000_000_500_000_000, "1700000000.5"),
        (-1, "-0.000000001"),
        (i64::MAX, "9223372036.854775807"),
    ] {
        assert_eq!(seconds(time), text);
        assert_eq!(nanoseconds(text), Some(time), "{text}");
    }
    for wrong in ["", ".5", "1e9", "yesterday", "99999999999999999999", "--1"] {
        assert_eq!(nanoseconds(wrong), None, "{wrong}");
    }
}

#[test]
fn what_a_store_keeps_comes_back_as_it_was() {
    let mut had = Attributes::new();
    for (name, value) in [("mode", "0100600"), ("uid", "7"), ("gid", "8"), ("colour", "red")] {
        had.insert(Attribute::Metadata(name.into()), value.into());
    }
    had.insert(Attribute::Metadata("mtime".into()), "12.5".into());
    had.insert(Attribute::ContentType, "image/png".into());
    had.insert(Attribute::CacheControl, "no-store".into());
    let object = read(b"a", ObjectKind::File, 3, 99, &had).expect("an object");
    assert_eq!((object.mode, object.modified), (Some(0o600), Some(12_500_000_000)));
    assert_eq!(object.owner.as_deref(), Some("7:8"));
    let kept = r#"{"cache-control":"no-store","content-type":"image/png","metadata:colour":"red"}"#;
    assert_eq!(object.attributes.as_deref(), Some(kept));
    let written = write(&object, |_| true).expect("attributes");
    assert_eq!(read(b"a", ObjectKind::File, 3, 0, &written).expect("an object"), object);
    let few = write(&object, |column| column == "modified").expect("attributes");
    assert_eq!(few.len(), 2);
    let told = few.get(&Attribute::ContentType).map(|told| told.as_ref());
    assert_eq!(told, Some("application/octet-stream"));
}

#[test]
fn what_is_wanted_of_an_object_is_compared() {
    let mut had = Attributes::new();
    for (name, value) in [("mode", "0600"), ("mtime", "12.5"), ("blake3", "ab")] {
        had.insert(Attribute::Metadata(name.into()), value.into());
    }
    let version = Version { tag: None, modified: 99 };
    let there = Described { size: 3, version, attributes: had };
    let same = read(b"a", ObjectKind::File, 3, 99, &there.attributes).expect("an object");
    let other = |change: fn(&mut Object)| {
        let mut other = same.clone();
        change(&mut other);
        other
    };
    for (object, column, expected) in [
        (same.clone(), "", true),
        (other(|one| one.mode = Some(0o644)), "mode", false),
        (other(|one| one.modified = Some(12)), "modified", false),
        (other(|one| one.owner = Some("1:1".to_string())), "owner", false),
        (other(|one| one.attributes = Some("{}".to_string())), "attributes", false),
        (other(|one| one.kind = ObjectKind::Link), "name", false),
    ] {
        assert_eq!(is_same(&there, &object, |_| true).expect("a finding"), expected, "{column}");
        let without = is_same(&there, &object, |wanted| wanted != column).expect("a finding");
        assert_eq!(without, column != "name", "without {column}");
    }
    for (hash, expected) in
        [("blake3:ab", true), ("blake3:cd", false), ("sha256:ab", false), ("", false)]
    {
        assert_eq!(is_hash(&there.attributes, hash), expected, "{hash}");
    }
}

#[test]
fn extended_attributes_are_one_entry_of_limited_size() {
    let mut object = read(b"a", ObjectKind::File, 3, 99, &Attributes::new()).expect("an object");
    let of_size = |size: usize| {
        let value = "AAAA".repeat(size / 4);
        Some(format!(r#"{{"content-type":"text/plain","xattr:user.%FFä":"{value}"}}"#))
    };
    for (size, fits) in [(1900, [true, true]), (2048, [false, true]), (8192, [false, false])] {
        object.attributes = of_size(size);
        let put = write(&object, |column| column == "attributes").expect("attributes");
        assert_eq!(put.len(), 2);
        assert!(put.iter().all(|(_, value)| value.as_ref().is_ascii()));
        let back = read(b"a", ObjectKind::File, 3, 99, &put).expect("an object");
        assert_eq!(back, object);
        for (provider, fits) in [Provider::S3, Provider::Azure].into_iter().zip(fits) {
            let found = must_fit(provider, "a", &put);
            assert_eq!(found.is_ok(), fits, "{provider:?} {size}: {found:?}");
        }
    }
    // Metadata that others call so, and links.
    let mut had = Attributes::new();
    had.insert(Attribute::Metadata("xattrs".into()), "none of ours".into());
    let object = read(b"a", ObjectKind::File, 3, 99, &had).expect("an object");
    assert_eq!(object.attributes.as_deref(), Some(r#"{"metadata:xattrs":"none of ours"}"#));
    let link = read(b"a", ObjectKind::Link, 3, 99, &had).expect("an object");
    assert_eq!(link.attributes, None);
}

#[test]
fn a_digest_is_that_of_names_and_values() {
    let of = |told: &[(&'static str, &'static str)]| {
        let mut put = Attributes::new();
        for (name, value) in told {
            put.insert(Attribute::Metadata((*name).into()), (*value).into());
        }
        digest(&put)
    };
    assert_eq!(of(&[("a", "1"), ("b", "2")]), of(&[("b", "2"), ("a", "1")]));
    assert_ne!(of(&[("a", "1"), ("b", "2")]), of(&[("a", "2"), ("b", "1")]));
}

#[test]
fn what_a_store_says_of_any_object_is_no_attribute() {
    let mut had = Attributes::new();
    had.insert(Attribute::ContentType, "application/octet-stream".into());
    let object = read(b"a", ObjectKind::File, 3, 99, &had).expect("an object");
    assert_eq!((object.attributes.as_deref(), object.modified), (None, Some(99)));
    assert_eq!(object.mode, Some(0o644));
}
