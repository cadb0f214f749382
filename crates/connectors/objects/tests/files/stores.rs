//! Folders of files in object stores, against real servers.

use longshore_objects::{Files, stores};
use longshore_testkit::conformance::{Limits, System};
use longshore_testkit::store_server::{StoreKind, StoreServer};

fn system(kind: StoreKind, format: &'static str) -> System {
    let server = StoreServer::shared(kind);
    let bucket = server.create_bucket("conformance");
    let (key, endpoint) = (server.key(), server.endpoint());
    let secret = server.secret().replace('=', "%3D").replace('+', "%2B").replace('/', "%2F");
    let of = |scheme: &str| -> Files {
        let schemes = |(files, _): &(Files, _)| {
            longshore_model::connector::Connector::about(files).schemes.contains(&scheme)
        };
        stores().into_iter().find(schemes).expect("a connector").0
    };
    let system = match kind {
        StoreKind::Azurite => System::new(of("az"), move |_, name| {
            format!(
                "az://{bucket}/{name}?format={format}&account={key}&account-key={secret}&endpoint={endpoint}"
            )
        }),
        StoreKind::Gcs => {
            let account = server.account_file().display().to_string();
            System::new(of("gs"), move |_, name| {
                format!(
                    "gs://{bucket}/{name}?format={format}&credentials={account}&endpoint={endpoint}"
                )
            })
        }
        _ => System::new(of("s3"), move |_, name| {
            format!(
                "s3://{bucket}/{name}?format={format}&access-key-id={key}&secret-access-key={secret}&endpoint={endpoint}"
            )
        }),
    };
    // The server takes no longer ones.
    let name_bytes = if kind == StoreKind::S3s { 60 } else { Limits::default().name_bytes };
    system.limited(Limits { name_bytes, ..Limits::default() })
}

fn parquet() -> System {
    system(StoreKind::S3s, "parquet")
}

fn csv() -> System {
    system(StoreKind::Azurite, "csv")
}

fn jsonl() -> System {
    system(StoreKind::Gcs, "jsonl")
}

longshore_testkit::conformance_tests!(jsonl_in_gcs, jsonl);
longshore_testkit::conformance_tests!(parquet_in_s3, parquet);
longshore_testkit::conformance_tests!(csv_in_azure, csv);
