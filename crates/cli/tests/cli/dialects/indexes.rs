//! Indexes over some of the rows, and over expressions.

use super::{ALL, MariaDb, MySql, Pg, Place, Sqlite, System, left};
use crate::postgres::verified;
use crate::stage::Stage;

/// A table of a system with the indexes that it can have.
fn task(system: System) -> String {
    let (text, done) = match system {
        MySql => ("varchar(50) COLLATE utf8mb4_0900_bin", "tinyint(1)"),
        MariaDb => ("varchar(50) COLLATE utf8mb4_nopad_bin", "tinyint(1)"),
        Pg => ("varchar(50)", "boolean"),
        Sqlite => ("varchar(50)", "int"),
    };
    let table = format!(
        "CREATE TABLE task (id int NOT NULL PRIMARY KEY, n int, mail {text}, done {done},
            note {text});
         INSERT INTO task VALUES (1, 1, 'a@b', '0', 'x'), (2, 1, 'A@b', '1', NULL);"
    );
    let open = if system == Pg { "NOT done" } else { "done = 0" };
    let some = format!(
        "CREATE UNIQUE INDEX one_open ON task (n) WHERE {open};
         CREATE INDEX noted ON task (note DESC) WHERE note IS NOT NULL AND note <> '';"
    );
    let made =
        "CREATE INDEX by_sum ON task ((n + id)); CREATE INDEX by_mail ON task ((lower(mail)));
         CREATE UNIQUE INDEX one_mail ON task ((lower(note)));";
    match system {
        MySql => table + made,
        MariaDb => table,
        Pg | Sqlite => table + &some + made,
    }
}

fn indexes(place: &Place, stage: &Stage) -> Vec<String> {
    let sql = match place.system {
        Pg => "SELECT indexname FROM pg_indexes WHERE tablename = 'task' ORDER BY 1",
        Sqlite => {
            "SELECT name FROM sqlite_master WHERE type = 'index' AND tbl_name = 'task' ORDER BY 1"
        }
        _ => {
            "SELECT DISTINCT INDEX_NAME FROM information_schema.STATISTICS WHERE
              TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'task' ORDER BY BINARY INDEX_NAME"
        }
    };
    let own = ["by_sum", "by_mail", "noted", "one_mail", "one_open"];
    place.rows(stage, sql).into_iter().filter(|name| own.contains(&name.as_str())).collect()
}

#[test]
fn indexes_cross_to_where_they_can_be() {
    for from in [MySql, Pg, Sqlite] {
        for to in ALL.into_iter().filter(|to| *to != from) {
            let stage = Stage::empty();
            let (source, target) = (Place::new(from, &stage), Place::new(to, &stage));
            source.run(&stage, &task(from));
            verified(&stage.migrate(&source.url(), &target.url(), ""));
            // A text of SQLite has no bound, so that MySQL has no index of what is made of it.
            let expected: &[&str] = match (from, to) {
                (_, MariaDb) => &[],
                (Sqlite, MySql) => &["by_sum"],
                (MySql, _) | (_, MySql) => &["by_mail", "by_sum"],
                _ => &["by_mail", "by_sum", "noted", "one_open"],
            };
            assert_eq!(indexes(&target, &stage), expected, "{from:?} → {to:?}");
            let left = left(&stage);
            let named =
                |name: &str| left.iter().any(|one| one.starts_with(&format!("index {name}: ")));
            assert!(named("one_mail"), "{from:?} → {to:?}: {left:#?}");
            if from != MySql {
                assert_eq!(named("one_open"), mysql(to), "{from:?} → {to:?}: {left:#?}");
            }
            if expected.contains(&"one_open") {
                let open = "INSERT INTO task VALUES (8, 1, NULL, '0', NULL)";
                let done = "INSERT INTO task VALUES (9, 1, NULL, '1', NULL)";
                assert!(
                    !target.takes(&stage, open) && target.takes(&stage, done),
                    "{from:?} → {to:?}"
                );
            }
        }
    }
}

fn mysql(system: System) -> bool {
    matches!(system, MySql | MariaDb)
}
