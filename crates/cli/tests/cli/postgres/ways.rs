//! The way to a server: protection, passwords, and what is said when it is barred.

use longshore_testkit::postgres::{Postgres, Version};

use crate::stage::Stage;

#[test]
fn certificates_and_names_are_checked() {
    let server = Postgres::shared(Version::V18);
    let database = server.create("safe");
    server.psql(
        &database,
        "CREATE TABLE t AS SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid();
         CREATE VIEW protected AS SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
    );
    let stage = Stage::empty();
    let url = server.url(&database);
    let authority = server.authority();
    let authority = authority.display();
    let other = Postgres::shared(Version::V15).authority();
    let other = other.display();
    let local = url.replace("127.0.0.1", "localhost");
    for (number, address) in [
        format!("{url}?sslmode=verify-full&sslrootcert={authority}"),
        format!("{local}?sslrootcert={authority}"),
        format!("{url}?sslmode=require"),
        format!("{url}?sslmode=disable"),
    ]
    .iter()
    .enumerate()
    {
        stage.done(&["copy", address, &format!("sqlite:{number}.db")]);
    }
    for address in [
        format!("{url}?sslmode=verify-full"),
        format!("{url}?sslmode=verify-full&sslrootcert={other}"),
        format!("{url}?sslmode=require&sslrootcert={other}"),
        format!("{url}?sslmode=verify-full&sslrootcert=/no/such/file"),
    ] {
        let ran = stage.run(&["copy", &address, "sqlite:never.db"]);
        assert_ne!(ran.code, Some(0), "{address}");
        assert!(ran.err.contains("certificate"), "{address}: {}", ran.err);
        assert!(!stage.join("never.db").exists(), "{address}");
    }
}

#[test]
fn a_unix_socket_is_a_way_too() {
    let (source, target) = (Postgres::shared(Version::V15), Postgres::shared(Version::V18));
    let (from, to) = (source.create("near"), target.create("near"));
    source.psql(&from, "CREATE TABLE t AS SELECT i, 'x' AS v FROM generate_series(1, 1000) i");
    let way = |server: &Postgres, database: &str| {
        let (port, folder) = (server.port(), server.socket().display());
        format!("postgres://postgres@:{port}/{database}?host={folder}")
    };
    let stage = Stage::empty();
    stage.done(&["copy", &way(source, &from), &way(target, &to)]);
    assert_eq!(target.psql(&to, "SELECT sum(i) FROM t"), "500500");
    stage.done(&["copy", &way(target, &to), "file:out?format=parquet"]);
}

#[test]
fn a_barred_way_is_told_without_the_password() {
    let server = Postgres::shared(Version::V15);
    let database = server.create("barred");
    let stage = Stage::empty();
    let port = server.port();
    let closed = "postgres://me:hunter2@127.0.0.1:1/shop".to_string();
    for (address, expected) in [
        (format!("postgres://postgres:hunter2@127.0.0.1:{port}/{database}"), "password"),
        (format!("postgres://nobody:hunter2@127.0.0.1:{port}/{database}"), "password"),
        (server.url_as("postgres", "postgres", "no_such"), "LS0101"),
        (closed, "connection"),
        (format!("postgres://me:hunter2@no.such.host.invalid:{port}/shop"), "connection"),
    ] {
        for args in [["copy", &address, "sqlite:x.db"], ["copy", "sqlite:shop.db", &address]] {
            stage.sql("shop.db", "CREATE TABLE IF NOT EXISTS t (a)");
            let ran = stage.run(&args);
            assert!(!matches!(ran.code, None | Some(0)), "{args:?}");
            assert!(ran.err.contains(expected), "{args:?}: {}", ran.err);
            assert!(!format!("{}{}", ran.out, ran.err).contains("hunter2"), "{args:?}");
        }
    }
}
