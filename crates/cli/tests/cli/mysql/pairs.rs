//! MySQL and MariaDB to every other system and back, with every type.

use longshore_testkit::mysql::Mysql;
use longshore_testkit::postgres::{Postgres, Version};

use super::{BOTH, same_dump, verified};
use crate::stage::Stage;

/// A table with a column of every type, and rows of ordinary and of odd values.
const TYPES: &str = include_str!("types.sql");

fn types(server: &Mysql) -> String {
    let database = server.create("types");
    server.sql(&database, TYPES);
    database
}

/// Every value, in a form that does not depend on how its column is declared.
fn values(server: &Mysql, database: &str) -> String {
    const WORDS: &str = "id ti tu flag si su mi mu iu bi bu d d2 du y dt c vc tt tx mt lt latin \
                         sjis wide old e s j";
    let words = WORDS.split_whitespace().map(str::to_string);
    let bytes = "bin vb tb bl lb p".split(' ').map(|name| format!("hex({name})"));
    let numbers = "zf f dbl".split(' ').map(|name| format!("{name} + 0e0"));
    let moments = "ts ts0 dtm dtm0".split(' ').map(|name| format!("CAST({name} AS datetime(6))"));
    let columns: Vec<String> = words.chain(bytes).chain(numbers).chain(moments).collect();
    let columns = columns.join(", ");
    let sql = format!("SET time_zone = '+00:00'; SELECT {columns} FROM types ORDER BY id");
    server.sql(database, &sql)
}

/// Spans of time and bits; what has no such types hands them back as texts.
const SPANS: &str = "SELECT tm, tm0 FROM types ORDER BY id";
const SPANS_AS_TEXT: &str =
    "NULL\tNULL\nP0M0DT-3020399S\tP0M0DT3020399S\nP0M0DT0.000001S\tNULL\nP0M0DT-0.5S\tNULL";
const BITS: &str = "SELECT hex(b1), hex(b12), hex(b64) FROM types ORDER BY id";

#[test]
fn postgres_takes_every_value_and_gives_it_back() {
    for flavor in BOTH {
        let server = Mysql::shared(flavor);
        let postgres = Postgres::shared(Version::V18);
        let (from, between, back) =
            (types(server), postgres.create("types"), server.create("back"));
        let stage = Stage::empty();
        verified(&stage.migrate(&server.url(&from), &postgres.url(&between), ""));
        for (sql, expected) in [
            ("SELECT tm, tm0 FROM types WHERE id = 1", "-838:59:59|838:59:59"),
            (
                "SELECT b12, bu, j->>'a' FROM types WHERE id = 1",
                "101010101010|18446744073709551615|1.5",
            ),
            ("SELECT ts AT TIME ZONE 'UTC' FROM types WHERE id = 1", "2038-01-19 03:14:07.999999"),
        ] {
            assert_eq!(postgres.psql(&between, sql), expected, "{sql}");
        }
        verified(&stage.migrate(&postgres.url(&between), &server.url(&back), ""));
        assert_eq!(values(server, &from), values(server, &back), "{flavor:?}");
        assert_eq!(server.sql(&from, BITS), server.sql(&back, BITS), "{flavor:?}");
        assert_eq!(server.sql(&back, SPANS), SPANS_AS_TEXT);
    }
}

#[test]
fn the_same_system_keeps_every_value_and_definition() {
    for flavor in BOTH {
        let server = Mysql::shared(flavor);
        let (from, to) = (types(server), server.create("copy"));
        verified(&Stage::empty().migrate(&server.url(&from), &server.url(&to), ""));
        same_dump(server, &from, &to);
    }
}

#[test]
fn one_of_the_two_passes_every_value_to_the_other() {
    for (flavor, other) in [(BOTH[0], BOTH[1]), (BOTH[1], BOTH[0])] {
        let (server, target) = (Mysql::shared(flavor), Mysql::shared(other));
        let (from, to) = (types(server), target.create("copy"));
        verified(&Stage::empty().migrate(&server.url(&from), &target.url(&to), ""));
        assert_eq!(values(server, &from), values(target, &to), "{flavor:?}");
        assert_eq!(server.sql(&from, BITS), target.sql(&to, BITS), "{flavor:?}");
        let declared = "SELECT COLUMN_TYPE FROM information_schema.COLUMNS WHERE \
                        TABLE_SCHEMA = DATABASE() AND COLUMN_NAME = 'e'";
        assert_eq!(target.sql(&to, declared), "enum('a','b''c','d,e','(','')");
    }
}

#[test]
fn files_and_sqlite_bring_back_every_value() {
    for flavor in BOTH {
        let server = Mysql::shared(flavor);
        let from = types(server);
        let stage = Stage::empty();
        for between in ["parquet", "csv", "jsonl", "sqlite"] {
            let place = match between {
                "sqlite" => "sqlite:types.db".to_string(),
                format => format!("file:{format}?format={format}"),
            };
            verified(&stage.migrate(&server.url(&from), &place, ""));
            let back = server.create("back");
            verified(&stage.migrate(&place, &server.url(&back), ""));
            assert_eq!(values(server, &from), values(server, &back), "{flavor:?} by {between}");
            if between == "sqlite" {
                assert_eq!(server.sql(&back, SPANS), SPANS_AS_TEXT, "{flavor:?}");
                let bits = "SELECT b1, b12 FROM types WHERE id = 1";
                assert_eq!(server.sql(&back, bits), "1\t101010101010", "{flavor:?}");
                continue;
            }
            for sql in [SPANS, BITS] {
                assert_eq!(server.sql(&from, sql), server.sql(&back, sql), "{flavor:?}: {sql}");
            }
        }
    }
}
