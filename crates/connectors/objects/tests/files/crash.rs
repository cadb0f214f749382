//! What a crash can leave behind, and what the next run makes of it.

use std::fs;
use std::path::Path;

use longshore_model::Code;
use longshore_model::connector::Preparation;
use longshore_model::ledger::Stage;

use crate::session::{begin, claim, copy, finish, plan, read_table, source, target};

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_without_entry_is_written_again_and_temporaries_vanish() {
    let folder = tempfile::tempdir().expect("a folder");
    let target = target(folder.path()).await;
    let plan = plan(&*target, 2);
    let load = claim(&*target).await;
    begin(&*load, "one", &plan, Preparation::Create).await;
    copy(&*load, &plan, 0, 1).await;
    copy(&*load, &plan, 1, 2).await;
    drop(load);
    // As after a crash between rename and entry, and one in the middle of a file.
    fs::remove_file(folder.path().join(".longshore/entries-0/0-1.json")).expect("an entry");
    for left in ["t/.tmp-9-9-part-00001.parquet", ".tmp-9-9-longshore.json"] {
        fs::write(folder.path().join(left), "half").expect("a file");
    }
    let load = claim(&*target).await;
    let ledger = target.ledger().await.expect("a ledger").expect("one is there");
    assert_eq!(ledger.entries.len(), 1);
    assert!(ledger.has(Stage::Prepared));
    copy(&*load, &plan, 1, 3).await;
    finish(&*load, &plan).await;
    drop(load);
    assert_eq!(names(&folder.path().join("t")), ["part-00000.parquet", "part-00001.parquet"]);
    assert_eq!(names(folder.path()), [".longshore", "longshore.json", "t"]);
    let rows = read_table(&*source(folder.path()).await, "t", &[]).await.expect("rows");
    assert_eq!(rows, [["1"], ["3"]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_beginning_that_was_cut_short_is_repeated() {
    let folder = tempfile::tempdir().expect("a folder");
    let target = target(folder.path()).await;
    let plan = plan(&*target, 1);
    let load = claim(&*target).await;
    begin(&*load, "one", &plan, Preparation::Create).await;
    copy(&*load, &plan, 0, 1).await;
    finish(&*load, &plan).await;
    drop(load);
    // As after a crash before the second run's stage was marked: the new header is there, the
    // older entries too.
    let path = folder.path().join(".longshore/ledger.json");
    let mut ledger: serde_json::Value =
        serde_json::from_slice(&fs::read(&path).expect("a ledger")).expect("JSON");
    ledger["generation"] = 1.into();
    ledger["stages"] = serde_json::json!([]);
    fs::write(&path, ledger.to_string()).expect("a ledger");
    let found = target.ledger().await.expect("a ledger").expect("one is there");
    assert_eq!((found.entries.len(), found.stages.len()), (0, 0));
    let existing = target.existing(&[plan.tables[0].target.clone()]).await.expect("existing");
    assert!(existing[0].has_rows);
    let load = claim(&*target).await;
    begin(&*load, "two", &plan, Preparation::Recreate).await;
    copy(&*load, &plan, 0, 7).await;
    finish(&*load, &plan).await;
    drop(load);
    let rows = read_table(&*source(folder.path()).await, "t", &[]).await.expect("rows");
    assert_eq!(rows, [["7"]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unfinished_load_is_no_source_and_a_lost_file_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let target = target(folder.path()).await;
    let plan = plan(&*target, 2);
    let load = claim(&*target).await;
    begin(&*load, "one", &plan, Preparation::Create).await;
    copy(&*load, &plan, 0, 1).await;
    let early = read_table(&*source(folder.path()).await, "t", &[]).await;
    assert_eq!(early.expect_err("not complete").code(), Code::SourceUnreadable);
    copy(&*load, &plan, 1, 2).await;
    finish(&*load, &plan).await;
    drop(load);
    fs::remove_file(folder.path().join("t/part-00001.parquet")).expect("a file");
    let error = read_table(&*source(folder.path()).await, "t", &[]).await.expect_err("lost");
    assert!(error.to_string().contains("t/part-00001.parquet"), "{error}");
    let ledger = target.ledger().await.expect("a ledger").expect("one is there");
    let parts = target.parts(&[(0, &plan.tables[0])], &ledger).await.expect("parts").remove(0);
    assert_eq!(parts.len(), 1, "the lost part is left out, for verify to miss it");
}

#[tokio::test(flavor = "multi_thread")]
async fn appending_keeps_older_files_foreign_files_and_structure() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("notes.txt"), "mine").expect("a file");
    let target = target(folder.path()).await;
    let plan = plan(&*target, 1);
    for (run, number) in [("one", 1), ("two", 2), ("three", 3)] {
        let load = claim(&*target).await;
        let how = if number == 1 { Preparation::Create } else { Preparation::Keep };
        begin(&*load, run, &plan, how).await;
        copy(&*load, &plan, 0, number).await;
        if number == 2 {
            load.reset_table(0, &plan.tables[0]).await.expect("reset");
            copy(&*load, &plan, 0, number).await;
        }
        finish(&*load, &plan).await;
    }
    let source = source(folder.path()).await;
    let mut rows = read_table(&*source, "t", &[]).await.expect("rows");
    rows.sort();
    assert_eq!(rows, [["1"], ["2"], ["3"]]);
    let catalog = source.catalog().await.expect("a catalog");
    assert_eq!(catalog.dialect, "sqlite");
    assert_eq!(catalog.tables[0].primary_key, ["n"]);
    assert!(catalog.tables[0].native.is_some());
    assert_eq!(fs::read(folder.path().join("notes.txt")).expect("a file"), b"mine");
}
