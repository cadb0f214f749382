//! The servers themselves.

use super::{Pooler, Postgres, Version};

#[test]
fn both_versions_start_and_answer() {
    for (version, number) in [(Version::V15, "15"), (Version::V18, "18")] {
        let server = Postgres::shared(version);
        let database = server.create("shop");
        assert!(server.psql(&database, "SHOW server_version").starts_with(number));
        assert_eq!(server.psql(&database, "SHOW ssl"), "on");
        server.psql(&database, "CREATE TABLE t (a int); INSERT INTO t VALUES (1)");
        assert!(server.dump(&database, &["--schema-only"]).contains("CREATE TABLE public.t"));
    }
}

#[test]
fn a_server_survives_crash_and_restart() {
    let server = Postgres::start(Version::V15);
    server.psql("postgres", "CREATE TABLE t (a int)");
    server.crash();
    server.resume();
    server.restart();
    assert_eq!(server.psql("postgres", "SELECT count(*) FROM t"), "0");
    let folder = server.socket().to_path_buf();
    drop(server);
    assert!(!folder.exists(), "nothing is left of it");
}

#[test]
fn a_pooler_answers() {
    let server = Postgres::shared(Version::V15);
    let pooler = Pooler::start(server, "transaction");
    let output = server
        .client("psql", "postgres")
        .args(["-X", "-A", "-t", "-c", "SELECT 1", &pooler.url("postgres")])
        .output()
        .expect("psql");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
