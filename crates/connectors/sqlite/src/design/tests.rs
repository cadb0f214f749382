use longshore_model::catalog::{
    Catalog, Check, Column, Common, ForeignKey, Index, IndexPart, Program, Table, TableName,
};
use longshore_model::plan::{ColumnPlan, TablePlan};

use super::design;
use crate::types::map_column;

fn column(name: &str, logical: &str, native: &str, default: Option<&str>) -> Column {
    Column {
        native: native.to_string(),
        nullable: false,
        default: default.map(str::to_string),
        ..Column::new(name, logical.parse().expect(logical))
    }
}

fn plan(name: &str, columns: Vec<Column>, key: &[&str]) -> TablePlan {
    let plans = columns
        .iter()
        .map(|column| {
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
        })
        .collect();
    let key: Vec<String> = key.iter().map(|name| name.to_string()).collect();
    TablePlan {
        source: TableName { namespace: Some("public".to_string()), name: name.to_string() },
        target: TableName { namespace: Some("public".to_string()), name: name.to_string() },
        columns: plans,
        described: Vec::new(),
        wire: None,
        filter: None,
        rows: 0,
        bytes: 0,
        key: key.clone(),
        structure: Table {
            name: TableName::plain(name),
            columns,
            primary_key: key,
            indexes: Vec::new(),
            foreign_keys: Vec::new(),
            checks: Vec::new(),
            native: Some("CREATE TABLE of another system".to_string()),
            rows_elsewhere: false,
            comment: None,
            attributes: Default::default(),
        },
        chunks: Vec::new(),
    }
}

fn index(name: &str, columns: &[&str], constraint: bool) -> Index {
    let part = |column: &&str| IndexPart {
        column: Some(column.to_string()),
        descending: false,
        common: None,
    };
    Index {
        name: name.to_string(),
        parts: columns.iter().map(part).collect(),
        unique: constraint,
        constraint,
        condition: None,
        common: None,
        native: None,
    }
}

#[test]
fn tables_of_another_system_are_made_from_their_structure() {
    let columns = vec![
        column("id", "int64", "bigint", None),
        column("price", "decimal(10,2)", "numeric(10,2)", Some("1.50")),
        column("day", "date", "date", Some("random_day()")),
        column("at", "timestamptz", "timestamptz", Some("now()")),
        column("kind", "text", "mood; DROP", Some("'it''s'")),
    ];
    let mut orders = plan("orders", columns, &["id"]);
    orders.structure.indexes =
        vec![index("by_at", &["at"], false), index("orders_kind_key", &["kind"], true)];
    orders.structure.foreign_keys.push(ForeignKey {
        columns: vec!["kind".to_string()],
        references: TableName::plain("kinds"),
        referenced: vec!["name".to_string()],
        on_delete: "CASCADE".to_string(),
        on_update: "NO ACTION".to_string(),
        deferred: true,
    });
    let mut kinds = plan("kinds", vec![column("name", "text", "text", None)], &["name"]);
    kinds.structure.indexes = vec![index("by_at", &["name"], false)];
    let catalog = Catalog { dialect: "postgres".to_string(), ..Catalog::default() };
    let made = design(&[orders, kinds], &catalog).expect("a design");
    assert_eq!(
        made.prepare[0].sql,
        "CREATE TABLE \"orders\" (\n  \"id\" INTEGER PRIMARY KEY,\n  \
         \"price\" DECIMAL_TEXT(10,2) NOT NULL DEFAULT (1.50),\n  \
         \"day\" date NOT NULL,\n  \
         \"at\" timestamptz NOT NULL DEFAULT (CURRENT_TIMESTAMP),\n  \"kind\" TEXT NOT NULL DEFAULT ('it''s'),\n  \
         FOREIGN KEY (\"kind\") REFERENCES \"kinds\" (\"name\") ON DELETE CASCADE \
         DEFERRABLE INITIALLY DEFERRED\n)"
    );
    let finish: Vec<&str> = made.finish.iter().map(|one| one.purpose.as_str()).collect();
    assert_eq!(finish, ["index by_at", "index orders_kind_key", "index kinds_by_at"]);
    let left: Vec<&str> = made.not_moved.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(left, ["public.orders.day"]);
}

#[test]
fn what_columns_allow_and_have_by_default_is_declared() {
    for (logical, default, expected) in [
        ("bits(4)", "b'101'", Some("'0101'")),
        ("bits(2)", "b'101'", None),
        ("bits(2)", "'01'", None),
        ("date", "'2024-02-29'", Some("'2024-02-29'")),
        ("date", "'0000-00-00'", None),
        ("timestamp", "'2024-02-29 01:02:03.500'", Some("'2024-02-29 01:02:03.5'")),
        ("timestamptz", "'2024-02-29 01:02:03'", Some("'2024-02-29 01:02:03Z'")),
        ("timestamp", "CURRENT_TIMESTAMP", Some("CURRENT_TIMESTAMP")),
        ("int64", "5", Some("5")),
    ] {
        let made = design(
            &[plan("t", vec![column("c", logical, "", Some(default))], &[])],
            &Catalog { dialect: "elsewhere".to_string(), ..Catalog::default() },
        )
        .expect("a design");
        let sql = &made.prepare[0].sql;
        match expected {
            Some(expected) => assert!(sql.contains(&format!("DEFAULT ({expected})")), "{sql}"),
            None => assert_eq!(made.not_moved[0].name, "public.t.c", "{sql}"),
        }
    }
    let mut kind = column("kind", "text", "", None);
    kind.values = vec!["a".to_string(), "it's".to_string()];
    let made = design(&[plan("t", vec![kind], &[])], &Catalog::default()).expect("a design");
    let check = "CONSTRAINT \"kind_values\" CHECK (\"kind\" IN ('a', 'it''s'))";
    assert!(made.prepare[0].sql.contains(check), "{}", made.prepare[0].sql);
}

#[test]
fn names_that_are_one_in_sqlite_are_refused() {
    let one = || vec![column("a", "int64", "", None)];
    let error = design(&[plan("t", one(), &[]), plan("T", one(), &[])], &Catalog::default())
        .expect_err("two tables of one name");
    assert!(error.to_string().contains("same name"), "{error}");
}

#[test]
fn conditions_and_views_of_another_system_are_written_anew_or_named() {
    let sql = |text: &str| Common::Sql(text.to_string());
    let columns = vec![
        column("id", "int64", "", None),
        column("price", "decimal(10,2)", "", None),
        column("day", "date", "", None),
    ];
    let mut orders = plan("orders", columns, &["id"]);
    let check = |name: &str, common: Common| Check { name: name.to_string(), common };
    orders.structure.checks = vec![
        check("up", sql("\"price\" > 0")),
        check("", sql("\"id\" % 2 = 0")),
        check("late", sql("\"day\" > DATE '2000-01-01'")),
        check("odd", Common::Refused("it divides".to_string())),
    ];
    let some = Index {
        condition: Some("(id > 5)".to_string()),
        common: Some(sql("\"id\" > 5")),
        ..index("some", &["day"], false)
    };
    let mut sums = index("sums", &["day"], false);
    sums.parts[0] = IndexPart { column: None, descending: true, common: Some(sql("\"id\" + 1")) };
    orders.structure.indexes = vec![some, sums];
    let view = |name: &str, text: &str| Program {
        kind: "view".to_string(),
        name: name.to_string(),
        table: name.to_string(),
        native: String::new(),
        common: Some(sql(text)),
        needs: Vec::new(),
        described: false,
    };
    let catalog = Catalog {
        dialect: "elsewhere".to_string(),
        default_namespace: Some("public".to_string()),
        programs: vec![
            view(
                "b",
                "CREATE VIEW \"public\".\"b\" AS SELECT \"a\".\"id\" AS \"id\" FROM \"x\".\"a\" AS \"a\"",
            ),
            view(
                "a",
                "CREATE VIEW \"x\".\"a\" AS SELECT \"o\".\"id\" AS \"id\" FROM \"public\".\"orders\" AS \"o\"",
            ),
            view(
                "c",
                "CREATE VIEW \"public\".\"c\" AS SELECT \"g\".\"id\" AS \"id\" FROM \"gone\" AS \"g\"",
            ),
        ],
        ..Catalog::default()
    };
    let made = design(&[orders], &catalog).expect("a design");
    for part in ["CONSTRAINT \"up\" CHECK (CAST(\"price\" AS REAL) > 0)", "CHECK (\"id\" % 2 = 0)"]
    {
        assert!(made.prepare[0].sql.contains(part), "{}", made.prepare[0].sql);
    }
    let finish: Vec<&str> = made.finish.iter().map(|one| one.sql.as_str()).collect();
    assert_eq!(
        finish,
        [
            "CREATE INDEX \"some\" ON \"orders\" (\"day\") WHERE \"id\" > 5",
            "CREATE INDEX \"sums\" ON \"orders\" (\"id\" + 1 DESC)",
            "CREATE VIEW \"x.a\" AS SELECT \"o\".\"id\" AS \"id\" FROM \"orders\" AS \"o\"",
            "CREATE VIEW \"b\" AS SELECT \"a\".\"id\" AS \"id\" FROM \"x.a\" AS \"a\"",
        ]
    );
    let left: Vec<&str> = made.not_moved.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(left, ["public.orders.late", "public.orders.odd", "c"]);
}
