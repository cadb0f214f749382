//! The end of a load: its tables go into the manifest.

use std::collections::{BTreeMap, BTreeSet};

use longshore_model::catalog::TableName;
use longshore_model::ledger::Entry;
use longshore_model::plan::MovePlan;
use longshore_model::{Code, Error, Result, failpoint};

use crate::listing::{DataFile, table_files};
use crate::load::{Claim, structure};
use crate::manifest::{Described, DescribedFile, Manifest, Programs};
use crate::range::FileRange;
use crate::target::MANIFEST;
use crate::tree::Tree;

/// Writes the manifest: tables of other loads as they were, those of this one with every chunk.
pub(crate) fn describe_load(claim: &Claim, plan: &MovePlan) -> Result<()> {
    let tree = &claim.tree;
    let journal = claim.journal()?;
    let entries = journal.entries(tree)?;
    let older = Manifest::read(tree)?;
    let programs: Programs = match plan.finish.iter().find(|s| s.purpose == MANIFEST) {
        Some(statement) => serde_json::from_str(&statement.sql).map_err(|error| {
            Error::new(Code::SpecInvalid, "the plan's manifest is not valid").because(error)
        })?,
        None => Programs::default(),
    };
    let mut tables: Vec<Described> = Vec::new();
    for (index, table) in plan.tables.iter().enumerate() {
        let folder = &journal.place(index)?.folder;
        let known = older.as_ref().and_then(|older| older.table(&table.target));
        let mut structure = known.map_or_else(|| structure(table), |known| known.structure.clone());
        structure.name = table.target.clone();
        let files =
            describe_files(tree, folder, known, entries.iter().filter(|e| e.table == index))?;
        let dialect = known.map_or(&programs.dialect, |known| &known.dialect).clone();
        tables.push(Described { folder: folder.to_string(), dialect, structure, files });
    }
    let ours: BTreeSet<&TableName> = plan.tables.iter().map(|table| &table.target).collect();
    let mut all = programs;
    if let Some(older) = older {
        let others = older.tables.into_iter().filter(|t| !ours.contains(&t.structure.name));
        tables.extend(others);
        merge_programs(&mut all, older.programs);
    }
    failpoint::hit("files.before-manifest")?;
    Manifest::new(tables, all).write(tree)?;
    failpoint::hit("files.after-manifest")
}

/// Views and triggers of older loads stay, unless this one brings its own of that name.
fn merge_programs(programs: &mut Programs, older: Programs) {
    if programs.items.is_empty() && programs.dialect != older.dialect && !older.items.is_empty() {
        *programs = older;
        return;
    }
    if programs.dialect == older.dialect {
        let known: BTreeSet<String> = programs.items.iter().map(|p| p.name.clone()).collect();
        let kept = older.items.into_iter().filter(|program| !known.contains(&program.name));
        programs.items = kept.chain(std::mem::take(&mut programs.items)).collect();
    }
}

/// The files of a table: older ones with what was known of them, then those of the entries.
fn describe_files<'a>(
    tree: &Tree,
    folder: &str,
    known: Option<&Described>,
    entries: impl Iterator<Item = &'a Entry>,
) -> Result<Vec<DescribedFile>> {
    let mut written = BTreeMap::new();
    for entry in entries {
        if let Some(range) = &entry.range {
            written.insert(FileRange::parse(range)?.file, entry.fingerprint);
        }
    }
    let before: BTreeMap<&str, &DescribedFile> =
        known.iter().flat_map(|k| &k.files).map(|file| (file.name.as_str(), file)).collect();
    let describe = |file: DataFile| {
        let name = file.path.rsplit('/').next().unwrap_or_default().to_string();
        let of_entry = written.get(&file.path).copied();
        let of_before = || before.get(name.as_str()).and_then(|file| file.fingerprint);
        let fingerprint = of_entry.or_else(of_before);
        DescribedFile { name, bytes: file.stamp.size, fingerprint }
    };
    Ok(table_files(tree, folder)?.into_iter().map(describe).collect())
}
