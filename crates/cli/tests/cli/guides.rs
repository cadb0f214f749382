//! Every command that the guides and the README show is run, on a small shop. In the pages, the
//! comment `tested` marks a block of commands, one a line; a line that fails on purpose ends with
//! its exit code. `tested: FILE` marks the text of a file that the commands after it use. `printed`
//! marks what the commands before it print: each of its lines is in a line of theirs, in which `…`
//! stands for anything.

use std::path::Path;
use std::process::Command;
use std::sync::Mutex;

use longshore_testkit::docker::Docker;
use longshore_testkit::mysql::{Flavor, Mysql};
use longshore_testkit::podman::Podman;
use longshore_testkit::postgres::{Postgres, Version};
use longshore_testkit::registry::Registry;
use longshore_testkit::store_server::{StoreKind, StoreServer};

use crate::images;
use crate::stage::Stage;

/// The same shop on a server.
const SERVED: &str = "
    CREATE TABLE users (id int PRIMARY KEY, nm text, email text UNIQUE);
    CREATE TABLE orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        user_id int REFERENCES users (id), paid boolean, total numeric, created_at timestamptz);
    CREATE VIEW paid_orders AS SELECT * FROM orders WHERE paid;
    INSERT INTO users SELECT i, 'name ' || i, i || '@example.org' FROM generate_series(1, 2000) AS i;
    INSERT INTO orders (user_id, paid, total, created_at)
    SELECT 1 + i % 2000, i % 2 = 0, i / 4.0, now() FROM generate_series(1, 9000) AS i;";

const SERVED_BY_MYSQL: &str = "
    SET SESSION cte_max_recursion_depth = 10000;
    CREATE TABLE users (id int PRIMARY KEY, nm varchar(40), email varchar(40) UNIQUE, kind
        enum('new', 'old') DEFAULT 'new');
    CREATE TABLE orders (id bigint AUTO_INCREMENT PRIMARY KEY, user_id int, paid tinyint(1),
        total decimal(10,2), created_at datetime DEFAULT CURRENT_TIMESTAMP,
        FOREIGN KEY (user_id) REFERENCES users (id));
    INSERT INTO users WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
    SELECT i, CONCAT('name ', i), CONCAT(i, '@example.org'), 'old' FROM n;
    INSERT INTO orders (user_id, paid, total) SELECT id, id % 2, id / 4.0 FROM users;";

const SHOP: &str = "
    CREATE TABLE users (id INTEGER PRIMARY KEY, nm TEXT, email TEXT UNIQUE, legacy TEXT);
    CREATE TABLE orders (id INTEGER PRIMARY KEY, user_id INTEGER REFERENCES users (id),
        paid BOOLEAN, total NUMERIC, created_at TEXT);
    CREATE TABLE audit_log (at TEXT, what TEXT);
    CREATE INDEX orders_by_user ON orders (user_id);
    CREATE VIEW paid_orders AS SELECT * FROM orders WHERE paid;
    WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
    INSERT INTO users SELECT i, 'name ' || i, 'u' || i || '@example.org', NULL FROM n;
    WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
    INSERT INTO orders
    SELECT i, 1 + i % 5000, i % 2, i / 4.0, date('2023-01-01', '+' || (i % 900) || ' days') FROM n;
    INSERT INTO audit_log SELECT 'now', 'twice' FROM users WHERE id <= 20;";

#[test]
fn the_commands_of_the_readme_work() {
    assert_eq!(follow("README.md"), 16);
}

#[test]
fn the_commands_of_the_guides_work() {
    let folder = std::fs::read_dir(root().join("docs/guides")).expect("the guides");
    let pages = Mutex::new(folder.map(|entry| entry.expect("an entry").file_name()));
    let next = || pages.lock().expect("no page failed while it was taken").next();
    // Commands wait for servers, and for time that they are given, more than they compute.
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(name) = next() {
                    let name = name.into_string().expect("UTF-8");
                    assert!(follow(&format!("docs/guides/{name}")) >= 5, "{name}");
                }
            });
        }
    });
}

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// Runs a page; returns the number of its commands.
fn follow(page: &str) -> usize {
    let stage = Stage::empty();
    stage.sql("shop.db", SHOP);
    std::fs::create_dir(stage.join("bin")).expect("a folder");
    std::os::unix::fs::symlink(images::engine(), stage.join("bin/longshore")).expect("a link");
    let text = std::fs::read_to_string(root().join(page)).expect(page);
    let mut servers = Vec::new();
    let uses = |name: &str| {
        text.contains(&format!("${name}")) || text.contains(&format!("${{secret:{name}}}"))
    };
    if uses("SOURCE") || uses("TARGET") {
        servers.extend(serve());
    }
    if uses("MYSQL") || uses("MARIADB") {
        servers.extend(serve_mysql());
    }
    if uses("BUCKET") {
        servers.extend(serve_bucket());
    }
    if uses("REGISTRY") {
        servers.push(("REGISTRY", Registry::shared().host()));
    }
    let docker = uses("DOCKER_HOST").then(Docker::start);
    if let Some(docker) = &docker {
        servers.push(("DOCKER_HOST", format!("unix://{}", docker.socket().display())));
    }
    let mut podman = uses("CONTAINER_HOST").then(Podman::prepare);
    if let Some(podman) = &mut podman {
        podman.serve();
        servers.push(("CONTAINER_HOST", format!("unix://{}", podman.socket().display())));
    }
    // Where secrets of deployments are.
    servers.push(("XDG_RUNTIME_DIR", stage.path().display().to_string()));
    let mut commands = 0;
    let mut printed = String::new();
    for (mark, block) in blocks(&text) {
        if mark == "printed" {
            for line in block.lines() {
                assert!(
                    printed.lines().any(|other| shows(other, line)),
                    "{page}: {line}\n{printed}"
                );
            }
            continue;
        }
        if let Some(file) = mark.strip_prefix("tested: ") {
            stage.write(file, &block);
            // Other files than migrations are read by the commands after them.
            if file.ends_with("policy.yaml") {
                continue;
            }
            let planned = stage.command(&["plan", file]).envs(servers.clone()).status();
            assert!(planned.expect("the binary runs").success(), "{page}: {file}");
            continue;
        }
        printed.clear();
        for line in block.lines() {
            printed += &run(&stage, page, line, &servers);
            commands += 1;
        }
    }
    commands
}

/// Whether a line of output has what a line of a page says, in which `…` stands for anything.
fn shows(output: &str, said: &str) -> bool {
    let mut rest = output;
    said.split('…').all(|part| {
        let found = rest.find(part);
        rest = found.map_or("", |at| &rest[at + part.len()..]);
        found.is_some()
    })
}

/// The marked blocks of a page, with what the mark says.
fn blocks(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let comment = line.strip_prefix("<!-- ").and_then(|rest| rest.strip_suffix(" -->"));
        let Some(mark) = comment else { continue };
        assert!(mark == "printed" || mark.starts_with("tested"), "{line}");
        assert!(lines.next().is_some_and(|fence| fence.starts_with("```")), "{line}");
        let block = lines.by_ref().take_while(|line| *line != "```");
        found.push((mark.to_string(), block.map(|line| format!("{line}\n")).collect()));
    }
    found
}

/// A shop on an old server and an empty database on a new one, by the names that pages use.
fn serve() -> Vec<(&'static str, String)> {
    let (source, target) = (Postgres::shared(Version::V15), Postgres::shared(Version::V18));
    let (from, to) = (source.create("shop"), target.create("shop"));
    source.psql(&from, SERVED);
    vec![("SOURCE", source.url(&from)), ("TARGET", target.url(&to))]
}

/// A shop on MySQL and an empty database on MariaDB.
fn serve_mysql() -> Vec<(&'static str, String)> {
    let (mysql, mariadb) = (Mysql::shared(Flavor::MySql), Mysql::shared(Flavor::MariaDb));
    let (from, to) = (mysql.create("shop"), mariadb.create("shop"));
    mysql.sql(&from, SERVED_BY_MYSQL);
    vec![("MYSQL", mysql.url(&from)), ("MARIADB", mariadb.url(&to))]
}

/// An empty bucket, and the environment that other tools find it by.
fn serve_bucket() -> Vec<(&'static str, String)> {
    let server = StoreServer::shared(StoreKind::S3s);
    vec![
        ("BUCKET", format!("s3://{}", server.create_bucket("longshore"))),
        ("AWS_ENDPOINT_URL", server.endpoint()),
        ("AWS_ACCESS_KEY_ID", server.key().to_string()),
        ("AWS_SECRET_ACCESS_KEY", server.secret().to_string()),
    ]
}

/// Runs a command; returns what it printed.
fn run(stage: &Stage, page: &str, line: &str, servers: &[(&str, String)]) -> String {
    if let Some(rest) = line.strip_prefix("sqlite3 ") {
        let (database, sql) = rest.split_once(' ').expect("a database and statements");
        stage.sql(database, sql.trim_matches('"'));
        return String::new();
    }
    let expected = line
        .split_once("# → exit code ")
        .map_or(0, |(_, code)| code.trim().parse().expect("a number"));
    let small = line.replace("longshore demo", "longshore demo --rows 5000");
    let path = std::env::var("PATH").expect("a PATH");
    let mut shell = Command::new("sh");
    shell.args(["-c", &small]).current_dir(stage.path());
    shell.envs(servers.iter().cloned());
    let path = format!("{}:{path}", stage.join("bin").display());
    let output = shell.env("PATH", path).output().expect("sh runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(expected), "{page}: {line}\n{said}");
    format!("{}{said}", String::from_utf8_lossy(&output.stdout))
}
