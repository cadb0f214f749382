//! Where the messages of a file are: in the file format its footer tells it, a stream is walked along.

use arrow_ipc::convert::try_fb_to_schema;
use arrow_ipc::reader::read_footer_length;
use arrow_ipc::{Endianness, MessageHeader, MetadataVersion, root_as_footer};
use arrow_schema::{DataType, Schema, SchemaRef};
use bytes::Bytes;
use longshore_model::{Code, Error, Result};

use super::guard::message_of;
use super::{bytes, damaged};
use crate::content::Content;
use crate::convert::plain_type;

/// What a file in the file format begins with, and ends with behind the length of its footer.
const MAGIC: &[u8] = b"ARROW1";
const TRAILER: u64 = 10;

/// What each message of a stream begins with: a mark and the length of its description.
const CONTINUATION: [u8; 4] = [0xff; 4];
const PREFIX: u64 = 8;

/// What a file holds.
#[derive(Debug)]
pub(super) struct Index {
    pub(super) schema: SchemaRef,
    pub(super) version: MetadataVersion,
    /// In the order in which they are read.
    pub(super) blocks: Vec<Block>,
}

/// A message: its description, then its body.
#[derive(Debug, Clone, Copy)]
pub(super) struct Block {
    pub(super) offset: u64,
    pub(super) head: usize,
    pub(super) body: usize,
    /// Whether it holds values of a dictionary, and not rows.
    pub(super) dictionary: bool,
}

impl Index {
    pub(super) fn read(content: &Content) -> Result<Self> {
        let begin = bytes(content, 0, MAGIC.len())?;
        if begin.starts_with(b"FEA1") {
            return Err(Error::new(Code::Unsupported, "a Feather file of version 1 is not read")
                .with("file", content.name())
                .hint("Write it as version 2, which is the Arrow IPC file format."));
        }
        if begin == MAGIC { of_file(content) } else { of_stream(content) }
    }
}

fn of_file(content: &Content) -> Result<Index> {
    let wrong = |reason: &'static str| damaged(content.name(), reason);
    let end = content.size().checked_sub(TRAILER).ok_or_else(|| wrong("it ends too early"))?;
    let trailer = bytes(content, end, TRAILER as usize)?;
    let trailer = trailer.as_ref().try_into().expect("the trailer has ten bytes");
    let length = read_footer_length(trailer).map_err(|error| damaged(content.name(), error))?;
    let start = end.checked_sub(length as u64).ok_or_else(|| wrong("its footer is too long"))?;
    let footer = bytes(content, start, length)?;
    let footer = root_as_footer(&footer).map_err(|_| wrong("its footer is not well formed"))?;
    let schema = schema_of(content, footer.schema())?;
    let dictionaries = footer.dictionaries().into_iter().flatten().map(|block| (block, true));
    let batches = footer.recordBatches().into_iter().flatten().map(|block| (block, false));
    let blocks = dictionaries.chain(batches).map(|(block, dictionary)| {
        let place = (
            u64::try_from(block.offset()),
            usize::try_from(block.metaDataLength()),
            usize::try_from(block.bodyLength()),
        );
        let (Ok(offset), Ok(head), Ok(body)) = place else {
            return Err(wrong("a length in its footer is negative"));
        };
        Block { offset, head, body, dictionary }.within(content)
    });
    let blocks = blocks.collect::<Result<_>>()?;
    Ok(Index { schema, version: footer.version(), blocks })
}

/// A stream ends with a mark. One without is refused, although the format allows it: nothing else
/// tells it from one that was cut.
fn of_stream(content: &Content) -> Result<Index> {
    let wrong = |reason: &'static str| damaged(content.name(), reason);
    let Some(head) = head_at(content, 0)? else { return Err(wrong("it has no schema")) };
    let message = message_of(&head).map_err(wrong)?;
    let schema = schema_of(content, message.header_as_schema())?;
    let mut index = Index { schema, version: message.version(), blocks: Vec::new() };
    let mut offset = head.len() as u64;
    while let Some(head) = head_at(content, offset)? {
        let message = message_of(&head).map_err(wrong)?;
        let dictionary = match message.header_type() {
            MessageHeader::DictionaryBatch => true,
            MessageHeader::RecordBatch => false,
            _ => return Err(wrong("a message is neither rows nor a dictionary")),
        };
        let body = usize::try_from(message.bodyLength());
        let body = body.map_err(|_| wrong("a length in a message is negative"))?;
        let block = Block { offset, head: head.len(), body, dictionary }.within(content)?;
        index.blocks.push(block);
        offset += (block.head + block.body) as u64;
    }
    match offset + PREFIX == content.size() {
        true => Ok(index),
        false => Err(wrong("something stands behind the mark of its end")),
    }
}

/// The description of the message at an offset, with what stands before it; `None` is the mark of the
/// end.
fn head_at(content: &Content, offset: u64) -> Result<Option<Bytes>> {
    let prefix = bytes(content, offset, PREFIX as usize)?;
    let Some(length) = prefix.strip_prefix(&CONTINUATION) else {
        return Err(damaged(content.name(), "it is neither a file nor a stream of Arrow messages"));
    };
    let length = i32::from_le_bytes(length.try_into().expect("four bytes follow the mark"));
    match usize::try_from(length) {
        Ok(0) => Ok(None),
        Ok(length) => bytes(content, offset, PREFIX as usize + length).map(Some),
        Err(_) => Err(damaged(content.name(), "a length in a message is negative")),
    }
}

fn schema_of(content: &Content, schema: Option<arrow_ipc::Schema<'_>>) -> Result<SchemaRef> {
    let wrong = |reason: &'static str| damaged(content.name(), reason);
    let schema = schema.ok_or_else(|| wrong("it has no schema"))?;
    if schema.endianness() != Endianness::Little {
        return Err(Error::new(Code::Unsupported, "an Arrow file is not little-endian")
            .with("file", content.name()));
    }
    let schema: Schema =
        try_fb_to_schema(schema).map_err(|error| damaged(content.name(), error))?;
    let negative =
        |ty: &DataType| matches!(plain_type(ty), DataType::FixedSizeBinary(size) if size < 0);
    if schema.fields().iter().any(|field| negative(field.data_type())) {
        return Err(wrong("a length in its schema is negative"));
    }
    Ok(schema.into())
}

impl Block {
    /// The block, if the file has all of it.
    fn within(self, content: &Content) -> Result<Self> {
        let length = self.head.checked_add(self.body).and_then(|all| u64::try_from(all).ok());
        let end = length.and_then(|length| self.offset.checked_add(length));
        if end.is_none_or(|end| end > content.size()) || self.head <= PREFIX as usize {
            return Err(damaged(content.name(), "it ends before a message does"));
        }
        Ok(self)
    }
}
