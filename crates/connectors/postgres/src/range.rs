//! Parts of a table: runs of its blocks, whose rows stand where they were written.

use longshore_model::plan::{Chunk, Range};
use longshore_model::{Code, Error, Result};
use serde::{Deserialize, Serialize};

/// Blocks of a table, from the first on and up to the one before the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Blocks {
    /// The first block.
    pub from: u32,
    /// The first block that is not part of it; `None` for all that follow, also later ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<u32>,
}

impl Blocks {
    /// The whole table.
    pub(crate) const ALL: Blocks = Blocks { from: 0, until: None };

    /// Cuts a table of so many blocks into parts of at most `size` blocks.
    pub(crate) fn cut(blocks: u32, size: u32) -> Vec<Blocks> {
        let size = size.max(1);
        let last = blocks.saturating_sub(1) / size;
        (0..=last)
            .map(|part| Blocks {
                from: part * size,
                until: (part < last).then(|| (part + 1) * size),
            })
            .collect()
    }

    /// The condition that rows of the part meet; empty for the whole table.
    pub(crate) fn condition(self) -> String {
        let bound = |sign: &str, block: u32| format!("ctid {sign} '({block},0)'::pg_catalog.tid");
        match (self.from, self.until) {
            (0, None) => String::new(),
            (0, Some(until)) => bound("<", until),
            (from, None) => bound(">=", from),
            (from, Some(until)) => format!("{} AND {}", bound(">=", from), bound("<", until)),
        }
    }

    /// For plans and ledgers.
    pub(crate) fn to_range(self) -> Result<Range> {
        serde_json::to_value(self)
            .map_err(|error| Error::new(Code::Internal, "a range cannot be written").because(error))
    }

    /// From a plan.
    pub(crate) fn of(range: &Range) -> Result<Blocks> {
        serde_json::from_value(range.clone()).map_err(|error| {
            Error::new(Code::SpecInvalid, "a plan has a range that is no run of blocks")
                .hint("Make a new plan.")
                .because(error)
        })
    }
}

/// Chunks of so many bytes, with the rows that a table of `rows` rows has in them on average.
pub(crate) fn chunks(blocks: u32, bytes: u64, rows: u64, chunk_bytes: u64) -> Result<Vec<Chunk>> {
    let each = bytes.checked_div(blocks.into()).unwrap_or(0).max(1);
    let size = u32::try_from((chunk_bytes / each).max(1)).unwrap_or(u32::MAX);
    let parts = Blocks::cut(blocks, size);
    let count = parts.len() as u64;
    let share = |whole: u64, part: u64| whole * (part + 1) / count - whole * part / count;
    (0..)
        .zip(parts)
        .map(|(part, blocks)| {
            let range = blocks.to_range()?;
            Ok(Chunk { range, rows: share(rows, part), bytes: share(bytes, part) })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{Blocks, chunks};

    #[test]
    fn parts_cover_every_block_once_and_what_comes_later() {
        for (blocks, size) in [(0, 5), (1, 5), (5, 5), (6, 5), (100, 7), (u32::MAX - 1, 1 << 30)] {
            let parts = Blocks::cut(blocks, size);
            assert_eq!(parts[0].from, 0);
            assert_eq!(parts[parts.len() - 1].until, None);
            assert!(parts.windows(2).all(|pair| pair[0].until == Some(pair[1].from)));
        }
        let cut = chunks(10, 81_920, 1001, 30_000).expect("chunks");
        assert_eq!(cut.iter().map(|chunk| chunk.rows).sum::<u64>(), 1001);
        assert_eq!(cut.iter().map(|chunk| chunk.bytes).sum::<u64>(), 81_920);
        for chunk in cut {
            let blocks = Blocks::of(&chunk.range).expect("blocks");
            assert_eq!(Blocks::of(&blocks.to_range().expect("a range")).expect("blocks"), blocks);
        }
    }

    #[test]
    fn conditions() {
        assert_eq!(Blocks::ALL.condition(), "");
        let both = Blocks { from: 3, until: Some(9) }.condition();
        assert_eq!(both, "ctid >= '(3,0)'::pg_catalog.tid AND ctid < '(9,0)'::pg_catalog.tid");
    }
}
