//! Views: they give the same rows.

use super::{ALL, Pg, Place, Sqlite, System, left, mysql};
use crate::postgres::verified;
use crate::stage::Stage;

/// Views and what is selected from each.
const VIEWS: &[(&str, &str)] = &[
    ("adults", "SELECT id, name AS called FROM people WHERE age >= 18 AND city IN ('Ulm', 'b''c')"),
    (
        "totals",
        "SELECT p.name, count(*) AS n, sum(o.qty) AS total, max(o.qty) AS most, count(DISTINCT o.qty)
            AS kinds FROM people p JOIN orders o ON o.person = p.id GROUP BY p.name
            HAVING count(*) > 1",
    ),
    (
        "everybody",
        "SELECT p.id, coalesce(o.qty, 0) AS qty, o.price, CASE WHEN p.age IS NULL THEN 'unknown'
            WHEN p.age < 18 THEN 'young' ELSE p.city END AS what
            FROM people p LEFT JOIN orders o ON o.person = p.id AND o.qty <> 7",
    ),
    ("a_first", "SELECT z.id, z.id * 2 + 1 AS odd FROM z_last z WHERE NOT (z.id = 1)"),
    ("z_last", "SELECT id FROM people UNION SELECT person FROM orders"),
    ("many", "SELECT id AS one FROM adults UNION ALL SELECT person FROM orders"),
    ("oldest", "SELECT id, age FROM people ORDER BY age DESC, id LIMIT 3"),
    ("youngest", "SELECT id FROM people ORDER BY age, id LIMIT 2"),
    ("pairs", "SELECT p.id AS left_id, q.id AS right_id FROM people p, people q WHERE p.id < q.id"),
    ("cities", "SELECT DISTINCT city FROM people"),
];

/// Those that no other system has, and what is said of them.
const REFUSED: &[(&str, &str, &str)] = &[
    ("averages", "SELECT avg(qty) AS a FROM orders", "the function avg"),
    ("over_averages", "SELECT a FROM averages", "averages, which does not move"),
    ("sorted", "SELECT name FROM people ORDER BY name", "it orders texts"),
];

fn shop(system: System) -> String {
    let text = match system {
        System::MySql => "varchar(20) COLLATE utf8mb4_0900_bin",
        System::MariaDb => "varchar(20) COLLATE utf8mb4_nopad_bin",
        _ => "varchar(20)",
    };
    let price = if system == Sqlite { "real" } else { "decimal(10,2)" };
    let mut sql = format!(
        "CREATE TABLE people (id int NOT NULL PRIMARY KEY, name {text} NOT NULL, age int, city {text});
         CREATE TABLE orders (id int NOT NULL PRIMARY KEY, person int, qty int, price {price});
         INSERT INTO people VALUES (1, 'Ann', 40, 'Ulm'), (2, 'ann', 17, 'b''c'), (3, 'Ben', NULL,
            'Ulm'), (4, 'Cleo', 40, NULL), (5, 'Dan', 18, 'b''c');
         INSERT INTO orders VALUES (1, 1, 3, 1.25), (2, 1, 3, 2.25), (3, 2, 7, 0.5), (4, 2, 1, NULL),
            (5, NULL, 9, 3.75);"
    );
    // A view comes after what it needs.
    let (needs, first): (Vec<_>, Vec<_>) =
        VIEWS.iter().partition(|(name, _)| matches!(*name, "a_first" | "many"));
    for (name, text) in first.into_iter().chain(needs) {
        sql += &format!("CREATE VIEW {name} AS {text};\n");
    }
    for (name, text, _) in REFUSED {
        sql += &format!("CREATE VIEW {name} AS {text};\n");
    }
    if mysql(system).is_some() {
        sql += "CREATE VIEW joined AS SELECT concat(name, '-', city) AS j FROM people;";
    } else {
        sql += "CREATE VIEW joined AS SELECT name || '-' || city AS j FROM people;";
    }
    sql
}

#[test]
fn views_give_the_same_rows_everywhere() {
    for from in ALL {
        for to in ALL.into_iter().filter(|to| *to != from) {
            let stage = Stage::empty();
            let (source, target) = (Place::new(from, &stage), Place::new(to, &stage));
            source.run(&stage, &shop(from));
            verified(&stage.migrate(&source.url(), &target.url(), ""));
            let left = left(&stage);
            for name in VIEWS.iter().map(|(name, _)| *name).chain(["joined"]) {
                let named = left.iter().find(|one| one.contains(&format!("{name}:")));
                assert_eq!(named, None, "{from:?} → {to:?}");
                let rows = |place: &Place| {
                    let mut rows = place.rows(&stage, &format!("SELECT * FROM {name}"));
                    rows.retain(|row| !row.is_empty());
                    rows.sort();
                    rows.extend(place.rows(&stage, &format!("SELECT count(*) FROM {name}")));
                    rows
                };
                let (one, two) = (rows(&source), rows(&target));
                assert_eq!(one, two, "{from:?} → {to:?}: {name}");
                assert!(!one.is_empty(), "{name}");
            }
            for (name, _, reason) in REFUSED {
                let found = left.iter().any(|one| one.contains(name) && one.contains(reason));
                assert!(found, "{from:?} → {to:?}: {name}: {left:#?}");
            }
            let order = "SELECT age FROM oldest";
            assert_eq!(source.rows(&stage, order), target.rows(&stage, order), "{from:?} → {to:?}");
        }
    }
}

#[test]
fn views_follow_renamed_tables_and_columns() {
    let stage = Stage::empty();
    let (source, target) = (Place::new(Pg, &stage), Place::new(Sqlite, &stage));
    source.run(&stage, &shop(Pg));
    stage.write(
        "m.yaml",
        &format!(
            "longshore: v1\nname: pair\nmoves:\n- from: '{}'\n  to: '{}'\n  rename: {{people: persons}}\n  \
             columns: {{people: {{rename: {{age: years}}}}, orders: {{drop: [qty]}}}}\n",
            source.url(),
            target.url()
        ),
    );
    verified(&stage.run(&["run", "m.yaml", "--json"]));
    let adults = "SELECT * FROM adults ORDER BY id";
    assert_eq!(source.rows(&stage, adults), target.rows(&stage, adults));
    let left = left(&stage);
    let found =
        left.iter().any(|one| one.contains("totals") && one.contains("qty, which does not"));
    assert!(found, "{left:#?}");
}
