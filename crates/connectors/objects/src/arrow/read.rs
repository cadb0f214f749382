//! Reading Arrow files.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use arrow_array::RecordBatch;
use arrow_buffer::Buffer;
use arrow_ipc::reader::FileDecoder;
use arrow_schema::{ArrowError, DataType};
use longshore_model::catalog::Table;
use longshore_model::{Code, Error, Result};

use super::index::{Block, Index};
use super::{bytes, damaged, guard, plain};
use crate::columns::{FileColumns, Group, TABLE_KEY};
use crate::content::Content;
use crate::convert::plain_schema;
use crate::read::{Columns, Sink};
use crate::tree::Tree;

/// An open file.
#[derive(Debug)]
pub(crate) struct ArrowFile {
    content: Content,
    index: Index,
    columns: FileColumns,
}

impl ArrowFile {
    pub(crate) fn open(tree: &Tree, name: &str) -> Result<Self> {
        let content = tree.open(name)?;
        let index = Index::read(&content)?;
        let columns = FileColumns::of(name, &plain_schema(&index.schema))?;
        Ok(Self { content, index, columns })
    }

    pub(crate) fn columns(&self) -> &FileColumns {
        &self.columns
    }

    /// The structure of the table that longshore wrote into the file, if it did.
    pub(crate) fn structure(&self) -> Option<Table> {
        serde_json::from_str(self.index.schema.metadata().get(TABLE_KEY)?).ok()
    }

    /// Rows and bytes, as compressed as they are, of each batch.
    pub(crate) fn groups(&self) -> Result<Vec<Group>> {
        let batches = self.index.blocks.iter().filter(|block| !block.dictionary);
        batches
            .map(|block| {
                let head = bytes(&self.content, block.offset, block.head)?;
                let rows = guard::rows_of(&head).map_err(|reason| self.damaged(reason))?;
                Ok(Group { rows, bytes: block.body as u64 })
            })
            .collect()
    }

    /// Passes the rows of some batches to `sink`.
    pub(crate) fn read(
        &self,
        columns: &Columns,
        batches: Option<(usize, Option<usize>)>,
        batch_bytes: usize,
        sink: &mut Sink<'_>,
    ) -> Result<bool> {
        let picked = self.columns.pick(columns)?;
        let count = self.index.blocks.iter().filter(|block| !block.dictionary).count();
        let (first, end) = batches.map_or((0, count), |(first, end)| (first, end.unwrap_or(count)));
        if first > end || end > count {
            return Err(Error::new(Code::SourceChanged, "a file has fewer batches than planned")
                .with("file", self.content.name()));
        }
        let mut sorted = picked.clone();
        sorted.sort_unstable();
        let dictionaries = self.dictionaries(&sorted)?;
        let decoder = FileDecoder::new(self.index.schema.clone(), self.index.version);
        let mut decoder = decoder.with_projection(sorted);
        let mut number = 0;
        for block in &self.index.blocks {
            if block.dictionary {
                self.read_dictionary(block, &dictionaries, &mut decoder)?;
                continue;
            }
            number += 1;
            if number <= first {
                continue;
            }
            if number > end {
                break;
            }
            let batch = self.read_batch(block, &decoder)?;
            if !self.pass(columns, &picked, &batch, batch_bytes, sink)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The dictionaries that some columns use.
    #[expect(deprecated, reason = "the decoder finds dictionaries in this way too")]
    fn dictionaries(&self, picked: &[usize]) -> Result<BTreeSet<i64>> {
        let schema = &self.index.schema;
        let mut ids = BTreeSet::new();
        for field in picked.iter().map(|index| schema.field(*index)) {
            let (Some(id), DataType::Dictionary(_, values)) = (field.dict_id(), field.data_type())
            else {
                continue;
            };
            // The decoder reads values by the first field that uses them.
            let same = schema.fields_with_dict_id(id).iter().all(|other| {
                matches!(other.data_type(), DataType::Dictionary(_, others) if others == values)
            });
            if !same {
                return Err(self.damaged("a dictionary has two types"));
            }
            ids.insert(id);
        }
        Ok(ids)
    }

    fn read_dictionary(
        &self,
        block: &Block,
        wanted: &BTreeSet<i64>,
        decoder: &mut FileDecoder,
    ) -> Result<()> {
        let head = bytes(&self.content, block.offset, block.head)?;
        let id = guard::dictionary_of(&head).map_err(|reason| self.damaged(reason))?;
        if !wanted.contains(&id) {
            return Ok(());
        }
        let (place, message) = self.message(block)?;
        self.decoded(|| decoder.read_dictionary(&place, &message))
    }

    fn read_batch(&self, block: &Block, decoder: &FileDecoder) -> Result<RecordBatch> {
        let (place, message) = self.message(block)?;
        self.decoded(|| decoder.read_record_batch(&place, &message))?
            .ok_or_else(|| self.damaged("a message holds no rows"))
    }

    /// What the library makes of bytes. It asserts some of what a damaged file does not hold, such as
    /// that the bytes of offsets are a multiple of four; nothing that it worked on is used after that.
    fn decoded<T>(&self, decode: impl FnOnce() -> std::result::Result<T, ArrowError>) -> Result<T> {
        match catch_unwind(AssertUnwindSafe(decode)) {
            Ok(decoded) => decoded.map_err(|error| self.damaged(error)),
            Err(_) => Err(self.damaged("its values are not laid out as its schema says")),
        }
    }

    /// A message as the decoder takes it, checked.
    fn message(&self, block: &Block) -> Result<(arrow_ipc::Block, Buffer)> {
        let message = bytes(&self.content, block.offset, block.head + block.body)?;
        let (head, body) = message.split_at(block.head);
        guard::check(head, body).map_err(|reason| self.damaged(reason))?;
        let too_large = |_| self.damaged("a message is too large");
        let place = arrow_ipc::Block::new(
            i64::try_from(block.offset).map_err(too_large)?,
            i32::try_from(block.head).map_err(too_large)?,
            i64::try_from(block.body).map_err(too_large)?,
        );
        Ok((place, Buffer::from(message)))
    }

    /// Passes a batch on in plain types, in parts that are not much larger than asked for.
    fn pass(
        &self,
        columns: &Columns,
        picked: &[usize],
        batch: &RecordBatch,
        batch_bytes: usize,
        sink: &mut Sink<'_>,
    ) -> Result<bool> {
        let mut parts = vec![(0, batch.num_rows())];
        while let Some((start, length)) = parts.pop() {
            let width = plain::width(batch, start, length);
            if length > 1 && width > batch_bytes {
                let half = length / 2;
                parts.extend([(start + half, length - half), (start, half)]);
                continue;
            }
            if i32::try_from(width).is_err() {
                return Err(Error::new(Code::Unsupported, "a row has a value of 2 GiB or more")
                    .with("file", self.content.name()));
            }
            let rows = self.decoded(|| plain::rows(batch, start, length))?;
            if length > 0 && !sink(self.columns.arrange(columns, picked, &rows)?)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn damaged(
        &self,
        reason: impl Into<Box<dyn std::error::Error + Send + Sync + 'static>>,
    ) -> Error {
        damaged(self.content.name(), reason)
    }
}
