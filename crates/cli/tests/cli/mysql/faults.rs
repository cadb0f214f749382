//! Servers and connections that fail while a migration is under way, and runs that are killed while
//! the source is written to: what ends up in the target is one instant of the source.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use longshore_testkit::mysql::{Flavor, Mysql};
use longshore_testkit::{Proxy, Random};

use super::{BOTH, verified};
use crate::lives::{Lives, moment};
use crate::postgres::run_watched;
use crate::stage::Stage;

/// A table with a key, one without, and one whose rows are wide.
const SHOP: &str = "
    SET SESSION cte_max_recursion_depth = 100000;
    CREATE TABLE orders (id bigint AUTO_INCREMENT PRIMARY KEY, at timestamp(6) NULL,
        price decimal(12,2), note varchar(100), KEY by_at (at));
    CREATE TABLE log (at datetime, what text);
    CREATE TABLE wide (id int PRIMARY KEY, raw blob);
    INSERT INTO orders (at, price, note)
    WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40000)
    SELECT FROM_UNIXTIME(i * 3600), i / 7.0, CONCAT('Bestellung ☕ ', i) FROM n;
    INSERT INTO log SELECT '2024-03-31 02:30:00', 'twice' FROM orders WHERE id <= 500;
    INSERT INTO wide SELECT id, REPEAT(SHA2(id, 256), 200) FROM orders WHERE id <= 300;";

/// Small chunks, and slow enough to be disturbed.
const SLOW: &str = "chunk: 256KiB, workers: 2, source-rate: 4MiB/s";

fn shop(server: &Mysql) -> String {
    let database = server.create("shop");
    let settings = match server.flavor() {
        Flavor::MySql => SHOP.to_string(),
        Flavor::MariaDb => SHOP.replace("cte_max_recursion_depth", "max_recursive_iterations"),
    };
    server.sql(&database, &settings);
    database
}

fn other(flavor: Flavor) -> Flavor {
    if flavor == BOTH[0] { BOTH[1] } else { BOTH[0] }
}

fn migration(stage: &Stage, from: &str, to: &str, limits: &str) {
    stage.write(
        "m.yaml",
        &format!(
            "longshore: v1\nname: shop\nmoves: [{{from: '{from}', to: '{to}'}}]\nlimits: {{{limits}}}\n"
        ),
    );
}

fn same_shop(left: (&Mysql, &str), right: (&Mysql, &str)) {
    for (table, columns) in
        [("orders", "id, at, price, note"), ("log", "at, what"), ("wide", "id, sha2(raw, 256)")]
    {
        let sql = format!("SET time_zone = '+00:00'; SELECT {columns} FROM {table} ORDER BY 1");
        let same = left.0.sql(left.1, &sql).replace(".000000", "")
            == right.0.sql(right.1, &sql).replace(".000000", "");
        assert!(same, "{table}");
    }
}

#[test]
fn servers_that_restart_on_the_way_do_not_end_a_run() {
    for flavor in BOTH {
        let (source, target) = (Mysql::start(flavor), Mysql::start(other(flavor)));
        let (from, to) = (shop(&source), target.create("copy"));
        let stage = Stage::empty();
        migration(&stage, &source.url(&from), &target.url(&to), SLOW);
        let (mut chunks, mut reopened) = (0, 0);
        let ran = run_watched(&stage, |event| match event["event"].as_str() {
            Some("chunk-done") => {
                chunks += 1;
                match chunks {
                    3 => target.restart(),
                    6 => source.restart(),
                    9 => {
                        target.crash();
                        target.resume();
                    }
                    _ => {}
                }
            }
            Some("move-retry") => reopened += 1,
            _ => {}
        });
        verified(&ran);
        assert!(chunks > 9 && reopened > 0, "{chunks} chunks, {reopened} times anew");
        same_shop((&source, &from), (&target, &to));
    }
}

#[test]
fn connections_that_are_cut_at_any_byte_do_not_end_a_run() {
    let mut random = Random::new(11);
    for flavor in BOTH {
        let (source, target) = (Mysql::shared(flavor), Mysql::shared(other(flavor)));
        let from = shop(source);
        let ways = [Proxy::before(source.port()), Proxy::before(target.port())];
        let through = |server: &Mysql, proxy: &Proxy, database: &str| {
            server.url(database).replace(&server.port().to_string(), &proxy.port().to_string())
        };
        for turn in 0..2 {
            let to = target.create("copy");
            let stage = Stage::empty();
            let (left, right) = (through(source, &ways[0], &from), through(target, &ways[1], &to));
            migration(&stage, &left, &right, SLOW);
            let cut = &ways[turn];
            let mut cuts = 0;
            let ran = run_watched(&stage, |event| {
                if event["event"] == "chunk-done" && cuts < 3 {
                    cuts += 1;
                    cut.cut_after(random.between(0, 300_000).unsigned_abs());
                    std::thread::sleep(Duration::from_millis(300));
                    cut.mend();
                }
            });
            verified(&ran);
            assert_eq!(cuts, 3);
            same_shop((source, &from), (target, &to));
        }
    }
}

#[test]
fn timeouts_of_the_servers_do_not_end_a_run() {
    for flavor in BOTH {
        let limit = match flavor {
            Flavor::MySql => "max_execution_time = 200",
            Flavor::MariaDb => "max_statement_time = 0.2",
        };
        let server = Mysql::start(flavor);
        let from = shop(&server);
        for setting in [limit, "lock_wait_timeout = 2", "wait_timeout = 1", "net_write_timeout = 1"]
        {
            server.sql("mysql", &format!("SET GLOBAL {setting}"));
        }
        let to = server.create("copy");
        let stage = Stage::empty();
        migration(&stage, &server.url(&from), &server.url(&to), SLOW);
        let ran = run_watched(&stage, |_| {});
        verified(&ran);
        let retries = ran.events().iter().filter(|e| e["event"] == "move-retry").count();
        assert_eq!(retries, 0, "no timeout struck");
        same_shop((&server, &from), (&server, &to));
    }
}

/// Every transaction of the writer adds a row to both tables, moves an amount from the one to the
/// other and counts itself, so that one instant is told from a mixture of two.
const WRITER: &str = "
    CREATE PROCEDURE live() BEGIN
        DECLARE amount, giver, taker, turn BIGINT;
        DECLARE total BIGINT DEFAULT (SELECT count(*) FROM debit);
        LOOP
            SET amount = 1 + FLOOR(RAND() * 999), giver = 1 + FLOOR(RAND() * (total - 1)),
                taker = 1 + FLOOR(RAND() * (total - 1));
            START TRANSACTION;
            UPDATE clock SET tick = tick + 1;
            SELECT tick INTO turn FROM clock;
            INSERT INTO debit VALUES (turn, 0, turn);
            INSERT INTO credit VALUES (CONCAT('k', turn), 0, turn);
            UPDATE debit d SET d.amount = d.amount - amount, seen = turn WHERE id = giver;
            UPDATE credit c SET c.amount = c.amount + amount, seen = turn
                WHERE id = CONCAT('k', taker);
            COMMIT;
        END LOOP;
    END";

struct LiveWriter(Child);

impl Drop for LiveWriter {
    /// The process of a writer whose server crashed is gone already.
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl LiveWriter {
    fn start(server: &Mysql, database: &str) -> Self {
        let mut client = server.client("mysql", database);
        client.args(["-e", "CALL live()"]).stdin(Stdio::null()).stderr(Stdio::null());
        Self(client.spawn().expect("the client starts"))
    }

    /// Ends it in the middle of whatever it does; the server does not notice that a client is gone.
    fn end(mut self, server: &Mysql, database: &str) {
        assert!(self.0.try_wait().expect("a child").is_none(), "the writer wrote to its end");
        let find = "SELECT CONCAT('KILL ', ID, ';') FROM information_schema.PROCESSLIST
                    WHERE DB = DATABASE() AND ID <> CONNECTION_ID()";
        let kills = server.sql(database, find);
        server.sql(database, &kills);
        self.0.wait().expect("a child");
    }
}

fn seed(server: &Mysql, rows: u32) -> String {
    let database = server.create("live");
    let depth = match server.flavor() {
        Flavor::MySql => "cte_max_recursion_depth",
        Flavor::MariaDb => "max_recursive_iterations",
    };
    server.sql(
        &database,
        &format!(
            "SET SESSION {depth} = 1000000;
             CREATE TABLE clock (tick bigint PRIMARY KEY);
             CREATE TABLE debit (id bigint PRIMARY KEY, amount bigint, seen bigint, KEY (seen));
             CREATE TABLE credit (id varchar(20) PRIMARY KEY, amount bigint, seen bigint);
             INSERT INTO clock VALUES ({rows});
             INSERT INTO debit WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n
                WHERE i < {rows}) SELECT i, 0, i FROM n;
             INSERT INTO credit SELECT CONCAT('k', id), 0, id FROM debit;
             DELIMITER //\n{WRITER}//\nDELIMITER ;"
        ),
    );
    database
}

/// What holds at every instant of the source, and at no mixture of two.
fn one_instant(server: &Mysql, database: &str) -> i64 {
    let number = |sql: &str| -> i64 { server.sql(database, sql).parse().expect("a number") };
    let at = number("SELECT tick FROM clock");
    for (sql, expected) in [
        ("SELECT (SELECT sum(amount) FROM debit) + (SELECT sum(amount) FROM credit)", 0),
        ("SELECT count(*) FROM debit", at),
        ("SELECT count(*) FROM credit", at),
        ("SELECT max(id) FROM debit", at),
        ("SELECT max(seen) FROM debit", at),
        ("SELECT max(seen) FROM credit", at),
        ("SELECT count(*) FROM clock", 1),
    ] {
        assert_eq!(number(sql), expected, "{sql} at {at} in {database}");
    }
    at
}

#[test]
fn a_live_database_arrives_as_one_instant_however_often_the_run_is_killed() {
    const ROWS: u32 = 20_000;
    const KILLS: u32 = 8;
    for flavor in BOTH {
        let (source, target) = (Mysql::start(flavor), Mysql::start(other(flavor)));
        let (from, to) = (seed(&source, ROWS), target.create("copy"));
        let stage = Stage::empty();
        migration(&stage, &source.url(&from), &target.url(&to), "chunk: 128KiB, workers: 2");
        let mut random = Random::new(5);
        let mut lives = Lives::default();
        let command = || -> Command { stage.command(&["run", "m.yaml", "--json"]) };
        let mut writer = LiveWriter::start(&source, &from);
        for turn in 0..KILLS {
            let mut strike = || {
                let server = match turn {
                    2 | 5 => &target,
                    6 => &source,
                    _ => return false,
                };
                server.crash();
                server.resume();
                if turn == 6 {
                    writer = LiveWriter::start(&source, &from);
                }
                std::thread::sleep(Duration::from_millis(500));
                true
            };
            let at = moment(&mut random, turn, KILLS, Duration::from_millis(700));
            lives.live_through(&command, at, turn == 3, &mut strike);
        }
        verified(&stage.run(&["run", "m.yaml", "--json"]));
        writer.end(&source, &from);
        let (at, now) = (one_instant(&target, &to), one_instant(&source, &from));
        assert!(at <= now && lives.killed() > 0, "{at} {now} {lives:?}");
        assert!(now > i64::from(ROWS), "the writer wrote");
    }
}
