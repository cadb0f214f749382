use longshore_model::catalog::{Catalog, Column, Table, TableName};
use longshore_model::connector::Design;
use longshore_model::plan::{ColumnPlan, TablePlan};
use longshore_testkit::postgres::{Postgres, Version};

use super::design;
use crate::types::map_column;

fn column(name: &str, logical: &str) -> Column {
    Column::new(name, logical.parse().expect(logical))
}

fn numbered(logical: &str) -> Column {
    Column { increments: true, nullable: false, ..column("i\"d", logical) }
}

fn table(name: &str, columns: Vec<Column>) -> TablePlan {
    let plan = |column: &Column| {
        let mapping = map_column(column).expect("a mapping");
        ColumnPlan {
            source: column.name.clone(),
            target: column.name.clone(),
            from: column.logical.clone(),
            to: mapping.logical,
            native: mapping.native,
            declared: column.native.clone(),
            mask: None,
            guards: Vec::new(),
            computed: false,
        }
    };
    let name = TableName { namespace: None, name: name.to_string() };
    TablePlan {
        source: name.clone(),
        target: name.clone(),
        columns: columns.iter().map(plan).collect(),
        described: Vec::new(),
        filter: None,
        wire: None,
        rows: 0,
        bytes: 0,
        key: Vec::new(),
        structure: Table {
            name,
            columns,
            primary_key: Vec::new(),
            indexes: Vec::new(),
            foreign_keys: Vec::new(),
            checks: Vec::new(),
            native: None,
            rows_elsewhere: false,
            comment: None,
            attributes: Default::default(),
        },
        chunks: Vec::new(),
    }
}

fn designed(tables: &[TablePlan]) -> Design {
    let catalog = Catalog { dialect: "elsewhere".to_string(), ..Catalog::default() };
    design(tables, &catalog, "public").expect("a design")
}

/// What `sql` gives after a table was made with some rows and finished, twice.
fn finished(server: &Postgres, table: TablePlan, rows: &str, sql: &str) -> String {
    let database = server.create("design");
    let design = designed(&[table]);
    let run = |all: &[longshore_model::plan::Statement]| {
        for statement in all {
            // As in a session of the connector.
            server.psql(&database, &format!("SET search_path = ''; {}", statement.sql));
        }
    };
    run(&design.prepare);
    server.psql(&database, rows);
    run(&design.finish);
    run(&design.finish);
    server.psql(&database, sql)
}

#[test]
fn numbers_go_on_after_the_rows() {
    let server = Postgres::shared(Version::V15);
    for logical in ["int16", "int32", "int64"] {
        for (rows, next) in [
            ("", "1"),
            ("INSERT INTO \"T t\" VALUES (-7), (-3)", "1"),
            ("INSERT INTO \"T t\" VALUES (0)", "1"),
            ("INSERT INTO \"T t\" VALUES (1)", "2"),
            ("INSERT INTO \"T t\" VALUES (41), (7)", "42"),
            (
                "INSERT INTO \"T t\" VALUES (41);
                 SELECT setval(pg_get_serial_sequence('\"T t\"', 'i\"d'), 90)",
                "91",
            ),
            ("ALTER TABLE \"T t\" ALTER \"i\"\"d\" SET INCREMENT -1 SET MINVALUE -9", "1"),
        ] {
            let made = table("T t", vec![numbered(logical)]);
            let sql = "INSERT INTO \"T t\" DEFAULT VALUES RETURNING *";
            let found = finished(server, made, rows, sql);
            assert_eq!(found.lines().next(), Some(next), "{logical} {rows}");
        }
    }
    let none = "ALTER TABLE \"T t\" ALTER \"i\"\"d\" DROP IDENTITY;
        INSERT INTO \"T t\" VALUES (5)";
    let made = table("T t", vec![numbered("int64")]);
    assert_eq!(finished(server, made, none, "SELECT * FROM \"T t\""), "5");
}

#[test]
fn columns_that_cannot_number_rows_are_named() {
    for (logical, named) in
        [("uint32", None), ("uint64", Some("numeric(20,0)")), ("text", Some("text"))]
    {
        let design = designed(&[table("t", vec![numbered(logical)])]);
        let left: Vec<_> = design.not_moved.iter().map(|one| one.reason.as_str()).collect();
        assert_eq!(left.len(), named.iter().len(), "{logical}");
        assert!(left.iter().all(|reason| reason.contains(named.unwrap_or_default())), "{left:?}");
        let identity = design.prepare[0].sql.contains("IDENTITY");
        assert_eq!(identity, named.is_none(), "{logical}");
    }
}

#[test]
fn what_columns_allow_and_have_by_default_is_declared() {
    let long = "c".repeat(60);
    let of = |column: Column, values: &[&str]| Column {
        values: values.iter().map(|text| text.to_string()).collect(),
        ..column
    };
    let with = |column: Column, text: &str| Column { default: Some(text.to_string()), ..column };
    let columns = vec![
        with(of(column("kind", "text"), &["a", "it's", "b\\c", ""]), "'it''s'"),
        of(column(&long, "text"), &["x"]),
        with(column("flags", "bits(8)"), "b'101'"),
        with(column("day", "date"), "'2024-02-29'"),
        with(column("at", "timestamptz"), "'2024-02-29 12:00:00'"),
        with(column("now", "timestamp"), "current_timestamp(3)"),
    ];
    let rows = "INSERT INTO t DEFAULT VALUES";
    let sql = "SET timezone = 'UTC'; SELECT kind, flags, day, at, now > '2024-01-01' FROM t;
        SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint
        WHERE conrelid = 't'::regclass ORDER BY conname = 'kind_values' DESC";
    let found = finished(Postgres::shared(Version::V18), table("t", columns), rows, sql);
    let lines: Vec<&str> = found.lines().filter(|line| *line != "SET").collect();
    let values = "ARRAY['a'::text, 'it''s'::text, 'b\\c'::text, ''::text]";
    let expected = [
        "it's|00000101|2024-02-29|2024-02-29 12:00:00+00|t".to_string(),
        format!("kind_values|CHECK ((kind = ANY ({values})))"),
    ];
    assert_eq!(lines[..2], expected);
    assert!(lines[2].ends_with(&format!("CHECK (({long} = 'x'::text))")), "{}", lines[2]);
    assert_eq!(lines.len(), 3);

    let numbers = of(column("kind", "int64"), &["1"]);
    let left = designed(&[table("t", vec![numbers])]).not_moved;
    assert_eq!(left.iter().map(|one| one.kind.as_str()).collect::<Vec<_>>(), ["check"]);
}
