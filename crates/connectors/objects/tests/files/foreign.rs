//! Files that other tools wrote.

use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;

use arrow_array::types::{ArrowPrimitiveType, Float16Type, Int32Type};
use arrow_array::{self as a, ArrayRef, RecordBatch};
use arrow_ipc::writer::{FileWriter, StreamWriter};
use longshore_model::connector::{Connector, ReadRequest, StudyRequest};
use longshore_model::{Code, Endpoint, LogicalType};
use longshore_objects::connector;
use parquet::arrow::ArrowWriter;
use parquet::data_type::{Int96, Int96Type};
use parquet::file::writer::SerializedFileWriter;

use crate::session::{drain, read_table, source};

pub(crate) fn write(path: &Path, columns: Vec<(&str, ArrayRef)>) {
    let nullable = columns.into_iter().map(|(name, array)| (name, array, true));
    let batch = RecordBatch::try_from_iter_with_nullable(nullable).expect("a batch");
    let file = File::create(path).expect("a file");
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("parquet") => {
            let mut writer = ArrowWriter::try_new(file, batch.schema(), None).expect("a writer");
            writer.write(&batch).expect("rows");
            writer.close().expect("a file");
        }
        Some("arrows") => {
            let mut writer = StreamWriter::try_new(file, &batch.schema()).expect("a writer");
            writer.write(&batch).expect("rows");
            writer.finish().expect("a stream");
        }
        _ => {
            let mut writer = FileWriter::try_new(file, &batch.schema()).expect("a writer");
            writer.write(&batch).expect("rows");
            writer.finish().expect("a file");
        }
    }
}

fn half(value: f32) -> <Float16Type as ArrowPrimitiveType>::Native {
    <Float16Type as ArrowPrimitiveType>::Native::from_f32(value)
}

#[tokio::test(flavor = "multi_thread")]
async fn foreign_arrow_types_are_read_exactly() {
    let folder = tempfile::tempdir().expect("a folder");
    let dictionary: a::DictionaryArray<Int32Type> = [Some("x"), None].into_iter().collect();
    let list = a::ListArray::from_iter_primitive::<Int32Type, _, _>([Some([Some(1)]), None]);
    let fixed = a::FixedSizeBinaryArray::try_from_sparse_iter_with_size(
        [Some([1_u8, 2, 255]), None].into_iter(),
        3,
    );
    let columns: Vec<Expected<'_>> = vec![
        ("large", Arc::new(a::LargeStringArray::from(vec![Some("ä"), None])), "text", "ä"),
        ("view", Arc::new(a::StringViewArray::from(vec![Some("v"), None])), "text", "v"),
        ("dictionary", Arc::new(dictionary), "text", "x"),
        (
            "blob",
            Arc::new(a::LargeBinaryArray::from_opt_vec(vec![Some(b"\0"), None])),
            "bytes",
            "\\x00",
        ),
        ("fixed", Arc::new(fixed.expect("bytes")), "bytes", "\\x0102ff"),
        (
            "s",
            Arc::new(a::TimestampSecondArray::from(vec![Some(-1), None])),
            "timestamp(us)",
            "1969-12-31 23:59:59",
        ),
        (
            "ms",
            Arc::new(
                a::TimestampMillisecondArray::from(vec![Some(1500), None]).with_timezone("UTC"),
            ),
            "timestamptz(us)",
            "1970-01-01 00:00:01.5Z",
        ),
        (
            "zoned",
            Arc::new(
                a::TimestampMicrosecondArray::from(vec![Some(0), None]).with_timezone("+02:00"),
            ),
            "timestamptz(us)",
            "1970-01-01 00:00:00Z",
        ),
        (
            "t32",
            Arc::new(a::Time32MillisecondArray::from(vec![Some(61_001), None])),
            "time(us)",
            "00:01:01.001",
        ),
        (
            "d64",
            Arc::new(a::Date64Array::from(vec![Some(86_400_000), None])),
            "timestamp(us)",
            "1970-01-02 00:00:00",
        ),
        ("f16", Arc::new(a::Float16Array::from(vec![Some(half(1.5)), None])), "float32", "1.5"),
        (
            "d256",
            Arc::new(
                a::Decimal256Array::from(vec![Some(150.into()), None])
                    .with_precision_and_scale(38, 2)
                    .expect("a decimal"),
            ),
            "decimal(38,2)",
            "1.50",
        ),
        (
            "bytes",
            Arc::new(a::BinaryViewArray::from(vec![Some(&b"\0"[..]), None])),
            "bytes",
            "\\x00",
        ),
        (
            "dec",
            Arc::new(
                a::Decimal64Array::from(vec![Some(-150), None])
                    .with_precision_and_scale(10, 2)
                    .expect("a decimal"),
            ),
            "decimal(10,2)",
            "-1.50",
        ),
        ("null", Arc::new(a::NullArray::new(2)), "text", ""),
        ("list", Arc::new(list), "", ""),
    ];
    for name in ["t.parquet", "t.arrow", "t.feather", "t.arrows"] {
        let path = folder.path().join(name);
        write(&path, columns.iter().map(|(name, array, ..)| (*name, array.clone())).collect());
        check(folder.path(), &columns).await;
        fs::remove_file(path).expect("a file");
    }
}

/// Column by column: its name, its values, the type and the first value as longshore has them.
type Expected<'a> = (&'a str, ArrayRef, &'a str, &'a str);

/// The last column has a type that is refused.
async fn check(folder: &Path, columns: &[Expected<'_>]) {
    let source = source(folder).await;
    let catalog = source.catalog().await.expect("a catalog");
    for ((name, _, ty, _), column) in columns.iter().zip(&catalog.tables[0].columns) {
        match &column.logical {
            LogicalType::Opaque { system, .. } => {
                assert_eq!((*name, system.as_str()), ("list", "arrow"))
            }
            found => assert_eq!(found.to_string(), *ty, "{name}"),
        }
    }
    let refused = read_table(&*source, "t", &[]).await.expect_err("a list");
    assert_eq!(refused.code(), Code::TypeUnsupported);
    assert!(refused.to_string().contains("column: list"), "{refused}");
    let rows = read_table(&*source, "t", &["list"]).await.expect("rows");
    let readable = &columns[..columns.len() - 1];
    let expected: Vec<&str> = readable.iter().map(|(.., text)| *text).collect();
    assert_eq!(rows[0], expected);
    assert!(rows[1].iter().all(String::is_empty), "NULLs");
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_files_are_refused_by_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("t.parquet");
    let numbers: ArrayRef = Arc::new(a::Int64Array::from_iter_values(0..50_000));
    write(&path, vec![("n", numbers)]);
    let whole = fs::read(&path).expect("a file");
    let mut flipped = whole.clone();
    flipped[whole.len() / 3..whole.len() / 2].fill(0xA5);
    for (what, content) in
        [("cut", &whole[..whole.len() / 2]), ("short", &b"PAR1"[..]), ("flipped", &flipped[..])]
    {
        fs::write(&path, content).expect("a file");
        let source = source(folder.path()).await;
        let result = match source.catalog().await {
            Ok(_) => read_table(&*source, "t", &[]).await.map(|rows| rows.len()),
            Err(error) => Err(error),
        };
        // Bytes without checksum may decode to other numbers; a crash or a hang they never are.
        match result {
            Ok(rows) => assert_eq!((what, rows), ("flipped", 50_000)),
            Err(error) => {
                assert_eq!(error.code(), Code::SourceUnreadable, "{what}: {error:?}");
                assert!(error.to_string().contains("t.parquet"), "{error}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_one_table_must_agree() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("t")).expect("a folder");
    let number: ArrayRef = Arc::new(a::Int64Array::from(vec![1]));
    let text: ArrayRef = Arc::new(a::StringArray::from(vec!["1"]));
    write(&folder.path().join("t/a.parquet"), vec![("n", number.clone())]);
    for columns in [vec![("n", text.clone())], vec![("n", number.clone()), ("m", text)]] {
        write(&folder.path().join("t/b.parquet"), columns);
        let source = source(folder.path()).await;
        let error = read_table(&*source, "t", &[]).await.expect_err("two shapes");
        assert_eq!(error.code(), Code::SourceUnreadable);
        assert!(error.to_string().contains("t/a.parquet"), "{error}");
        assert!(error.to_string().contains("t/b.parquet"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn text_files_get_types_and_odd_files_are_reported() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("people.csv"), "id,zip,born\n1,007,2000-01-01\n2,,\n")
        .expect("a file");
    fs::write(folder.path().join("log.jsonl"), "{\"n\":1}\n{\"n\":null,\"x\":{}}\n")
        .expect("a file");
    fs::write(folder.path().join("empty.csv"), "").expect("a file");
    fs::write(folder.path().join("old.csv.bz2"), "x").expect("a file");
    fs::write(folder.path().join("README.md"), "x").expect("a file");
    let source = source(folder.path()).await;
    let catalog = source.catalog().await.expect("a catalog");
    let names: Vec<_> = catalog.tables.iter().map(|table| table.name.to_string()).collect();
    assert_eq!(names, ["log", "people"]);
    let left: Vec<_> = catalog.not_moved.iter().map(|left| left.name.as_str()).collect();
    assert_eq!(left, ["empty.csv", "old.csv.bz2"]);
    let rows = read_table(&*source, "people", &[]).await.expect("rows");
    assert_eq!(rows, [["1", "007", "2000-01-01"], ["2", "", ""]]);
    let rows = read_table(&*source, "log", &[]).await.expect("rows");
    assert_eq!(rows, [["1", ""], ["", "{}"]]);
    for (name, code) in [("old.csv.bz2", Code::Unsupported), ("README.md", Code::UrlInvalid)] {
        let address = format!("file:{}/{name}", folder.path().display());
        let endpoint = Endpoint::parse(&address).expect("an address");
        let source = connector().open_source(&endpoint).await.expect("a source");
        assert_eq!(source.catalog().await.expect_err(name).code(), code);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_file_is_noticed_while_it_is_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("t.csv");
    fs::write(&path, "n\n1\n").expect("a file");
    let source = source(folder.path()).await;
    let snapshot = source.snapshot(1).await.expect("a snapshot");
    fs::write(&path, "n\n1\n2\n").expect("a file");
    assert_ne!(snapshot.current_position().await.expect("a position"), *snapshot.position());
    let request = ReadRequest {
        table: longshore_model::catalog::TableName::plain("t"),
        columns: vec![("n".to_string(), LogicalType::INT64)],
        filter: None,
        range: None,
        wire: None,
        batch_bytes: 1 << 20,
    };
    let reader = snapshot.read(&request).await.expect("a reader");
    assert_eq!(drain(reader).await.expect_err("changed").code(), Code::SourceChanged);
}

#[tokio::test(flavor = "multi_thread")]
async fn repeated_large_texts_do_not_break_the_bound_of_a_batch() {
    let folder = tempfile::tempdir().expect("a folder");
    let large = "x".repeat(20_000);
    let texts: ArrayRef = Arc::new(a::StringArray::from(vec![large.as_str(); 3000]));
    let codes: a::DictionaryArray<Int32Type> = vec![large.as_str(); 3000].into_iter().collect();
    let codes: ArrayRef = Arc::new(codes);
    for (name, texts) in [("t.parquet", &texts), ("t.arrow", &texts), ("t.arrow", &codes)] {
        let path = folder.path().join(name);
        write(&path, vec![("s", texts.clone())]);
        check_bound(folder.path()).await;
        fs::remove_file(path).expect("a file");
    }
}

async fn check_bound(folder: &Path) {
    let source = source(folder).await;
    let snapshot = source.snapshot(1).await.expect("a snapshot");
    let request = ReadRequest {
        table: longshore_model::catalog::TableName::plain("t"),
        columns: vec![("s".to_string(), LogicalType::Text)],
        filter: None,
        range: None,
        wire: None,
        batch_bytes: 100_000,
    };
    let batches = drain(snapshot.read(&request).await.expect("a reader")).await.expect("rows");
    assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 3000);
    for batch in &batches {
        let size = batch.get_array_memory_size();
        assert!(size <= 200_000 || batch.num_rows() == 1, "{size} bytes");
    }
}

/// A file with one column of timestamps of 96 bits, each a Julian day and nanoseconds in it.
fn write_int96(path: &Path, values: &[(u64, u32)]) {
    let schema = "message m { required int96 at; }";
    let schema = Arc::new(parquet::schema::parser::parse_message_type(schema).expect("a schema"));
    let values: Vec<Int96> = values
        .iter()
        .map(|(nanoseconds, day)| {
            let word = |shift: u32| u32::try_from(nanoseconds >> shift & 0xffff_ffff);
            let mut value = Int96::new();
            value.set_data(word(0).expect("a word"), word(32).expect("a word"), *day);
            value
        })
        .collect();
    let file = File::create(path).expect("a file");
    let mut writer = SerializedFileWriter::new(file, schema, Default::default()).expect("a writer");
    let mut group = writer.next_row_group().expect("a row group");
    let mut column = group.next_column().expect("a column").expect("the only one");
    column.typed::<Int96Type>().write_batch(&values, None, None).expect("values");
    column.close().expect("a column");
    group.close().expect("a row group");
    writer.close().expect("a file");
}

#[tokio::test(flavor = "multi_thread")]
async fn timestamps_of_96_bits_are_read_exactly_or_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("t.parquet");
    write_int96(&path, &[(1, 2_440_588), (85_636_854_775_807, 2_547_339)]);
    let rows = read_table(source(folder.path()).await.as_ref(), "t", &[]).await.expect("rows");
    let text = |text: &str| vec![text.to_string()];
    assert_eq!(
        rows,
        [text("1970-01-01 00:00:00.000000001"), text("2262-04-11 23:47:16.854775807")]
    );

    write_int96(&path, &[(1, 2_440_588), (0, 2_086_308)]);
    let opened = source(folder.path()).await;
    let catalog = opened.catalog().await.expect("a catalog");
    let columns = ["at".to_string()];
    let table = catalog.tables.first().expect("a table");
    let request = StudyRequest {
        table,
        columns: &columns,
        filter: None,
        chunk_bytes: 1 << 20,
        decoded: true,
    };
    let error = opened.study(&request).await.expect_err("the year 1000 does not fit");
    assert_eq!(error.code(), Code::ValueInvalid);
}
