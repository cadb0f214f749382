//! PostgreSQL as source and target, against real servers of the oldest and the newest version.

use std::collections::HashMap;
use std::sync::Mutex;

use longshore_model::{Cell, LogicalType, Unit};
use longshore_postgres::Postgres;
use longshore_testkit::conformance::{Limits, System};
use longshore_testkit::postgres::{Postgres as Server, Version};

fn system(version: Version) -> System {
    let urls = Mutex::new(HashMap::new());
    System::new(Postgres, move |_, name| {
        let mut urls = urls.lock().expect("no test panicked here");
        let url = urls.entry(name.to_string()).or_insert_with(|| {
            // A position counts the transactions of all databases of a server, and other tests may
            // run in this process.
            let server = match name {
                "positions" => Box::leak(Box::new(Server::start(version))),
                _ => Server::shared(version),
            };
            server.url(&server.create(name))
        });
        url.clone()
    })
    .limited(Limits { name_bytes: 63, made_before: true, lacks, ..Limits::default() })
}

/// It has microseconds from 4714 BC on; numbers have no exponent, and zero no sign.
fn lacks(logical: &LogicalType, cell: Cell<'_>) -> bool {
    match cell {
        Cell::Date(days) => !(-2_440_588..=2_145_042_905).contains(&days),
        Cell::Timestamp(ticks, Unit::Micro, _) => ticks < -210_866_803_200_000_000,
        Cell::Text(text) if *logical == LogicalType::Number => {
            let zero = !text.bytes().any(|byte| (b'1'..=b'9').contains(&byte));
            text.contains('e') || text.starts_with('-') && zero && text != "-Infinity"
        }
        Cell::Interval(_, _, nanos) => nanos % 1000 != 0,
        _ => false,
    }
}

fn oldest() -> System {
    system(Version::V15)
}

fn newest() -> System {
    system(Version::V18)
}

longshore_testkit::conformance_tests!(conformance_15, oldest);
longshore_testkit::conformance_tests!(conformance_18, newest);
