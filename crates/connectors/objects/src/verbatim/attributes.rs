//! What the column `attributes` says of an object: a JSON object of texts, its keys in order.
//!
//! `content-type` and other headers have their names, metadata is `metadata:NAME`, an extended attribute
//! is `xattr:NAME` with its value in base64. A folder keeps headers and metadata as extended attributes
//! too, and what a store has no header for travels as one entry of its metadata. What is kept under
//! another name has one text all the same, so that both ends tell it alike.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use longshore_model::object::{escape, unescape};
use longshore_model::{Code, Error, Result};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};

/// What is said of an object, by name.
pub(super) type Entries = BTreeMap<String, String>;

/// Extended attributes: bytes by name, which is bytes too.
pub(super) type Extended = BTreeMap<Vec<u8>, Vec<u8>>;

pub(super) const CONTENT_TYPE: &str = "content-type";
pub(super) const METADATA: &str = "metadata:";

/// The headers that are kept beside the type of content.
const HEADERS: [&str; 4] =
    ["cache-control", "content-disposition", "content-encoding", "content-language"];

/// The metadata of a store that is not told as attributes, because other columns tell it.
const TOLD_ELSEWHERE: [&str; 7] = ["mtime", "mode", "uid", "gid", "kind", "blake3", "sha256"];

/// The entry of a store's metadata that holds extended attributes.
pub(super) const XATTRS: &str = "xattrs";

const XATTR: &str = "xattr:";
/// The extended attribute in which programs look for the type of a file.
const MIME_TYPE: &[u8] = b"user.mime_type";
/// What the names of extended attributes begin with that hold other headers and metadata.
const OWN: &str = "user.longshore.";

/// What stores say of bytes of which nobody said anything.
const NO_TYPE: [&str; 3] = ["application/octet-stream", "binary/octet-stream", ""];

/// Of a name in a store's metadata, what stays as it is.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'.').remove(b'_').remove(b'-');

/// The text of the column; `None` where nothing is said.
pub(super) fn text(entries: &Entries) -> Result<Option<String>> {
    if entries.is_empty() {
        return Ok(None);
    }
    serde_json::to_string(entries)
        .map(Some)
        .map_err(|error| Error::new(Code::Internal, "attributes cannot be written").because(error))
}

/// Reads the text of the column.
pub(super) fn parse(text: Option<&str>) -> Result<Entries> {
    let Some(text) = text else { return Ok(Entries::new()) };
    serde_json::from_str(text).map_err(|error| {
        Error::new(
            Code::SourceUnreadable,
            "the attributes of an object are no JSON object of texts",
        )
        .because(error)
    })
}

/// Whether a type of content says something of the bytes.
pub(super) fn is_type(told: &str) -> bool {
    !NO_TYPE.contains(&told)
}

/// Whether metadata of a store is told in another way than under its name.
pub(super) fn is_told_elsewhere(name: &str, value: &str) -> bool {
    TOLD_ELSEWHERE.contains(&name) || (name == XATTRS && decode(value).is_some())
}

/// Whether nothing is said of the type of a file.
pub(super) fn lacks_type(entries: &Entries) -> bool {
    !entries.contains_key(CONTENT_TYPE) && !entries.contains_key("xattr:user.mime_type")
}

/// Adds extended attributes of a folder, or of a store's entry. Where a header or metadata says the same
/// already, it holds.
pub(super) fn add(extended: Extended, entries: &mut Entries) {
    for (name, value) in extended {
        let header = header(&name);
        if header.as_ref().is_some_and(|header| entries.contains_key(header)) {
            continue;
        }
        let told = header.zip(String::from_utf8(value.clone()).ok());
        match told.filter(|(header, value)| is_text_of(header, value)) {
            Some((header, value)) => entries.insert(header, value),
            None => entries.insert(format!("{XATTR}{}", escape(&name)), STANDARD.encode(&value)),
        };
    }
}

/// The extended attributes in which a folder keeps all that is said of an object.
pub(super) fn extended(entries: &Entries) -> Result<Extended> {
    let mut found = Extended::new();
    for (name, value) in entries {
        let (name, value) = match own(name, value)? {
            Some(own) => own,
            None if name == CONTENT_TYPE => (MIME_TYPE.to_vec(), value.clone().into_bytes()),
            None => (format!("{OWN}{name}").into_bytes(), value.clone().into_bytes()),
        };
        found.insert(name, value);
    }
    Ok(found)
}

/// Of all that is said of an object, what stores have no header for, as the entry of their metadata; and
/// the rest.
pub(super) fn split(entries: Entries) -> Result<(Option<String>, Entries)> {
    let (mut extended, mut rest) = (Extended::new(), Entries::new());
    for (name, value) in entries {
        match own(&name, &value)? {
            Some((name, value)) => drop(extended.insert(name, value)),
            None => drop(rest.insert(name, value)),
        }
    }
    Ok(((!extended.is_empty()).then(|| encode(&extended)), rest))
}

/// The extended attributes of an entry of a store's metadata; `None` when it is none of ours.
pub(super) fn decode(told: &str) -> Option<Extended> {
    let one = |part: &str| {
        let (name, value) = part.split_once('=')?;
        let name: Vec<u8> = percent_decode_str(name).collect();
        (!name.is_empty() && !name.contains(&0)).then_some(())?;
        Some((name, STANDARD.decode(value).ok()?))
    };
    told.split('&').map(one).collect()
}

/// `NAME=VALUE&…`: names with `%XX`, values in base64.
fn encode(extended: &Extended) -> String {
    let one = |(name, value): (&Vec<u8>, &Vec<u8>)| {
        format!("{}={}", percent_encode(name, PLAIN), STANDARD.encode(value))
    };
    extended.iter().map(one).collect::<Vec<_>>().join("&")
}

/// An entry as an extended attribute, if it is one under its own name.
fn own(name: &str, value: &str) -> Result<Option<(Vec<u8>, Vec<u8>)>> {
    let Some(told) = name.strip_prefix(XATTR) else { return Ok(None) };
    let decoded = unescape(told).zip(STANDARD.decode(value).ok());
    decoded.map(Some).ok_or_else(|| {
        Error::new(Code::SourceUnreadable, "an extended attribute of an object is not understood")
            .with("attribute", told)
    })
}

/// The header or metadata of a store that an extended attribute may stand for.
fn header(name: &[u8]) -> Option<String> {
    if name == MIME_TYPE {
        return Some(CONTENT_TYPE.to_string());
    }
    let told = std::str::from_utf8(name).ok()?.strip_prefix(OWN)?;
    let is_token = |name: &str| {
        let is_of_it = |byte: u8| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.!#$%&'*+^`|~".contains(&byte)
        };
        !name.is_empty() && name.bytes().all(is_of_it)
    };
    let is_known = HEADERS.contains(&told) || told.strip_prefix(METADATA).is_some_and(is_token);
    is_known.then(|| told.to_string())
}

/// Whether a header or metadata comes back from a store with this value.
fn is_text_of(header: &str, value: &str) -> bool {
    let is_clean =
        value.bytes().all(|byte| matches!(byte, b'\t' | b' '..=b'~')) && value == value.trim();
    let is_kept = match header.strip_prefix(METADATA) {
        Some(name) => !is_told_elsewhere(name, value),
        None => header != CONTENT_TYPE || is_type(value),
    };
    is_clean && is_kept
}

#[cfg(test)]
mod tests {
    use super::{Entries, Extended, add, decode, encode, extended, split};

    fn entries(told: &[(&str, &str)]) -> Entries {
        told.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
    }

    #[test]
    fn what_a_folder_has_comes_back_by_way_of_a_store_and_the_reverse() {
        for (name, value, entry, text) in [
            (&b"user.note"[..], &b"\x00\xff"[..], "xattr:user.note", "AP8="),
            (b"user.empty", b"", "xattr:user.empty", ""),
            (b"user.\xff=&%", b"x", "xattr:user.%FF=&%25", "eA=="),
            (b"user.mime_type", b"image/png", "content-type", "image/png"),
            // What a store would not give back as it was.
            (b"user.mime_type", b" image/png", "xattr:user.mime_type", "IGltYWdlL3BuZw=="),
            (b"user.mime_type", b"", "xattr:user.mime_type", ""),
            (
                b"user.mime_type",
                b"application/octet-stream",
                "xattr:user.mime_type",
                "YXBwbGljYXRpb24vb2N0ZXQtc3RyZWFt",
            ),
            (b"user.longshore.cache-control", b"no-store", "cache-control", "no-store"),
            (b"user.longshore.metadata:colour", b"red", "metadata:colour", "red"),
            (b"user.longshore.metadata:colour", b"re\td", "metadata:colour", "re\td"),
            (b"user.longshore.metadata:mtime", b"1", "xattr:user.longshore.metadata:mtime", "MQ=="),
            (
                b"user.longshore.metadata:xattrs",
                b"a=eA==",
                "xattr:user.longshore.metadata:xattrs",
                "YT1lQT09",
            ),
            (b"user.longshore.else", b"1", "xattr:user.longshore.else", "MQ=="),
        ] {
            let had = Extended::from([(name.to_vec(), value.to_vec())]);
            let mut told = Entries::new();
            add(had.clone(), &mut told);
            assert_eq!(told, entries(&[(entry, text)]));
            assert_eq!(extended(&told).expect("attributes"), had);
            let (kept, mut rest) = split(told.clone()).expect("attributes");
            assert!(kept.as_ref().is_none_or(|kept| kept.is_ascii()));
            add(kept.map(|kept| decode(&kept).expect("ours")).unwrap_or_default(), &mut rest);
            assert_eq!(rest, told);
        }
    }

    #[test]
    fn a_header_holds_against_what_was_kept_before() {
        let mut told = entries(&[("content-type", "image/png")]);
        add(decode("user.mime_type=AAE=&user.a=AAE=").expect("ours"), &mut told);
        assert_eq!(told, entries(&[("content-type", "image/png"), ("xattr:user.a", "AAE=")]));
    }

    #[test]
    fn what_others_call_xattrs_is_not_taken_for_ours() {
        for wrong in ["", "a", "a=*", "=eA==", "a=eA==&", "%00=eA==", "a=eA"] {
            assert_eq!(decode(wrong), None, "{wrong}");
        }
        let two = Extended::from([(b"a".to_vec(), b"x".to_vec()), (b"b".to_vec(), Vec::new())]);
        assert_eq!(encode(&two), "a=eA==&b=");
        assert_eq!(decode("a=eA==&b="), Some(two));
        assert!(extended(&entries(&[("xattr:user.a", "*")])).is_err());
        assert!(extended(&entries(&[("xattr:%zz", "")])).is_err());
    }
}
