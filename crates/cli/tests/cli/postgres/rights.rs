//! Ordinary users: no superuser, no replication, as managed services give them.

use longshore_testkit::postgres::{Postgres, Version};

use super::{SHOP, migration, same_shop, verified};
use crate::stage::{Ran, Stage};

/// A user of the server, who owns nothing.
fn user(server: &Postgres, start: &str) -> String {
    let name = server.create(start);
    server.psql("postgres", &format!("CREATE ROLE {name} LOGIN PASSWORD 'secret'"));
    name
}

fn run(stage: &Stage) -> Ran {
    stage.run(&["run", "m.yaml", "--json"])
}

/// The statement that a text of the program asks for.
fn grant(text: &str) -> String {
    let from = text.find("GRANT").unwrap_or_else(|| panic!("no GRANT in {text}"));
    let to = from + text[from..].rfind(';').expect("a statement") + 1;
    let line = text[from..to].lines().next().expect("a line");
    line.split(" or for every").next().expect("statements").to_string()
}

#[test]
fn the_owner_of_two_databases_moves_one_into_the_other() {
    let (source, target) = (Postgres::shared(Version::V15), Postgres::shared(Version::V18));
    let (from, to) = (user(source, "owner"), user(target, "owner"));
    for (server, database) in [(source, &from), (target, &to)] {
        server.psql("postgres", &format!("ALTER DATABASE {database} OWNER TO {database}"));
    }
    let sql = format!(
        "SET ROLE {from}; {SHOP}
         CREATE TABLE lines (id int PRIMARY KEY, order_id bigint REFERENCES orders (id));
         INSERT INTO lines SELECT i, i FROM generate_series(1, 1000) AS i;
         CREATE TABLE audit (n bigint);
         CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
            'BEGIN INSERT INTO audit VALUES (NEW.id); RETURN NEW; END';
         CREATE TRIGGER note AFTER INSERT ON lines FOR EACH ROW EXECUTE FUNCTION note();"
    );
    source.psql("postgres", &format!("GRANT CREATE ON DATABASE {from} TO {from}"));
    source.psql(&from, &format!("GRANT ALL ON SCHEMA public TO {from}; {sql}"));
    target.psql(&to, &format!("GRANT ALL ON SCHEMA public TO {to}"));
    let stage = Stage::empty();
    let (left, right) = (source.url_as(&from, "secret", &from), target.url_as(&to, "secret", &to));
    migration(&stage, &left, &right, "chunk: 64KiB");
    verified(&run(&stage));
    same_shop((source, &from), (target, &to));
    let count = "SELECT (SELECT count(*) FROM lines), (SELECT count(*) FROM audit)";
    assert_eq!(target.psql(&to, count), "1000|0", "no trigger fired during the load");
    target.psql(&to, "INSERT INTO lines VALUES (0, 1)");
    assert_eq!(target.psql(&to, count), "1001|1", "the trigger is there");
}

#[test]
fn what_a_reader_lacks_is_named_with_the_grant() {
    let server = Postgres::shared(Version::V15);
    let name = user(server, "reader");
    server.psql(&name, "CREATE SCHEMA sales; CREATE TABLE sales.orders AS SELECT 1 AS id");
    let stage = Stage::empty();
    migration(&stage, &server.url_as(&name, "secret", &name), "sqlite:copy.db", "");
    for _ in 0..2 {
        let ran = stage.run(&["plan", "m.yaml"]);
        if ran.code == Some(0) {
            break;
        }
        assert!(ran.err.contains("LS0502"), "{}", ran.err);
        server.psql(&name, &grant(&ran.err));
    }
    verified(&run(&stage));

    // A policy that would hide rows is an error, not a smaller copy.
    server.psql(
        &name,
        "ALTER TABLE sales.orders ENABLE ROW LEVEL SECURITY;
         CREATE POLICY part ON sales.orders USING (id > 1)",
    );
    let ran = stage.run(&["copy", &server.url_as(&name, "secret", &name), "sqlite:policy.db"]);
    assert!(ran.code != Some(0) && ran.err.contains("BYPASSRLS"), "{}", ran.err);
}

#[test]
fn what_a_writer_lacks_is_in_the_plan_with_the_grant() {
    let server = Postgres::shared(Version::V18);
    let name = user(server, "writer");
    let stage = Stage::shop(100);
    migration(&stage, "sqlite:shop.db", &server.url_as(&name, "secret", &name), "");
    let grants = stage.risks();
    let grants: Vec<_> = grants.iter().filter(|risk| risk.contains("GRANT")).collect();
    assert_eq!(grants.len(), 2, "for schemas, and for tables in public: {grants:?}");
    let refused = run(&stage);
    assert!(refused.err.contains("LS0502") && refused.err.contains("GRANT"), "{}", refused.err);
    for line in grants {
        server.psql(&name, &grant(line));
    }
    verified(&run(&stage));
    assert!(!stage.risks().concat().contains("GRANT"));
}

#[test]
fn an_extension_that_only_a_superuser_can_make_is_in_the_plan() {
    let (source, target) = (Postgres::shared(Version::V15), Postgres::shared(Version::V18));
    let (from, to) = (source.create("extended"), user(target, "writer"));
    target.psql("postgres", &format!("ALTER DATABASE {to} OWNER TO {to}"));
    source.psql(
        &from,
        "CREATE EXTENSION pageinspect; CREATE EXTENSION hstore; CREATE TABLE t (h hstore)",
    );
    let stage = Stage::empty();
    migration(&stage, &source.url(&from), &target.url_as(&to, "secret", &to), "");
    let plan = stage.risks().concat();
    assert!(plan.contains("CREATE EXTENSION \"pageinspect\""), "{plan}");
    assert!(!plan.contains("CREATE EXTENSION \"hstore\";"), "{plan}");
    target.psql(&to, "CREATE EXTENSION pageinspect");
    target.psql(&to, &format!("GRANT ALL ON SCHEMA public TO {to}"));
    verified(&run(&stage));
}

#[test]
fn schemas_that_are_there_need_no_right_on_the_database() {
    let (source, target) = (Postgres::shared(Version::V15), Postgres::shared(Version::V18));
    let (from, to) = (source.create("schemas"), user(target, "guest"));
    source.psql(&from, "CREATE SCHEMA sales; CREATE TABLE sales.t AS SELECT 1 AS id");
    target.psql(
        &to,
        &format!(
            "CREATE SCHEMA sales AUTHORIZATION {to}; CREATE SCHEMA _longshore AUTHORIZATION {to}"
        ),
    );
    let stage = Stage::empty();
    migration(&stage, &source.url(&from), &target.url_as(&to, "secret", &to), "");
    assert!(!stage.risks().concat().contains("GRANT"));
    verified(&run(&stage));
}
