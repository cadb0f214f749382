//! What a store keeps with an object: permissions, times and owners of files as metadata, in the form
//! that other tools write them too, and whatever else it had there.

use std::collections::BTreeMap;

use longshore_model::object::{Object, ObjectKind, escape};
use longshore_model::{Code, Error, Result};
use object_store::{Attribute, AttributeValue, Attributes};

use super::Hash;
use super::attributes::{self, Entries};
use super::entry::PERMISSIONS;
use crate::store::{Described, Provider, TAG};

/// The modes of what has none in a store.
const FILE_MODE: u32 = 0o644;
const FOLDER_MODE: u32 = 0o755;

/// Names of metadata that are told apart from the rest.
const MTIME: &str = "mtime";
const MODE: &str = "mode";
const UID: &str = "uid";
const GID: &str = "gid";
const KIND: &str = "kind";
const LINK: &str = "link";
const FOLDER: &str = "folder";

/// The type of content of bytes of which nobody said anything.
const NO_TYPE: &str = "application/octet-stream";

const SECOND: i64 = 1_000_000_000;

/// Whether what an object stands for is a symbolic link, whose bytes are where it leads.
pub(super) fn is_link(attributes: &Attributes) -> bool {
    told(attributes, KIND) == Some(LINK)
}

/// Whether an object stands for a folder, also where the server has dropped the `/` of its key.
pub(super) fn is_folder(attributes: &Attributes) -> bool {
    told(attributes, KIND) == Some(FOLDER)
}

/// Says of an object that it stands for a folder.
pub(super) fn mark_folder(attributes: &mut Attributes) {
    attributes.insert(Attribute::Metadata(KIND.into()), FOLDER.into());
}

/// An object without its hash; `modified` is when the store got it.
pub(super) fn read(
    path: &[u8],
    kind: ObjectKind,
    size: u64,
    modified: i64,
    attributes: &Attributes,
) -> Result<Object> {
    let mode = told(attributes, MODE).and_then(|text| u32::from_str_radix(text, 8).ok());
    let mode = mode.map(|mode| mode & PERMISSIONS);
    let owner = told(attributes, UID).zip(told(attributes, GID));
    let is_file = kind == ObjectKind::File;
    let told_time = told(attributes, MTIME).and_then(nanoseconds);
    Ok(Object {
        name: escape(path),
        kind,
        size,
        hash: String::new(),
        link: None,
        mode: match kind {
            ObjectKind::File => Some(mode.unwrap_or(FILE_MODE)),
            ObjectKind::Folder => Some(mode.unwrap_or(FOLDER_MODE)),
            ObjectKind::Link => None,
        },
        modified: is_file.then(|| told_time.unwrap_or(modified)),
        owner: Some(owner.map_or("0:0".to_string(), |(user, group)| format!("{user}:{group}"))),
        attributes: if kind == ObjectKind::Link { None } else { rest(attributes)? },
    })
}

/// A folder for which no object stands.
pub(super) fn implied_folder(path: &[u8]) -> Object {
    Object {
        name: escape(path),
        kind: ObjectKind::Folder,
        size: 0,
        hash: String::new(),
        link: None,
        mode: Some(FOLDER_MODE),
        modified: None,
        owner: Some("0:0".to_string()),
        attributes: None,
    }
}

/// The attributes of an object, as far as its columns are kept.
pub(super) fn write(object: &Object, wanted: impl Fn(&str) -> bool) -> Result<Attributes> {
    let mut told: Vec<(&str, String)> = Vec::new();
    let usual = if object.kind == ObjectKind::Folder { FOLDER_MODE } else { FILE_MODE };
    if let Some(mode) = object.mode.filter(|mode| wanted(MODE) && *mode != usual) {
        told.push((MODE, format!("{mode:04o}")));
    }
    if let Some(modified) = object.modified.filter(|_| wanted("modified")) {
        told.push((MTIME, seconds(modified)));
    }
    if let Some((user, group)) = object.owner.as_deref().and_then(|owner| owner.split_once(':'))
        && wanted("owner")
        && (user, group) != ("0", "0")
    {
        told.extend([(UID, user.to_string()), (GID, group.to_string())]);
    }
    if let Some((hash, hex)) = object.hash.split_once(':').filter(|_| wanted("hash")) {
        told.push((hash, hex.to_string()));
    }
    if object.kind == ObjectKind::Link {
        told.push((KIND, LINK.to_string()));
    }
    let mut attributes = Attributes::new();
    for (name, value) in told {
        attributes.insert(Attribute::Metadata(name.to_string().into()), value.into());
    }
    if let Some(rest) = object.attributes.as_deref().filter(|_| wanted("attributes")) {
        put_rest(rest, &mut attributes)?;
    }
    if object.kind == ObjectKind::File && attributes.get(&Attribute::ContentType).is_none() {
        attributes.insert(Attribute::ContentType, NO_TYPE.into());
    }
    Ok(attributes)
}

/// The hash of this kind that is recorded with an object.
pub(super) fn hash(attributes: &Attributes, hash: Hash) -> Option<String> {
    let name = hash.word();
    let hex = told(attributes, name).filter(|hex| {
        hex.len() == 64 && hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    });
    hex.map(|hex| format!("{name}:{hex}"))
}

/// The hash of its bytes that an object tells of.
pub(super) fn is_hash(attributes: &Attributes, hash: &str) -> bool {
    hash.split_once(':').is_some_and(|(name, hex)| told(attributes, name) == Some(hex))
}

/// Whether a store keeps of an object, apart from its bytes, what is wanted of another.
pub(super) fn is_same(
    there: &Described,
    object: &Object,
    wanted: impl Fn(&str) -> bool,
) -> Result<bool> {
    let (attributes, modified) = (&there.attributes, there.version.modified);
    let kind = match (is_link(attributes), is_folder(attributes)) {
        (true, _) => ObjectKind::Link,
        (_, true) => ObjectKind::Folder,
        _ => ObjectKind::File,
    };
    let found = read(b"", kind, there.size, modified, attributes)?;
    Ok(kind == object.kind
        && (!wanted(MODE) || found.mode == object.mode)
        && (!wanted("modified") || found.modified == object.modified)
        && (!wanted("owner") || object.owner.is_none() || found.owner == object.owner)
        && (!wanted("attributes") || found.attributes == object.attributes))
}

fn told<'a>(attributes: &'a Attributes, name: &str) -> Option<&'a str> {
    attributes.get(&Attribute::Metadata(name.to_string().into())).map(|value| value.as_ref())
}

/// The headers that are kept, each by its name.
fn headers() -> [(&'static str, Attribute); 5] {
    [
        ("cache-control", Attribute::CacheControl),
        ("content-disposition", Attribute::ContentDisposition),
        ("content-encoding", Attribute::ContentEncoding),
        ("content-language", Attribute::ContentLanguage),
        (attributes::CONTENT_TYPE, Attribute::ContentType),
    ]
}

/// What a store tells of an object beside what other columns say.
fn rest(had: &Attributes) -> Result<Option<String>> {
    let mut kept = Entries::new();
    for (attribute, value) in had.iter() {
        let value = value.as_ref();
        let name = match attribute {
            Attribute::Metadata(name) if name.starts_with(TAG) => Some(name.to_string()),
            Attribute::Metadata(name) => {
                let is_told = attributes::is_told_elsewhere(name, value);
                (!is_told).then(|| format!("{}{name}", attributes::METADATA))
            }
            Attribute::ContentType if !attributes::is_type(value) => None,
            other => {
                let known = headers().into_iter().find(|(_, header)| header == other);
                known.map(|(name, _)| name.to_string())
            }
        };
        kept.extend(name.map(|name| (name, value.to_string())));
    }
    if let Some(extended) = told(had, attributes::XATTRS).and_then(attributes::decode) {
        attributes::add(extended, &mut kept);
    }
    attributes::text(&kept)
}

fn put_rest(text: &str, put: &mut Attributes) -> Result<()> {
    let (extended, kept) = attributes::split(attributes::parse(Some(text))?)?;
    for (name, value) in kept {
        let attribute = match name.strip_prefix(attributes::METADATA) {
            None if name.starts_with(TAG) => Attribute::Metadata(name.clone().into()),
            Some(name) => Attribute::Metadata(name.to_string().into()),
            None => {
                let known = headers().into_iter().find(|(known, _)| *known == name);
                let known = known.map(|(_, attribute)| attribute);
                known.ok_or_else(|| {
                    Error::new(Code::Unsupported, "an attribute of an object is not known")
                        .with("attribute", name.clone())
                })?
            }
        };
        put.insert(attribute, value.into());
    }
    if let Some(extended) = extended {
        put.insert(Attribute::Metadata(attributes::XATTRS.into()), extended.into());
    }
    Ok(())
}

/// Refuses extended attributes that are more than a store keeps with an object. Of other metadata its
/// answer tells.
pub(super) fn must_fit(provider: Provider, name: &str, put: &Attributes) -> Result<()> {
    let limit = match provider {
        Provider::S3 => 2 << 10,
        Provider::Gcs | Provider::Azure => 8 << 10,
    };
    let size = |(attribute, value): (&Attribute, &AttributeValue)| match attribute {
        Attribute::Metadata(name) if !name.starts_with(TAG) => name.len() + value.as_ref().len(),
        _ => 0,
    };
    let size: usize = put.iter().map(size).sum();
    if told(put, attributes::XATTRS).is_none() || size <= limit {
        return Ok(());
    }
    Err(Error::new(
        Code::Unsupported,
        "extended attributes are more than a store keeps as metadata",
    )
    .with("object", name)
    .with("bytes", size.to_string())
    .with("limit", limit.to_string())
    .hint(
        "Leave them out with `columns: { objects: { drop: [attributes] } }` in the move, or leave \
             the object out with ?exclude= in the address of the source.",
    ))
}

/// A word that is the same for the same attributes.
pub(super) fn digest(put: &Attributes) -> String {
    let told: BTreeMap<String, &str> =
        put.iter().map(|(name, value)| (format!("{name:?}"), value.as_ref())).collect();
    blake3::hash(format!("{told:?}").as_bytes()).to_hex().to_string()
}

/// Seconds since 1970 with what is behind the point, which is how rclone writes times too.
fn seconds(nanoseconds: i64) -> String {
    let (sign, size) = (if nanoseconds < 0 { "-" } else { "" }, nanoseconds.unsigned_abs());
    let (whole, part) = (size / SECOND.unsigned_abs(), size % SECOND.unsigned_abs());
    let text = format!("{sign}{whole}.{part:09}");
    text.trim_end_matches('0').trim_end_matches('.').to_string()
}

fn nanoseconds(seconds: &str) -> Option<i64> {
    let (sign, size) = match seconds.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, seconds),
    };
    let (whole, part) = size.split_once('.').unwrap_or((size, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(part) {
        return None;
    }
    let part: String = part.chars().chain("000000000".chars()).take(9).collect();
    let size = whole.parse::<i64>().ok()?.checked_mul(SECOND)?.checked_add(part.parse().ok()?)?;
    Some(sign * size)
}

#[cfg(test)]
mod tests;
