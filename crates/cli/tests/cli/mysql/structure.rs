//! What stands around the rows: keys, defaults, comments, views, routines, triggers.

use longshore_testkit::mysql::Mysql;
use longshore_testkit::postgres::{Postgres, Version};

use super::{BOTH, same_dump, verified};
use crate::stage::Stage;

/// A rental shop in the manner of the sample databases, with what only MySQL and MariaDB have.
const RENTAL: &str = include_str!("rental.sql");

/// Staff over time, in the manner of the sample databases: keys of several columns with dates, a
/// day that stands for ever, views over views.
const EMPLOYEES: &str = include_str!("employees.sql");

fn rental(server: &Mysql) -> String {
    let database = server.create("rental");
    server.sql(&database, RENTAL);
    database
}

#[test]
fn the_same_system_gets_every_definition() {
    for flavor in BOTH {
        let server = Mysql::shared(flavor);
        let (from, to) = (rental(server), server.create("copy"));
        let ran = Stage::empty().migrate(&server.url(&from), &server.url(&to), "");
        verified(&ran);
        same_dump(server, &from, &to);
        assert!(!ran.err.contains("not moved"), "{}", ran.err);
        server.sql(&to, "INSERT INTO language (name) VALUES ('third')");
        assert_eq!(server.sql(&to, "SELECT max(language_id) FROM language"), "3");
    }
}

#[test]
fn postgres_gets_what_it_has_and_the_plan_names_the_rest() {
    for flavor in BOTH {
        let server = Mysql::shared(flavor);
        let postgres = Postgres::shared(Version::V18);
        let (from, to) = (rental(server), postgres.create("rental"));
        let stage = Stage::empty();
        verified(&stage.migrate(&server.url(&from), &postgres.url(&to), ""));
        for (sql, expected) in [
            ("INSERT INTO language (name) VALUES ('new') RETURNING language_id", "3"),
            (
                "SELECT column_default FROM information_schema.columns
                 WHERE table_name = 'film' AND column_name IN ('rating', 'rental_rate') ORDER BY 1",
                "'G'::text\n4.99",
            ),
            ("SELECT obj_description('film'::regclass)", "films of the shop"),
            ("SELECT col_description('customer'::regclass, 2)", "the address"),
            (
                "SELECT confdeltype::text || confupdtype::text FROM pg_constraint WHERE contype = 'f'",
                "rc",
            ),
            ("SELECT count(*) FROM pg_index WHERE indrelid = 'film'::regclass", "3"),
            ("SELECT fid, lang, both_ FROM film_list", "1|English|ACADEMY (English)"),
            (
                "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'positive'",
                "CHECK ((rental_rate >= (0)::numeric))",
            ),
            (
                "SELECT attname FROM pg_attribute WHERE attgenerated = 's' ORDER BY 1",
                "profit\ntwice",
            ),
        ] {
            assert_eq!(postgres.psql(&to, sql), expected, "{flavor:?}: {sql}");
        }
        let plan = stage.done(&["plan", "m.yaml"]);
        let told: String = plan.out.split_whitespace().collect::<Vec<_>>().join(" ");
        for named in [
            "hiding of a column customer.hidden",
            "update of a column with its row film.last_update",
            "spatial index customer.loc",
            "unique index over beginnings of texts customer.pre",
            "full-text index film.ft",
            "index over beginnings of texts film.prefixed",
            "uniqueness that ignores case or accents customer.email",
            "partitions part",
            "routine hello",
            "trigger ins_film",
        ] {
            assert!(told.contains(named), "{flavor:?}: {named}\n{}", plan.out);
        }
        // Without some tables there is no word of what belongs to them.
        stage.write(
            "some.yaml",
            &format!(
                "longshore: v1\nname: some\nmoves: [{{from: '{}', to: 'sqlite:some.db', tables: [nokey]}}]\n",
                server.url(&from)
            ),
        );
        let plan = stage.done(&["plan", "some.yaml"]);
        assert!(!plan.out.contains("film.ft"), "{}", plan.out);
    }
}

#[test]
fn staff_over_time_goes_to_postgres_and_comes_back() {
    const TABLES: [&str; 6] =
        ["departments", "employees", "dept_manager", "dept_emp", "titles", "salaries"];
    const LATEST: &str = "SELECT emp_no, dept_no, from_date, to_date FROM current_dept_emp \
                          ORDER BY emp_no";
    for flavor in BOTH {
        let server = Mysql::shared(flavor);
        let postgres = Postgres::shared(Version::V18);
        let (from, between, back) =
            (server.create("staff"), postgres.create("staff"), server.create("back"));
        server.sql(&from, EMPLOYEES);
        assert_eq!(server.sql(&from, "SELECT count(*) FROM salaries"), "9000");
        let stage = Stage::empty();
        verified(&stage.migrate(&server.url(&from), &postgres.url(&between), ""));
        verified(&stage.migrate(&postgres.url(&between), &server.url(&back), ""));
        for table in TABLES {
            let all = format!("SELECT * FROM {table} ORDER BY 1, 2, 3");
            let all = if table == "departments" { all.replace(", 3", "") } else { all };
            let rows = server.sql(&from, &all);
            assert_eq!(rows, server.sql(&back, &all), "{flavor:?}: {table}");
            let without_null = rows.replace("\tNULL", "|").replace('\t', "|");
            assert_eq!(without_null, postgres.psql(&between, &all), "{flavor:?}: {table}");
        }
        let latest = server.sql(&from, LATEST);
        assert_eq!(latest.lines().count(), 900, "{flavor:?}");
        assert_eq!(latest.replace('\t', "|"), postgres.psql(&between, LATEST), "{flavor:?}");
        assert_eq!(latest, server.sql(&back, LATEST), "{flavor:?}");
        for (sql, expected) in [
            (
                "SELECT count(*) FROM pg_constraint WHERE contype = 'p' AND conrelid IN
                 (SELECT relid FROM pg_stat_user_tables WHERE schemaname = 'public')",
                "6",
            ),
            ("SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND confdeltype = 'c'", "6"),
            ("DELETE FROM employees; SELECT count(*) FROM salaries", "0"),
        ] {
            assert_eq!(postgres.psql(&between, sql), expected, "{flavor:?}: {sql}");
        }
    }
}

#[test]
fn structure_of_postgres_arrives() {
    const SHOP: &str = "
        CREATE TYPE mood AS ENUM ('sad', 'it''s ok', 'a\\b');
        CREATE TABLE place (code varchar(10) PRIMARY KEY, name text NOT NULL DEFAULT 'a\\b''c');
        CREATE TABLE person (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, mail text UNIQUE,
            mood mood DEFAULT 'sad', place varchar(10) REFERENCES place, born date, ok boolean
            DEFAULT true, made timestamptz NOT NULL DEFAULT now(), n numeric(10,2) DEFAULT 1.5,
            twice bigint GENERATED ALWAYS AS (id * 2) STORED, UNIQUE (born, place));
        CREATE INDEX by_born ON person (born DESC, place);
        CREATE INDEX some_people ON person (born) WHERE ok;
        COMMENT ON TABLE person IS 'who''s \\ there';
        COMMENT ON COLUMN person.mail IS 'the address';
        INSERT INTO place VALUES ('x', 'y');
        INSERT INTO person (mail, mood, place, born) VALUES ('A@x', 'it''s ok', 'x', '2000-02-29'),
            ('a@x', 'a\\b', NULL, NULL);";
    let postgres = Postgres::shared(Version::V18);
    let from = postgres.create("shop");
    postgres.psql(&from, SHOP);
    for flavor in BOTH {
        let server = Mysql::shared(flavor);
        let to = server.create("shop");
        let stage = Stage::empty();
        verified(&stage.migrate(&postgres.url(&from), &server.url(&to), ""));
        for (sql, expected) in [
            ("SELECT id, mail, mood, place, born, ok, n, twice FROM person ORDER BY id",
             "1\tA@x\tit's ok\tx\t2000-02-29\t1\t1.50\t2\n2\ta@x\ta\\\\b\tNULL\tNULL\t1\t1.50\t4"),
            ("INSERT INTO place (code) VALUES ('z'); SELECT name FROM place WHERE code = 'z'",
             "a\\\\b'c"),
            ("INSERT INTO person (mail, twice) VALUES ('new', 0); SELECT id, mood, ok, n FROM person
              WHERE mail = 'new'", "3\tsad\t1\t1.50"),
            ("SELECT TABLE_COMMENT FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE()
              AND TABLE_NAME = 'person'", "who's \\\\ there"),
            ("SELECT COLUMN_COMMENT FROM information_schema.COLUMNS WHERE
              TABLE_SCHEMA = DATABASE() AND COLUMN_NAME = 'mail'", "the address"),
            ("SELECT count(*) FROM information_schema.REFERENTIAL_CONSTRAINTS WHERE
              CONSTRAINT_SCHEMA = DATABASE()", "1"),
            ("SELECT GROUP_CONCAT(DISTINCT INDEX_NAME ORDER BY INDEX_NAME) FROM
              information_schema.STATISTICS WHERE TABLE_SCHEMA = DATABASE() AND
              TABLE_NAME = 'person' AND INDEX_NAME LIKE 'by%'", "by_born"),
        ] {
            assert_eq!(server.sql(&to, sql), expected, "{flavor:?}: {sql}");
        }
        let plan = stage.done(&["plan", "m.yaml"]).out;
        for named in ["index some_people", "generated column public.person.twice", "varchar(10)"] {
            assert!(plan.contains(named), "{flavor:?}: {named}\n{plan}");
        }
    }
}

#[test]
fn the_plan_names_texts_of_keys_that_hold_less() {
    let postgres = Postgres::shared(Version::V18);
    let from = postgres.create("keys");
    postgres.psql(
        &from,
        "CREATE TABLE page (url text PRIMARY KEY, title varchar(1000) UNIQUE, lang varchar(10) UNIQUE, body text)",
    );
    for flavor in BOTH {
        let (server, stage) = (Mysql::shared(flavor), Stage::empty());
        verified(&stage.migrate(&postgres.url(&from), &server.url(&server.create("keys")), ""));
        let risks = stage.risks().join("\n");
        let told: Vec<&str> = risks.lines().filter(|risk| risk.contains("is in a key")).collect();
        assert_eq!(
            told,
            [
                "page.url is in a key and becomes varchar(255): the run fails at a longer value",
                "page.title is in a key and becomes varchar(768): the run fails at a longer value",
            ],
            "{flavor:?}"
        );
    }
}
