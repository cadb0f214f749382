//! What becomes of the objects that a tree holds already, forecast from listings of both sides.

use std::cmp::Ordering;
use std::collections::VecDeque;

use arrow_array::RecordBatch;
use longshore_model::connector::{ReadRequest, Reader, Snapshot};
use longshore_model::object::{self, LISTED, LISTING, ObjectKind};
use longshore_model::plan::{Extent, MergeForecast, Range, TablePlan};
use longshore_model::spec::Existing;
use longshore_model::{Batch, Cell, Code, ColumnView, Error, LogicalType, Result};

use crate::connectors::Link;

const BATCH_BYTES: usize = 1 << 20;
/// Names that are shown of the objects that only the target has.
const SHOWN: usize = 5;

/// Whether a move goes by name through what its target holds.
pub(crate) fn merges(existing: Existing, link: &Link) -> bool {
    matches!(existing, Existing::Mirror | Existing::Append) && link.target.about().target.merges
}

/// Refuses a mirror of what is no tree.
pub(super) fn check(existing: Existing, link: &Link) -> Result<()> {
    if existing != Existing::Mirror || merges(existing, link) {
        return Ok(());
    }
    Err(Error::new(Code::Unsupported, "only a tree of objects can become a mirror")
        .with("target", link.to.to_string())
        .hint("For tables, use `existing: truncate` or `replace`."))
}

/// Compares the listings of both sides. `has_objects` says whether the target holds any.
pub(super) async fn forecast(
    source: &dyn Snapshot,
    link: &Link,
    tables: &[TablePlan],
    existing: Existing,
    has_objects: bool,
) -> Result<Option<MergeForecast>> {
    let [table] = tables else { return Ok(None) };
    if !merges(existing, link) {
        return Ok(None);
    }
    let mut forecast = MergeForecast::default();
    let mut here = Listing::read(source, table, None).await?;
    let target = match has_objects {
        true => Some(link.target.open_source(&link.to).await?.snapshot(1).await?),
        false => None,
    };
    let mut there = match &target {
        Some(target) => Listing::read(target.as_ref(), table, None).await?,
        None => Listing::empty(),
    };
    let times = table.columns.iter().any(|column| column.source == "modified");
    compare(&mut here, &mut there, times, &mut forecast).await?;
    if existing == Existing::Mirror && table.rows == 0 && forecast.others.objects > 0 {
        return Err(Error::new(
            Code::SourceChanged,
            "the source is empty, and a mirror of it would remove everything",
        )
        .with("source", link.from.to_string())
        .with("target", link.to.to_string())
        .hint("Look whether the source is there. If it is meant, say `existing: replace`."));
    }
    Ok(Some(forecast))
}

async fn compare(
    here: &mut Listing,
    there: &mut Listing,
    times: bool,
    forecast: &mut MergeForecast,
) -> Result<()> {
    loop {
        let (one, other) = (here.peek().await?, there.peek().await?);
        let order = match (one, other) {
            (None, None) => return Ok(()),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(one), Some(other)) => one.key.cmp(&other.key),
        };
        match (order, one, other) {
            (Ordering::Less, Some(one), _) => add(&mut forecast.added, one.size),
            (Ordering::Greater, _, Some(other)) => {
                add(&mut forecast.others, other.size);
                if forecast.first_others.len() < SHOWN {
                    forecast.first_others.push(other.shown());
                }
            }
            (_, Some(one), Some(other)) if one.looks_like(other, times) => {
                add(&mut forecast.same, one.size);
            }
            (_, Some(one), _) => add(&mut forecast.differing, one.size),
            (_, None, _) => {}
        }
        if order != Ordering::Greater {
            here.pop();
        }
        if order != Ordering::Less {
            there.pop();
        }
    }
}

fn add(extent: &mut Extent, bytes: u64) {
    extent.objects += 1;
    extent.bytes += bytes;
}

/// What a listing tells of an object.
pub(crate) struct Listed {
    pub(crate) key: Vec<u8>,
    name: String,
    is_link: bool,
    size: u64,
    modified: Option<i64>,
}

impl Listed {
    fn looks_like(&self, other: &Self, times: bool) -> bool {
        let same_time = match (self.modified, other.modified) {
            (Some(one), Some(other)) => one == other || !times,
            _ => true,
        };
        // A store does not tell links from files.
        match (self.is_link, other.is_link) {
            (true, true) => true,
            (false, false) => self.size == other.size && same_time,
            _ => self.modified.is_none() && other.modified.is_none(),
        }
    }

    fn shown(&self) -> String {
        let end = if self.key.ends_with(b"/") { "/" } else { "" };
        format!("{}{end}", self.name)
    }
}

/// A listing, in the order of its keys.
pub(crate) struct Listing {
    reader: Option<Box<dyn Reader>>,
    listed: VecDeque<Listed>,
}

impl Listing {
    pub(crate) async fn read(
        snapshot: &dyn Snapshot,
        table: &TablePlan,
        range: Option<Range>,
    ) -> Result<Self> {
        let columns = object::table(&LISTED).columns;
        let request = ReadRequest {
            table: table.source.clone(),
            columns: columns.into_iter().map(|column| (column.name, column.logical)).collect(),
            filter: None,
            range,
            wire: Some(LISTING.to_string()),
            batch_bytes: BATCH_BYTES,
        };
        let reader = snapshot.read(&request).await?;
        Ok(Self { reader: Some(reader), listed: VecDeque::new() })
    }

    fn empty() -> Self {
        Self { reader: None, listed: VecDeque::new() }
    }

    /// The next object; `None` at the end.
    pub(crate) async fn peek(&mut self) -> Result<Option<&Listed>> {
        while self.listed.is_empty() {
            let Some(reader) = &mut self.reader else { return Ok(None) };
            match reader.next().await? {
                Some(Batch::Rows(rows)) => self.listed = listed(&rows)?,
                Some(_) => return Err(Error::new(Code::Internal, "a listing is not of rows")),
                None => self.reader = None,
            }
        }
        Ok(self.listed.front())
    }

    pub(crate) fn pop(&mut self) -> Option<Listed> {
        self.listed.pop_front()
    }
}

fn listed(rows: &RecordBatch) -> Result<VecDeque<Listed>> {
    let columns = object::table(&LISTED).columns;
    let logical: Vec<&LogicalType> = columns.iter().map(|column| &column.logical).collect();
    let view = |at: usize| ColumnView::new(logical[at], rows.column(at));
    let (names, kinds, sizes, times) = (view(0)?, view(1)?, view(2)?, view(3)?);
    let wrong = || Error::new(Code::Internal, "a row of a listing is not understood");
    let one = |row: usize| match (names.cell(row), kinds.cell(row), sizes.cell(row)) {
        (Cell::Text(name), Cell::Text(kind), Cell::UInt(size)) => Ok(Listed {
            key: object::key(name, kind).ok_or_else(wrong)?,
            name: name.to_string(),
            is_link: kind == ObjectKind::Link.word(),
            size,
            modified: match times.cell(row) {
                Cell::Timestamp(ticks, ..) => Some(ticks),
                _ => None,
            },
        }),
        _ => Err(wrong()),
    };
    (0..rows.num_rows()).map(one).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use longshore_model::plan::{Extent, MergeForecast};

    use super::{Listed, Listing, compare};

    fn listing(entries: &[(&str, u64, Option<i64>)]) -> Listing {
        let one = |&(name, size, modified): &(&str, u64, Option<i64>)| {
            let (name, is_link) = name.strip_suffix('@').map_or((name, false), |name| (name, true));
            Listed {
                key: name.as_bytes().to_vec(),
                name: name.trim_end_matches('/').to_string(),
                is_link,
                size,
                modified,
            }
        };
        Listing { reader: None, listed: entries.iter().map(one).collect::<VecDeque<_>>() }
    }

    #[tokio::test]
    async fn listings_tell_what_is_the_same_and_what_goes() {
        let (old, new) = (Some(1), Some(2));
        let mut here = listing(&[
            ("a", 5, new),
            ("b/", 0, None),
            ("b/x", 7, old),
            ("c@", 0, None),
            ("d@", 0, None),
            ("kind", 3, old),
            ("size", 4, old),
        ]);
        let mut there = listing(&[
            ("a", 5, old),
            ("b/", 0, None),
            ("b/x", 7, None),
            ("c@", 0, None),
            ("d", 9, None),
            ("gone/", 0, None),
            ("gone/x", 11, old),
            ("kind/", 0, None),
            ("size", 5, old),
        ]);
        let mut found = MergeForecast::default();
        compare(&mut here, &mut there, true, &mut found).await.expect("a forecast");
        let extent = |objects, bytes| Extent { objects, bytes };
        assert_eq!(found.same, extent(4, 7));
        assert_eq!(found.differing, extent(2, 9));
        assert_eq!(found.added, extent(1, 3));
        assert_eq!(found.others, extent(3, 11));
        assert_eq!(found.first_others, ["gone/", "gone/x", "kind/"]);
    }
}
