//! Tables in files of stores.

use longshore_testkit::http_faults::{Fault, HttpFaults};
use longshore_testkit::store_server::StoreKind;

use super::Bucket;
use crate::postgres::verified;
use crate::stage::Stage;

fn tables(bucket: &Bucket, port: u16, path: &str, format: &str) -> String {
    bucket.address_by(port, path).replace("format=objects", format)
}

#[test]
fn tables_come_back_from_every_store_in_every_format() {
    for (kind, format) in [
        (StoreKind::S3s, "format=parquet"),
        (StoreKind::Moto, "format=jsonl&compression=zstd"),
        (StoreKind::Azurite, "format=csv&compression=gzip"),
        (StoreKind::Rclone, "format=parquet"),
        (StoreKind::Gcs, "format=parquet"),
        (StoreKind::Gcs, "format=csv&compression=gzip"),
    ] {
        let (stage, bucket) = (Stage::shop(3000), Bucket::of(kind));
        let there = tables(&bucket, bucket.server.port(), "shop", format);
        let back = there.replace("&compression=zstd", "").replace("&compression=gzip", "");
        stage.done(&["copy", "sqlite:shop.db", &there]);
        stage.done(&["verify", "sqlite:shop.db", &there, "--independent"]);
        stage.done(&["copy", &back, "sqlite:copy.db"]);
        stage.same("shop.db", "copy.db");
        // One file of it is a source too.
        let one = if kind == StoreKind::S3s { "orders/part-00000.parquet" } else { continue };
        let one = there.replace("/shop?", &format!("/shop/{one}?"));
        stage.done(&["copy", &one, "sqlite:one.db"]);
    }
}

#[test]
fn a_killed_write_of_tables_goes_on_and_leaves_no_upload() {
    for (kind, point) in [
        (StoreKind::Moto, "copy.batch:12"),
        (StoreKind::Moto, "files.before-rename:2"),
        (StoreKind::Moto, "files.after-rename:2"),
        (StoreKind::Gcs, "copy.batch:12"),
        (StoreKind::Gcs, "files.before-rename:2"),
    ] {
        let (stage, bucket) = (Stage::empty(), Bucket::of(kind));
        // Random bytes stay as many when they are compressed, so that a chunk has several parts.
        stage.sql(
            "shop.db",
            "CREATE TABLE orders (id INTEGER PRIMARY KEY, note, price, raw, odd);
             CREATE TABLE log (at TEXT, what TEXT);
             WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 800)
             INSERT INTO orders SELECT i, 'n', 1.5, randomblob(100000), 'x' FROM n;",
        );
        let there = tables(&bucket, bucket.server.port(), "shop", "format=parquet");
        stage.write(
            "m.yaml",
            &format!(
                "longshore: v1\nname: t\nlimits: {{chunk: 40MiB, workers: 1}}\n\
                 moves: [{{from: 'sqlite:shop.db', to: '{there}'}}]\n"
            ),
        );
        let killed = stage.run(&["run", "m.yaml", "--failpoint", point]);
        assert_eq!(killed.code, None, "{point}: not killed\n{}", killed.err);
        verified(&stage.run(&["run", "m.yaml", "--json"]));
        let open = bucket.server.request("GET", &format!("/{}?uploads=", bucket.name), &[], b"");
        assert!(!open.text().contains("<UploadId>"), "{point}: {}", open.text());
        stage.done(&["copy", &there, "sqlite:copy.db"]);
        stage.same("shop.db", "copy.db");
    }
}

#[test]
fn storms_pass_over_tables() {
    a_storm_passes_over_tables(StoreKind::S3s);
}

#[test]
fn storms_pass_over_tables_in_gcs() {
    a_storm_passes_over_tables(StoreKind::Gcs);
}

fn a_storm_passes_over_tables(kind: StoreKind) {
    let (stage, bucket) = (Stage::shop(20_000), Bucket::of(kind));
    let proxy = HttpFaults::before(bucket.server.port());
    for (method, fault, times) in [
        ("PUT", Fault::Status(503), 4),
        ("PUT", Fault::Lost, 3),
        ("GET", Fault::Status(429), 3),
        ("GET", Fault::Reset(0), 3),
    ] {
        proxy.fail(method, "", fault, times);
    }
    let there = tables(&bucket, proxy.port(), "shop", "format=parquet");
    stage.done(&["copy", "sqlite:shop.db", &there]);
    for (fault, times) in
        [(Fault::Reset(1000), 4), (Fault::Truncate(100), 4), (Fault::Status(500), 4)]
    {
        proxy.fail("GET", ".parquet", fault, times);
    }
    stage.done(&["copy", &there, "sqlite:copy.db"]);
    stage.same("shop.db", "copy.db");
}
