//! The suite and its reference agree.

use longshore_testkit::Memory;
use longshore_testkit::conformance::System;

fn memory() -> System {
    System::new(Memory, |folder, name| format!("memory:{}/{name}", folder.display()))
}

longshore_testkit::conformance_tests!(conformance_of_memory, memory);

/// Not a test: what the test below starts and kills.
#[test]
#[ignore = "is started by another test"]
fn passes_a_failpoint_three_times() {
    longshore_testkit::kill::die_as_told();
    for _ in 0..3 {
        longshore_model::failpoint::hit("testkit.pass").expect("the hook returns no error");
    }
}

#[test]
fn a_process_dies_at_the_pass_it_was_told() {
    use longshore_testkit::kill::{DIE_AT, watch};
    let run = |told: &str| {
        let mut command = std::process::Command::new(std::env::current_exe().expect("a test"));
        command.args(["--ignored", "--exact", "passes_a_failpoint_three_times"]);
        command.stdout(std::process::Stdio::null());
        watch(command.env(DIE_AT, told)).expect("a process")
    };
    assert!(run("testkit.pass").was_killed());
    assert!(run("testkit.pass:3").was_killed());
    assert!(run("testkit.pass:4").status.success());
    assert!(run("testkit.other").status.success());
}

#[tokio::test]
async fn a_script_fails_as_often_as_it_is_told() {
    use longshore_model::catalog::{Table, TableName};
    use longshore_model::connector::Connector;
    use longshore_model::{Endpoint, Retry};
    use longshore_testkit::{Script, Scripted, Step, Store, corpus};

    let store = Store::named("script-test");
    let batch = corpus::batch(&longshore_model::LogicalType::Text);
    let table = Table {
        name: TableName::plain("t"),
        columns: Vec::new(),
        primary_key: Vec::new(),
        indexes: Vec::new(),
        foreign_keys: Vec::new(),
        checks: Vec::new(),
        native: None,
        rows_elsewhere: false,
        comment: None,
        attributes: Default::default(),
    };
    store.put(table, vec![batch]);
    let endpoint = Endpoint::parse(&store.address("scripted")).expect("an address");
    let source = Scripted.open_source(&endpoint).await.expect("a source");
    let script = Script::named("script-test");
    script.fail_after(Step::Catalog, 1, 2);
    assert!(source.catalog().await.is_ok());
    for _ in 0..2 {
        let error = source.catalog().await.expect_err("the script says so");
        assert_eq!(error.retry(), Retry::Later);
    }
    assert!(source.catalog().await.is_ok());
    assert_eq!(script.reached(Step::Catalog), 4);
    script.break_after(Step::Snapshot, 0);
    let error = source.snapshot(1).await.err().expect("the script says so");
    assert_eq!(error.retry(), Retry::Never);
    script.clear();
    let moved = store.clone();
    script.on(move |step, count| {
        if step == Step::CurrentPosition && count == 1 {
            moved.touch();
        }
        Ok(())
    });
    let snapshot = source.snapshot(1).await.expect("a snapshot");
    let first = snapshot.current_position().await.expect("a position");
    assert_eq!(first, *snapshot.position());
    assert_ne!(snapshot.current_position().await.expect("a position"), first);
}

#[tokio::test]
async fn the_null_source_has_the_rows_it_says_and_always_the_same() {
    use longshore_model::connector::{Connector, ReadRequest, StudyRequest};
    use longshore_model::{Batch, Endpoint, Fingerprint};
    use longshore_testkit::Null;

    let endpoint = Endpoint::parse("null:test?rows=5000").expect("an address");
    let source = Null.open_source(&endpoint).await.expect("a source");
    let catalog = source.catalog().await.expect("a catalog");
    let table = &catalog.tables[0];
    let columns: Vec<_> = table.columns.iter().map(|column| column.name.clone()).collect();
    let request = StudyRequest {
        table,
        columns: &columns,
        filter: None,
        chunk_bytes: 100_000,
        decoded: true,
    };
    let study = source.study(&request).await.expect("a study");
    assert_eq!(study.chunks.len(), 5);
    let snapshot = source.snapshot(2).await.expect("a snapshot");
    let sum = async |ranges: Vec<Option<serde_json::Value>>, batch_bytes| {
        let mut sum = Fingerprint::default();
        for range in ranges {
            let columns = columns.iter().cloned().zip(study.types.iter().cloned()).collect();
            let table = table.name.clone();
            let request =
                ReadRequest { table, columns, filter: None, range, wire: None, batch_bytes };
            let mut reader = snapshot.read(&request).await.expect("a reader");
            while let Some(batch) = reader.next().await.expect("a batch") {
                let Batch::Rows(rows) = batch else { panic!("wire rows") };
                sum.add_batch(&Batch::Rows(rows)).expect("hashable");
            }
        }
        sum
    };
    let chunks = study.chunks.iter().map(|chunk| Some(chunk.range.clone())).collect();
    let whole = sum(vec![None], 1 << 20).await;
    assert_eq!(whole.rows, 5000);
    assert_eq!(sum(chunks, 1000).await, whole);
}
