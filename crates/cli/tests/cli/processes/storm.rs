//! Five processes that are killed and put to sleep at random, while the source is written to. How long
//! is set from outside: `LONGSHORE_STORM_SECONDS`, with `cargo test`, because nextest ends what takes five minutes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use longshore_testkit::Random;
use longshore_testkit::mysql::{Flavor, Mysql};
use longshore_testkit::postgres::{Postgres, Version};

use super::{SHOP, TABLES, Worker, migration, sum};
use crate::stage::{Ran, Stage};

const PROCESSES: usize = 5;

/// How long the storm is over one migration.
const GUST: Duration = Duration::from_secs(30);

const CLOCK: &str = "
    CREATE TABLE clock (at bigint NOT NULL);
    CREATE TABLE ticks (at bigint NOT NULL, note text);
    INSERT INTO clock VALUES (0);";

/// One transaction of the writer: what holds of clock and ticks holds at every instant, and at no mixture
/// of two.
const TICK: &str = "UPDATE clock SET at = at + 1; INSERT INTO ticks SELECT at, 'tick' FROM clock;";

#[derive(Debug, Default)]
struct Weather {
    rounds: u32,
    killed: u32,
    slept: u32,
    first_killed: u32,
    refused: u32,
    dropped: usize,
    sessions: usize,
    chunks: usize,
}

enum State {
    Runs(Worker),
    Sleeps(Worker, Instant),
    Away(Instant),
    Done,
}

enum Target<'a> {
    Postgres(&'a Postgres),
    Mysql(&'a Mysql),
}

impl Target<'_> {
    fn create(&self) -> (String, String) {
        match self {
            Self::Postgres(server) => {
                let name = server.create("storm");
                (server.url(&name), name)
            }
            Self::Mysql(server) => {
                let name = server.create("storm");
                (server.url(&name), name)
            }
        }
    }

    fn number(&self, database: &str, sql: &str) -> i64 {
        let text = match self {
            Self::Postgres(server) => server.psql(database, sql),
            Self::Mysql(server) => server.sql(database, sql),
        };
        text.trim().parse().unwrap_or_else(|_| panic!("{sql}: {text}"))
    }

    /// The target is the source, at one of its instants, with every chunk once.
    fn check(&self, database: &str, source: &Postgres, from: &str) {
        let ledger = match self {
            Self::Postgres(_) => "_longshore.",
            Self::Mysql(_) => "_longshore_",
        };
        assert_eq!(self.number(database, &format!("SELECT count(*) FROM {ledger}leases")), 0);
        let at = self.number(database, "SELECT max(at) FROM clock");
        for sql in ["SELECT count(*) FROM ticks", "SELECT count(DISTINCT at) FROM ticks"] {
            assert_eq!(self.number(database, sql), at, "{sql} at {at}");
        }
        for table in TABLES {
            match self {
                Self::Postgres(server) => {
                    assert_eq!(sum(source, from, table), sum(server, database, table), "{table}");
                }
                Self::Mysql(_) => {
                    let sql = format!("SELECT count(*) FROM {table}");
                    let expected = source.psql(from, &sql).parse::<i64>().expect("a number");
                    assert_eq!(self.number(database, &sql), expected, "{table}");
                }
            }
        }
    }
}

#[test]
fn a_storm_over_five_processes_leaves_every_chunk_once() {
    let seconds = std::env::var("LONGSHORE_STORM_SECONDS").ok();
    let seconds = seconds.and_then(|text| text.parse().ok()).unwrap_or(25);
    let end = Instant::now() + Duration::from_secs(seconds);
    let source = Postgres::start(Version::V15);
    let servers = [
        Target::Postgres(Postgres::shared(Version::V18)),
        Target::Mysql(Mysql::shared(Flavor::MariaDb)),
        Target::Mysql(Mysql::shared(Flavor::MySql)),
    ];
    let from = source.create("storm");
    source.psql(&from, &format!("{SHOP}{CLOCK}"));
    let stop = Arc::new(AtomicBool::new(false));
    let mut random = Random::new(7);
    let mut weather = Weather::default();
    std::thread::scope(|scope| {
        let (source, from, stopped) = (&source, &from, stop.clone());
        scope.spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                source.psql(from, &format!("BEGIN; {TICK} COMMIT;"));
                std::thread::sleep(Duration::from_millis(700));
            }
        });
        let _stops = Stop(stop);
        loop {
            let target = &servers[weather.rounds as usize % servers.len()];
            round(&mut weather, &mut random, (source, from), target, end);
            if Instant::now() >= end {
                break;
            }
        }
    });
    eprintln!("{weather:?}");
    assert!(weather.killed > 0 && weather.slept > 0, "{weather:?}");
}

/// Ends the writer, also where the test fails.
struct Stop(Arc<AtomicBool>);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// One migration through the storm, which abates when it is time.
fn round(
    weather: &mut Weather,
    random: &mut Random,
    (source, from): (&Postgres, &str),
    target: &Target<'_>,
    end: Instant,
) {
    let (to, database) = target.create();
    let stage = Stage::empty();
    let limits = "chunk: 64KiB, memory: 1MiB, workers: 2, source-rate: 60KiB/s";
    migration(&stage, &source.url(from), &to, limits);
    let start =
        |index: usize| Worker::start(&stage, &format!("{index}/{PROCESSES}"), &["--lease", "2"]);
    let mut states: Vec<State> = (0..PROCESSES).map(|index| State::Runs(start(index))).collect();
    let begun = Instant::now();
    while !states.iter().all(|state| matches!(state, State::Done)) {
        assert!(begun.elapsed() < Duration::from_secs(240), "a round does not end: {weather:?}");
        std::thread::sleep(Duration::from_millis(50));
        for (index, state) in states.iter_mut().enumerate() {
            *state = turn(weather, index, std::mem::replace(state, State::Done), &start);
        }
        if Instant::now() < end && begun.elapsed() < GUST && random.below(10) == 0 {
            let index = random.below(PROCESSES);
            let state = std::mem::replace(&mut states[index], State::Done);
            states[index] = strike(weather, random, index, state);
        }
    }
    target.check(&database, source, from);
    weather.rounds += 1;
}

/// What a process comes to by itself.
fn turn(
    weather: &mut Weather,
    index: usize,
    state: State,
    start: &dyn Fn(usize) -> Worker,
) -> State {
    match state {
        State::Runs(mut worker) => match worker.runs() {
            true => State::Runs(worker),
            false => {
                let ran = worker.end();
                count(weather, &ran);
                match ran.code {
                    Some(0) => State::Done,
                    Some(75) if ran.err.contains("LS0202") => {
                        weather.refused += 1;
                        State::Away(Instant::now() + Duration::from_millis(300))
                    }
                    code => panic!("process {index} ended with {code:?}: {}\n{}", ran.err, ran.out),
                }
            }
        },
        State::Sleeps(worker, until) if Instant::now() >= until => {
            worker.signal("CONT");
            State::Runs(worker)
        }
        State::Away(until) if Instant::now() >= until => State::Runs(start(index)),
        other => other,
    }
}

/// Kills a process, or puts it to sleep.
fn strike(weather: &mut Weather, random: &mut Random, index: usize, state: State) -> State {
    let kills = random.below(2) == 0;
    let mut later = |most: i64| {
        let millis = random.between(0, most).unsigned_abs();
        Instant::now() + Duration::from_millis(millis)
    };
    match state {
        State::Runs(worker) if kills => {
            weather.killed += 1;
            weather.first_killed += u32::from(index == 0);
            count(weather, &worker.kill());
            State::Away(later(1500))
        }
        State::Runs(worker) => {
            worker.signal("STOP");
            weather.slept += 1;
            State::Sleeps(worker, later(5000))
        }
        other => other,
    }
}

fn count(weather: &mut Weather, ran: &Ran) {
    let told = |event: &str| ran.out.matches(&format!("\"event\":\"{event}\"")).count();
    weather.dropped += told("chunk-dropped");
    weather.sessions += told("session-joined");
    weather.chunks += told("chunk-done");
    assert!(!ran.err.contains("panicked"), "{}", ran.err);
}
