//! Arrow files, as they should be and as they should not.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{self as a, ArrayRef, RecordBatch};
use arrow_ipc::reader::FileReader;
use arrow_ipc::writer::{DictionaryHandling, FileWriter, IpcWriteOptions, StreamWriter};
use arrow_ipc::{CompressionType, MetadataVersion};
use longshore_model::connector::{Connector, Preparation, ReadRequest, StudyRequest};
use longshore_model::{Code, Endpoint, Result};
use longshore_objects::connector;

use crate::session::{Rows, begin, claim, copy, drain, finish, plan, read_table, source, texts};

/// Numbers, texts, views of texts and a dictionary.
fn batch(words: &[&str]) -> RecordBatch {
    let numbers: ArrayRef = Arc::new(a::Int64Array::from_iter_values(0..words.len() as i64));
    let texts: ArrayRef = Arc::new(a::StringArray::from_iter(
        words.iter().map(|word| (!word.is_empty()).then_some(*word)),
    ));
    let long: Vec<String> = words.iter().map(|word| format!("{word} as a long text")).collect();
    let views: ArrayRef = Arc::new(a::StringViewArray::from_iter_values(&long));
    let codes: a::DictionaryArray<Int32Type> = words.iter().copied().collect();
    let columns = [("n", numbers), ("s", texts), ("v", views), ("d", Arc::new(codes) as ArrayRef)];
    RecordBatch::try_from_iter_with_nullable(
        columns.into_iter().map(|(name, array)| (name, array, true)),
    )
    .expect("a batch")
}

fn options(compression: Option<CompressionType>) -> IpcWriteOptions {
    IpcWriteOptions::try_new(8, false, MetadataVersion::V5)
        .and_then(|options| options.try_with_compression(compression))
        .expect("options")
        .with_dictionary_handling(DictionaryHandling::Delta)
}

fn file(batches: &[RecordBatch], compression: Option<CompressionType>) -> Vec<u8> {
    let schema = batches[0].schema();
    let mut writer = FileWriter::try_new_with_options(Vec::new(), &schema, options(compression))
        .expect("a writer");
    batches.iter().for_each(|batch| writer.write(batch).expect("rows"));
    writer.into_inner().expect("a file")
}

fn stream(batches: &[RecordBatch], compression: Option<CompressionType>) -> Vec<u8> {
    let schema = batches[0].schema();
    let mut writer = StreamWriter::try_new_with_options(Vec::new(), &schema, options(compression))
        .expect("a writer");
    batches.iter().for_each(|batch| writer.write(batch).expect("rows"));
    writer.into_inner().expect("a stream")
}

async fn read(name: &str, content: &[u8]) -> Result<Rows> {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join(name), content).expect("a file");
    let source = source(folder.path()).await;
    source.catalog().await?;
    read_table(&*source, "t", &[]).await
}

const CODECS: [Option<CompressionType>; 3] =
    [None, Some(CompressionType::ZSTD), Some(CompressionType::LZ4_FRAME)];

#[tokio::test(flavor = "multi_thread")]
async fn dictionaries_that_grow_or_are_replaced_are_followed() {
    let growing = [batch(&["a", "b"]), batch(&["a", "b", "c", ""])];
    let replaced = [batch(&["a", "b"]), batch(&["x", "y"])];
    let row = |n: &str, word: &str| {
        [n, word, &format!("{word} as a long text"), word].map(str::to_string).to_vec()
    };
    let grown =
        [row("0", "a"), row("1", "b"), row("0", "a"), row("1", "b"), row("2", "c"), row("3", "")];
    let other = [row("0", "a"), row("1", "b"), row("0", "x"), row("1", "y")];
    for codec in CODECS {
        assert_eq!(read("t.arrow", &file(&growing, codec)).await.expect("rows"), grown);
        assert_eq!(read("t.arrows", &stream(&growing, codec)).await.expect("rows"), grown);
        assert_eq!(read("t.arrows", &stream(&replaced, codec)).await.expect("rows"), other);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn files_and_streams_are_cut_at_their_batches() {
    let words: Vec<String> = (0..1000).map(|row| format!("word {}", row % 10)).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let batches: Vec<RecordBatch> = words.chunks(100).map(batch).collect();
    let contents = [file(&batches, None), stream(&batches, None)];
    for (name, content) in ["t.arrow", "t.arrows"].iter().zip(&contents) {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join(name), content).expect("a file");
        let source = source(folder.path()).await;
        let catalog = source.catalog().await.expect("a catalog");
        let columns = ["d".to_string(), "n".to_string()];
        let request = StudyRequest {
            table: &catalog.tables[0],
            columns: &columns,
            filter: None,
            chunk_bytes: 1,
            decoded: true,
        };
        let study = source.study(&request).await.expect("a study");
        assert_eq!(study.chunks.len(), 10);
        assert!(study.chunks.iter().all(|chunk| chunk.rows == 100));
        let snapshot = source.snapshot(1).await.expect("a snapshot");
        let mut found = Rows::new();
        for chunk in study.chunks {
            let request = ReadRequest {
                table: catalog.tables[0].name.clone(),
                columns: columns.iter().cloned().zip(study.types.iter().cloned()).collect(),
                filter: None,
                range: Some(chunk.range),
                wire: None,
                batch_bytes: 500,
            };
            let reader = snapshot.read(&request).await.expect("a reader");
            for rows in drain(reader).await.expect("rows") {
                found.extend(texts(&rows));
            }
        }
        let expected: Rows = words
            .iter()
            .enumerate()
            .map(|(row, word)| vec![word.to_string(), (row % 100).to_string()])
            .collect();
        assert_eq!(found, expected, "{name}");
    }
}

/// Whatever is read of a damaged file, it is rows or a refusal.
async fn is_harmless(name: &str, content: &[u8], what: &str) {
    if let Err(error) = read(name, content).await {
        let expected = [
            Code::SourceUnreadable,
            Code::TypeUnsupported,
            Code::Unsupported,
            Code::ValueInvalid,
            Code::SourceChanged,
        ];
        assert!(expected.contains(&error.code()), "{name}, {what}: {error:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_ends_too_early_is_never_a_short_table() {
    let batches = [batch(&["a", "b"]), batch(&["a", "b", "c"])];
    for (name, whole) in [("t.arrow", file(&batches, None)), ("t.arrows", stream(&batches, None))] {
        for end in 1..whole.len() {
            let error = read(name, &whole[..end]).await.expect_err("cut");
            assert_eq!(error.code(), Code::SourceUnreadable, "{name} {end}: {error:?}");
            assert!(error.to_string().contains(name), "{error}");
        }
        let behind = read(name, &[&whole[..], b"ARROW1"].concat()).await.expect_err("more");
        assert_eq!(behind.code(), Code::SourceUnreadable, "{name}");
    }
    let twice = [stream(&batches, None), stream(&batches, None)].concat();
    assert_eq!(read("t.arrows", &twice).await.expect_err("two").code(), Code::SourceUnreadable);
    for old in [&b"FEA1................FEA1"[..], b"FEA1.."] {
        assert_eq!(read("t.feather", old).await.expect_err("old").code(), Code::Unsupported);
    }
}

async fn damage(mask: u8) {
    let words = ["a", "b", "cccccccccccccccccccccccccc", ""];
    let batches = [batch(&words[..3]), batch(&words)];
    for codec in CODECS {
        for (name, whole) in
            [("t.arrow", file(&batches, codec)), ("t.arrows", stream(&batches, codec))]
        {
            // Every byte would take a minute.
            for place in (usize::from(mask) % 3..whole.len()).step_by(3) {
                let mut flipped = whole.clone();
                flipped[place] ^= mask;
                is_harmless(name, &flipped, &format!("{codec:?} {place}")).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn low_bits_that_are_wrong_do_no_harm() {
    damage(0x01).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn high_bits_that_are_wrong_do_no_harm() {
    damage(0xc0).await;
}

async fn written(folder: &Path, compression: &str) {
    let address = format!("file:{}?format=arrow&compression={compression}", folder.display());
    let endpoint = Endpoint::parse(&address).expect("an address");
    let target = connector().open_target(&endpoint).await.expect("a target");
    let plan = plan(&*target, 1);
    let load = claim(&*target).await;
    begin(&*load, "one", &plan, Preparation::Create).await;
    copy(&*load, &plan, 0, 7).await;
    finish(&*load, &plan).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_is_what_other_programs_read() {
    for compression in ["zstd", "lz4", "none"] {
        let folder = tempfile::tempdir().expect("a folder");
        written(folder.path(), compression).await;
        let path = folder.path().join("t/part-00000.arrow");
        let reader = FileReader::try_new(fs::File::open(&path).expect("a file"), None);
        let batches: Vec<RecordBatch> =
            reader.expect("a file").map(|batch| batch.expect("rows")).collect();
        let expected: ArrayRef = Arc::new(a::Int64Array::from(vec![7]));
        assert_eq!(batches[0].column(0), &expected, "{compression}");
        // Without its manifest the file still carries the structure of its table.
        fs::remove_file(folder.path().join("longshore.json")).expect("a manifest");
        fs::remove_dir_all(folder.path().join(".longshore")).expect("a ledger");
        let catalog = source(folder.path()).await.catalog().await.expect("a catalog");
        assert_eq!(catalog.tables[0].primary_key, ["n"]);
    }
}
