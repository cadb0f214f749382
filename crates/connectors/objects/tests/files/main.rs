//! Folders of files as source and target, against real files.

mod arrow;
mod crash;
mod foreign;
mod packed;
mod partitions;
mod session;
mod stores;

use longshore_objects::connector;
use longshore_testkit::conformance::System;

fn parquet() -> System {
    System::new(connector(), |folder, name| format!("file:{}/{name}", folder.display()))
}

fn csv() -> System {
    written("format=csv")
}

fn jsonl() -> System {
    written("format=jsonl")
}

fn arrow() -> System {
    written("format=arrow")
}

fn csv_gzip() -> System {
    written("format=csv&compression=gzip")
}

fn jsonl_zstd() -> System {
    written("format=jsonl&compression=zstd")
}

fn written(options: &'static str) -> System {
    System::new(connector(), move |folder, name| {
        format!("file:{}/{name}?{options}", folder.display())
    })
}

longshore_testkit::conformance_tests!(parquet_conformance, parquet);
longshore_testkit::conformance_tests!(csv_conformance, csv);
longshore_testkit::conformance_tests!(jsonl_conformance, jsonl);
longshore_testkit::conformance_tests!(arrow_conformance, arrow);
longshore_testkit::conformance_tests!(csv_gzip_conformance, csv_gzip);
longshore_testkit::conformance_tests!(jsonl_zstd_conformance, jsonl_zstd);
