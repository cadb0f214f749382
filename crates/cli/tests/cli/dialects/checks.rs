//! Checks: what the source refuses, the target refuses.

use super::{ALL, MariaDb, MySql, Pg, Place, Sqlite, System, left};
use crate::postgres::verified;
use crate::stage::Stage;

/// A table of a system whose checks other systems know, and some that they do not.
fn item(system: System) -> String {
    let (text, flag, native) = match system {
        MySql => {
            ("varchar(20) COLLATE utf8mb4_0900_bin", "tinyint(1)", "regexp_like(nick, '^[a-z]')")
        }
        MariaDb => ("varchar(20) COLLATE utf8mb4_nopad_bin", "tinyint(1)", "nick REGEXP '^[a-z]'"),
        Pg => ("varchar(20)", "boolean", "nick ~ '^[a-z]'"),
        Sqlite => ("varchar(20)", "int", "nick GLOB '[a-z]*'"),
    };
    let (length, price, back) = match system {
        Sqlite => ("length", "real", r"b\s"),
        Pg => ("length", "numeric(10,2)", r"b\s"),
        _ => ("char_length", "decimal(10,2)", r"b\\s"),
    };
    format!(
        "CREATE TABLE item (id int NOT NULL, price {price}, qty int, status {text}, mail {text},
            flag {flag}, code {text}, nick varchar(9), low int, high int, PRIMARY KEY (id),
            CONSTRAINT price_up CHECK (price > 0),
            CHECK (qty >= 1 AND qty % 5 = 0),
            CONSTRAINT known CHECK (status IN ('new', 'o''k', '{back}')),
            CONSTRAINT mailed CHECK (mail LIKE '%@%'),
            CONSTRAINT coded CHECK ({length}(trim(code)) = 3),
            CONSTRAINT flagged CHECK (flag OR coalesce(qty, 0) <> 5),
            CONSTRAINT ordered CHECK (high BETWEEN low AND low * 2 + 10),
            CONSTRAINT native_one CHECK ({native}),
            CONSTRAINT halved CHECK (low / 2 < 100));"
    )
}

/// Rows that are taken, in columns that every check looks at.
const FINE: &[&str] = &[
    "(1, 0.5, 5, 'new', 'a@b', '1', 'abc', 'n', 1, 12)",
    "(2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)",
    "(3, 99, 10, 'o''k', '@', '0', ' xyz ', NULL, 10, 10)",
];

/// Rows of which each is refused by one check.
const REFUSED: &[&str] = &[
    "(9, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)",
    "(9, -1.5, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)",
    "(9, NULL, 7, NULL, NULL, NULL, NULL, NULL, NULL, NULL)",
    "(9, NULL, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL)",
    "(9, NULL, NULL, 'NEW', NULL, NULL, NULL, NULL, NULL, NULL)",
    "(9, NULL, NULL, 'new ', NULL, NULL, NULL, NULL, NULL, NULL)",
    "(9, NULL, NULL, NULL, 'a', NULL, NULL, NULL, NULL, NULL)",
    "(9, NULL, NULL, NULL, NULL, NULL, 'abcd', NULL, NULL, NULL)",
    "(9, NULL, 5, NULL, NULL, '0', NULL, NULL, NULL, NULL)",
    "(9, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 1, 13)",
    "(9, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 2, 1)",
];

#[test]
fn a_target_refuses_what_its_source_refuses() {
    for from in ALL {
        for to in ALL.into_iter().filter(|to| *to != from) {
            let stage = Stage::empty();
            let source = Place::new(from, &stage);
            source.run(&stage, &item(from));
            for row in FINE {
                source.run(&stage, &format!("INSERT INTO item VALUES {row};"));
            }
            let target = Place::new(to, &stage);
            verified(&stage.migrate(&source.url(), &target.url(), ""));
            for place in [&source, &target] {
                for row in REFUSED {
                    let sql = format!("INSERT INTO item VALUES {row}");
                    assert!(!place.takes(&stage, &sql), "{from:?} → {to:?}: {sql} in {place:?}");
                }
                let again = FINE[0].replacen('1', "7", 1);
                let sql = format!("INSERT INTO item VALUES {again}");
                assert!(place.takes(&stage, &sql), "{from:?} → {to:?}: {sql}");
            }
            let left = left(&stage);
            let checks: Vec<&String> = left.iter().filter(|one| one.contains("check")).collect();
            assert_eq!(checks.len(), 2, "{from:?} → {to:?}: {left:#?}");
            assert!(checks.iter().any(|one| one.contains("halved: it divides")), "{checks:#?}");
            assert!(checks.iter().any(|one| one.contains("native_one: ")), "{checks:#?}");
        }
    }
}

#[test]
fn checks_that_mean_something_else_are_named_with_their_reason() {
    for (from, sql, to, reason) in [
        (
            MySql,
            "a varchar(9), CONSTRAINT c CHECK (a <> 'x')",
            Pg,
            "compares its texts without case",
        ),
        (
            MySql,
            "a varchar(9) COLLATE utf8mb4_bin, CONSTRAINT c CHECK (a <> 'x')",
            Sqlite,
            "differ in spaces at the end",
        ),
        (
            MariaDb,
            "a varchar(9), CONSTRAINT c CHECK (length(a) < 5)",
            MySql,
            "the function octet_length",
        ),
        (MySql, "a int, CONSTRAINT c CHECK (a > 0) NOT ENFORCED", MariaDb, "does not enforce"),
        (Sqlite, "a text COLLATE NOCASE, CONSTRAINT c CHECK (a <> 'x')", Pg, "by NOCASE"),
        (Sqlite, "a text, CONSTRAINT c CHECK (a LIKE 'x%')", MariaDb, "upper and lower case"),
        (Sqlite, "a, CONSTRAINT c CHECK (a > 5)", Pg, "compares a text with a number"),
        (Pg, "a text, CONSTRAINT c CHECK (a < 'x')", MySql, "orders texts"),
        (Pg, "a char(3), CONSTRAINT c CHECK (a <> 'x')", Sqlite, "compares in a way of its own"),
        (Pg, "a date, CONSTRAINT c CHECK (a > '2000-01-01')", Sqlite, "compares"),
        (Pg, "a int[], CONSTRAINT c CHECK (a <> '{}')", MySql, "looks into a"),
        (Pg, "a numeric(30,2), CONSTRAINT c CHECK (a > 0)", Sqlite, "more than 15 digits"),
    ] {
        let stage = Stage::empty();
        let source = Place::new(from, &stage);
        source.run(&stage, &format!("CREATE TABLE t (id int NOT NULL PRIMARY KEY, {sql});"));
        source.run(&stage, "INSERT INTO t (id) VALUES (1);");
        let target = Place::new(to, &stage);
        verified(&stage.migrate(&source.url(), &target.url(), ""));
        let left = left(&stage);
        let found = left.iter().any(|one| one.starts_with("check ") && one.contains(reason));
        assert!(found, "{from:?} → {to:?}: {sql}: {left:#?}");
    }
}

#[test]
fn a_row_that_violates_a_check_ends_the_run_with_its_name() {
    let stage = Stage::empty();
    let source = Place::new(Sqlite, &stage);
    let make =
        "CREATE TABLE t (id int NOT NULL PRIMARY KEY, n int, CONSTRAINT upwards CHECK (n > 0));";
    source.run(
        &stage,
        &format!("{make} PRAGMA ignore_check_constraints = ON; INSERT INTO t VALUES (1, -5);"),
    );
    for to in [MySql, MariaDb, Pg] {
        let target = Place::new(to, &stage);
        let ran = stage.migrate(&source.url(), &target.url(), "");
        assert_eq!(ran.code, Some(42), "{to:?}: {}", ran.err);
        assert!(ran.err.contains("upwards") && !ran.err.contains("-5"), "{to:?}: {}", ran.err);
    }
    let lax = Place::new(MariaDb, &stage);
    lax.run(
        &stage,
        &format!("{make} SET check_constraint_checks = 0; INSERT INTO t VALUES (1, -5);"),
    );
    let ran = stage.migrate(&lax.url(), "sqlite:strict.db", "");
    assert!(ran.code != Some(0) && !ran.err.contains("-5"), "{}", ran.err);
}
