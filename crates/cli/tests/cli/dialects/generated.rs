//! Generated columns: computed by the target where it computes the same, else plain columns.

use super::{ALL, MariaDb, MySql, Pg, Place, Sqlite, System, left};
use crate::postgres::verified;
use crate::stage::Stage;

/// Expressions that every system computes the same, and one that each has for itself.
fn line(system: System) -> String {
    let (join, own) = match system {
        MySql => ("concat(a, '-', b)", "hex(b)"),
        MariaDb => ("concat(a, '-', b)", "hex(b)"),
        Pg => ("a || '-' || b", "md5(b)"),
        Sqlite => ("a || '-' || b", "hex(b)"),
    };
    let text = match system {
        MySql => "varchar(40) COLLATE utf8mb4_0900_bin",
        MariaDb => "varchar(40) COLLATE utf8mb4_nopad_bin",
        Pg | Sqlite => "varchar(40)",
    };
    format!(
        "CREATE TABLE line (id int NOT NULL, qty int, per int, a {text}, b {text},
            total bigint GENERATED ALWAYS AS (qty * per + 1) STORED,
            joined {text} GENERATED ALWAYS AS ({join}) STORED,
            kind {text} GENERATED ALWAYS AS (CASE WHEN qty > 10 THEN 'many' ELSE coalesce(a, 'none') END) STORED,
            own varchar(200) GENERATED ALWAYS AS ({own}) STORED,
            after_all int, PRIMARY KEY (id));
         INSERT INTO line (id, qty, per, a, b, after_all) VALUES (1, 3, 4, 'x', 'y', 5),
            (2, NULL, 4, NULL, 'y', NULL), (3, 11, -7, 'it''s', '', 1);"
    )
}

const READ: &str = "SELECT total, joined, kind, after_all FROM line ORDER BY id";
const ROWS: [&str; 3] = ["13|x-y|x|5", "||none|", "-76|it's-|many|1"];

#[test]
fn a_target_computes_what_its_source_computes() {
    for from in ALL {
        for to in ALL.into_iter().filter(|to| *to != from) {
            let stage = Stage::empty();
            let source = Place::new(from, &stage);
            source.run(&stage, &line(from));
            let target = Place::new(to, &stage);
            verified(&stage.migrate(&source.url(), &target.url(), ""));
            assert_eq!(target.rows(&stage, READ), ROWS, "{from:?} → {to:?}");
            let left = left(&stage);
            target.run(&stage, "UPDATE line SET qty = 1, a = 'new' WHERE id = 3;");
            let changed = target.rows(&stage, READ);
            assert_eq!(changed[2], "-6|new-|new|1", "{from:?} → {to:?}");
            let own = |place: &Place| place.rows(&stage, "SELECT own, id FROM line ORDER BY id");
            assert_eq!(own(&source), own(&target), "{from:?} → {to:?}");
            let plain: Vec<&String> =
                left.iter().filter(|one| one.contains("generated column")).collect();
            assert_eq!(plain.len(), 1, "{from:?} → {to:?}: {left:#?}");
            assert!(plain[0].contains("line.own: its values move as they are: "), "{plain:#?}");
        }
    }
}

#[test]
fn a_renamed_column_is_computed_from_renamed_ones_and_mended() {
    let stage = Stage::empty();
    let source = Place::new(Sqlite, &stage);
    source.run(&stage, &line(Sqlite));
    let target = Place::new(Pg, &stage);
    stage.write(
        "m.yaml",
        &format!(
            "longshore: v1\nname: line\nmoves: [{{from: '{}', to: '{}', columns: {{line: {{drop: [own], \
             rename: {{qty: pieces, total: sum}}}}}}}}]\n",
            source.url(),
            target.url()
        ),
    );
    verified(&stage.run(&["run", "m.yaml", "--json"]));
    let read = "SELECT pieces, sum FROM line ORDER BY id";
    assert_eq!(target.rows(&stage, read), ["3|13", "|", "11|-76"]);
    target.run(&stage, "UPDATE line SET pieces = 4 WHERE id = 1; DELETE FROM line WHERE id = 2;");
    let ran = stage.run(&["verify", "m.yaml", "--json"]);
    assert_eq!(ran.code, Some(3), "{}", ran.err);
    verified(&stage.run(&["verify", "m.yaml", "--repair", "--json"]));
    assert_eq!(target.rows(&stage, read), ["3|13", "|", "11|-76"]);
}
