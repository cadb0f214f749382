//! SQLite to SQLite keeps every value, class, definition and number.

use longshore_model::LogicalType;
use proptest::prelude::{ProptestConfig, Strategy, any, prop_oneof, proptest};
use rusqlite::types::Value;

use crate::copying::{Pair, dump};

async fn same_after_copy(setup: &str, chunk_bytes: u64) -> crate::copying::Copied {
    let pair = Pair::new(setup);
    let copied = pair.copy(chunk_bytes).await.expect("a copy");
    assert_eq!(copied.plan.not_moved, []);
    assert_eq!(dump(&pair.path("source.db")), dump(&pair.path("target.db")));
    copied
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn loose_types_survive_in_every_affinity() {
    let columns = "i INTEGER, t TEXT, r REAL, n DECIMAL(10,2), b BLOB, none, d DATETIME, bo BOOLEAN DEFAULT false";
    let mut setup = format!("CREATE TABLE loose ({columns});");
    for value in [
        "NULL",
        "0",
        "-1",
        "9223372036854775807",
        "-9223372036854775808",
        "1.5",
        "1.0",
        "-0.0",
        "9e999",
        "-9e999",
        "1e300",
        "5e-324",
        "9223372036854775807.0",
        "''",
        "'abc'",
        "'007'",
        "'1e5'",
        "' 12 '",
        "'it''s'",
        "x''",
        "x'00ff'",
        "'2024-01-01'",
        "1700000000000",
        "CAST(x'ff00fe' AS TEXT)",
        "'a' || char(0) || 'b'",
        "char(0)",
        "'emoji 🦀 e' || char(769)",
    ] {
        let row = [value; 8].join(", ");
        setup.push_str(&format!("INSERT INTO loose VALUES ({row});"));
    }
    let copied = same_after_copy(&setup, 64).await;
    assert!(copied.plan.tables[0].chunks.len() > 5);
    assert!(copied.notes.iter().any(|note| note.starts_with("i holds")), "{:?}", copied.notes);
}

/// A NUMERIC column stores 10.0 as the integer 10, so prices are of two classes and one kind.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whole_and_broken_numbers_of_a_numeric_column_are_floats() {
    let copied = same_after_copy(
        "CREATE TABLE prices (price DECIMAL(10,2), i INTEGER, far NUMERIC, none, late NUMERIC);
         INSERT INTO prices VALUES (10.0, 1, 9007199254740993, 1, 1), (9.99, 1.5, 0.5, 1.0, 2),
            (-3, -2, 1, 2.5, 3), (NULL, NULL, NULL, NULL, NULL), (1e18, 1e300, 2, 3, 4);",
        32,
    )
    .await;
    let types: Vec<String> =
        copied.plan.tables[0].columns.iter().map(|column| column.from.to_string()).collect();
    assert_eq!(types, ["float64", "float64", "variant", "variant", "int64"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sparse_negative_and_duplicate_rows_survive() {
    let copied = same_after_copy(
        "CREATE TABLE sparse (id INTEGER PRIMARY KEY, v);
         INSERT INTO sparse VALUES (1, 'a'), (2, 'b'), (4611686018427387904, 'c'),
            (9223372036854775807, 'max'), (-5, 'minus'), (-9223372036854775808, 'min'), (0, NULL);
         CREATE TABLE twins (a, b);
         INSERT INTO twins VALUES (1, 'x'), (1, 'x'), (1, 'x'), (NULL, NULL), (NULL, NULL);
         CREATE TABLE empty (a INT PRIMARY KEY, b TEXT UNIQUE);",
        16,
    )
    .await;
    assert!(copied.plan.tables.iter().any(|table| table.chunks.len() > 3));
    let empty = copied.plan.tables.iter().find(|table| table.rows == 0).expect("an empty table");
    assert_eq!(empty.columns[0].from, LogicalType::INT64);
    assert_eq!(empty.chunks.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_without_row_numbers_are_cut_by_their_key() {
    let mut setup = String::from(
        "CREATE TABLE keyed (k TEXT COLLATE NOCASE, n, v, PRIMARY KEY (k, n)) WITHOUT ROWID;
         CREATE TABLE down (a, b, PRIMARY KEY (a DESC, b)) WITHOUT ROWID;
         CREATE TABLE foreign_order (k, n, PRIMARY KEY (k COLLATE NOCASE, n)) WITHOUT ROWID;
         CREATE TABLE trimmed (a TEXT COLLATE RTRIM PRIMARY KEY) WITHOUT ROWID;",
    );
    for k in ["a", "B", "b'", "ä", "", "Ab", "aB c", "z"] {
        let k = k.replace('\'', "''");
        for n in ["1", "2.5", "'2'", "x'02'", "-3", "CAST(x'ff' AS TEXT)"] {
            setup.push_str(&format!("INSERT INTO keyed VALUES ('{k}', {n}, 'v{k}');"));
            setup.push_str(&format!("INSERT INTO foreign_order VALUES ('{k}', {n});"));
            setup.push_str(&format!("INSERT INTO down VALUES ('{k}', {n});"));
        }
        setup.push_str(&format!("INSERT INTO trimmed VALUES ('{k} ');"));
    }
    let copied = same_after_copy(&setup, 20).await;
    let chunks = |name: &str| {
        copied.plan.tables.iter().find(|t| t.source.name == name).map(|t| t.chunks.len())
    };
    assert!(chunks("keyed") > Some(10));
    assert!(chunks("foreign_order") > Some(10));
    assert!(chunks("trimmed") > Some(2));
    assert_eq!(chunks("down"), Some(1), "a descending key is not cut");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn odd_names_and_shapes_survive() {
    let many: Vec<String> = (0..700).map(|n| format!("c{n} INT DEFAULT {n}")).collect();
    let setup = format!(
        "CREATE TABLE \"a.b \"\"q\"\" 🦀\" (\"select\" INT, [x y] TEXT, `from``` BLOB, \"\" REAL);
         INSERT INTO \"a.b \"\"q\"\" 🦀\" VALUES (1, 'x', x'01', 1.5), (2, NULL, NULL, NULL);
         CREATE TABLE \"order\" (rowid TEXT, _rowid_ INT, oid REAL);
         INSERT INTO \"order\" VALUES ('a', 1, 1.5), ('b', 2, 2.5), ('a', 1, 1.5);
         CREATE TABLE hidden (rowid TEXT, _ROWID_ INT, OID INTEGER PRIMARY KEY);
         INSERT INTO hidden VALUES ('a', 1, 10), ('b', 2, 20), ('c', 3, 30);
         CREATE TABLE shadow (rowid TEXT);
         INSERT INTO shadow VALUES ('5'), ('3'), ('x');
         CREATE TABLE not_alias (id INTEGER PRIMARY KEY DESC, v);
         INSERT INTO not_alias VALUES (NULL, 1), (5, 2), (3, 3);
         CREATE TABLE wide ({}); INSERT INTO wide DEFAULT VALUES; INSERT INTO wide DEFAULT VALUES;",
        many.join(", ")
    );
    same_after_copy(&setup, 16).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn structure_survives_word_by_word() {
    let setup = "
        PRAGMA user_version = 42; PRAGMA application_id = 7;
        CREATE TABLE parent (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL COLLATE NOCASE
            DEFAULT 'it''s', CHECK (length(name) > 0));
        INSERT INTO parent VALUES (1, 'a'), (100, 'b'); DELETE FROM parent WHERE id = 100;
        CREATE TABLE counted (id INTEGER PRIMARY KEY AUTOINCREMENT);
        INSERT INTO counted VALUES (9); DELETE FROM counted;
        CREATE TABLE child (id INT, parent REFERENCES parent(id) ON DELETE CASCADE
            DEFERRABLE INITIALLY DEFERRED, g GENERATED ALWAYS AS (id * 2) STORED,
            h TEXT AS (id || '-' || parent), UNIQUE (id, parent));
        PRAGMA foreign_keys = OFF;
        INSERT INTO child (id, parent) VALUES (1, 1), (2, 99), (NULL, NULL);
        CREATE TABLE strict (i INT, a ANY, r REAL) STRICT;
        INSERT INTO strict VALUES (1, '007', 2), (2, 5, 1.5), (3, x'00', NULL);
        CREATE TABLE strict_keyed (a ANY PRIMARY KEY, i INT) WITHOUT ROWID, STRICT;
        INSERT INTO strict_keyed VALUES ('1', 1), (1, 2), (x'31', 3);
        CREATE UNIQUE INDEX by_name ON parent (name DESC) WHERE name <> 'x';
        CREATE INDEX by_expression ON child (id + 1, parent COLLATE RTRIM);
        CREATE VIEW later AS SELECT * FROM sooner;
        CREATE VIEW sooner AS SELECT p.name, c.g FROM parent p JOIN child c ON c.parent = p.id;
        CREATE VIEW custom AS SELECT app_function(name) AS x FROM parent;
        CREATE TRIGGER touched AFTER INSERT ON child BEGIN
            UPDATE parent SET name = name || '!' WHERE id = new.parent; END;
        CREATE TRIGGER instead INSTEAD OF INSERT ON sooner BEGIN SELECT 1; END;";
    let pair = Pair::new(setup);
    let copied = pair.copy(16).await.expect("a copy");
    assert_eq!(copied.plan.not_moved, []);
    assert_eq!(dump(&pair.path("source.db")), dump(&pair.path("target.db")));
    let target = pair.open("target.db");
    for (sql, expected) in [
        ("PRAGMA user_version", 42),
        ("PRAGMA application_id", 7),
        ("SELECT seq FROM sqlite_sequence WHERE name = 'parent'", 100),
        ("SELECT seq FROM sqlite_sequence WHERE name = 'counted'", 9),
    ] {
        let found: i64 = target.query_row(sql, [], |row| row.get(0)).expect(sql);
        assert_eq!(found, expected, "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_move_is_named() {
    let pair = Pair::new(
        "CREATE TABLE kept (a); CREATE TABLE left_out (a);
         CREATE VIEW good AS SELECT a FROM kept;
         CREATE VIEW bad AS SELECT a FROM left_out;
         CREATE VIEW worse AS SELECT a FROM bad;
         CREATE TRIGGER bad_trigger AFTER INSERT ON kept BEGIN INSERT INTO left_out VALUES (1); END;
         CREATE TRIGGER far_trigger AFTER INSERT ON left_out BEGIN SELECT 1; END;
         CREATE VIRTUAL TABLE search USING fts5(x);",
    );
    let copied = pair.plan(1 << 20, |_| {}, |name| name != "left_out").await.expect("a plan");
    let mut named: Vec<_> = copied.plan.not_moved.iter().map(|left| left.name.as_str()).collect();
    named.sort_unstable();
    assert_eq!(named, ["bad", "bad_trigger", "far_trigger", "worse"]);
    assert!(copied.catalog.not_moved.iter().any(|left| left.name == "search"));
    assert!(copied.catalog.not_moved.iter().all(|left| left.name.starts_with("search")));
    pair.run(&copied.plan).await.expect("a run");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn renamed_and_changed_tables_are_made_from_their_structure() {
    let pair = Pair::new(
        "CREATE TABLE up (id INTEGER PRIMARY KEY, a VARCHAR(20) NOT NULL DEFAULT 'x', b DATETIME,
            UNIQUE (a), CHECK (a <> ''));
         INSERT INTO up VALUES (1, 'one', '2024-01-01'), (2, 'two', '2024');
         CREATE INDEX up_b ON up (b DESC);
         CREATE INDEX up_odd ON up (b + 1);",
    );
    let copied = pair
        .plan(
            16,
            |table| {
                table.target.name = "do\"wn".to_string();
                table.structure.name = table.target.clone();
                table.structure.native = None;
                for index in &mut table.structure.indexes {
                    index.native = None;
                }
            },
            |_| true,
        )
        .await
        .expect("a plan");
    let named: Vec<_> = copied.plan.not_moved.iter().map(|left| left.kind.as_str()).collect();
    assert_eq!(named, ["index"]);
    pair.run(&copied.plan).await.expect("a run");
    let target = pair.open("target.db");
    let sql: String = target
        .query_row("SELECT sql FROM sqlite_schema WHERE name = 'do\"wn'", [], |row| row.get(0))
        .expect("the table");
    for part in [
        "\"id\" INTEGER PRIMARY KEY",
        "\"a\" VARCHAR(20) NOT NULL DEFAULT ('x')",
        "\"b\" DATETIME",
        "CHECK (\"a\" <> '')",
    ] {
        assert!(sql.contains(part), "{sql}");
    }
    let twice = target.execute("INSERT INTO \"do\"\"wn\" (a) VALUES ('one')", []);
    assert!(twice.is_err(), "the unique constraint is kept");
}

fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        proptest::strategy::Just(Value::Null),
        any::<i64>().prop_map(Value::Integer),
        any::<f64>().prop_filter("SQLite has no NaN", |f| !f.is_nan()).prop_map(Value::Real),
        any::<String>().prop_map(Value::Text),
        "[0-9eE+. -]{0,9}".prop_map(Value::Text),
        proptest::collection::vec(any::<u8>(), 0..20).prop_map(Value::Blob),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn any_values_survive(
        rows in proptest::collection::vec(proptest::array::uniform5(any_value()), 0..30),
        chunk_bytes in 1_u64..500,
    ) {
        let pair = Pair::new("CREATE TABLE t (i INT, t TEXT, r REAL, n NUMERIC, b)");
        let source = pair.open("source.db");
        for row in &rows {
            source.execute("INSERT INTO t VALUES (?,?,?,?,?)", rusqlite::params_from_iter(row))
                .expect("an insert");
        }
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all()
            .build().expect("a runtime");
        runtime.block_on(pair.copy(chunk_bytes)).expect("a copy");
        assert_eq!(dump(&pair.path("source.db")), dump(&pair.path("target.db")));
    }
}
