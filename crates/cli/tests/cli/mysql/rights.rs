//! Ordinary users, and ways to a server.

use longshore_testkit::mysql::{Flavor, Mysql};

use super::{BOTH, verified};
use crate::stage::Stage;

const TABLE: &str = "CREATE TABLE t (id int PRIMARY KEY, v varchar(20), KEY (v));
    CREATE VIEW seen AS SELECT id FROM t; INSERT INTO t VALUES (1, 'a'), (2, 'b');";

/// A user without rights; its name and its address are plain.
fn user(server: &Mysql, start: &str) -> String {
    let name = server.create(start);
    server.sql(
        "mysql",
        &format!("DROP DATABASE {name}; CREATE USER {name}@'127.0.0.1' IDENTIFIED BY 'secret'"),
    );
    name
}

/// The statement that a risk asks for.
fn grant(risks: &[String]) -> String {
    let text = risks.iter().find(|risk| risk.contains("GRANT"));
    let text = text.unwrap_or_else(|| panic!("no GRANT in {risks:?}"));
    text[text.find("GRANT").expect("just found")..].to_string()
}

#[test]
fn ordinary_users_are_told_what_they_lack() {
    for flavor in BOTH {
        let server = Mysql::shared(flavor);
        let (from, to) = (server.create("from"), server.create("to"));
        server.sql(&from, TABLE);
        let (reader, writer) = (user(server, "reader"), user(server, "writer"));
        server.sql(
            "mysql",
            &format!(
                "GRANT SELECT, SHOW VIEW ON {from}.* TO {reader}@'127.0.0.1';
                 GRANT SELECT ON {to}.* TO {writer}@'127.0.0.1'"
            ),
        );
        let stage = Stage::empty();
        let left = server.url_as(&reader, "secret", &from);
        let right = server.url_as(&writer, "secret", &to);
        let ran = stage.migrate(&left, &right, "");
        assert!(ran.err.contains("LS0502"), "{}", ran.err);
        assert!(!ran.err.contains("secret"), "{}", ran.err);
        let found = stage.risks();
        assert!(found.iter().any(|risk| risk.contains("RELOAD")), "{found:?}");
        let target: Vec<String> =
            found.iter().filter(|risk| risk.contains("target's user")).cloned().collect();
        server.sql("mysql", &grant(&target));
        let found = stage.risks();
        assert!(!found.iter().any(|risk| risk.contains("target's user")), "{found:?}");
        verified(&stage.migrate(&left, &right, ""));
        assert_eq!(server.sql(&to, "SELECT count(*) FROM seen"), "2");
        server.sql("mysql", &grant(&found));
        assert_eq!(
            stage.risks().iter().filter(|risk| risk.contains("GRANT")).count(),
            0,
            "{flavor:?}"
        );
    }
}

#[test]
fn a_user_without_rights_on_the_source_is_refused_in_words() {
    for flavor in BOTH {
        let server = Mysql::shared(flavor);
        let from = server.create("from");
        let nobody = user(server, "nobody");
        let stage = Stage::empty();
        let ran = stage.migrate(&server.url_as(&nobody, "secret", &from), "sqlite:x.db", "");
        assert!(ran.err.contains("LS0501") || ran.err.contains("LS0502"), "{}", ran.err);
        let ran = stage.migrate(&server.url_as(&nobody, "wrong", &from), "sqlite:x.db", "");
        assert!(ran.err.contains("denied") && !ran.err.contains("wrong"), "{}", ran.err);
    }
}

#[test]
fn the_way_is_encrypted_and_checked_when_asked() {
    for flavor in BOTH {
        let server = Mysql::shared(flavor);
        let from = server.create("from");
        server.sql(&from, TABLE);
        let stage = Stage::empty();
        let authority = server.authority();
        let other =
            Mysql::shared(if flavor == Flavor::MySql { Flavor::MariaDb } else { Flavor::MySql });
        let asked = |options: &str, number: usize| {
            let url = format!("{}?{options}", server.url(&from));
            stage.migrate(&url, &format!("sqlite:{number}.db"), "")
        };
        let good = format!("ssl-ca={}", authority.display());
        verified(&asked(&good, 1));
        verified(&asked("ssl-mode=required", 2));
        verified(&asked(&format!("ssl-mode=verify-ca&{good}"), 3));
        let stranger = format!("ssl-ca={}", other.authority().display());
        for (number, options) in [(4, "ssl-mode=verify-identity"), (5, stranger.as_str())] {
            let ran = asked(options, number);
            assert_ne!(ran.code, Some(0), "{flavor:?} {options}");
            assert!(ran.err.to_lowercase().contains("certificate"), "{options}: {}", ran.err);
        }
        // Not on the way, and not at rest: a user that must come over TLS cannot come without.
        let name = user(server, "tls");
        server.sql(
            "mysql",
            &format!(
                "ALTER USER {name}@'127.0.0.1' REQUIRE SSL; GRANT SELECT ON {from}.* TO {name}@'127.0.0.1'"
            ),
        );
        let url = server.url_as(&name, "secret", &from);
        let ran = stage.migrate(&url, "sqlite:6.db", "");
        assert_ne!(ran.code, Some(0), "{flavor:?}");
        verified(&stage.migrate(&format!("{url}?{good}"), "sqlite:7.db", ""));
    }
}
