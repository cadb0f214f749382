//! Objects: bytes with names, such as files. Apart from its bytes an object is a row, so that
//! fingerprints, ledgers, reports and verification treat it like any other.

use std::sync::Arc;

use arrow_array::RecordBatch;
use bytes::Bytes;

use crate::catalog::{Column, Table, TableName};
use crate::{BatchBuilder, Cell, Code, Error, LogicalType, Result, Unit};

/// The wire format in which objects flow with their bytes. Read in any other way, they are rows.
pub const WIRE: &str = "objects";

/// The wire format of a listing: rows of [`LISTED`] in the order of their [`key`]s, without a look at
/// the objects themselves. A store tells no times, and of a link no more than of a file.
pub const LISTING: &str = "listing";

/// The columns of a listing.
pub const LISTED: [&str; 4] = ["name", "kind", "size", "modified"];

/// The dialect of systems that hold objects: only another of them takes the bytes.
pub const DIALECT: &str = "objects";

/// The name of the table of objects.
pub const TABLE: &str = "objects";

/// Parts of objects, one object after the other.
#[derive(Debug, Clone)]
pub struct ObjectBatch {
    /// The parts, in order.
    pub pieces: Vec<Piece>,
    /// The rows of the objects that end in here, in the columns that were asked for.
    pub rows: RecordBatch,
}

/// A part of an object.
#[derive(Debug, Clone)]
pub struct Piece {
    /// The object's name, as [`Object::name`].
    pub name: Arc<str>,
    /// Where the bytes begin. A part at 0 begins the object, anew when it was begun before: the
    /// source found that it had changed meanwhile.
    pub offset: u64,
    /// The bytes.
    pub bytes: Bytes,
    /// What is known of the object before its bytes are read: its hash is not, and its size may
    /// turn out to be another. On its first part.
    pub begin: Option<Arc<Object>>,
    /// What the object is; on its last part.
    pub end: Option<Arc<Object>>,
    /// Where the store of the target has all bytes of the object, of which none are here. On the one part
    /// of an object that was planned to be copied by its store.
    pub original: Option<Original>,
}

/// An object of a store, in one state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Original {
    /// The bucket.
    pub container: String,
    /// The key in it.
    pub key: String,
    /// The tag that the store gives the state, where it does.
    pub tag: Option<String>,
}

/// What is known of an object apart from its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// The path below the root with `/` between its parts. `%XX` stands for a byte that is not part
    /// of valid UTF-8, for a control character and for `%` itself, so that every name has one text.
    pub name: String,
    /// What it is.
    pub kind: ObjectKind,
    /// Bytes; 0 for what has none.
    pub size: u64,
    /// The hash of the bytes: `blake3:` or `sha256:` and hex; empty for what has none.
    pub hash: String,
    /// Where a link leads, written like a name.
    pub link: Option<String>,
    /// Permissions, as in `chmod`.
    pub mode: Option<u32>,
    /// The time of the last change of the bytes, in nanoseconds since 1970 in UTC.
    pub modified: Option<i64>,
    /// Numbers of user and group, `1000:1000`.
    pub owner: Option<String>,
    /// What is kept with it beside all that: a JSON object, its keys in order, of headers such as
    /// `content-type`, of metadata of a store, `metadata:NAME`, and of extended attributes of a file
    /// system in base64, `xattr:NAME`, written like a name.
    pub attributes: Option<String>,
}

/// What an object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObjectKind {
    /// Bytes.
    File,
    /// A folder, where the system has them apart from the files in them.
    Folder,
    /// A symbolic link.
    Link,
}

impl ObjectKind {
    /// The word in rows.
    pub fn word(self) -> &'static str {
        match self {
            ObjectKind::File => "file",
            ObjectKind::Folder => "folder",
            ObjectKind::Link => "link",
        }
    }
}

/// The table of objects, with the columns that a system knows of them.
pub fn table(columns: &[&str]) -> Table {
    let known = |name: &&str| {
        let mut column = Column::new(*name, logical(name)?);
        column.nullable = !matches!(*name, "name" | "kind" | "size" | "hash");
        Some(column)
    };
    Table {
        name: TableName::plain(TABLE),
        columns: columns.iter().filter_map(known).collect(),
        primary_key: vec!["name".to_string()],
        indexes: Vec::new(),
        foreign_keys: Vec::new(),
        checks: Vec::new(),
        rows_elsewhere: false,
        comment: None,
        native: None,
        attributes: Default::default(),
    }
}

fn logical(column: &str) -> Option<LogicalType> {
    Some(match column {
        "name" | "kind" | "hash" | "link" | "owner" | "attributes" => LogicalType::Text,
        "size" => LogicalType::Int { bits: 64, unsigned: true },
        "mode" => LogicalType::Int { bits: 32, unsigned: true },
        "modified" => LogicalType::Timestamp { unit: Unit::Nano, utc: true },
        _ => return None,
    })
}

impl Object {
    /// Adds the object as a row of some of its columns.
    pub fn append(&self, columns: &[String], batch: &mut BatchBuilder) -> Result<()> {
        for (column, builder) in columns.iter().zip(batch.columns()) {
            builder.append(self.cell(column)).map_err(|_| {
                Error::new(Code::Internal, "an object does not fit its row")
                    .with("column", column.clone())
            })?;
        }
        batch.end_row();
        Ok(())
    }

    fn cell(&self, column: &str) -> Cell<'_> {
        match column {
            "name" => Cell::Text(&self.name),
            "kind" => Cell::Text(self.kind.word()),
            "size" => Cell::UInt(self.size),
            "hash" => Cell::Text(&self.hash),
            "link" => self.link.as_deref().map_or(Cell::Null, Cell::Text),
            "attributes" => self.attributes.as_deref().map_or(Cell::Null, Cell::Text),
            "owner" => self.owner.as_deref().map_or(Cell::Null, Cell::Text),
            "mode" => self.mode.map_or(Cell::Null, |mode| Cell::UInt(mode.into())),
            "modified" => {
                self.modified.map_or(Cell::Null, |ticks| Cell::Timestamp(ticks, Unit::Nano, true))
            }
            _ => Cell::Null,
        }
    }
}

/// What an object is ordered by, from its columns `name` and `kind`: the bytes of its name, with `/`
/// after that of a folder. `None` when the name is none.
pub fn key(name: &str, kind: &str) -> Option<Vec<u8>> {
    let mut key = unescape(name)?;
    if kind == ObjectKind::Folder.word() {
        key.push(b'/');
    }
    Some(key)
}

/// The text of a name, as [`Object::name`] has it.
pub fn escape(name: &[u8]) -> String {
    let mut text = String::with_capacity(name.len());
    for chunk in name.utf8_chunks() {
        for character in chunk.valid().chars() {
            if character == '%' || character.is_control() {
                let mut bytes = [0; 4];
                character.encode_utf8(&mut bytes).bytes().for_each(|byte| push(byte, &mut text));
            } else {
                text.push(character);
            }
        }
        chunk.invalid().iter().for_each(|byte| push(*byte, &mut text));
    }
    text
}

fn push(byte: u8, text: &mut String) {
    use std::fmt::Write;
    // Writing to a String cannot fail.
    let _ = write!(text, "%{byte:02X}");
}

/// The bytes of a name; `None` when the text is none that [`escape`] makes.
pub fn unescape(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        if first != b'%' {
            bytes.push(first);
            continue;
        }
        let (digits, tail) = tail.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
        rest = tail;
    }
    (escape(&bytes) == text).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::{escape, unescape};

    #[test]
    fn every_name_has_one_text() {
        for (name, text) in [
            (&b"a/b c.txt"[..], "a/b c.txt"),
            ("ä☕".as_bytes(), "ä☕"),
            (b"100%", "100%25"),
            (b"a\nb", "a%0Ab"),
            (b"\xff\xfeok", "%FF%FEok"),
            (b"%41", "%2541"),
        ] {
            assert_eq!(escape(name), text);
            assert_eq!(unescape(text).as_deref(), Some(name));
        }
        for wrong in ["%", "%4", "%zz", "%41", "%0a"] {
            assert_eq!(unescape(wrong), None, "{wrong}");
        }
    }
}
