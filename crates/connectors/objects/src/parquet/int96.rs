//! Timestamps of 96 bits, which older tools write. They are read as nanoseconds in 64 bits, and the
//! reader of the library lets those that do not fit wrap around.

use longshore_model::{Code, Error};
use parquet::column::reader::ColumnReader;
use parquet::data_type::Int96;
use parquet::errors::Result as ParquetResult;
use parquet::file::reader::{FileReader, SerializedFileReader};

use crate::content::Content;

/// Values that are looked at together.
const RECORDS: usize = 4096;
/// The day number of 1970-01-01 among Julian days.
const UNIX_EPOCH: i128 = 2_440_588;
const DAY: i128 = 86_400_000_000_000;

/// Whether every value of some columns (by leaf) fits, in one row group of a file.
pub(super) fn all_fit(file: Content, group: usize, leaves: &[usize]) -> ParquetResult<bool> {
    let reader = SerializedFileReader::new(file)?;
    let group = reader.get_row_group(group)?;
    for leaf in leaves {
        let ColumnReader::Int96ColumnReader(mut column) = group.get_column_reader(*leaf)? else {
            continue;
        };
        let (mut definitions, mut repetitions, mut values) = (Vec::new(), Vec::new(), Vec::new());
        loop {
            definitions.clear();
            repetitions.clear();
            values.clear();
            let (records, ..) = column.read_records(
                RECORDS,
                Some(&mut definitions),
                Some(&mut repetitions),
                &mut values,
            )?;
            if records == 0 {
                break;
            }
            if !values.iter().all(fits) {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

/// The refusal of a value that does not fit.
pub(super) fn out_of_range(file: &str) -> Error {
    Error::new(
        Code::ValueInvalid,
        "a timestamp of 96 bits is outside the range of nanoseconds in 64 bits, 1677 to 2262",
    )
    .with("file", file)
    .hint("Write the column as timestamps of microseconds, or leave it out under `columns`.")
}

/// The value is a Julian day and nanoseconds in it
/// (<https://github.com/apache/parquet-format/blob/master/LogicalTypes.md>).
fn fits(value: &Int96) -> bool {
    let [low, high, day] = value.data() else { return false };
    let nanoseconds = i128::from(*low) | i128::from(*high) << 32;
    let since = (i128::from(*day) - UNIX_EPOCH) * DAY + nanoseconds;
    i64::try_from(since).is_ok()
}

#[cfg(test)]
mod tests {
    use super::{Int96, fits};

    #[test]
    fn the_range_of_64_bits_ends_where_it_ends() {
        for (nanoseconds, day, expected) in [
            (0_u64, 2_440_588, true),
            (85_636_854_775_807, 2_547_339, true),
            (85_636_854_775_808, 2_547_339, false),
            (763_145_224_192, 2_333_836, true),
            (763_145_224_191, 2_333_836, false),
            (0, 0, false),
            (0, u32::MAX, false),
            (u64::MAX, 2_440_588, false),
        ] {
            let word = |shift: u32| u32::try_from(nanoseconds >> shift & 0xffff_ffff);
            let mut value = Int96::new();
            value.set_data(word(0).expect("a word"), word(32).expect("a word"), day);
            assert_eq!(fits(&value), expected, "{nanoseconds} on day {day}");
        }
    }
}
