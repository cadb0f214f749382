//! MySQL and MariaDB as source and target, against real servers.

use std::collections::HashMap;
use std::sync::Mutex;

use longshore_testkit::conformance::{Limits, System};
use longshore_testkit::mysql::{Flavor, Mysql as Server};

fn system(flavor: Flavor) -> System {
    let connector = match flavor {
        Flavor::MySql => longshore_mysql::mysql(),
        Flavor::MariaDb => longshore_mysql::mariadb(),
    };
    let urls = Mutex::new(HashMap::new());
    System::new(connector, move |_, name| {
        let mut urls = urls.lock().expect("no test panicked here");
        let url = urls.entry(name.to_string()).or_insert_with(|| {
            // A position counts the transactions of all databases of a server, and other tests may
            // run in this process.
            let server = match name {
                "positions" => Box::leak(Box::new(Server::start(flavor))),
                _ => Server::shared(flavor),
            };
            server.url(&server.create(name))
        });
        url.clone()
    })
    .limited(Limits { name_bytes: 64, takes_name, made_before: true, ..Limits::default() })
}

/// Names end with no space and stay inside of Unicode's basic plane.
fn takes_name(name: &str) -> bool {
    !name.ends_with(' ') && name.chars().all(|c| u32::from(c) <= 0xffff)
}

fn mysql() -> System {
    system(Flavor::MySql)
}

fn mariadb() -> System {
    system(Flavor::MariaDb)
}

longshore_testkit::conformance_tests!(conformance_mysql, mysql);
longshore_testkit::conformance_tests!(conformance_mariadb, mariadb);
