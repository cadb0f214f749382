//! The shop: deterministic data with all that real databases have.

use std::path::Path;

use longshore_model::Result;
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use super::failed;
use super::words::{
    CARRIERS, CITIES, CURRENCIES, FAMILY, GIVEN, NOUNS, OPINIONS, STATUSES, STREETS, WAREHOUSES,
};

/// A pseudo-random number generator (Steele, Lea, Flood: SplitMix64), so that every shop of the
/// same size is the same.
pub(super) struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`.
    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    fn int(&mut self, low: i64, high: i64) -> i64 {
        low + (self.below(high.abs_diff(low) + 1)) as i64
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len() as u64) as usize]
    }

    /// Whether something happens, `percent` times out of a hundred.
    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// A fraction of 0 to 1.
    fn fraction(&mut self) -> f64 {
        self.below(1_000_000) as f64 / 1e6
    }

    fn day(&mut self) -> String {
        format!("{}-{:02}-{:02}", self.int(2019, 2025), self.int(1, 12), self.int(1, 28))
    }

    fn moment(&mut self) -> String {
        let (hour, minute, second) = (self.int(0, 23), self.int(0, 59), self.int(0, 59));
        format!("{} {hour:02}:{minute:02}:{second:02}", self.day())
    }

    fn bytes(&mut self, length: u64) -> Vec<u8> {
        let mut bytes: Vec<u8> =
            (0..length.div_ceil(8)).flat_map(|_| self.next().to_le_bytes()).collect();
        bytes.truncate(length as usize);
        bytes
    }

    fn or_null(&mut self, percent: u64, value: impl Into<Value>) -> Value {
        if self.chance(percent) { Value::Null } else { value.into() }
    }
}

/// How many rows each table has.
#[derive(Debug, Clone, Copy)]
struct Sizes {
    customers: u64,
    products: u64,
    orders: u64,
    all: u64,
}

/// One table: where its rows go, how many, and how one is made from its number, from 1 on.
struct Fill {
    table: &'static str,
    columns: &'static str,
    rows: u64,
    row: fn(&mut Random, i64, Sizes) -> Vec<Value>,
}

/// Makes the shop in a new database; returns the number of its rows.
pub(super) fn make(path: &Path, rows: u64) -> Result<u64> {
    let connection = Connection::open(path).map_err(failed("make the shop"))?;
    fill_all(&connection, rows).map_err(failed("fill the shop"))
}

fn fill_all(connection: &Connection, rows: u64) -> rusqlite::Result<u64> {
    // Nothing else knows this file yet, and a crash only means making it again.
    connection.execute_batch("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; BEGIN;")?;
    connection.execute_batch(include_str!("shop.sql"))?;
    let sizes = Sizes {
        customers: (rows * 6 / 100).max(10),
        products: (rows / 100).max(10),
        orders: (rows * 14 / 100).max(10),
        all: rows,
    };
    let mut random = Random(20_261_122);
    let mut total = 0;
    for fill in fills(sizes) {
        let marks = vec!["?"; fill.columns.split(',').count()].join(", ");
        let sql = format!("INSERT INTO {} ({}) VALUES ({marks})", fill.table, fill.columns);
        let mut statement = connection.prepare(&sql)?;
        for number in 1..=fill.rows {
            let row = (fill.row)(&mut random, number as i64, sizes);
            statement.execute(params_from_iter(row))?;
        }
        total += fill.rows;
    }
    connection.execute_batch(include_str!("shop_after.sql"))?;
    connection.execute_batch("COMMIT; ANALYZE;")?;
    Ok(total)
}

fn fills(sizes: Sizes) -> Vec<Fill> {
    let part = |percent: u64| (sizes.all * percent / 100).max(10);
    let fill = |table, columns, rows, row| Fill { table, columns, rows, row };
    vec![
        fill("suppliers", "id, name, country, email", 40, supplier),
        fill("categories", "id, parent_id, name", 60, category),
        fill(
            "customers",
            "id, email, name, phone, born, vip, balance_cents, discount, created_at, preferences",
            sizes.customers,
            customer,
        ),
        fill(
            "addresses",
            "id, customer_id, street, city, postcode, latitude, longitude",
            part(8),
            address,
        ),
        fill(
            "products",
            "id, sku, name, category_id, supplier_id, list_price, weight_kg, active",
            sizes.products,
            product,
        ),
        fill("product_attributes", "product_id, name, value", sizes.products * 3, attribute),
        fill("photos", "id, product_id, mime, bytes", (sizes.all / 2000).max(5), photo),
        fill("stock", "warehouse, product_id, quantity, counted_at", sizes.products * 3, stock),
        fill(
            "orders",
            "id, customer_id, status, currency, total_cents, placed_at, note",
            sizes.orders,
            order,
        ),
        fill(
            "order_items",
            "order_id, line, product_id, quantity, price_cents, discount",
            sizes.orders * 5 / 2,
            item,
        ),
        fill(
            "payments",
            "id, order_id, method, amount_cents, reference, paid_ms",
            part(13),
            payment,
        ),
        fill(
            "shipments",
            "id, order_id, carrier, weight_kg, sent_at, arrived_at",
            part(7),
            shipment,
        ),
        fill("reviews", "id, product_id, customer_id, stars, title, body", part(4), review),
        fill("coupons", "code, percent, valid_until, uses", 200, coupon),
        fill("exchange_rates", "day, currency, rate", 1000, rate),
        fill("settings", "key, value", 20, setting),
        fill("access_log", "at, path, status, milliseconds, address", part(6), access),
    ]
}

fn supplier(random: &mut Random, id: i64, _: Sizes) -> Vec<Value> {
    let name = format!("{} & {} GmbH", random.pick(FAMILY), random.pick(FAMILY));
    let email = format!("orders@supplier{id}.example");
    vec![
        id.into(),
        name.into(),
        random.pick(&["DE", "FR", "JP", "BR"]).to_string().into(),
        random.or_null(20, email),
    ]
}

fn category(random: &mut Random, id: i64, _: Sizes) -> Vec<Value> {
    let parent = if id <= 8 { Value::Null } else { random.int(1, id - 1).into() };
    vec![id.into(), parent, format!("{} {id}", random.pick(NOUNS)).into()]
}

fn customer(random: &mut Random, id: i64, _: Sizes) -> Vec<Value> {
    let name = format!("{} {}", random.pick(GIVEN), random.pick(FAMILY));
    let phone = format!("+49 {}", random.int(1_000_000, 99_999_999));
    let born =
        format!("{}-{:02}-{:02}", random.int(1930, 2008), random.int(1, 12), random.int(1, 28));
    let preferences = format!(
        r#"{{"newsletter": {}, "language": "{}"}}"#,
        random.chance(50),
        random.pick(&["de", "fr", "日本語"])
    );
    let discount = (random.fraction() * 1e4).round() / 1e5;
    vec![
        id.into(),
        format!("customer{id}@example.com").into(),
        name.into(),
        random.or_null(30, phone),
        random.or_null(15, born),
        i64::from(random.chance(5)).into(),
        random.int(-50_000, 900_000).into(),
        random.or_null(70, discount),
        random.moment().into(),
        random.or_null(40, preferences),
    ]
}

fn address(random: &mut Random, id: i64, sizes: Sizes) -> Vec<Value> {
    let postcode = format!("{:05}", random.int(1000, 99_999));
    let (latitude, longitude) =
        (random.fraction() * 180.0 - 90.0, random.fraction() * 360.0 - 180.0);
    vec![
        id.into(),
        random.int(1, sizes.customers as i64).into(),
        format!("{} {}", random.pick(STREETS), random.int(1, 240)).into(),
        random.pick(CITIES).to_string().into(),
        random.or_null(5, postcode),
        random.or_null(10, latitude),
        random.or_null(10, longitude),
    ]
}

fn product(random: &mut Random, id: i64, _: Sizes) -> Vec<Value> {
    let (supplier, weight) = (random.int(1, 40), random.fraction() * 20.0);
    vec![
        id.into(),
        format!("SKU-{id:07}").into(),
        format!("{} {}", random.pick(NOUNS), random.pick(GIVEN)).into(),
        random.int(1, 60).into(),
        random.or_null(10, supplier),
        (random.int(50, 500_000) as f64 / 100.0).into(),
        random.or_null(25, weight),
        i64::from(!random.chance(8)).into(),
    ]
}

/// Values of every kind in one column, as schemaless columns have them.
fn attribute(random: &mut Random, number: i64, sizes: Sizes) -> Vec<Value> {
    let product = (number - 1) % sizes.products as i64 + 1;
    let name = ["colour", "size", "manual"][((number - 1) / sizes.products as i64) as usize % 3];
    let value = match random.below(5) {
        0 => Value::Null,
        1 => random.int(-1_000_000, i64::MAX / 2).into(),
        2 => (random.fraction() * 1e9).into(),
        3 => random.bytes(12).into(),
        _ => format!("{}, {}", random.pick(NOUNS), random.pick(CITIES)).into(),
    };
    vec![product.into(), name.to_string().into(), value]
}

fn photo(random: &mut Random, id: i64, sizes: Sizes) -> Vec<Value> {
    let length = random.below(8192);
    vec![
        id.into(),
        random.int(1, sizes.products as i64).into(),
        "image/jpeg".to_string().into(),
        random.bytes(length).into(),
    ]
}

fn stock(random: &mut Random, number: i64, sizes: Sizes) -> Vec<Value> {
    let product = (number - 1) % sizes.products as i64 + 1;
    let warehouse = WAREHOUSES[((number - 1) / sizes.products as i64) as usize % WAREHOUSES.len()];
    let counted = random.moment();
    vec![
        warehouse.to_string().into(),
        product.into(),
        random.int(0, 5000).into(),
        random.or_null(35, counted),
    ]
}

fn order(random: &mut Random, id: i64, sizes: Sizes) -> Vec<Value> {
    let note = random.pick(OPINIONS).to_string();
    vec![
        id.into(),
        random.int(1, sizes.customers as i64).into(),
        random.pick(STATUSES).to_string().into(),
        random.pick(CURRENCIES).to_string().into(),
        random.int(100, 2_000_000).into(),
        random.moment().into(),
        random.or_null(85, note),
    ]
}

fn item(random: &mut Random, number: i64, sizes: Sizes) -> Vec<Value> {
    let (orders, number) = (sizes.orders as i64, number - 1);
    let discount = (random.fraction() * 30.0).round() / 100.0;
    vec![
        (number % orders + 1).into(),
        (number / orders + 1).into(),
        random.int(1, sizes.products as i64).into(),
        random.int(1, 12).into(),
        random.int(50, 500_000).into(),
        random.or_null(80, discount),
    ]
}

fn payment(random: &mut Random, id: i64, sizes: Sizes) -> Vec<Value> {
    vec![
        id.into(),
        random.int(1, sizes.orders as i64).into(),
        random.pick(&["card", "transfer", "invoice", "現金"]).to_string().into(),
        random.int(100, 2_000_000).into(),
        random.bytes(16).into(),
        random.int(1_546_300_800_000, 1_767_225_600_000).into(),
    ]
}

fn shipment(random: &mut Random, id: i64, sizes: Sizes) -> Vec<Value> {
    let (weight, arrived) = (random.fraction() * 40.0, random.moment());
    vec![
        id.into(),
        random.int(1, sizes.orders as i64).into(),
        random.pick(CARRIERS).to_string().into(),
        random.or_null(5, weight),
        random.moment().into(),
        random.or_null(20, arrived),
    ]
}

fn review(random: &mut Random, id: i64, sizes: Sizes) -> Vec<Value> {
    let customer = random.int(1, sizes.customers as i64);
    let (title, mut body) = (random.pick(OPINIONS).to_string(), String::new());
    for _ in 0..random.below(6) {
        body.push_str(random.pick(OPINIONS));
        body.push_str(if random.chance(20) { "\n" } else { " " });
    }
    vec![
        id.into(),
        random.int(1, sizes.products as i64).into(),
        random.or_null(10, customer),
        random.int(1, 5).into(),
        random.or_null(25, title),
        // Empty text and NULL are different things.
        random.or_null(10, body),
    ]
}

fn coupon(random: &mut Random, number: i64, _: Sizes) -> Vec<Value> {
    let (day, uses) = (random.day(), random.int(0, 1000));
    vec![
        format!("{}-{number}", random.pick(GIVEN).to_uppercase()).into(),
        (random.int(1, 60) as f64).into(),
        random.or_null(30, day),
        random.or_null(10, uses),
    ]
}

fn rate(random: &mut Random, number: i64, _: Sizes) -> Vec<Value> {
    let (day, currency) = ((number - 1) / 4, (number - 1) % 4);
    // Extremes that a printed decimal would not bring back.
    let rate = match number {
        1 => f64::MIN_POSITIVE,
        2 => f64::MAX,
        3 => 5e-324,
        4 => 0.1 + 0.2,
        _ => 0.5 + random.fraction() * 150.0,
    };
    vec![
        format!("2025-{:02}-{:02}", day / 28 + 1, day % 28 + 1).into(),
        CURRENCIES[currency as usize].to_string().into(),
        rate.into(),
    ]
}

fn setting(random: &mut Random, number: i64, _: Sizes) -> Vec<Value> {
    let value = match number % 4 {
        0 => Value::Null,
        1 => random.int(i64::MIN / 2, i64::MAX / 2).into(),
        2 => random.pick(CITIES).to_string().into(),
        _ => random.fraction().into(),
    };
    vec![format!("shop.setting.{number:02}").into(), value]
}

/// A table without a key, with rows that are there twice.
fn access(random: &mut Random, number: i64, sizes: Sizes) -> Vec<Value> {
    if number % 50 == 0 {
        let robots = "/robots.txt".to_string();
        return vec![Value::Null, robots.into(), 200.into(), Value::Null, Value::Null];
    }
    let address = format!("10.{}.{}.{}", random.below(256), random.below(256), random.below(256));
    let took = random.fraction() * 800.0;
    vec![
        random.moment().into(),
        format!("/products/{}", random.int(1, sizes.products as i64)).into(),
        if random.chance(95) { 200 } else { 404 }.into(),
        random.or_null(3, took),
        random.or_null(10, address),
    ]
}
