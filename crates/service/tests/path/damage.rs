//! Bytes flipped in the target's files: a verification ends, says so, and never calls different
//! values verified.

use std::path::{Path, PathBuf};

use longshore_engine::report::Outcome;
use longshore_model::Code;
use longshore_model::spec::{Size, Spec};
use longshore_testkit::Random;
use rusqlite::Connection;

use crate::dump::dump;
use crate::scene::{folder, migrate, verify};

const ROUNDS: usize = 60;

fn seed(path: &Path) {
    Connection::open(path)
        .expect("a database")
        .execute_batch(
            "CREATE TABLE facts (id INTEGER PRIMARY KEY, name TEXT, amount REAL, raw BLOB, odd);
             CREATE TABLE log (at TEXT, what TEXT);
             CREATE INDEX facts_by_name ON facts (name);
             WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 600)
             INSERT INTO facts SELECT i, iif(i % 7 = 0, NULL, 'näme ' || i), i / 3.0,
               randomblob(i % 20), CASE i % 3 WHEN 0 THEN i WHEN 1 THEN 'x' || i ELSE i / 2.0 END
             FROM n;
             INSERT INTO log SELECT 'now', 'twice' FROM facts WHERE id <= 40;",
        )
        .expect("a source");
}

/// The files that hold the rows.
fn data_files(target: &Path) -> Vec<PathBuf> {
    if target.is_file() {
        return vec![target.to_path_buf()];
    }
    let mut files = Vec::new();
    for table in ["facts", "log"] {
        for entry in std::fs::read_dir(target.join(table)).expect("a folder") {
            files.push(entry.expect("a file").path());
        }
    }
    files.sort();
    files
}

/// Whether the target holds what the source does, read by other means than a verification.
async fn is_equal(target: &Path, to: &str, expected: &[String]) -> bool {
    if target.is_file() {
        return dump(target).is_ok_and(|found| found == expected);
    }
    let other = folder();
    let back = other.path().join("back.db");
    let spec = Spec::short(to, &format!("sqlite:{}", back.display()));
    let copied = migrate(&spec).await;
    copied.is_ok_and(|end| end.error.is_none()) && dump(&back).is_ok_and(|found| found == expected)
}

async fn check(name: &str, scheme: &str, options: &str) {
    let folder = folder();
    let (source, target) = (folder.path().join("source.db"), folder.path().join(name));
    seed(&source);
    let to = format!("{scheme}:{}{options}", target.display());
    let mut spec = Spec::short(&format!("sqlite:{}", source.display()), &to);
    spec.limits.chunk = Size(8 << 10);
    let end = migrate(&spec).await.expect("a plan");
    assert_eq!(end.report.outcome, Outcome::Verified, "{:?}", end.error);
    let expected = dump(&source).expect("a dump");
    let files = data_files(&target);
    let mut random = Random::new(1);
    let (mut found, mut refused) = (0, 0);
    for round in 0..ROUNDS {
        let file = &files[random.below(files.len())];
        let whole = std::fs::read(file).expect("a file");
        let mut bytes = whole.clone();
        for _ in 0..=round % 3 {
            let at = random.below(bytes.len());
            bytes[at] ^= 1 << random.below(8);
        }
        if round % 10 == 9 {
            bytes.truncate(random.below(bytes.len()));
        }
        std::fs::write(file, &bytes).expect("a write");
        let end = verify(&spec, false, false).await;
        let what = format!("{name} round {round}: {:?} {:?}", end.report.outcome, end.error);
        match end.report.outcome {
            Outcome::Verified => assert!(is_equal(&target, &to, &expected).await, "{what}"),
            Outcome::Different => found += 1,
            _ => {
                let code = end.error.map(|error| error.code());
                assert!(code.is_some_and(|code| code != Code::Internal), "{what}");
                refused += 1;
            }
        }
        std::fs::write(file, &whole).expect("a write");
    }
    assert!(found > 0, "{name}: {found} found, {refused} refused");
    assert_eq!(verify(&spec, false, false).await.report.outcome, Outcome::Verified);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn flipped_bytes_of_parquet_are_never_verified() {
    check("parquet", "file", "?format=parquet").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn flipped_bytes_of_text_files_are_never_verified() {
    check("csv", "file", "?format=csv").await;
    check("jsonl", "file", "?format=jsonl").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn flipped_bytes_of_sqlite_are_never_verified() {
    check("target.db", "sqlite", "").await;
}
