//! The target: claims, chunks, restarts and repair.

use longshore_model::connector::{Connector, Preparation, WriteRequest};
use longshore_model::{BatchBuilder, Cell, Code, LogicalType};
use longshore_sqlite::Sqlite;

use crate::copying::{Pair, copy_chunk, dump, header, request};

const FILL: &str = "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT);
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300)
    INSERT INTO t SELECT i * 3, 'value ' || i FROM n;";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_load_that_died_goes_on_where_it_was() {
    let pair = Pair::new(FILL);
    let plan = pair.plan(1 << 10, |_| {}, |_| true).await.expect("a plan").plan;
    let table = &plan.tables[0];
    let snapshot = pair.snapshot("source.db", 1).await.expect("a snapshot");
    let load = pair.claim().await.expect("a claim");
    load.begin(&header(), &plan, &[Preparation::Create]).await.expect("a beginning");
    copy_chunk(&*snapshot, &*load, 0, table, 1).await.expect("a chunk");
    let write = WriteRequest {
        table_index: 0,
        table,
        chunk_index: 2,
        memory: 1 << 20,
        offers: false,
        lease: None,
    };
    let mut writer = load.writer(&write).await.expect("a writer");
    let mut reader = snapshot.read(&request(table, 2)).await.expect("a reader");
    writer.write(reader.next().await.expect("a batch").expect("rows")).await.expect("a write");
    drop((writer, reader, load));
    let load = pair.claim().await.expect("the claim is free again");
    for chunk in (0..table.chunks.len()).filter(|chunk| *chunk != 1).rev() {
        copy_chunk(&*snapshot, &*load, 0, table, chunk).await.expect("a chunk");
    }
    let twice = copy_chunk(&*snapshot, &*load, 0, table, 1).await.expect_err("it is in already");
    assert_eq!(twice.code(), Code::Internal);
    load.finish(&plan, &|_: &str| {}).await.expect("an end");
    drop(load);
    pair.verify(&plan).await.expect("the target is whole");
    assert_eq!(dump(&pair.path("source.db")), dump(&pair.path("target.db")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_killed_in_the_middle_of_a_commit_is_taken_back_and_read() {
    let pair = Pair::new(FILL);
    let copied = pair.copy(1 << 10).await.expect("a copy");
    let before = dump(&pair.path("target.db"));
    let writer = pair.open("target.db");
    writer
        .execute_batch("PRAGMA cache_size = 1; BEGIN; UPDATE t SET v = v || hex(zeroblob(500));")
        .expect("a transaction that spills");
    for suffix in ["", "-journal"] {
        let from = pair.path(&format!("target.db{suffix}"));
        std::fs::copy(from, pair.path(&format!("killed.db{suffix}"))).expect("a copy");
    }
    let target = Sqlite.open_target(&pair.endpoint("killed.db")).await.expect("a target");
    let ledger = target.ledger().await.expect("it is readable").expect("a ledger");
    assert_eq!(ledger.entries.len(), copied.plan.tables[0].chunks.len());
    assert_eq!(dump(&pair.path("killed.db")), before);
    drop(writer);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_are_repaired_by_class_and_bytes() {
    let pair = Pair::new(
        "CREATE TABLE t (a, b TEXT COLLATE NOCASE);
         INSERT INTO t VALUES (1, 'x'), (1.0, 'X'), ('1', 'x'), (x'31', 'x'), (1, 'x'), (NULL, NULL);",
    );
    let copied = pair.copy(1 << 20).await.expect("a copy");
    let table = &copied.plan.tables[0];
    let load = pair.claim().await.expect("a claim");
    let remove = batch_of(table, &[("1", "x"), ("1.0", "X"), ("x'31'", "x"), ("NULL", "NULL")]);
    let add = batch_of(table, &[("'new'", "n")]);
    load.replace_rows(table, &remove, &add).await.expect("a repair");
    let gone = batch_of(table, &[("1", "x"), ("1", "X")]);
    let error =
        load.replace_rows(table, &gone, &batch_of(table, &[])).await.expect_err("no such row");
    assert_eq!(error.code(), Code::RowsUnattributed);
    drop(load);
    let mut left: Vec<_> =
        dump(&pair.path("target.db")).into_iter().filter(|line| line.starts_with("t: ")).collect();
    left.sort();
    assert_eq!(left, ["t: integer 31 text 78 ", "t: text 31 text 78 ", "t: text 6E6577 text 6E "]);
}

fn batch_of(
    table: &longshore_model::plan::TablePlan,
    rows: &[(&str, &str)],
) -> arrow_array::RecordBatch {
    let columns = table.columns.iter().map(|column| (column.target.as_str(), &column.to));
    let mut builder = BatchBuilder::new(columns);
    for row in rows {
        for (column, text) in builder.columns().iter_mut().zip([row.0, row.1]) {
            match text {
                "NULL" => column.null(),
                text => column.parse(text).expect("a literal"),
            }
        }
        builder.end_row();
    }
    builder.finish().expect("a batch")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_that_lacks_a_column_is_refused() {
    let pair = Pair::new(FILL);
    pair.open("target.db")
        .execute_batch("CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1)")
        .expect("a table");
    let before = dump(&pair.path("target.db"));
    let plan = pair.plan(1 << 20, |_| {}, |_| true).await.expect("a plan").plan;
    let load = pair.claim().await.expect("a claim");
    for preparation in [Preparation::Keep, Preparation::Empty] {
        let error = load.begin(&header(), &plan, &[preparation]).await.expect_err("it is refused");
        assert_eq!(error.code(), Code::Unsupported);
    }
    drop(load);
    assert_eq!(dump(&pair.path("target.db")), before);
    let target = Sqlite.open_target(&pair.endpoint("target.db")).await.expect("a target");
    assert_eq!(target.ledger().await.expect("an answer"), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn triggers_stay_and_are_not_set_off() {
    let pair = Pair::new(FILL);
    let target = pair.open("target.db");
    target
        .execute_batch(
            "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT); CREATE TABLE log (x);
             CREATE TRIGGER added AFTER INSERT ON t BEGIN INSERT INTO log VALUES ('in'); END;
             CREATE TRIGGER gone AFTER DELETE ON t BEGIN INSERT INTO log VALUES ('out'); END;
             CREATE TRIGGER never BEFORE INSERT ON t BEGIN SELECT RAISE(ABORT, 'no'); END;",
        )
        .expect("a table");
    let plan = pair.plan(1 << 10, |_| {}, |_| true).await.expect("a plan").plan;
    let table = &plan.tables[0];
    let snapshot = pair.snapshot("source.db", 1).await.expect("a snapshot");
    let load = pair.claim().await.expect("a claim");
    load.begin(&header(), &plan, &[Preparation::Empty]).await.expect("a beginning");
    for chunk in 0..table.chunks.len() {
        copy_chunk(&*snapshot, &*load, 0, table, chunk).await.expect("a chunk");
    }
    load.finish(&plan, &|_: &str| {}).await.expect("an end");
    let one = batch_of(table, &[("3", "value 1")]);
    load.replace_rows(table, &one, &one).await.expect("a repair");
    drop(load);
    pair.verify(&plan).await.expect("the target is whole");
    let count = |sql: &str| target.query_row(sql, [], |row| row.get::<_, i64>(0)).expect(sql);
    assert_eq!(count("SELECT count(*) FROM log"), 0);
    assert_eq!(count("SELECT count(*) FROM sqlite_schema WHERE type = 'trigger'"), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_folder_is_named() {
    let pair = Pair::new(FILL);
    let endpoint = pair.endpoint("no/such/target.db");
    let target = Sqlite.open_target(&endpoint).await.expect("a target");
    let error = target.claim(&crate::copying::holder()).await.err().expect("there is no folder");
    assert_eq!(error.code(), Code::NotFound, "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_value_that_sqlite_cannot_hold_is_refused() {
    let pair = Pair::new("CREATE TABLE t (r REAL); INSERT INTO t VALUES (1.5)");
    let plan = pair.plan(1 << 20, |_| {}, |_| true).await.expect("a plan").plan;
    let load = pair.claim().await.expect("a claim");
    load.begin(&header(), &plan, &[Preparation::Create]).await.expect("a beginning");
    let write = WriteRequest {
        table_index: 0,
        table: &plan.tables[0],
        chunk_index: 0,
        memory: 1 << 20,
        offers: false,
        lease: None,
    };
    let mut writer = load.writer(&write).await.expect("a writer");
    let mut builder = BatchBuilder::new([("r", &LogicalType::FLOAT64)]);
    builder.columns()[0].append(Cell::Float(f64::NAN)).expect("a float");
    builder.end_row();
    let batch = longshore_model::Batch::Rows(builder.finish().expect("a batch"));
    let sum = longshore_model::Fingerprint::default();
    writer.write(batch).await.expect("it is taken");
    let error = writer.commit(crate::copying::entry(0, 0, sum)).await.expect_err("NaN");
    assert_eq!(error.code(), Code::ValueRefused);
}
