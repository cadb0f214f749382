//! The catalog of a folder.

use std::sync::Arc;

use longshore_model::catalog::{Catalog, Column, NotMoved, Table};
use longshore_model::{LogicalType, Result};

use crate::infer::Inferred;
use crate::listing::{Listed, Listing};
use crate::options::Format;
use crate::partitions::check_apart;
use crate::source::Shared;
use crate::typed::TypedFile;
use crate::{csv, jsonl};

/// What the folder holds.
pub(crate) fn catalog(shared: &Shared) -> Result<Catalog> {
    let listing = shared.listing()?;
    let dialect = common_dialect(listing);
    let mut catalog = Catalog {
        dialect: dialect.unwrap_or_default().to_string(),
        not_moved: listing.not_moved.clone(),
        ..Catalog::default()
    };
    for listed in &listing.tables {
        let mut table = match &listed.described {
            Some(described) => described.structure.clone(),
            None => found(shared, listed)?,
        };
        if dialect.is_none() {
            strip_native(&mut table);
        }
        catalog.tables.push(table);
    }
    if dialect == Some(listing.programs.dialect.as_str()) {
        catalog.programs.clone_from(&listing.programs.items);
    } else {
        catalog.not_moved.extend(
            listing.programs.items.iter().filter(|program| !program.described).map(|program| {
                NotMoved {
                    kind: program.kind.clone(),
                    name: program.name.clone(),
                    reason: "the folder holds tables of several SQL dialects".to_string(),
                }
            }),
        );
    }
    catalog.tables.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(catalog)
}

/// The one dialect of all native texts; `None` when there are several.
fn common_dialect(listing: &Listing) -> Option<&str> {
    let tables = listing.tables.iter().filter_map(|table| table.described.as_ref());
    let mut dialects = tables.map(|described| described.dialect.as_str());
    let first = dialects.next().unwrap_or("");
    dialects.all(|dialect| dialect == first).then_some(first)
}

fn strip_native(table: &mut Table) {
    table.native = None;
    table.attributes.clear();
    for index in &mut table.indexes {
        index.native = None;
    }
}

/// A table that no manifest describes.
fn found(shared: &Shared, listed: &Listed) -> Result<Table> {
    let mut table = in_files(shared, listed)?;
    if let Some(file) = listed.files.first() {
        let names = table.columns.iter().map(|column| column.name.as_str());
        check_apart(&listed.keys, names, &file.path)?;
    }
    table.columns.extend(listed.keys.iter().map(|(name, ty)| column(name, ty.clone())));
    Ok(table)
}

/// What the files of a table tell of it.
fn in_files(shared: &Shared, listed: &Listed) -> Result<Table> {
    let columns = match listed.files.first() {
        None => Vec::new(),
        Some(file) => match file.format {
            Format::Parquet | Format::Arrow => {
                let open = TypedFile::open(&shared.tree, &file.path, file.format)?;
                if let Some(table) = own_structure(&open, listed) {
                    return Ok(table);
                }
                open.columns().iter().map(|(name, logical)| column(name, logical.clone())).collect()
            }
            Format::Csv => csv::names(&shared.tree, &file.path, &shared.options.csv)?
                .iter()
                .map(|name| column(name, LogicalType::Text))
                .collect(),
            Format::Jsonl => inferred(shared, listed)?
                .columns
                .iter()
                .map(|(name, logical)| column(name, logical.clone()))
                .collect(),
        },
    };
    Ok(Table {
        name: listed.name.clone(),
        columns,
        primary_key: Vec::new(),
        indexes: Vec::new(),
        foreign_keys: Vec::new(),
        checks: Vec::new(),
        native: None,
        rows_elsewhere: false,
        comment: None,
        attributes: Default::default(),
    })
}

/// The structure in a file that longshore wrote, as far as the columns are still those. Native texts
/// are left out: the file does not say their dialect.
fn own_structure(file: &TypedFile, listed: &Listed) -> Option<Table> {
    let mut table = file.structure()?;
    let same = table.columns.len() == file.columns().iter().count()
        && table
            .columns
            .iter()
            .zip(file.columns().iter())
            .all(|(column, (name, logical))| column.name == name && column.logical == *logical);
    table.name = listed.name.clone();
    strip_native(&mut table);
    same.then_some(table)
}

fn column(name: &str, logical: LogicalType) -> Column {
    Column::new(name, logical)
}

/// The columns of a table and their exact types.
pub(crate) fn column_types(shared: &Shared, listed: &Listed) -> Result<Vec<(String, LogicalType)>> {
    let owned = |(name, logical): (&str, &LogicalType)| (name.to_string(), logical.clone());
    if let Some(described) = &listed.described {
        let columns = described.structure.columns.iter();
        return Ok(columns.map(|column| owned((&column.name, &column.logical))).collect());
    }
    let mut columns: Vec<_> = match listed.files.first() {
        None => Vec::new(),
        Some(file) if !file.format.is_text() => {
            let open = TypedFile::open(&shared.tree, &file.path, file.format)?;
            open.columns().iter().map(owned).collect()
        }
        Some(_) => inferred(shared, listed)?.columns.clone(),
    };
    columns.extend(listed.keys.iter().cloned());
    Ok(columns)
}

/// The columns of a text table that no manifest describes, found by one scan and remembered.
pub(crate) fn inferred(shared: &Shared, listed: &Listed) -> Result<Arc<Inferred>> {
    let known = || shared.inferred.lock().unwrap_or_else(|poison| poison.into_inner());
    if let Some(inferred) = known().get(&listed.name) {
        return Ok(inferred.clone());
    }
    let is_csv = listed.files.iter().any(|file| file.format == Format::Csv);
    let found = if is_csv {
        csv::infer(&shared.tree, &listed.files, &shared.options.csv)?
    } else {
        jsonl::infer(&shared.tree, &listed.files)?
    };
    let inferred = Arc::new(found);
    known().insert(listed.name.clone(), inferred.clone());
    Ok(inferred)
}
