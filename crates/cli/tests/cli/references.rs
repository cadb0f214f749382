//! Rows and the objects that they name, moved as one unit.

use std::fs;
use std::path::Path;

use longshore_testkit::mysql::{Flavor, Mysql};
use longshore_testkit::postgres::{Postgres, Version};
use longshore_testkit::store_server::StoreKind;

use crate::stage::{Ran, Stage};
use crate::stores::Bucket;

/// Six rows that name four of five files; one value is not a name of these.
const ROWS: &str = "
    CREATE TABLE attachments (id INTEGER PRIMARY KEY, path TEXT, size INTEGER);
    INSERT INTO attachments (path) VALUES ('/uploads/a/1.png'), ('/uploads/a/1.png'), (NULL),
        ('/uploads/100% ü.txt'), ('/uploads/b.txt'), ('https://elsewhere.example/x'), ('/uploads/link');
    CREATE TABLE users (id INTEGER PRIMARY KEY, avatar TEXT);
    INSERT INTO users (avatar) VALUES ('a/2.png'), (NULL);";

const MIGRATION: &str = "longshore: v1
name: shop
moves:
  - {from: 'sqlite:shop.db', to: 'sqlite:copy.db'}
  - {from: 'file:uploads?format=objects', to: 'file:copies?format=objects'}
references:
  - {column: attachments.path, objects: 'file:uploads?format=objects', prefix: /uploads/}
  - {column: users.avatar, objects: 'file:uploads?format=objects'}
";

fn shop() -> Stage {
    let stage = Stage::empty();
    stage.sql("shop.db", ROWS);
    fs::create_dir_all(stage.join("uploads/a/empty")).expect("folders");
    for name in ["a/1.png", "a/2.png", "100% ü.txt", "b.txt", "orphan"] {
        fs::write(stage.join("uploads").join(name), name).expect("a file");
    }
    std::os::unix::fs::symlink("b.txt", stage.join("uploads/link")).expect("a link");
    stage.write("m.yaml", MIGRATION);
    stage
}

/// Runs the migration into empty targets.
fn anew(stage: &Stage) -> Ran {
    fs::remove_file(stage.join("copy.db")).expect("removed");
    fs::remove_dir_all(stage.join("copies")).expect("removed");
    stage.run(&["run", "m.yaml"])
}

#[test]
fn what_rows_name_is_there() {
    let stage = shop();
    let plan = stage.done(&["plan", "m.yaml"]);
    for line in
        ["attachments.path behind /uploads/ → file:uploads", "5 names in the rows; 1 object"]
    {
        assert!(plan.out.contains(line), "{line}\n{}", plan.out);
    }
    let ran = stage.done(&["run", "m.yaml"]);
    for line in
        ["5 names in 6 rows name objects: all are there", "not named: orphan", "1 row with a value"]
    {
        assert!(ran.err.contains(line) || ran.out.contains(line), "{line}\n{}{}", ran.out, ran.err);
    }
    stage.done(&["verify", "m.yaml"]);
    stage.done(&["verify", "m.yaml", "--independent"]);
    // Names are counted without a look into the files.
    fs::write(stage.join("copies/b.txt"), "other").expect("a file");
    stage.done(&["verify", "m.yaml", "--level", "count"]);
}

#[test]
fn one_corrupted_one_missing_one_extra_are_named() {
    let stage = shop();
    stage.done(&["run", "m.yaml"]);
    fs::write(stage.join("copies/a/1.png"), "a/9.png").expect("a file");
    fs::remove_file(stage.join("copies/b.txt")).expect("removed");
    fs::write(stage.join("copies/stranger"), "x").expect("a file");
    let ran = stage.run(&["verify", "m.yaml"]);
    assert_eq!(ran.code, Some(3), "{}{}", ran.out, ran.err);
    for line in [
        "different × 1: name='a/1.png' in hash",
        "missing × 1: name='b.txt'",
        "extra × 1: name='stranger'",
        "1 MISSING",
        "of the missing, the source has 1",
        "missing: b.txt",
        "not named: orphan",
        "not named: stranger",
    ] {
        assert!(ran.out.contains(line), "{line}\n{}{}", ran.out, ran.err);
    }
    stage.done(&["verify", "m.yaml", "--repair"]);
    assert_eq!(fs::read(stage.join("copies/a/1.png")).expect("a file"), b"a/1.png");
    stage.done(&["verify", "m.yaml"]);
}

#[test]
fn a_name_that_the_source_lacks_fails_unless_it_is_allowed() {
    let stage = shop();
    stage.sql("shop.db", "INSERT INTO users (avatar) VALUES ('gone.png')");
    let plan = stage.run(&["plan", "m.yaml", "--check"]);
    assert_eq!(plan.code, Some(3), "{}{}", plan.out, plan.err);
    assert!(plan.out.contains("1 of the names are no objects"), "{}", plan.out);
    let ran = stage.run(&["run", "m.yaml"]);
    assert_eq!(ran.code, Some(3), "{}{}", ran.out, ran.err);
    for line in ["missing: gone.png", "the source has 0", "LS0406", "users.avatar"] {
        assert!(ran.out.contains(line) || ran.err.contains(line), "{line}\n{}{}", ran.out, ran.err);
    }
    // A reference that allows it says nothing of the other's names.
    let allowing =
        MIGRATION.replace("column: users.avatar,", "column: users.avatar, missing: allow,");
    stage.write("m.yaml", &allowing);
    let ran = anew(&stage);
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("1 missing, as allowed"), "{}", ran.out);
    stage.sql("shop.db", "INSERT INTO attachments (path) VALUES ('/uploads/gone.png')");
    let ran = anew(&stage);
    assert_eq!(ran.code, Some(3), "{}{}", ran.out, ran.err);
    // What the target lacks and the source has is never allowed.
    stage.sql("shop.db", "DELETE FROM attachments WHERE path LIKE '%gone%'");
    assert_eq!(anew(&stage).code, Some(0));
    fs::remove_file(stage.join("copies/a/2.png")).expect("removed");
    let ran = stage.run(&["verify", "m.yaml"]);
    assert!(ran.code == Some(3) && ran.out.contains("2 MISSING"), "{}{}", ran.out, ran.err);
}

#[test]
fn hashed_keys_hide_names() {
    let stage = shop();
    stage.sql("shop.db", "INSERT INTO users (avatar) VALUES ('gone.png')");
    stage.write("m.yaml", &format!("{MIGRATION}keys: sha256\n"));
    let ran = stage.run(&["run", "m.yaml"]);
    assert_eq!(ran.code, Some(3), "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("missing: ") && !ran.out.contains("gone.png"), "{}", ran.out);
}

/// Names that take several passes are counted once each.
#[test]
fn many_names_take_little_memory() {
    let stage = Stage::empty();
    stage.sql(
        "shop.db",
        "CREATE TABLE t (id INTEGER PRIMARY KEY, path TEXT);
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300000)
         INSERT INTO t (path) SELECT 'f/' || (i % 200000) FROM n;",
    );
    fs::create_dir_all(stage.join("uploads/f")).expect("a folder");
    for number in 0..300 {
        fs::write(stage.join("uploads/f").join((number * 1000).to_string()), "x").expect("a file");
    }
    let move_of_rows = "{from: 'sqlite:shop.db', to: 'sqlite:copy.db'}";
    stage.write(
        "m.yaml",
        &format!(
            "longshore: v1\nname: many\nmoves: [{move_of_rows}, {{from: 'file:uploads?format=objects', to: 'file:to?format=objects'}}]\nlimits: {{memory: 16MiB}}\nreferences: [{{column: t.path, objects: 'file:uploads?format=objects', missing: allow}}]\n"
        ),
    );
    let ran = stage.done(&["run", "m.yaml"]);
    for line in [
        "200,000 names in 300,000 rows",
        "199,800 missing, as allowed",
        "the source has 0",
        "100 objects that no row names",
        "and 199,790 more",
    ] {
        assert!(ran.out.contains(line), "{line}\n{}", ran.out);
    }
}

#[test]
fn a_reference_that_cannot_be_is_refused_with_what_to_do() {
    let stage = shop();
    let objects = "objects: 'file:uploads?format=objects'";
    let swapped = "  - {from: 'file:uploads?format=objects', to: 'file:copies?format=objects'}\n";
    let first = "  - {from: 'sqlite:shop.db', to: 'sqlite:copy.db'}\n";
    for (migration, code, words) in [
        (MIGRATION.replace("users.avatar", "users.nothing"), "LS0003", "does not move"),
        (MIGRATION.replace("users.avatar", "nobody.avatar"), "LS0003", "matches no table"),
        (MIGRATION.replace("users.avatar", "attachments.size"), "LS0002", "holds no texts"),
        (
            MIGRATION.replace(
                "'sqlite:copy.db'}",
                "'sqlite:copy.db', columns: {users: {mask: {avatar: sha256}}}}",
            ),
            "LS0002",
            "is masked",
        ),
        (
            MIGRATION.replace(&[first, swapped].concat(), &[swapped, first].concat()),
            "LS0002",
            "before the rows",
        ),
        (MIGRATION.replace(objects, "objects: 'sqlite:shop.db'"), "LS0002", "before the rows"),
    ] {
        stage.write("m.yaml", &migration);
        let ran = stage.run(&["plan", "m.yaml"]);
        assert_eq!(ran.code, Some(2), "{migration}{}{}", ran.out, ran.err);
        assert!(ran.err.contains(code) && ran.err.contains(words), "{words}\n{}", ran.err);
    }
}

const SHOP: &str = "
    CREATE TABLE customers (id int PRIMARY KEY, name text NOT NULL);
    CREATE TABLE orders (id bigint PRIMARY KEY, customer int NOT NULL REFERENCES customers (id),
        total numeric(10,2), at timestamptz);
    CREATE TABLE attachments (id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
        order_id bigint NOT NULL REFERENCES orders (id), path varchar(200));
    INSERT INTO customers SELECT i, 'customer ☕ ' || i FROM generate_series(1, 1000) AS i;
    INSERT INTO orders SELECT i, 1 + i % 1000, i / 4.0, 'epoch'::timestamptz + i * interval '1 h'
    FROM generate_series(1, 10000) AS i;
    INSERT INTO attachments (order_id, path)
    SELECT 1 + i % 10000, '/uploads/' || i % 100 || '/' || i || '.bin' FROM generate_series(1, 20000) AS i;";

/// One attachment of the shop.
fn attach(uploads: &Path, number: u32) {
    let name = format!("{}/{number}.bin", number % 100);
    let size = if number % 5000 == 7 { 12 << 20 } else { number as usize % 3000 };
    let bytes = number.to_le_bytes().into_iter().cycle().take(size).collect::<Vec<u8>>();
    fs::write(uploads.join(name), bytes).expect("a file");
}

/// From PostgreSQL and a folder to MySQL and a store, while the shop goes on.
#[test]
fn a_shop_with_its_attachments_moves_as_one_unit_through_five_kills() {
    let (stage, bucket) = (Stage::empty(), Bucket::of(StoreKind::Rclone));
    let (postgres, mysql) = (Postgres::shared(Version::V18), Mysql::shared(Flavor::MySql));
    let (source, target) = (postgres.create("unit"), mysql.create("unit"));
    postgres.psql(&source, SHOP);
    let uploads = stage.join("uploads");
    (0..100).for_each(|n| fs::create_dir_all(uploads.join(n.to_string())).expect("a folder"));
    (1..=20_000).for_each(|number| attach(&uploads, number));
    let objects = "file:uploads?format=objects";
    stage.write(
        "m.yaml",
        &format!(
            "longshore: v1\nname: unit\nlimits: {{chunk: 2MiB}}\nmoves:\n  - {{from: '{}', to: '{}'}}\n  - {{from: '{objects}', to: '{}'}}\nreferences:\n  - {{column: attachments.path, objects: '{objects}', prefix: /uploads/}}\n",
            postgres.url(&source),
            mysql.url(&target),
            bucket.address("shop")
        ),
    );
    for (number, point) in (20_001..).zip([
        "prepare.done",
        "copy.chunk-committed:2",
        "copy.done",
        "trees.before-entry:2",
        "trees.after-entry:4",
    ]) {
        let killed = stage.run(&["run", "m.yaml", "--failpoint", point]);
        assert_eq!(killed.code, None, "{point}: not killed\n{}", killed.err);
        // When it notices that an upload was cut, rclone's server removes the object of that name, whatever has
        // been written to it since: no store of the cloud does that.
        bucket.server.settle();
        // The shop gets one more, the file before the row.
        attach(&uploads, number);
        let insert = "INSERT INTO attachments (order_id, path) VALUES (1, '/uploads/";
        postgres.psql(&source, &format!("{insert}{}/{number}.bin')", number % 100));
    }
    let ran = stage.done(&["run", "m.yaml"]);
    // The rows are of the moment when they were read, and the objects of a later one.
    for line in ["names in 20,00", "name objects: all are there", "objects that no row names"] {
        assert!(ran.out.contains(line), "{line}\n{}{}", ran.out, ran.err);
    }
    let rows: u32 =
        mysql.sql(&target, "SELECT count(*) FROM attachments").trim().parse().expect("a number");
    assert!((20_001..20_005).contains(&rows), "{rows}");

    bucket.put("shop/7/7.bin", &[], &[1; 100]);
    bucket.remove("shop/8/8.bin");
    bucket.put("shop/8/stranger.bin", &[], b"x");
    let ran = stage.run(&["verify", "m.yaml"]);
    assert_eq!(ran.code, Some(3), "{}{}", ran.out, ran.err);
    for line in [
        "different × 1: name='7/7.bin'",
        "missing × 1: name='8/8.bin'",
        "extra × 1: name='8/stranger.bin'",
        "1 MISSING",
        "missing: 8/8.bin",
        "not named: 8/stranger.bin",
    ] {
        assert!(ran.out.contains(line), "{line}\n{}{}", ran.out, ran.err);
    }
    stage.done(&["verify", "m.yaml", "--repair"]);
    assert_eq!(bucket.get("shop/8/stranger.bin"), None);
    for name in ["7/7.bin", "8/8.bin"] {
        let bytes = fs::read(uploads.join(name)).expect("a file");
        assert!(bucket.get(&format!("shop/{name}")) == Some(bytes), "{name}");
    }
}
