//! The steps with MariaDB and MySQL: ours, the same rows through text pipes, and other tools where they are.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use longshore_testkit::mysql::{Flavor, Mysql};
use serde_json::{Value, json};

use crate::meter::Meter;
use crate::peers::{emptied, installed, measured};
use crate::postgres::{good, in_streams};
use crate::{Failure, servers, steps};

/// Every step, in the order of a turn.
pub(crate) const NAMES: &[&str] = &[
    "mariadb-pipes",
    "mariadb-pg",
    "mariadb-pgloader",
    "mariadb-mariadb",
    "mariadb-myloader",
    "mysql-pipes",
    "mysql-pg",
    "mysql-mysql",
    "mysql-myloader",
];

/// The steps that run other tools.
pub(crate) const PEERS: &[&str] = &["mariadb-pgloader", "mariadb-myloader", "mysql-myloader"];

/// Nothing waits for a disk.
const SETTINGS: &[&str] = &["innodb_buffer_pool_size=2G", "skip_log_bin"];

/// Fills a server for as long as this lives.
pub(crate) struct Server {
    _server: Mysql,
}

impl Server {
    /// The servers that some steps need.
    pub(crate) fn for_steps(steps: &[&str], dir: &Path) -> Result<Vec<Self>, Failure> {
        let flavors = [Flavor::MariaDb, Flavor::MySql];
        let needed = |flavor: &Flavor| {
            let prefix = format!("{}-", word(*flavor));
            steps.iter().any(|step| NAMES.contains(step) && step.starts_with(&prefix))
        };
        flavors.into_iter().filter(needed).map(|flavor| Self::start(flavor, dir)).collect()
    }

    fn start(flavor: Flavor, dir: &Path) -> Result<Self, Failure> {
        let log = match flavor {
            Flavor::MariaDb => "innodb_log_file_size=1G",
            Flavor::MySql => "innodb_redo_log_capacity=2G",
        };
        let server = Mysql::with(flavor, &[SETTINGS, &[log]].concat());
        std::fs::write(list(flavor, dir), json!({ "port": server.port() }).to_string())?;
        let there = There::find(flavor, dir)?;
        for database in ["staged", "bare", "keyed"] {
            server.sql("mysql", &format!("CREATE DATABASE {database}"));
        }
        let runtime = tokio::runtime::Runtime::new()?;
        runtime.block_on(steps::copy(&steps::sqlite(dir), &there.url("staged")))?;
        server.sql("bare", BARE);
        server.sql("keyed", KEYED);
        server.sql("mysql", "DROP DATABASE staged");
        Ok(Self { _server: server })
    }
}

/// The scheme of addresses, and the start of the names of steps.
fn word(flavor: Flavor) -> &'static str {
    match flavor {
        Flavor::MariaDb => "mariadb",
        Flavor::MySql => "mysql",
    }
}

/// The server as a step sees it.
struct There {
    flavor: Flavor,
    port: u64,
}

impl There {
    fn find(flavor: Flavor, dir: &Path) -> Result<Self, Failure> {
        let file: Value = serde_json::from_slice(&std::fs::read(list(flavor, dir))?)?;
        Ok(Self { flavor, port: file["port"].as_u64().ok_or("a damaged list of servers")? })
    }

    fn url(&self, database: &str) -> String {
        format!("{}://root:root@127.0.0.1:{}/{database}", word(self.flavor), self.port)
    }

    /// The server's own client.
    fn client(&self, database: &str) -> Command {
        let settings = longshore_services::mysql_settings(self.flavor);
        let sets = settings.into_iter().find(|setting| setting.starts_with("character_sets_dir="));
        let sets = sets.unwrap_or_default().replace('_', "-");
        let program = longshore_services::mysql_programs(self.flavor).join("mysql");
        let mut client = Command::new(program);
        client.args(["--no-defaults", "--protocol=tcp", "--host=127.0.0.1", "-uroot", "-proot"]);
        client.arg(format!("--port={}", self.port)).arg(format!("--{sets}"));
        client.args(["--default-character-set=utf8mb4", "--quick", "--batch", "-N", database]);
        client.stdin(Stdio::null());
        client
    }

    /// An empty database.
    fn fresh(&self, database: &str) -> Result<(), Failure> {
        let sql = format!("DROP DATABASE IF EXISTS {database}; CREATE DATABASE {database}");
        good(self.client("mysql").args(["-e", &sql]).status()?)
    }

    fn arguments(&self) -> Vec<String> {
        ["-h", "127.0.0.1", "-u", "root", "-p", "root", "-t", "2", "-P", &self.port.to_string()]
            .map(str::to_string)
            .to_vec()
    }
}

/// Runs a step; `None` when the tool that it runs is not there.
pub(crate) async fn run(name: &str, dir: &Path) -> Result<Option<Value>, Failure> {
    let (start, step) = name.split_once('-').ok_or("a step without a system")?;
    let flavor = if start == word(Flavor::MySql) { Flavor::MySql } else { Flavor::MariaDb };
    let there = There::find(flavor, dir)?;
    match step {
        "pg" => {
            let (_, target) = servers::find(dir)?;
            target.fresh("other")?;
            steps::measured_copy(dir, &there.url("bare"), &target.url("other")).await.map(Some)
        }
        "pipes" => pipes(dir, &there).map(Some),
        "pgloader" => {
            let Some(program) = installed("pgloader") else { return Ok(None) };
            let (_, target) = servers::find(dir)?;
            target.fresh("other")?;
            let from = there.url("bare").replace("mariadb://", "mysql://");
            let to = target.url("other").replace("postgres://", "pgsql://");
            measured(dir, Command::new(program).arg(from).arg(to))
        }
        "mariadb" | "mysql" => {
            there.fresh("copy")?;
            steps::measured_copy(dir, &there.url("keyed"), &there.url("copy")).await.map(Some)
        }
        "myloader" => {
            let (Some(dumper), Some(loader)) = (installed("mydumper"), installed("myloader"))
            else {
                return Ok(None);
            };
            there.fresh("loaded")?;
            let folder = emptied(dir, "mydumper")?;
            let mut dump = Command::new(dumper);
            dump.args(there.arguments()).args(["-B", "keyed", "--rows", "500000", "-o"]);
            let mut load = Command::new(loader);
            load.args(there.arguments()).args(["-B", "loaded", "-o", "-d"]).arg(&folder);
            let meter = Meter::start(dir)?;
            measured(dir, dump.arg(&folder))?;
            measured(dir, &mut load)?;
            meter.read().map(Some)
        }
        _ => Err(format!("unknown step {name}").into()),
    }
}

/// The rows through pairs of the systems' own clients, as text, with the keys afterwards.
fn pipes(dir: &Path, from: &There) -> Result<Value, Failure> {
    let (_, target) = servers::find(dir)?;
    target.fresh("piped")?;
    target.run("piped", TARGET)?;
    let meter = Meter::start(dir)?;
    let parts = TABLES.iter().flat_map(|(table, key)| {
        let middle = format!("(SELECT max({key}) DIV 2 FROM {table})");
        [(*table, format!("{key} <= {middle}")), (*table, format!("{key} > {middle}"))]
    });
    in_streams(parts.collect(), |(table, condition)| {
        let query = format!("SELECT * FROM {table} WHERE {condition}");
        let mut reader = from.client("bare").args(["-e", &query]).stdout(Stdio::piped()).spawn()?;
        let pipe = reader.stdout.take().ok_or("the client has no output")?;
        let copy = format!("COPY {table} FROM STDIN (NULL 'NULL')");
        let mut writer = target.psql("piped").args(["-c", &copy]).stdin(pipe).spawn()?;
        good(writer.wait()?)?;
        good(reader.wait()?)
    })?;
    in_streams(KEYS.to_vec(), |(table, key)| {
        let sql = format!("ALTER TABLE {table} ADD PRIMARY KEY ({key}); ANALYZE {table}");
        target.run("piped", &sql).map(drop)
    })?;
    meter.read()
}

fn list(flavor: Flavor, dir: &Path) -> PathBuf {
    dir.join(format!("{}.json", word(flavor)))
}

const TABLES: [(&str, &str); 3] =
    [("lineitem", "l_orderkey"), ("orders", "o_orderkey"), ("customer", "c_custkey")];

const KEYS: [(&str, &str); 3] =
    [("lineitem", "l_orderkey, l_linenumber"), ("orders", "o_orderkey"), ("customer", "c_custkey")];

const BARE: &str = "
CREATE TABLE customer (c_custkey int PRIMARY KEY, c_name varchar(25), c_address varchar(40),
  c_nationkey int, c_phone char(15), c_acctbal decimal(15,2), c_mktsegment char(10),
  c_comment varchar(117));
CREATE TABLE orders (o_orderkey bigint PRIMARY KEY, o_custkey int, o_orderstatus char(1),
  o_totalprice decimal(15,2), o_orderdate date, o_orderpriority char(15), o_clerk char(15),
  o_shippriority int, o_comment varchar(79));
CREATE TABLE lineitem (l_orderkey bigint, l_partkey int, l_suppkey int, l_linenumber int,
  l_quantity decimal(15,2), l_extendedprice decimal(15,2), l_discount decimal(15,2),
  l_tax decimal(15,2), l_returnflag char(1), l_linestatus char(1), l_shipdate date,
  l_commitdate date, l_receiptdate date, l_shipinstruct char(25), l_shipmode char(10),
  l_comment varchar(44), PRIMARY KEY (l_orderkey, l_linenumber));
INSERT INTO customer SELECT c_custkey, c_name, c_address, c_nationkey, c_phone, c_acctbal / 100.0,
  c_mktsegment, c_comment FROM staged.customer;
INSERT INTO orders SELECT o_orderkey, o_custkey, o_orderstatus, o_totalprice / 100.0, o_orderdate,
  o_orderpriority, o_clerk, o_shippriority, o_comment FROM staged.orders;
INSERT INTO lineitem SELECT l_orderkey, l_partkey, l_suppkey, l_linenumber, l_quantity,
  l_extendedprice / 100.0, l_discount, l_tax, l_returnflag, l_linestatus, l_shipdate, l_commitdate,
  l_receiptdate, l_shipinstruct, l_shipmode, l_comment FROM staged.lineitem;
ANALYZE TABLE customer, orders, lineitem;
";

const KEYED: &str = "
CREATE TABLE customer LIKE bare.customer;
CREATE TABLE orders LIKE bare.orders;
CREATE TABLE lineitem LIKE bare.lineitem;
INSERT INTO customer SELECT * FROM bare.customer;
INSERT INTO orders SELECT * FROM bare.orders;
INSERT INTO lineitem SELECT * FROM bare.lineitem;
ALTER TABLE orders ADD KEY (o_custkey), ADD FOREIGN KEY (o_custkey) REFERENCES customer (c_custkey);
ALTER TABLE lineitem ADD KEY (l_partkey, l_suppkey), ADD KEY (l_shipdate),
  ADD FOREIGN KEY (l_orderkey) REFERENCES orders (o_orderkey);
ANALYZE TABLE customer, orders, lineitem;
";

const TARGET: &str = "
CREATE TABLE customer (c_custkey int, c_name varchar(25), c_address varchar(40), c_nationkey int,
  c_phone varchar(15), c_acctbal numeric(15,2), c_mktsegment varchar(10), c_comment varchar(117));
CREATE TABLE orders (o_orderkey bigint, o_custkey int, o_orderstatus varchar(1),
  o_totalprice numeric(15,2), o_orderdate date, o_orderpriority varchar(15), o_clerk varchar(15),
  o_shippriority int, o_comment varchar(79));
CREATE TABLE lineitem (l_orderkey bigint, l_partkey int, l_suppkey int, l_linenumber int,
  l_quantity numeric(15,2), l_extendedprice numeric(15,2), l_discount numeric(15,2),
  l_tax numeric(15,2), l_returnflag varchar(1), l_linestatus varchar(1), l_shipdate date,
  l_commitdate date, l_receiptdate date, l_shipinstruct varchar(25), l_shipmode varchar(10),
  l_comment varchar(44));
";
