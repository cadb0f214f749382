//! Which tables and data files a folder holds.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use longshore_model::catalog::{NotMoved, TableName};
use longshore_model::plan::{Position, digest};
use longshore_model::{Code, Error, LogicalType, Result};

use crate::journal::Journal;
use crate::manifest::{self, Described, Manifest, Programs};
use crate::options::{Format, ReadOptions, stem_of};
use crate::packing::Packing;
use crate::partitions::{Key, key_columns};
use crate::tree::{Item, Stamp, Tree, join};

/// A folder at one moment.
#[derive(Debug, Clone, Default)]
pub(crate) struct Listing {
    pub(crate) tables: Vec<Listed>,
    pub(crate) programs: Programs,
    pub(crate) not_moved: Vec<NotMoved>,
    /// Whether longshore wrote the files.
    pub(crate) own: bool,
    /// Whether a load into the folder has begun and not ended.
    pub(crate) unfinished: bool,
    manifest: Option<Stamp>,
}

/// One table.
#[derive(Debug, Clone)]
pub(crate) struct Listed {
    pub(crate) name: TableName,
    pub(crate) files: Vec<DataFile>,
    /// The columns that the folders of its files name.
    pub(crate) keys: Vec<(String, LogicalType)>,
    /// What the manifest says of it.
    pub(crate) described: Option<Described>,
}

/// One data file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DataFile {
    /// Relative to the root.
    pub(crate) path: String,
    pub(crate) format: Format,
    pub(crate) stamp: Stamp,
    /// What the folders that it is in say of all its rows.
    pub(crate) keys: Vec<Key>,
}

impl DataFile {
    /// Whether it can only be read from its beginning.
    pub(crate) fn is_packed(&self) -> bool {
        Packing::of_name(&self.path).0 != Packing::None
    }
}

impl Listing {
    /// Lists a folder; with `only`, that one file of it.
    pub(crate) fn take(tree: &Tree, options: &ReadOptions, only: Option<&str>) -> Result<Self> {
        if let Some(file) = only {
            return Self::of_file(tree, options, file);
        }
        let journal = Journal::read(tree)?;
        let manifest = Manifest::read(tree)?;
        let mut listing = Listing {
            own: journal.is_some() || manifest.is_some(),
            unfinished: journal.is_some_and(|journal| !journal.finished()),
            manifest: tree.stamp(manifest::NAME)?,
            ..Self::default()
        };
        match manifest {
            Some(manifest) => {
                listing.programs = manifest.programs;
                for described in manifest.tables {
                    listing.tables.push(Listed {
                        name: described.structure.name.clone(),
                        files: described_files(tree, &described)?,
                        keys: Vec::new(),
                        described: Some(described),
                    });
                }
            }
            None => listing.find_tables(tree, options)?,
        }
        Ok(listing)
    }

    /// The state of every data file. The change time is part of it: nobody can set that one back.
    pub(crate) fn position(&self) -> Position {
        let mut files: Vec<(&str, Stamp)> = self
            .tables
            .iter()
            .flat_map(|table| &table.files)
            .map(|file| (file.path.as_str(), file.stamp))
            .chain(self.manifest.map(|stamp| (manifest::NAME, stamp)))
            .collect();
        files.sort_unstable_by_key(|(path, _)| *path);
        let mut text = String::new();
        for (path, Stamp { size, modified, changed }) in files {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{path:?} {size} {modified} {changed}");
        }
        Position(digest(text.as_bytes()))
    }

    pub(crate) fn table(&self, name: &TableName) -> Result<&Listed> {
        self.tables.iter().find(|table| table.name == *name).ok_or_else(|| {
            Error::new(Code::SourceChanged, "a table is not in the folder any more")
                .with("table", name.to_string())
        })
    }

    fn of_file(tree: &Tree, options: &ReadOptions, file: &str) -> Result<Self> {
        let stamp = tree.stamp(file)?.ok_or_else(|| {
            Error::new(Code::NotFound, "the file does not exist").with("file", file)
        })?;
        let format = options.format.or_else(|| Format::of_name(file)).ok_or_else(|| {
            if is_foreign_packing(file) {
                return Error::new(Code::Unsupported, "a file compressed like this is not read")
                    .with("file", file)
                    .hint("Unpack it first, or pack text with gzip or zstd.");
            }
            Error::new(Code::UrlInvalid, "the file's format is not known by its name")
                .with("file", file)
                .hint("Add ?format=csv, jsonl, parquet or arrow to the address.")
        })?;
        let table = Listed {
            name: TableName::plain(stem_of(file)),
            files: vec![DataFile { path: file.to_string(), format, stamp, keys: Vec::new() }],
            keys: Vec::new(),
            described: None,
        };
        Ok(Self { tables: vec![table], ..Self::default() })
    }

    /// Every data file in the root is a table, every folder of data files is one.
    fn find_tables(&mut self, tree: &Tree, options: &ReadOptions) -> Result<()> {
        let root = tree.list("")?.unwrap_or_default();
        let mut found: BTreeMap<String, Vec<DataFile>> = BTreeMap::new();
        for item in root.iter().filter(|item| !is_hidden(&item.name)) {
            let (name, files) = if item.folder && item.readable {
                (item.name.clone(), self.table_folder(tree, options, &item.name)?)
            } else {
                let stem = stem_of(&item.name).to_string();
                (stem, self.data_file(options, "", item).into_iter().collect())
            };
            if files.is_empty() {
                continue;
            }
            if let Some(other) = found.insert(name.clone(), files) {
                return Err(Error::new(Code::SourceUnreadable, "two files claim one table name")
                    .with("table", name)
                    .with("one", other.first().map(|file| file.path.clone()).unwrap_or_default())
                    .with("other", item.name.clone())
                    .hint("Choose one with ?format=…, or rename one of them."));
            }
        }
        for (name, files) in found {
            let keys = key_columns(&files)?;
            self.tables.push(Listed { name: TableName::plain(name), files, keys, described: None });
        }
        Ok(())
    }

    fn table_folder(
        &mut self,
        tree: &Tree,
        options: &ReadOptions,
        folder: &str,
    ) -> Result<Vec<DataFile>> {
        let files = self.folder_files(tree, options, folder, &[])?;
        let formats: BTreeSet<&str> = files.iter().map(|file| file.format.extension()).collect();
        if formats.len() > 1 {
            return Err(Error::new(
                Code::SourceUnreadable,
                "a folder has files of several formats",
            )
            .with("folder", folder)
            .with("formats", formats.into_iter().collect::<Vec<_>>().join(", "))
            .hint("Choose one with ?format=…."));
        }
        Ok(files)
    }

    /// The data files of a folder and of those in it that are keys.
    fn folder_files(
        &mut self,
        tree: &Tree,
        options: &ReadOptions,
        folder: &str,
        keys: &[Key],
    ) -> Result<Vec<DataFile>> {
        let mut files = Vec::new();
        for item in tree.list(folder)?.unwrap_or_default() {
            let inner = item.folder && item.readable && !options.flat;
            let key = if inner { Key::of_name(&item.name)? } else { None };
            if let Some(key) = key {
                let path = join(folder, &item.name);
                let keys = key.below(keys, &path)?;
                files.extend(self.folder_files(tree, options, &path, &keys)?);
            } else if is_hidden(&item.name) {
                continue;
            } else if item.folder {
                let reason = "only files directly in the folder of a table are read".to_string();
                self.not_moved.push(NotMoved {
                    kind: "folder".to_string(),
                    name: join(folder, &item.name),
                    reason,
                });
            } else if let Some(file) = self.data_file(options, folder, &item) {
                files.push(DataFile { keys: keys.to_vec(), ..file });
            }
        }
        Ok(files)
    }

    /// The data file that an item is; notes what it is instead when people should know.
    fn data_file(&mut self, options: &ReadOptions, folder: &str, item: &Item) -> Option<DataFile> {
        let path = join(folder, &item.name);
        let mut note = |reason: &str| {
            let reason = reason.to_string();
            self.not_moved.push(NotMoved { kind: "file".to_string(), name: path.clone(), reason });
        };
        if !item.readable {
            note("its name is not UTF-8, or it is a link to nothing");
            return None;
        }
        if is_foreign_packing(&item.name) {
            note("files compressed like this are not read; unpack it first");
            return None;
        }
        let format = Format::of_name(&item.name)?;
        if options.format.is_some_and(|wanted| wanted != format) {
            return None;
        }
        if item.stamp.size == 0 {
            note("the file is empty: it has no columns");
            return None;
        }
        Some(DataFile { path, format, stamp: item.stamp, keys: Vec::new() })
    }
}

/// The data files in a table's folder: those of the manifest in its order, then any other. A file
/// of the manifest that is gone is left out; a study refuses the table then.
fn described_files(tree: &Tree, described: &Described) -> Result<Vec<DataFile>> {
    let mut present = table_files(tree, &described.folder)?;
    let order: BTreeMap<&str, usize> =
        described.files.iter().enumerate().map(|(i, file)| (file.name.as_str(), i)).collect();
    present.sort_by_key(|file| {
        let name = file.path.rsplit('/').next().unwrap_or_default();
        order.get(name).copied().unwrap_or(usize::MAX)
    });
    Ok(present)
}

/// Every data file in a table's folder, by name.
pub(crate) fn table_files(tree: &Tree, folder: &str) -> Result<Vec<DataFile>> {
    let items = tree.list(folder)?.unwrap_or_default();
    Ok(items
        .into_iter()
        .filter(|item| !item.folder && item.readable && !is_hidden(&item.name))
        .filter_map(|item| {
            let format = Format::of_name(&item.name)?;
            let path = join(folder, &item.name);
            Some(DataFile { path, format, stamp: item.stamp, keys: Vec::new() })
        })
        .collect())
}

fn is_hidden(name: &str) -> bool {
    name.starts_with(['.', '_'])
}

/// Whether it is a data file in a wrapping that is not read.
fn is_foreign_packing(name: &str) -> bool {
    Format::of_name(name).is_none()
        && name.rsplit_once('.').is_some_and(|(stem, extension)| {
            matches!(extension, "gz" | "zst" | "bz2" | "xz" | "lz4")
                && Format::of_name(stem).is_some()
        })
}
