//! Servers and connections that fail while a migration is under way.

use std::time::Duration;

use longshore_testkit::postgres::{Pooler, Postgres, Version};
use longshore_testkit::{Proxy, Random};

use super::{SHOP, migration, run_watched, same_shop, verified};
use crate::stage::Stage;

/// Small chunks, and slow enough to be disturbed.
const SLOW: &str = "chunk: 256KiB, workers: 2, source-rate: 4MiB/s";

fn shop(server: &Postgres) -> String {
    let database = server.create("shop");
    server.psql(&database, SHOP);
    database
}

#[test]
fn servers_that_restart_on_the_way_do_not_end_a_run() {
    let (source, target) = (Postgres::start(Version::V15), Postgres::start(Version::V18));
    let (from, to) = (shop(&source), target.create("copy"));
    let stage = Stage::empty();
    migration(&stage, &source.url(&from), &target.url(&to), SLOW);
    let (mut chunks, mut reopened) = (0, 0);
    let ran = run_watched(&stage, |event| match event["event"].as_str() {
        Some("chunk-done") => {
            chunks += 1;
            match chunks {
                3 => target.restart(),
                8 => source.restart(),
                12 => target.crash(),
                _ => {}
            }
            if chunks == 12 {
                target.resume();
            }
        }
        Some("move-retry") => reopened += 1,
        _ => {}
    });
    verified(&ran);
    assert!(chunks > 12 && reopened > 0, "{chunks} chunks, {reopened} times anew");
    same_shop((&source, &from), (&target, &to));
}

#[test]
fn connections_that_are_cut_at_any_byte_do_not_end_a_run() {
    let (source, target) = (Postgres::shared(Version::V18), Postgres::shared(Version::V15));
    let from = shop(source);
    let ways = [Proxy::before(source.port()), Proxy::before(target.port())];
    let through = |proxy: &Proxy, database: &str| {
        format!("postgres://postgres:postgres@127.0.0.1:{}/{database}", proxy.port())
    };
    let mut random = Random::new(11);
    for turn in 0..4 {
        let to = target.create("copy");
        let stage = Stage::empty();
        migration(&stage, &through(&ways[0], &from), &through(&ways[1], &to), SLOW);
        let cut = &ways[turn % 2];
        let mut cuts = 0;
        let ran = run_watched(&stage, |event| {
            if event["event"] == "chunk-done" && cuts < 3 {
                cuts += 1;
                cut.cut_after(random.between(0, 300_000).unsigned_abs());
                std::thread::sleep(Duration::from_millis(300));
                cut.mend();
            }
        });
        verified(&ran);
        assert_eq!(cuts, 3);
        same_shop((source, &from), (target, &to));
    }
}

#[test]
fn timeouts_of_the_servers_do_not_end_a_run() {
    let (source, target) = (Postgres::shared(Version::V15), Postgres::shared(Version::V18));
    let (from, to) = (shop(source), target.create("copy"));
    for (server, database) in [(source, &from), (target, &to)] {
        for setting in [
            "statement_timeout = '200ms'",
            "idle_in_transaction_session_timeout = '200ms'",
            "lock_timeout = '1ms'",
        ] {
            server.psql("postgres", &format!("ALTER DATABASE {database} SET {setting}"));
        }
    }
    target.psql("postgres", &format!("ALTER DATABASE {to} SET transaction_timeout = '300ms'"));
    let stage = Stage::empty();
    migration(&stage, &source.url(&from), &target.url(&to), SLOW);
    let ran = run_watched(&stage, |_| {});
    verified(&ran);
    let retries = ran.events().iter().filter(|e| e["event"] == "move-retry").count();
    assert_eq!(retries, 0, "no timeout struck");
    for (server, database) in [(source, &from), (target, &to)] {
        server.psql("postgres", &format!("ALTER DATABASE {database} RESET ALL"));
    }
    same_shop((source, &from), (target, &to));
}

#[test]
fn a_pooler_passes_whole_sessions_and_is_refused_otherwise() {
    let (source, target) = (Postgres::shared(Version::V15), Postgres::shared(Version::V18));
    let from = shop(source);
    for (mode, works) in [("session", true), ("transaction", false), ("statement", false)] {
        let (before, behind) = (Pooler::start(source, mode), Pooler::start(target, mode));
        for (from, to) in [
            (before.url(&from), target.url(&target.create("copy"))),
            (source.url(&from), behind.url(&target.create("copy"))),
        ] {
            let stage = Stage::empty();
            migration(&stage, &from, &to, "workers: 2");
            let ran = stage.run(&["run", "m.yaml", "--json"]);
            if works {
                verified(&ran);
            } else {
                assert_ne!(ran.code, Some(0), "{mode}: {}", ran.out);
                // One that allows no transactions hangs up, and its reason may be lost on the way.
                let told = ran.code == Some(42) && ran.err.contains("pooler");
                assert!(told || mode == "statement", "{mode}: {}", ran.err);
            }
        }
    }
}
