//! SQLite as source and target, against real files.

mod copying;
mod loading;
mod reading;
mod round_trip;

use longshore_sqlite::Sqlite;
use longshore_testkit::conformance::System;

fn system() -> System {
    System::new(Sqlite, |folder, name| format!("sqlite:{}/{name}.db", folder.display()))
}

longshore_testkit::conformance_tests!(conformance, system);
