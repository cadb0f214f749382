//! Folders of files as source and target, against real files.

mod crash;
mod foreign;
mod session;

use longshore_objects::Files;
use longshore_testkit::conformance::System;

fn parquet() -> System {
    System::new(Files, |folder, name| format!("file:{}/{name}", folder.display()))
}

fn csv() -> System {
    System::new(Files, |folder, name| format!("file:{}/{name}?format=csv", folder.display()))
}

fn jsonl() -> System {
    System::new(Files, |folder, name| format!("file:{}/{name}?format=jsonl", folder.display()))
}

longshore_testkit::conformance_tests!(parquet_conformance, parquet);
longshore_testkit::conformance_tests!(csv_conformance, csv);
longshore_testkit::conformance_tests!(jsonl_conformance, jsonl);
