//! The PostgreSQL servers of the bench: a source and a target, their settings equal, and the data in
//! the source. A step finds them through a file, because it runs in a process of its own.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use longshore_testkit::postgres::{Postgres, Version};
use serde_json::{Value, json};

use crate::{Failure, steps};

/// Equal for both. Nothing waits for a disk and nothing is done beside, so that the work is measured.
const SETTINGS: &[&str] = &[
    "fsync=off",
    "full_page_writes=off",
    "wal_level=replica",
    "shared_buffers=256MB",
    "max_wal_size=16GB",
    "checkpoint_timeout=1h",
    "maintenance_work_mem=128MB",
    "autovacuum=off",
];

/// Rows of the wide table at scale 1.
const WIDE_ROWS: f64 = 1_500_000.0;

/// The tables of a database in the source, in the order in which they are copied.
pub(crate) fn tables(database: &str) -> &'static [&'static str] {
    if database == "wide" { &["wide"] } else { &["lineitem", "orders", "customer"] }
}

/// Both servers, for as long as this lives.
pub(crate) struct Servers {
    source: Postgres,
    target: Postgres,
}

impl Servers {
    pub(crate) fn start(dir: &Path) -> Result<Self, Failure> {
        let start = || Postgres::with(Version::V18, SETTINGS);
        let servers = Self { source: start(), target: start() };
        let tell = |server: &Postgres| json!({ "port": server.port(), "pid": server.pid() });
        let file = json!({ "source": tell(&servers.source), "target": tell(&servers.target) });
        std::fs::write(list(dir), file.to_string())?;
        Ok(servers)
    }

    /// Fills the source: `bare` without keys, `keyed` with keys and indexes, `wide`.
    pub(crate) fn fill(&self, dir: &Path, scale: f64) -> Result<(), Failure> {
        let source = &self.source;
        for database in ["bare", "keyed", "wide"] {
            source.psql("postgres", &format!("CREATE DATABASE {database}"));
        }
        let staged = format!("{}?schema=staged", source.url("bare"));
        let runtime = tokio::runtime::Runtime::new()?;
        runtime.block_on(steps::copy(&steps::sqlite(dir), &staged))?;
        source.psql("bare", BARE);
        let mut dump = source.client("pg_dump", "bare").stdout(Stdio::piped()).spawn()?;
        let restored = source
            .client("psql", "keyed")
            .args(["-X", "-q", "-v", "ON_ERROR_STOP=1"])
            .stdin(dump.stdout.take().ok_or("pg_dump has no output")?)
            .stdout(Stdio::null())
            .status()?;
        if !dump.wait()?.success() || !restored.success() {
            return Err("the source cannot be filled".into());
        }
        source.psql("keyed", KEYS);
        let rows = (WIDE_ROWS * scale).round().max(1.0);
        source.psql("wide", &WIDE.replace("$rows", &rows.to_string()));
        source.psql("postgres", "CHECKPOINT");
        Ok(())
    }
}

/// A server as a step sees it.
pub(crate) struct Server {
    port: u64,
    pub pid: u64,
}

impl Server {
    /// The address of a database.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://postgres:postgres@127.0.0.1:{}/{database}?sslmode=disable", self.port)
    }

    /// psql, on the same way to the server as ours.
    pub(crate) fn psql(&self, database: &str) -> Command {
        let mut psql = Command::new(programs().join("psql"));
        psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"]).arg(self.url(database));
        psql.stdin(Stdio::null());
        psql
    }

    /// Runs some SQL.
    pub(crate) fn run(&self, database: &str, sql: &str) -> Result<String, Failure> {
        let output = self.psql(database).args(["-c", sql]).output()?;
        if !output.status.success() {
            return Err(format!("psql: {}", String::from_utf8_lossy(&output.stderr)).into());
        }
        Ok(String::from_utf8(output.stdout)?.trim().to_string())
    }

    /// An empty database, nothing of others left to be written.
    pub(crate) fn fresh(&self, database: &str) -> Result<(), Failure> {
        self.run("postgres", &format!("DROP DATABASE IF EXISTS {database} WITH (FORCE)"))?;
        self.run("postgres", &format!("CREATE DATABASE {database}"))?;
        self.run("postgres", "CHECKPOINT").map(drop)
    }

    /// The definitions of a database's tables without keys.
    pub(crate) fn schema(&self, database: &str) -> Result<Vec<u8>, Failure> {
        let output = Command::new(programs().join("pg_dump"))
            .args(["--section=pre-data", "--no-owner", "--exclude-schema=_longshore"])
            .arg(self.url(database))
            .output()?;
        if output.status.success() { Ok(output.stdout) } else { Err("pg_dump failed".into()) }
    }

    /// The conditions that cut a table into so many parts of equal size.
    pub(crate) fn parts(
        &self,
        database: &str,
        table: &str,
        count: u64,
    ) -> Result<Vec<String>, Failure> {
        let sql =
            format!("SELECT pg_relation_size('{table}') / current_setting('block_size')::bigint");
        let blocks: u64 = self.run(database, &sql)?.parse()?;
        let cut = |part: u64| format!("'({},0)'::tid", blocks * part / count);
        Ok((0..count)
            .map(|part| match part + 1 == count {
                true => format!("ctid >= {}", cut(part)),
                false => format!("ctid >= {} AND ctid < {}", cut(part), cut(part + 1)),
            })
            .collect())
    }
}

/// Source and target.
pub(crate) fn find(dir: &Path) -> Result<(Server, Server), Failure> {
    let file: Value = serde_json::from_slice(&std::fs::read(list(dir))?)?;
    let server = |name: &str| -> Result<Server, Failure> {
        let number = |key: &str| file[name][key].as_u64().ok_or("a damaged list of servers");
        Ok(Server { port: number("port")?, pid: number("pid")? })
    };
    Ok((server("source")?, server("target")?))
}

fn list(dir: &Path) -> PathBuf {
    dir.join("servers.json")
}

fn programs() -> PathBuf {
    longshore_services::postgres_programs(18)
}

const BARE: &str = "
CREATE TABLE customer AS SELECT c_custkey::int4, c_name::varchar(25), c_address::varchar(40),
  c_nationkey::int4, c_phone::char(15), (c_acctbal / 100.0)::numeric(15,2) AS c_acctbal,
  c_mktsegment::char(10), c_comment::varchar(117) FROM staged.customer;
CREATE TABLE orders AS SELECT o_orderkey::int8, o_custkey::int4, o_orderstatus::char(1),
  (o_totalprice / 100.0)::numeric(15,2) AS o_totalprice, o_orderdate::date,
  o_orderpriority::char(15), o_clerk::char(15), o_shippriority::int4, o_comment::varchar(79)
  FROM staged.orders;
CREATE TABLE lineitem AS SELECT l_orderkey::int8, l_partkey::int4, l_suppkey::int4,
  l_linenumber::int4, l_quantity::numeric(15,2),
  (l_extendedprice / 100.0)::numeric(15,2) AS l_extendedprice,
  l_discount::numeric(15,2), l_tax::numeric(15,2), l_returnflag::char(1), l_linestatus::char(1),
  l_shipdate::date, l_commitdate::date, l_receiptdate::date, l_shipinstruct::char(25),
  l_shipmode::char(10), l_comment::varchar(44) FROM staged.lineitem;
DROP SCHEMA staged CASCADE;
DROP SCHEMA _longshore CASCADE;
VACUUM ANALYZE;
";

const KEYS: &str = "
ALTER TABLE customer ADD PRIMARY KEY (c_custkey);
ALTER TABLE orders ADD PRIMARY KEY (o_orderkey),
  ADD FOREIGN KEY (o_custkey) REFERENCES customer;
ALTER TABLE lineitem ADD PRIMARY KEY (l_orderkey, l_linenumber),
  ADD FOREIGN KEY (l_orderkey) REFERENCES orders;
CREATE INDEX ON orders (o_custkey);
CREATE INDEX ON orders (o_orderdate);
CREATE INDEX ON lineitem (l_partkey, l_suppkey);
CREATE INDEX ON lineitem (l_shipdate);
VACUUM ANALYZE;
";

const WIDE: &str = "
CREATE TABLE wide AS SELECT n AS id, md5(n::text)::uuid AS code,
  timestamptz '2020-01-01' + n * interval '37 seconds' AS at, n % 3 = 0 AS flag,
  (n % 10007) / 7.0::float8 AS ratio, (n % 99991) / 100.0 AS amount,
  CASE WHEN n % 5 > 0 THEN repeat(md5((n % 1009)::text), 1 + (n % 7)::int) END AS note,
  jsonb_build_object('id', n, 'name', md5((n % 977)::text), 'tags', jsonb_build_array(n % 7, 'x',
    null, n % 2 = 0), 'nested', jsonb_build_object('depth', n % 11, 'text', md5(n::text)))
    AS document,
  decode(repeat(md5(n::text), 8), 'hex') AS payload,
  ARRAY[n % 3, n % 5, n % 7, null]::int4[] AS numbers,
  ARRAY[md5((n % 101)::text), null, 'plain']::text[] AS words
  FROM generate_series(1, $rows::int8) AS n;
VACUUM ANALYZE;
";
