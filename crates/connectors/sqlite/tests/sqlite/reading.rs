//! The source stays as it is, and a snapshot is one state of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use longshore_model::catalog::TableName;
use longshore_model::connector::{Connector, ReadRequest};
use longshore_model::{Batch, Code, LogicalType};
use longshore_sqlite::Sqlite;

use crate::copying::Pair;

fn request(table: &str, columns: &[(&str, LogicalType)]) -> ReadRequest {
    ReadRequest {
        table: TableName::plain(table),
        columns: columns
            .iter()
            .map(|(name, logical)| (name.to_string(), logical.clone()))
            .collect(),
        filter: None,
        range: None,
        wire: None,
        batch_bytes: 1 << 16,
    }
}

const FILL: &str = "CREATE TABLE t (id INTEGER PRIMARY KEY, v);
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
    INSERT INTO t SELECT i, 1 FROM n;";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_source_is_not_changed_by_a_byte() {
    for mode in ["delete", "wal", "persist"] {
        let pair = Pair::new(&format!("PRAGMA journal_mode = {mode}; {FILL}"));
        // A writer that stays open keeps the log of the WAL mode from being emptied.
        let writer = pair.open("source.db");
        writer.execute_batch("UPDATE t SET v = 2 WHERE id = 7").expect("an update");
        let read = |name: &str| std::fs::read(pair.path(name)).ok();
        let before = (read("source.db"), read("source.db-wal"));
        pair.copy(1 << 12).await.expect("a copy");
        assert!(before == (read("source.db"), read("source.db-wal")), "{mode}");
        drop(writer);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn all_readers_see_one_state_while_somebody_writes() {
    for mode in ["wal", "delete"] {
        let pair = Pair::new(&format!("PRAGMA journal_mode = {mode}; {FILL}"));
        let stop = Arc::new(AtomicBool::new(false));
        let writer = {
            let (stop, connection) = (stop.clone(), pair.open("source.db"));
            connection.busy_timeout(std::time::Duration::from_millis(20)).expect("a timeout");
            std::thread::spawn(move || {
                let mut commits = 0_u64;
                while !stop.load(Ordering::Relaxed) {
                    // Every row holds the same number in every state.
                    commits += u64::from(connection.execute("UPDATE t SET v = v + 1", []).is_ok());
                }
                commits
            })
        };
        for _ in 0..5 {
            let snapshot = pair.snapshot("source.db", 3).await.expect("a snapshot");
            let asked = request("t", &[("v", LogicalType::INT64)]);
            let mut seen = std::collections::BTreeSet::new();
            for _ in 0..3 {
                let mut reader = snapshot.read(&asked).await.expect("a reader");
                while let Some(Batch::Rows(batch)) = reader.next().await.expect("a batch") {
                    let column = batch.column(0);
                    let view = longshore_model::ColumnView::new(&LogicalType::INT64, column)
                        .expect("integers");
                    seen.extend((0..batch.num_rows()).map(|row| format!("{:?}", view.cell(row))));
                }
            }
            assert_eq!(seen.len(), 1, "{mode}");
            drop(snapshot);
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        stop.store(true, Ordering::Relaxed);
        assert!(writer.join().expect("no panic") > 0, "{mode}");
    }
}

/// Locks of this process on a file, as the kernel knows them.
fn locks(path: &std::path::Path) -> usize {
    use std::os::unix::fs::MetadataExt;
    let inode = std::fs::metadata(path).expect("a file").ino();
    let (process, file) = (std::process::id().to_string(), format!(":{inode}"));
    std::fs::read_to_string("/proc/locks")
        .expect("the locks")
        .lines()
        .filter(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            words.contains(&process.as_str()) && words.iter().any(|word| word.ends_with(&file))
        })
        .count()
}

/// The locks, when connections that were dropped are closed: other threads do that.
fn settled_locks(path: &std::path::Path) -> usize {
    let (mut found, mut same) = (locks(path), 0);
    while same < 10 {
        std::thread::sleep(std::time::Duration::from_millis(20));
        let now = locks(path);
        same = if now == found { same + 1 } else { 0 };
        found = now;
    }
    found
}

/// A process that closes a file loses its locks on it, and other processes write under a snapshot.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_keeps_its_locks_whatever_else_is_opened() {
    for (mode, locked) in [("wal", "source.db-shm"), ("delete", "source.db")] {
        let pair = Pair::new(&format!("PRAGMA journal_mode = {mode}; {FILL}"));
        // Keeps the log, and holds no lock on the database itself.
        let writer = pair.open("source.db");
        writer.execute("UPDATE t SET v = 2", []).expect("an update");
        let kept = (mode == "wal").then_some(writer);
        let snapshot = pair.snapshot("source.db", 2).await.expect("a snapshot");
        let before = settled_locks(&pair.path(locked));
        assert!(before > 0, "{mode}");
        snapshot.current_position().await.expect("a position");
        drop(pair.snapshot("source.db", 1).await.expect("another snapshot"));
        let source = Sqlite.open_source(&pair.endpoint("source.db")).await.expect("a source");
        source.catalog().await.expect("a catalog");
        assert_eq!(settled_locks(&pair.path(locked)), before, "{mode}");
        drop((snapshot, kept));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn positions_change_with_the_content_in_every_mode() {
    for mode in ["delete", "wal", "truncate"] {
        let pair = Pair::new(&format!("PRAGMA journal_mode = {mode}; {FILL}"));
        let position =
            async || pair.snapshot("source.db", 2).await.expect("a snapshot").position().clone();
        let first = position().await;
        assert_eq!(position().await, first, "{mode}");
        // A change that moves no counter in WAL mode, by a connection that empties the log.
        pair.open("source.db").execute("UPDATE t SET v = 3 WHERE id = 9", []).expect("an update");
        let second = position().await;
        assert_ne!(second, first, "{mode}");
        assert_eq!(position().await, second, "{mode}");
        let open = pair.open("source.db");
        open.execute("UPDATE t SET v = 4 WHERE id = 9", []).expect("an update");
        let third = position().await;
        assert_ne!(third, second, "{mode}");
        let snapshot = pair.snapshot("source.db", 1).await.expect("a snapshot");
        assert_eq!(snapshot.current_position().await.expect("a position"), third, "{mode}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_value_of_an_unplanned_kind_ends_the_read_without_showing_it() {
    let pair = Pair::new("CREATE TABLE t (a); INSERT INTO t VALUES (1), ('secret'), (2)");
    let snapshot = pair.snapshot("source.db", 1).await.expect("a snapshot");
    let mut reader =
        snapshot.read(&request("t", &[("a", LogicalType::INT64)])).await.expect("a reader");
    let error = reader.next().await.expect_err("a text is no integer");
    assert_eq!(error.code(), Code::ValueUnplanned);
    assert!(format!("{error} {error:?}").contains("row: 2"), "{error}");
    assert!(!format!("{error} {error:?}").contains("secret"));
    drop(reader);
    for (table, column) in [("t", "b"), ("u", "a")] {
        let mut reader =
            snapshot.read(&request(table, &[(column, LogicalType::Text)])).await.expect("a reader");
        let error = reader.next().await.expect_err("it is not there");
        assert_eq!(error.code(), Code::SourceChanged, "{table}.{column}");
        drop(reader);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_database_is_refused() {
    let pair = Pair::new("CREATE TABLE t (a)");
    std::fs::write(pair.path("text.db"), "this is no database, but it is long enough to look at")
        .expect("a file");
    for (name, code) in [
        ("missing.db", Code::NotFound),
        ("text.db", Code::SourceUnreadable),
        (".", Code::SourceUnreadable),
    ] {
        let error = Sqlite.open_source(&pair.endpoint(name)).await.err().expect("an error");
        assert_eq!(error.code(), code, "{name}: {error:?}");
    }
    assert!(!pair.path("missing.db").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_file_is_an_error_and_not_an_end() {
    let pair = Pair::new(FILL);
    let mut bytes = std::fs::read(pair.path("source.db")).expect("a file");
    let length = bytes.len();
    bytes[length / 2..length / 2 + 4096].fill(0xAA);
    std::fs::write(pair.path("source.db"), bytes).expect("a file");
    let snapshot = pair.snapshot("source.db", 1).await.expect("a snapshot");
    let mut reader =
        snapshot.read(&request("t", &[("v", LogicalType::INT64)])).await.expect("a reader");
    let error = loop {
        match reader.next().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("the damage was not seen"),
            Err(error) => break error,
        }
    };
    assert_eq!(error.code(), Code::SourceUnreadable, "{error:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_reader_stops_a_long_step() {
    let pair = Pair::new(FILL);
    let snapshot = pair.snapshot("source.db", 1).await.expect("a snapshot");
    let mut endless = request("t", &[("v", LogicalType::INT64)]);
    endless.filter =
        Some("(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n) > id".into());
    let reader = snapshot.read(&endless).await.expect("a reader");
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    drop(reader);
    let plain = request("t", &[("v", LogicalType::INT64)]);
    let next = tokio::time::timeout(std::time::Duration::from_secs(10), snapshot.read(&plain));
    let mut reader = next.await.expect("the place is free again").expect("a reader");
    assert!(reader.next().await.expect("a batch").is_some());
}
