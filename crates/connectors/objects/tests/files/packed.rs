//! Text files that are compressed as a whole.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;

use longshore_model::connector::{Connector, Preparation, Source, StudyRequest};
use longshore_model::{Code, Endpoint, Error, Result};
use longshore_objects::connector;

use crate::session::{Rows, begin, claim, copy, finish, plan, read_table, source};

/// What the program `gzip` makes of a text.
fn gzip(text: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("text");
    fs::write(&path, text).expect("a file");
    Command::new("gzip").arg("-c").arg(&path).output().expect("the program gzip").stdout
}

fn zstd(text: &str) -> Vec<u8> {
    let mut encoder = zstd::Encoder::new(Vec::new(), 3).expect("an encoder");
    encoder.include_checksum(true).expect("a checksum");
    encoder.write_all(text.as_bytes()).expect("a text");
    encoder.finish().expect("a frame")
}

async fn open(path: &Path, options: &str) -> Box<dyn Source> {
    let address = format!("file:{}{options}", path.display());
    let endpoint = Endpoint::parse(&address).expect("an address");
    connector().open_source(&endpoint).await.expect("a source")
}

/// The rows of the one table `t` in a folder that holds one file.
async fn read(name: &str, content: &[u8]) -> Result<Rows> {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join(name), content).expect("a file");
    read_table(&*source(folder.path()).await, "t", &[]).await
}

fn value<'a>(error: &'a Error, key: &str) -> Option<&'a str> {
    error.context().iter().find(|(known, _)| *known == key).map(|(_, value)| value.as_str())
}

#[tokio::test(flavor = "multi_thread")]
async fn members_and_frames_are_one_text() {
    // The magic number of a frame that readers skip, its length and its bytes.
    let skipped = b"\x50\x2a\x4d\x18\x03\0\0\0abc";
    let expected = [["1", "a"], ["2", "b"], ["3", "c"]];
    let csv = ["n,s\n1,a\n2,", "b\n3,c\n"];
    let json = ["{\"n\":1,\"s\":\"a\"}\n{\"n\":2", ",\"s\":\"b\"}\n{\"n\":3,\"s\":\"c\"}"];
    for (name, content) in [
        ("t.csv.gz", [gzip(csv[0]), gzip(csv[1])].concat()),
        ("t.CSV.GZ", gzip(&csv.concat())),
        ("t.csv.gz", [gzip("\u{feff}"), gzip(csv[0]), gzip(""), gzip(csv[1])].concat()),
        ("t.csv.zst", [zstd(csv[0]), skipped.to_vec(), zstd(csv[1])].concat()),
        ("t.jsonl.gz", [gzip(json[0]), gzip(json[1])].concat()),
        ("t.ndjson.zst", [zstd(json[0]), zstd(""), zstd(json[1])].concat()),
    ] {
        let rows = read(name, &content).await.unwrap_or_else(|error| panic!("{name}: {error:?}"));
        assert_eq!(rows, expected, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_packed_file_is_one_chunk_with_every_row() {
    let folder = tempfile::tempdir().expect("a folder");
    let rows = 60_000;
    let text: String = (0..rows).map(|row| format!("{row},text of {row}\n")).collect();
    let path = folder.path().join("t.csv.gz");
    fs::write(&path, gzip(&text)).expect("a file");
    let source = open(&path, "?header=false").await;
    let catalog = source.catalog().await.expect("a catalog");
    let columns = ["c1".to_string()];
    let request = StudyRequest {
        table: &catalog.tables[0],
        columns: &columns,
        filter: None,
        chunk_bytes: 1000,
        decoded: true,
    };
    let study = source.study(&request).await.expect("a study");
    let [chunk] = &study.chunks[..] else { panic!("{} chunks", study.chunks.len()) };
    assert_eq!((chunk.rows, chunk.bytes), (rows as u64, text.len() as u64));
    let found = read_table(&*source, "t", &[]).await.expect("rows");
    assert_eq!(found[rows - 1], ["59999", "text of 59999"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_ends_too_early_is_never_a_short_table() {
    let texts = ["n,s\n1,hunter2\n", "2,hunter2\n"];
    for (name, members) in [
        ("t.csv.gz", texts.map(gzip)),
        ("t.csv.zst", texts.map(zstd)),
        ("t.jsonl.gz", [r#"{"n":1}"#, "\n{\"n\":2}\n"].map(gzip)),
    ] {
        let whole = members.concat();
        for end in (1..whole.len()).filter(|end| *end != members[0].len()) {
            let error = read(name, &whole[..end]).await.expect_err("cut");
            assert_eq!(error.code(), Code::SourceUnreadable, "{name} {end}: {error:?}");
            assert_eq!(value(&error, "file"), Some(name), "{error:?}");
            let place: usize =
                value(&error, "byte").and_then(|byte| byte.parse().ok()).expect("a place");
            assert!(place <= end, "{place} of {end}");
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_is_found_wherever_it_is() {
    let text: String = (0..40).map(|row| format!("{row},{}\n", row * 7919 % 1000)).collect();
    let text = format!("a,b\n{text}");
    for (name, whole) in [("t.csv.gz", gzip(&text)), ("t.csv.zst", zstd(&text))] {
        let expected = read(name, &whole).await.expect("rows");
        for behind in [&b"garbage"[..], b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", b"\x1f\x8b"] {
            let error = read(name, &[&whole, behind].concat()).await.expect_err("garbage");
            assert_eq!(error.code(), Code::SourceUnreadable, "{name}: {error:?}");
        }
        for place in 0..whole.len() {
            let mut flipped = whole.clone();
            flipped[place] ^= 0x40;
            match read(name, &flipped).await {
                // The time and the system in the head of a member mean nothing.
                Ok(rows) => assert_eq!(rows, expected, "{name} {place}"),
                Err(error) => assert_eq!(error.code(), Code::SourceUnreadable, "{error:?}"),
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_name_for_two_files_is_refused_and_parquet_is_not_packed_again() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("t.csv"), "n\n1\n").expect("a file");
    fs::write(folder.path().join("u.parquet.gz"), gzip("x")).expect("a file");
    let catalog = source(folder.path()).await.catalog().await.expect("a catalog");
    assert_eq!(catalog.not_moved[0].name, "u.parquet.gz");
    fs::write(folder.path().join("t.csv.gz"), gzip("n\n1\n")).expect("a file");
    let error = source(folder.path()).await.catalog().await.expect_err("two files");
    assert_eq!(error.code(), Code::SourceUnreadable);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_packed_is_what_other_programs_unpack() {
    for (options, name, text) in [
        ("format=csv&compression=gzip", "part-00000.csv.gz", "n\n7\n"),
        ("format=jsonl&compression=gzip", "part-00000.jsonl.gz", "{\"n\":7}\n"),
        ("format=jsonl&compression=zstd", "part-00000.jsonl.zst", "{\"n\":7}\n"),
        ("format=csv", "part-00000.csv", "n\n7\n"),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let address = format!("file:{}?{options}", folder.path().display());
        let endpoint = Endpoint::parse(&address).expect("an address");
        let target = connector().open_target(&endpoint).await.expect("a target");
        let plan = plan(&*target, 1);
        let load = claim(&*target).await;
        begin(&*load, "one", &plan, Preparation::Create).await;
        copy(&*load, &plan, 0, 7).await;
        finish(&*load, &plan).await;
        let path = folder.path().join("t").join(name);
        let unpacked = match name.rsplit_once('.') {
            Some((_, "gz")) => {
                Command::new("gzip").arg("-dc").arg(&path).output().expect("gzip").stdout
            }
            Some((_, "zst")) => {
                zstd::decode_all(fs::File::open(&path).expect("a file")).expect("frames")
            }
            _ => fs::read(&path).expect("a file"),
        };
        assert_eq!(String::from_utf8(unpacked).expect("text"), text, "{name}");
        let rows = read_table(&*source(folder.path()).await, "t", &[]).await.expect("rows");
        assert_eq!(rows, [["7"]]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compression_that_a_format_lacks_is_refused() {
    for options in [
        "format=csv&compression=snappy",
        "format=jsonl&compression=snappy",
        "format=parquet&compression=gzip",
        "format=arrow&compression=snappy",
    ] {
        let endpoint = Endpoint::parse(&format!("file:out?{options}")).expect("an address");
        let error = connector().open_target(&endpoint).await.err().expect("a refusal");
        assert_eq!(error.code(), Code::Unsupported, "{options}");
        assert!(error.to_string().contains("compression: "), "{error}");
    }
}
