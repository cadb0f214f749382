//! Names that one system tells apart and another does not.

use longshore_testkit::mysql::{Flavor, Mysql};
use longshore_testkit::postgres::{Postgres, Version};

use crate::postgres::verified;
use crate::stage::Stage;

/// Pairs of names that differ in case, and one of 63 letters.
fn schema() -> String {
    let long = "l".repeat(63);
    format!(
        "CREATE TABLE \"Users\" (\"Id\" int PRIMARY KEY, \"id\" int, \"ID\" int UNIQUE, plain text);
         CREATE TABLE users (id int PRIMARY KEY, user_id int REFERENCES \"Users\" (\"ID\"));
         CREATE TABLE \"{long}\" (a int);
         INSERT INTO \"Users\" VALUES (1, 2, 3, 'x'), (4, 5, 6, 'y');
         INSERT INTO users VALUES (7, 3), (8, 6);
         INSERT INTO \"{long}\" VALUES (9);"
    )
}

#[test]
fn names_that_differ_in_case_are_refused_or_numbered() {
    let postgres = Postgres::shared(Version::V18);
    let from = postgres.create("names");
    postgres.psql(&from, &schema());
    let server = Mysql::shared(Flavor::MariaDb);
    let to = server.create("names");
    for target in [server.url(&to), "sqlite:names.db".to_string()] {
        let stage = Stage::empty();
        let ran = stage.migrate(&postgres.url(&from), &target, "");
        assert_eq!(ran.code, Some(2), "{}", ran.err);
        assert!(ran.err.contains("duplicate-name") && ran.err.contains("same name"), "{}", ran.err);
        let ran = stage.migrate(&postgres.url(&from), &target, "duplicate-name: rename");
        verified(&ran);
        let risks = stage.risks().join("\n");
        assert!(risks.contains("column public.Users.id becomes id_2"), "{risks}");
        assert!(risks.contains("column public.Users.ID becomes ID_3"), "{risks}");
        if target.starts_with("sqlite") {
            assert!(risks.contains("table public.users becomes users_2"), "{risks}");
            let joined = "SELECT sum(u.id_2 * 10 + r.id) FROM users_2 r JOIN \"Users\" u ON u.ID_3 = r.user_id";
            assert_eq!(stage.value("names.db", joined), 20 + 7 + 50 + 8);
            let refers = "SELECT count(*) FROM pragma_foreign_key_list('users_2') \
                          WHERE \"table\" = 'Users' AND \"to\" = 'ID_3'";
            assert_eq!(stage.value("names.db", refers), 1);
        } else {
            let joined =
                "SELECT sum(u.id_2 * 10 + r.id) FROM users r JOIN `Users` u ON u.ID_3 = r.user_id";
            assert_eq!(server.sql(&to, joined).trim(), "85");
        }
    }
}

#[test]
fn names_that_are_cut_to_the_same_are_numbered() {
    let server = Mysql::shared(Flavor::MySql);
    let from = server.create("long");
    let (one, two) = ("ä".repeat(32), "ä".repeat(31) + "ö");
    server.sql(
        &from,
        &format!(
            "CREATE TABLE `{one}` (id int PRIMARY KEY, `{one}` int, `{two}` int);
             CREATE TABLE `{two}` (id int PRIMARY KEY);
             INSERT INTO `{one}` VALUES (1, 2, 3); INSERT INTO `{two}` VALUES (4);"
        ),
    );
    let postgres = Postgres::shared(Version::V15);
    let to = postgres.create("long");
    let stage = Stage::empty();
    let ran = stage.migrate(&server.url(&from), &postgres.url(&to), "");
    assert_eq!(ran.code, Some(2), "{}", ran.err);
    assert!(ran.err.contains("longer than 63 bytes"), "{}", ran.err);
    verified(&stage.migrate(&server.url(&from), &postgres.url(&to), "duplicate-name: rename"));
    let (cut, numbered) = ("ä".repeat(31), "ä".repeat(30) + "_2");
    let sql = format!("SELECT \"{cut}\", \"{numbered}\" FROM \"{cut}\"");
    assert_eq!(postgres.psql(&to, &sql), "2|3");
    assert_eq!(postgres.psql(&to, &format!("SELECT id FROM \"{numbered}\"")), "4");
}

#[test]
fn a_name_that_the_migration_gives_is_never_changed() {
    let stage = Stage::empty();
    stage.sql("a.db", "CREATE TABLE a (x INTEGER, y INTEGER); INSERT INTO a VALUES (1, 2);");
    let with = |rename: &str| {
        format!(
            "longshore: v1\nname: a\npolicies: {{duplicate-name: rename}}\n\
             moves: [{{from: 'sqlite:a.db', to: 'sqlite:b.db', columns: {{a: {{rename: {{{rename}}}}}}}}}]\n"
        )
    };
    stage.write("m.yaml", &with("x: z, y: Z"));
    let ran = stage.run(&["run", "m.yaml"]);
    assert_eq!(ran.code, Some(2), "{}", ran.err);
    stage.write("m.yaml", &with("x: Y"));
    stage.done(&["run", "m.yaml"]);
    assert_eq!(stage.value("b.db", "SELECT 10 * \"Y\" + \"y_2\" FROM a"), 12);
}
