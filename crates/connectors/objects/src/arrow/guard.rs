//! What must hold of a message before the decoder of the library sees it: that one slices by lengths
//! that the message tells, and takes memory by them.

use arrow_ipc::{Message, MessageHeader, RecordBatch, root_as_message};

/// No batch has more rows, and no column of one more values.
const MOST_ROWS: i64 = i32::MAX as i64;
const MOST_VALUES: i64 = 1 << 40;

/// What zstd makes of a byte at most: a block of four bytes stands for 128 KiB of one value
/// (RFC 8878, 3.1.1.2). LZ4 stays far below.
const MOST_UNPACKED: u64 = 32 << 10;

/// Before the bytes of a buffer that may be compressed stands their unpacked length.
const LENGTH: usize = 8;

/// The description of a message, given what stands before it as well.
pub(super) fn message_of(head: &[u8]) -> Result<Message<'_>, &'static str> {
    let description = match head.strip_prefix(&[0xff; 4]) {
        Some(rest) => rest.get(4..),
        None => head.get(4..),
    };
    let description = description.ok_or("a message is too short")?;
    root_as_message(description).map_err(|_| "a message is not well formed")
}

/// The dictionary whose values a message brings.
pub(super) fn dictionary_of(head: &[u8]) -> Result<i64, &'static str> {
    let message = message_of(head)?;
    let dictionary = message.header_as_dictionary_batch().ok_or("a message is no dictionary")?;
    Ok(dictionary.id())
}

/// The rows that a message brings.
pub(super) fn rows_of(head: &[u8]) -> Result<u64, &'static str> {
    let message = message_of(head)?;
    let batch = message.header_as_record_batch().ok_or("a message holds no rows")?;
    u64::try_from(batch.length()).map_err(|_| "a length in a message is negative")
}

/// Refuses a message that tells what its body cannot hold.
pub(super) fn check(head: &[u8], body: &[u8]) -> Result<(), &'static str> {
    let message = message_of(head)?;
    let batch = match message.header_type() {
        MessageHeader::RecordBatch => message.header_as_record_batch(),
        MessageHeader::DictionaryBatch => {
            message.header_as_dictionary_batch().and_then(|dictionary| dictionary.data())
        }
        _ => None,
    };
    let batch = batch.ok_or("a message holds neither rows nor a dictionary")?;
    if !(0..=MOST_ROWS).contains(&batch.length()) {
        return Err("a batch has an impossible number of rows");
    }
    for node in batch.nodes().into_iter().flatten() {
        let (length, nulls) = (node.length(), node.null_count());
        if !(0..=MOST_VALUES).contains(&length) || !(0..=length).contains(&nulls) {
            return Err("a column has an impossible number of values");
        }
    }
    check_buffers(batch, body)
}

fn check_buffers(batch: RecordBatch<'_>, body: &[u8]) -> Result<(), &'static str> {
    let packed = batch.compression().is_some();
    for buffer in batch.buffers().into_iter().flatten() {
        let offset = usize::try_from(buffer.offset());
        let length = usize::try_from(buffer.length());
        let (Ok(offset), Ok(length)) = (offset, length) else {
            return Err("a buffer has a negative length");
        };
        let end = offset.checked_add(length);
        let bytes = end.and_then(|end| body.get(offset..end));
        let bytes = bytes.ok_or("a buffer ends behind its message")?;
        if packed && !bytes.is_empty() {
            check_unpacked(bytes)?;
        }
    }
    Ok(())
}

/// Refuses an unpacked length that the packed bytes cannot have, or for which there is no memory.
fn check_unpacked(bytes: &[u8]) -> Result<(), &'static str> {
    let (length, rest) = bytes.split_first_chunk::<LENGTH>().ok_or("a buffer is too short")?;
    // -1 says that the buffer is not packed.
    let length = match i64::from_le_bytes(*length) {
        -1 => return Ok(()),
        length => u64::try_from(length).map_err(|_| "an unpacked length is negative")?,
    };
    let most = (rest.len() as u64).saturating_mul(MOST_UNPACKED);
    let fits = usize::try_from(length).is_ok_and(|length| {
        length as u64 <= most && Vec::<u8>::new().try_reserve_exact(length).is_ok()
    });
    if fits { Ok(()) } else { Err("an unpacked length is impossible") }
}
