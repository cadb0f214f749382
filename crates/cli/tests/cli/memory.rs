//! The resident set stays under the limit plus a fixed overhead, on sizes that take seconds.

use std::path::Path;
use std::time::Duration;

use longshore_testkit::mysql::{Flavor, Mysql};
use longshore_testkit::postgres::{Postgres, Version};
use longshore_testkit::size;

use crate::stage::Stage;

/// What the process takes beside the limit, in MiB.
const OVERHEAD: u64 = 64;

/// The most that a run of the binary was resident, in MiB.
fn resident(stage: &Stage, args: &[&str]) -> u64 {
    let mut command = stage.command(args);
    let mut child = command.spawn().expect("the binary runs");
    let status = format!("/proc/{}/status", child.id());
    let mut most = 0;
    let code = loop {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        most = most.max(number.unwrap_or(0));
        if let Some(code) = child.try_wait().expect("a child") {
            break code;
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    assert!(code.success(), "{args:?}");
    assert!(most > 0, "Linux tells the peak of a process");
    most / 1024
}

fn there_and_back(limit: u64, make: impl FnOnce(&Path) -> rusqlite::Result<()>) {
    let stage = Stage::empty();
    make(&stage.join("large.db")).expect("a database");
    let memory = format!("{limit}MiB");
    for (from, to) in [("sqlite:large.db", "file:out"), ("file:out", "sqlite:copy.db")] {
        let most = resident(&stage, &["copy", from, to, "--quiet", "--memory", &memory]);
        assert!(most <= limit + OVERHEAD, "{from} to {to}: {most} MiB resident");
    }
}

#[test]
fn many_rows_stay_within_the_memory_that_is_allowed() {
    there_and_back(16, |path| size::wide_rows(path, 8000, 12_000));
}

#[test]
fn rows_of_many_columns_stay_within_the_memory_that_is_allowed() {
    there_and_back(160, |path| size::many_columns(path, 1000, 10_000, 14));
}

#[test]
fn rows_of_postgresql_stay_within_the_memory_that_is_allowed() {
    let (source, target) = (Postgres::shared(Version::V15), Postgres::shared(Version::V18));
    for (limit, rows, bytes) in [(16, 8_000, 12_000), (64, 60, 1 << 20)] {
        let from = source.create("wide");
        source.psql(
            &from,
            &format!(
                "CREATE TABLE t (id int PRIMARY KEY, v text);
                 ALTER TABLE t ALTER v SET STORAGE EXTERNAL;
                 INSERT INTO t SELECT i, repeat(md5(i::text), {bytes} / 32)
                     FROM generate_series(1, {rows}) i"
            ),
        );
        let stage = Stage::empty();
        let memory = format!("{limit}MiB");
        let files = "file:out?format=parquet".to_string();
        let ways = [
            (source.url(&from), target.url(&target.create("wide"))),
            (source.url(&from), files.clone()),
            (files, target.url(&target.create("wide"))),
        ];
        for (from, to) in ways {
            let most = resident(&stage, &["copy", &from, &to, "--quiet", "--memory", &memory]);
            assert!(most <= limit + OVERHEAD, "{rows} rows to {to}: {most} MiB resident");
        }
    }
}

#[test]
fn rows_of_mysql_and_mariadb_stay_within_the_memory_that_is_allowed() {
    let (source, target) = (Mysql::shared(Flavor::MySql), Mysql::shared(Flavor::MariaDb));
    let postgres = Postgres::shared(Version::V18);
    for (limit, rows, times) in [(16, 8_000, 188), (64, 60, 16_384)] {
        let from = source.create("wide");
        source.sql(
            &from,
            &format!(
                "SET SESSION cte_max_recursion_depth = 10000;
                 CREATE TABLE t (id int PRIMARY KEY, v longtext);
                 INSERT INTO t WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n
                    WHERE i < {rows}) SELECT i, repeat(sha2(i, 256), {times}) FROM n"
            ),
        );
        let stage = Stage::empty();
        let memory = format!("{limit}MiB");
        let (middle, back) = (target.create("wide"), source.create("back"));
        let ways = [
            (source.url(&from), target.url(&middle)),
            // Lines go to MariaDB, statements to MySQL.
            (target.url(&middle), source.url(&back)),
            (source.url(&back), postgres.url(&postgres.create("wide"))),
        ];
        for (from, to) in ways {
            let most = resident(&stage, &["copy", &from, &to, "--quiet", "--memory", &memory]);
            assert!(most <= limit + OVERHEAD, "{rows} rows to {to}: {most} MiB resident");
        }
    }
}

/// A folder's names must be sorted, and are held for it; nothing else is held of all objects.
#[test]
fn a_folder_of_many_objects_stays_within_the_memory_that_is_allowed() {
    const OBJECTS: usize = 200_000;
    // The objects take no bytes, and a file system in memory makes them in seconds.
    let there = Path::new("/dev/shm");
    let folder = if there.is_dir() { there.into() } else { std::env::temp_dir() };
    let folder = tempfile::Builder::new().prefix("longshore-many-").tempdir_in(folder);
    let folder = folder.expect("a folder");
    let tree = |name: &str| folder.path().join(name);
    std::fs::create_dir(tree("from")).expect("a folder");
    for number in 0..OBJECTS {
        std::fs::File::create(tree("from").join(format!("object-{number:07}"))).expect("a file");
    }
    let address = |name: &str| format!("file:{}?format=objects", tree(name).display());
    let stage = Stage::empty();
    let (from, to) = (address("from"), address("to"));
    let most = resident(&stage, &["copy", &from, &to, "--quiet", "--memory", "64MiB"]);
    assert!(most <= 64 + OVERHEAD, "{most} MiB resident");
    let most = resident(&stage, &["verify", &from, &to, "--quiet"]);
    assert!(most <= 64 + OVERHEAD, "{most} MiB resident");
    let copied = std::fs::read_dir(tree("to")).expect("a folder").count();
    assert_eq!(copied, OBJECTS + 1, "with the folder of the ledger");
}
