//! Rows and the objects that they name, moved as one unit.

use std::fs;

use crate::stage::{Ran, Stage};

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
