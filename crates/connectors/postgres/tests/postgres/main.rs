//! PostgreSQL as source and target, against real servers of the oldest and the newest version.

use std::collections::HashMap;
use std::sync::Mutex;

use longshore_postgres::Postgres;
use longshore_testkit::conformance::System;
use longshore_testkit::postgres::{Postgres as Server, Version};

fn system(version: Version) -> System {
    let server = Server::shared(version);
    let databases = Mutex::new(HashMap::new());
    System::new(Postgres, move |_, name| {
        let mut databases = databases.lock().expect("no test panicked here");
        let database = databases.entry(name.to_string()).or_insert_with(|| server.create(name));
        server.url(database)
    })
}

fn oldest() -> System {
    system(Version::V15)
}

fn newest() -> System {
    system(Version::V18)
}

longshore_testkit::conformance_tests!(conformance_15, oldest);
longshore_testkit::conformance_tests!(conformance_18, newest);
