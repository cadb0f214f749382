//! `customer`, `orders` and `lineitem` as in TPC-H, at any scale, as a SQLite database: the data of
//! the benchmarks. Deterministic: a scale is the same bytes of data everywhere.
//!
//! Money is whole cents in INTEGER columns, rates are REAL, dates are TEXT, so that every column
//! holds values of one kind. Order keys are sparse and a third of the customers has no order, as
//! the specification wants it. Texts come from a pool of words rather than from its grammar.

use std::path::Path;

use rusqlite::{Connection, Result, Statement, ToSql};

use crate::random::Random;

/// Rows written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Rows of `customer`: 150,000 at scale 1.
    pub customers: i64,
    /// Rows of `orders`: 1,500,000 at scale 1.
    pub orders: i64,
    /// Rows of `lineitem`: about 6,000,000 at scale 1.
    pub lines: i64,
}

/// Writes a new database at a scale.
pub fn write(path: &Path, scale: f64) -> Result<Counts> {
    let mut connection = Connection::open(path)?;
    connection.execute_batch(
        "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA locking_mode = EXCLUSIVE;
         PRAGMA cache_size = -65536; PRAGMA foreign_keys = OFF;",
    )?;
    let transaction = connection.transaction()?;
    transaction.execute_batch(SCHEMA)?;
    let mut counts = Counts {
        customers: at_least_one(150_000.0 * scale),
        orders: at_least_one(1_500_000.0 * scale),
        lines: 0,
    };
    let mut text = Texts::new();
    customers(&mut transaction.prepare(&insert("customer", 8))?, counts.customers, &mut text)?;
    counts.lines = orders(
        &mut transaction.prepare(&insert("orders", 9))?,
        &mut transaction.prepare(&insert("lineitem", 16))?,
        &counts,
        scale,
        &mut text,
    )?;
    transaction.execute_batch("CREATE INDEX orders_by_customer ON orders (o_custkey);")?;
    transaction.commit()?;
    connection.close().map_err(|(_, error)| error)?;
    Ok(counts)
}

const SCHEMA: &str = "
CREATE TABLE customer (
  c_custkey INTEGER PRIMARY KEY, c_name TEXT NOT NULL, c_address TEXT NOT NULL,
  c_nationkey INTEGER NOT NULL, c_phone TEXT NOT NULL, c_acctbal INTEGER NOT NULL,
  c_mktsegment TEXT NOT NULL, c_comment TEXT NOT NULL);
CREATE TABLE orders (
  o_orderkey INTEGER PRIMARY KEY, o_custkey INTEGER NOT NULL REFERENCES customer (c_custkey),
  o_orderstatus TEXT NOT NULL, o_totalprice INTEGER NOT NULL, o_orderdate TEXT NOT NULL,
  o_orderpriority TEXT NOT NULL, o_clerk TEXT NOT NULL, o_shippriority INTEGER NOT NULL,
  o_comment TEXT NOT NULL);
CREATE TABLE lineitem (
  l_orderkey INTEGER NOT NULL REFERENCES orders (o_orderkey), l_partkey INTEGER NOT NULL,
  l_suppkey INTEGER NOT NULL, l_linenumber INTEGER NOT NULL, l_quantity INTEGER NOT NULL,
  l_extendedprice INTEGER NOT NULL, l_discount REAL NOT NULL, l_tax REAL NOT NULL,
  l_returnflag TEXT NOT NULL, l_linestatus TEXT NOT NULL, l_shipdate TEXT NOT NULL,
  l_commitdate TEXT NOT NULL, l_receiptdate TEXT NOT NULL, l_shipinstruct TEXT NOT NULL,
  l_shipmode TEXT NOT NULL, l_comment TEXT NOT NULL, PRIMARY KEY (l_orderkey, l_linenumber));
";

const SEGMENTS: &[&str] = &["AUTOMOBILE", "BUILDING", "FURNITURE", "HOUSEHOLD", "MACHINERY"];
const PRIORITIES: &[&str] = &["1-URGENT", "2-HIGH", "3-MEDIUM", "4-NOT SPECIFIED", "5-LOW"];
const INSTRUCTIONS: &[&str] = &["COLLECT COD", "DELIVER IN PERSON", "NONE", "TAKE BACK RETURN"];
const MODES: &[&str] = &["AIR", "FOB", "MAIL", "RAIL", "REG AIR", "SHIP", "TRUCK"];
const WORDS: &[&str] = &[
    "accounts",
    "according",
    "across",
    "after",
    "against",
    "among",
    "asymptotes",
    "bold",
    "boost",
    "braids",
    "carefully",
    "cajole",
    "daringly",
    "deposits",
    "detect",
    "dolphins",
    "doze",
    "dugouts",
    "engage",
    "even",
    "excuses",
    "express",
    "final",
    "fluffily",
    "foxes",
    "furiously",
    "haggle",
    "ideas",
    "instructions",
    "integrate",
    "ironic",
    "nag",
    "packages",
    "pending",
    "pinto",
    "platelets",
    "quickly",
    "quietly",
    "realms",
    "regular",
    "requests",
    "sleep",
    "slyly",
    "special",
    "the",
    "theodolites",
    "unusual",
    "warhorses",
];

/// The days from 1992-01-01 to 1998-12-31.
const DAYS: usize = 2557;
/// The last day of an order, which leaves room for its delivery.
const LAST_ORDER: i64 = 2405;
/// 1995-06-17, on which TPC-H decides what is still open.
const TODAY: usize = 1263;

struct Texts {
    random: Random,
    pool: String,
    dates: Vec<String>,
}

impl Texts {
    fn new() -> Self {
        let mut random = Random::new(0x7470_6368);
        let mut pool = String::with_capacity(1 << 18);
        while pool.len() < 1 << 18 {
            pool.push_str(random.pick(WORDS));
            pool.push_str(random.pick(&[" ", " ", " ", " ", ". ", ", "]));
        }
        Self { random, pool, dates: dates() }
    }

    fn comment(&mut self, low: i64, high: i64) -> &str {
        let length = usize::try_from(self.random.between(low, high)).expect("a positive length");
        let start = self.random.below(self.pool.len() - length);
        &self.pool[start..start + length]
    }
}

fn dates() -> Vec<String> {
    let mut dates = Vec::with_capacity(DAYS);
    for year in 1992..=1998 {
        let february = if year % 4 == 0 { 29 } else { 28 };
        let months = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
        for (month, days) in months.into_iter().enumerate() {
            dates.extend((1..=days).map(|day| format!("{year}-{:02}-{day:02}", month + 1)));
        }
    }
    dates
}

fn customers(insert: &mut Statement<'_>, count: i64, text: &mut Texts) -> Result<()> {
    for key in 1..=count {
        let nation = text.random.between(0, 24);
        let (local, line, balance) = (
            text.random.between(100, 999),
            text.random.between(1000, 9999),
            text.random.between(-99_999, 999_999),
        );
        bind(insert, 1, key)?;
        bind(insert, 2, format!("Customer#{key:09}"))?;
        bind(insert, 3, text.comment(10, 40))?;
        bind(insert, 4, nation)?;
        bind(insert, 5, format!("{}-{local}-{}-{line}", nation + 10, 999 - local + 100))?;
        bind(insert, 6, balance)?;
        bind(insert, 7, text.random.pick(SEGMENTS))?;
        bind(insert, 8, text.comment(29, 116))?;
        insert.raw_execute()?;
    }
    Ok(())
}

fn orders(
    insert: &mut Statement<'_>,
    insert_line: &mut Statement<'_>,
    counts: &Counts,
    scale: f64,
    text: &mut Texts,
) -> Result<i64> {
    let parts = at_least_one(200_000.0 * scale);
    let suppliers = at_least_one(10_000.0 * scale);
    let clerks = at_least_one(1_000.0 * scale);
    let mut lines = 0;
    for index in 0..counts.orders {
        let key = index / 8 * 32 + index % 8 + 1;
        let date = text.random.between(0, LAST_ORDER - 1);
        let number = text.random.between(1, 7);
        let (mut total, mut open) = (0, 0);
        for line in 1..=number {
            let part = text.random.between(1, parts);
            let supplier = text.random.between(1, suppliers);
            let written = write_line(insert_line, text, [key, line, part, supplier], date)?;
            total += written.0;
            open += i64::from(written.1);
        }
        lines += number;
        let status = if open == 0 {
            "F"
        } else if open == number {
            "O"
        } else {
            "P"
        };
        bind(insert, 1, key)?;
        bind(insert, 2, customer_with_orders(&mut text.random, counts.customers))?;
        bind(insert, 3, status)?;
        bind(insert, 4, total)?;
        bind(insert, 5, &text.dates[day(date)])?;
        bind(insert, 6, text.random.pick(PRIORITIES))?;
        bind(insert, 7, format!("Clerk#{:09}", text.random.between(1, clerks)))?;
        bind(insert, 8, 0)?;
        bind(insert, 9, text.comment(19, 78))?;
        insert.raw_execute()?;
    }
    Ok(lines)
}

/// Writes a line; returns what it adds to the order's price, and whether it is open.
fn write_line(
    insert: &mut Statement<'_>,
    text: &mut Texts,
    [key, line, part, supplier]: [i64; 4],
    ordered: i64,
) -> Result<(i64, bool)> {
    let random = &mut text.random;
    let quantity = random.between(1, 50);
    let retail = 90_000 + (part / 10) % 20_001 + 100 * (part % 1_000);
    let (price, discount, tax) = (quantity * retail, random.between(0, 10), random.between(0, 8));
    let shipped = day(ordered + random.between(1, 121));
    let committed = day(ordered + random.between(30, 90));
    let received = (shipped + 1 + random.below(30)).min(DAYS - 1);
    let returned = if received > TODAY { "N" } else { random.pick(&["R", "A"]) };
    let open = shipped > TODAY;
    let (instruction, mode) = (random.pick(INSTRUCTIONS), random.pick(MODES));
    for (index, number) in (1..).zip([key, part, supplier, line, quantity, price]) {
        bind(insert, index, number)?;
    }
    bind(insert, 7, discount as f64 / 100.0)?;
    bind(insert, 8, tax as f64 / 100.0)?;
    bind(insert, 9, returned)?;
    bind(insert, 10, if open { "O" } else { "F" })?;
    for (index, date) in (11..).zip([shipped, committed, received]) {
        bind(insert, index, &text.dates[date])?;
    }
    bind(insert, 14, instruction)?;
    bind(insert, 15, mode)?;
    bind(insert, 16, text.comment(10, 43))?;
    insert.raw_execute()?;
    Ok((price * (100 - discount) * (100 + tax) / 10_000, open))
}

/// Every third customer has no order.
fn customer_with_orders(random: &mut Random, customers: i64) -> i64 {
    let key = random.between(1, customers);
    if key % 3 == 0 { key - 1 } else { key }
}

fn bind(insert: &mut Statement<'_>, index: usize, value: impl ToSql) -> Result<()> {
    insert.raw_bind_parameter(index, value)
}

fn insert(table: &str, columns: usize) -> String {
    format!("INSERT INTO {table} VALUES ({})", vec!["?"; columns].join(","))
}

fn at_least_one(count: f64) -> i64 {
    (count.round() as i64).max(1)
}

fn day(number: i64) -> usize {
    usize::try_from(number).expect("days count from the first")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_is_always_the_same_and_its_sums_agree() {
        let folder = tempfile::tempdir().expect("a folder");
        let paths = ["a.db", "b.db"].map(|name| folder.path().join(name));
        let counts = paths.each_ref().map(|path| write(path, 0.001).expect("a database"));
        assert_eq!(counts[0], counts[1]);
        assert_eq!((counts[0].customers, counts[0].orders), (150, 1500));
        let bytes = paths.each_ref().map(|path| std::fs::read(path).expect("a file"));
        assert!(bytes[0] == bytes[1], "the same bytes twice");
        let connection = Connection::open(&paths[0]).expect("a database");
        let count = |sql| connection.query_row(sql, [], |row| row.get::<_, i64>(0)).expect(sql);
        assert_eq!(count("SELECT count(*) FROM lineitem"), counts[0].lines);
        assert_eq!(count("SELECT count(*) FROM pragma_foreign_key_check"), 0);
        assert_eq!(count("SELECT count(DISTINCT typeof(l_discount)) FROM lineitem"), 1);
        assert_eq!(count("SELECT count(*) FROM orders WHERE o_custkey % 3 = 0"), 0);
    }
}
