//! MySQL and MariaDB, with real servers of both.

mod faults;
mod pairs;
mod rights;
mod structure;
mod traps;

use longshore_testkit::mysql::{Flavor, Mysql};

use crate::postgres::verified;

const BOTH: [Flavor; 2] = [Flavor::MySql, Flavor::MariaDb];

/// What the server's own program shows of a database, without the tables of the ledger.
fn dump(server: &Mysql, database: &str) -> String {
    let tables = server.sql(database, "SHOW TABLES LIKE '\\_longshore%'");
    let own = tables.lines().map(|name| format!("--ignore-table={database}.{name}"));
    let options: Vec<String> = own.chain(["--routines".to_string()]).collect();
    let dump = server.dump(database, &options.iter().map(String::as_str).collect::<Vec<_>>());
    // Programs belong to whoever makes them.
    dump.replace("`root`@`localhost`", "`root`@`127.0.0.1`")
}

fn same_dump(server: &Mysql, left: &str, right: &str) {
    let (one, two) = (dump(server, left), dump(server, right));
    let differ = one.lines().zip(two.lines()).find(|(one, two)| one != two);
    assert_eq!(differ, None, "{:?}", server.flavor());
    assert_eq!(one.lines().count(), two.lines().count());
}
