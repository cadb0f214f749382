//! Tables in folders whose names are values of columns.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{self as a, ArrayRef};
use longshore_model::connector::{Connector, ReadRequest, Source, StudyRequest};
use longshore_model::{Code, Endpoint, LogicalType};
use longshore_objects::connector;

use crate::foreign::write;
use crate::session::{Rows, drain, read_table, source, texts};

const FILES: [&str; 5] = ["a.parquet", "a.arrow", "a.csv", "a.csv.zst", "a.jsonl"];

/// A file with one column `n` of numbers.
fn put(root: &Path, path: &str, numbers: &[i64]) {
    put_column(root, path, "n", numbers);
}

fn put_column(root: &Path, path: &str, column: &str, numbers: &[i64]) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    let line = |number: &i64| match path.extension() {
        Some(jsonl) if jsonl == "jsonl" => format!("{{\"{column}\":{number}}}\n"),
        _ => format!("{number}\n"),
    };
    let lines: String = numbers.iter().map(line).collect();
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("jsonl") => fs::write(path, lines).expect("a file"),
        Some("csv") => fs::write(path, format!("{column}\n{lines}")).expect("a file"),
        Some("zst") => {
            let packed = zstd::encode_all(format!("{column}\n{lines}").as_bytes(), 0);
            fs::write(path, packed.expect("a frame")).expect("a file");
        }
        _ => {
            let numbers: ArrayRef = Arc::new(a::Int64Array::from(numbers.to_vec()));
            write(&path, vec![(column, numbers)]);
        }
    }
}

/// A table of three files.
fn dataset(root: &Path, file: &str) {
    put(root, &format!("t/year=2023/month=01/{file}"), &[1, 2]);
    put(root, &format!("t/year=2023/month=12/{file}"), &[3]);
    put(root, &format!("t/year=__HIVE_DEFAULT_PARTITION__/month=a%2Fb/{file}"), &[4]);
}

/// Some columns of the rows that meet a condition, and how many rows the study counts.
async fn select(source: &dyn Source, columns: &[&str], filter: Option<&str>) -> (Rows, u64) {
    let catalog = source.catalog().await.expect("a catalog");
    let table = &catalog.tables[0];
    let columns: Vec<String> = columns.iter().map(|name| name.to_string()).collect();
    let request =
        StudyRequest { table, columns: &columns, filter, chunk_bytes: 1 << 20, decoded: true };
    let study = source.study(&request).await.expect("a study");
    let snapshot = source.snapshot(1).await.expect("a snapshot");
    let mut rows = Rows::new();
    for chunk in &study.chunks {
        let request = ReadRequest {
            table: table.name.clone(),
            columns: columns.iter().cloned().zip(study.types.iter().cloned()).collect(),
            filter: filter.map(str::to_string),
            range: Some(chunk.range.clone()),
            wire: None,
            batch_bytes: 1 << 20,
        };
        for batch in drain(snapshot.read(&request).await.expect("a reader")).await.expect("rows") {
            rows.extend(texts(&batch));
        }
    }
    (rows, study.chunks.iter().map(|chunk| chunk.rows).sum())
}

#[tokio::test(flavor = "multi_thread")]
async fn folders_are_columns_in_every_format() {
    for file in FILES {
        let folder = tempfile::tempdir().expect("a folder");
        dataset(folder.path(), file);
        let source = source(folder.path()).await;
        let catalog = source.catalog().await.expect("a catalog");
        let names: Vec<&str> =
            catalog.tables[0].columns.iter().map(|column| column.name.as_str()).collect();
        assert_eq!(names, ["n", "year", "month"], "{file}");
        assert_eq!(catalog.tables[0].columns[1].logical, LogicalType::INT64);
        let rows = read_table(&*source, "t", &[]).await.expect("rows");
        let expected =
            [["1", "2023", "01"], ["2", "2023", "01"], ["3", "2023", "12"], ["4", "", "a/b"]];
        assert_eq!(rows, expected, "{file}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn conditions_and_choices_of_columns_see_them_as_any_other() {
    for file in FILES {
        let folder = tempfile::tempdir().expect("a folder");
        dataset(folder.path(), file);
        let source = source(folder.path()).await;
        let (rows, count) = select(&*source, &["month", "year"], None).await;
        assert_eq!((rows[2].as_slice(), count), (&["12".to_string(), "2023".to_string()][..], 4));
        let filter = Some("year = 2023 AND n > 1");
        let (rows, count) = select(&*source, &["month", "n"], filter).await;
        assert_eq!((rows, count), ([["01", "2"], ["12", "3"]].map(owned).to_vec(), 2), "{file}");
        let (rows, _) = select(&*source, &["n"], Some("year IS NULL")).await;
        assert_eq!(rows, [["4"]], "{file}");
        let (rows, _) = select(&*source, &["month"], Some("month = '12'")).await;
        assert_eq!(rows, [["12"]], "{file}");
    }
}

fn owned(row: [&str; 2]) -> Vec<String> {
    row.map(str::to_string).to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_folders_and_files_both_say_or_not_all_say_is_refused() {
    for (files, named) in [
        (&[("t/n=1/a.csv", "n")][..], "column: n"),
        (&[("t/year=1/a.parquet", "year")], "t/year=1/a.parquet"),
        (&[("t/year=1/a.csv", "n"), ("t/a.csv", "n")], "t/year=1/a.csv"),
        (&[("t/year=1/a.csv", "n"), ("t/month=1/a.csv", "n")], "t/month=1/a.csv"),
        (&[("t/a=1/b=1/x.csv", "n"), ("t/b=1/a=1/x.csv", "n")], "t/b=1/a=1/x.csv"),
        (&[("t/a=1/a=2/x.csv", "n")], "t/a=1/a=2"),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        for (path, column) in files {
            put_column(folder.path(), path, column, &[1]);
        }
        let error = source(folder.path()).await.catalog().await.expect_err(named);
        assert_eq!(error.code(), Code::SourceUnreadable, "{error:?}");
        assert!(error.to_string().contains(named), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_later_file_may_not_hold_the_column_either() {
    let folder = tempfile::tempdir().expect("a folder");
    put(folder.path(), "t/year=1/a.jsonl", &[1]);
    put_column(folder.path(), "t/year=2/a.jsonl", "year", &[1]);
    source(folder.path()).await.catalog().await.expect_err("both say it");
}

#[tokio::test(flavor = "multi_thread")]
async fn ordinary_folders_stay_out_and_the_option_makes_all_ordinary() {
    let folder = tempfile::tempdir().expect("a folder");
    put(folder.path(), "t/a.csv", &[1]);
    put(folder.path(), "t/archive/a.csv", &[2]);
    put(folder.path(), "t/.year=1/a.csv", &[3]);
    let opened = source(folder.path()).await;
    assert_eq!(read_table(&*opened, "t", &[]).await.expect("rows"), [["1"]]);
    put(folder.path(), "t/year=1/a.csv", &[4]);
    let address = format!("file:{}?hive=false", folder.path().display());
    let endpoint = Endpoint::parse(&address).expect("an address");
    let flat = connector().open_source(&endpoint).await.expect("a source");
    assert_eq!(read_table(&*flat, "t", &[]).await.expect("rows"), [["1"]]);
    let catalog = flat.catalog().await.expect("a catalog");
    let left: Vec<&str> = catalog.not_moved.iter().map(|left| left.name.as_str()).collect();
    assert_eq!(left, ["t/archive", "t/year=1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_is_no_longer_of_the_planned_type_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    put(folder.path(), "t/year=2023/a.csv", &[1]);
    fs::rename(folder.path().join("t/year=2023"), folder.path().join("t/year=none"))
        .expect("another name");
    let source = source(folder.path()).await;
    let snapshot = source.snapshot(1).await.expect("a snapshot");
    let request = ReadRequest {
        table: longshore_model::catalog::TableName::plain("t"),
        columns: vec![("year".to_string(), LogicalType::INT64)],
        filter: None,
        range: None,
        wire: None,
        batch_bytes: 1 << 20,
    };
    let reader = snapshot.read(&request).await.expect("a reader");
    let error = drain(reader).await.expect_err("no number");
    assert_eq!(error.code(), Code::SourceChanged);
    assert!(!format!("{error:?}").contains("\"none\""), "{error:?}");
}
