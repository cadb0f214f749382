//! Processes that are killed or put to sleep.

use std::time::Duration;

use longshore_testkit::postgres::{Postgres, Version};

use super::{SHOP, TABLES, Worker, chunks, exactly_once, migration, sum};
use crate::stage::{Ran, Stage};

/// A chunk takes more than a second, in a dozen batches.
const SLOW: &str = "chunk: 192KiB, memory: 1MiB, workers: 1, source-rate: 150KiB/s";

/// Others take over after two seconds.
const LEASE: &[&str] = &["--lease", "2"];

struct Scene {
    stage: Stage,
    source: &'static Postgres,
    target: &'static Postgres,
    from: String,
    to: String,
}

impl Scene {
    fn new(name: &str) -> Self {
        let (source, target) = (Postgres::shared(Version::V15), Postgres::shared(Version::V18));
        let (from, to) = (source.create(name), target.create(name));
        source.psql(&from, SHOP);
        let stage = Stage::empty();
        migration(&stage, &source.url(&from), &target.url(&to), SLOW);
        Self { stage, source, target, from, to }
    }

    fn start(&self, process: &str) -> Worker {
        Worker::start(&self.stage, process, LEASE)
    }

    /// Puts a process to sleep while it is at a chunk, and tells which: table and number.
    fn sleep(&self, worker: &mut Worker, process: u32) -> (String, u64) {
        let mut batches = worker.count("copied");
        loop {
            batches += 2;
            worker.wait_for("copied", batches);
            worker.signal("STOP");
            let sql = format!(
                "SELECT table_index, chunk_index FROM _longshore.leases
                 WHERE holder LIKE 'process {process} of %' AND expires > clock_timestamp()"
            );
            let found = self.target.psql(&self.to, &sql);
            if let Some((table, chunk)) = found.split_once('|') {
                let table: usize = table.parse().expect("a number");
                let sql = format!(
                    "SELECT value::jsonb #>> '{{moves,0,tables,{table},target}}'
                     FROM (SELECT value::jsonb ->> 'plan' AS value FROM _longshore.header
                           WHERE key = 'header') AS x"
                );
                let name = self.target.psql(&self.to, &sql);
                let [_, name]: [String; 2] = serde_json::from_str(&name).expect("a name");
                return (format!("public.{name}"), chunk.parse().expect("a number"));
            }
            worker.signal("CONT");
        }
    }

    fn exactly_once(&self) {
        exactly_once((self.source, &self.from), (self.target, &self.to));
    }

    fn sums(&self) -> Vec<String> {
        TABLES.iter().map(|table| sum(self.source, &self.from, table)).collect()
    }

    fn arrived(&self) -> Vec<String> {
        TABLES.iter().map(|table| sum(self.target, &self.to, table)).collect()
    }
}

fn verified(ran: &Ran) {
    assert_eq!(ran.event("result")["outcome"], "verified", "{}", ran.out);
}

#[test]
fn chunks_of_a_killed_process_are_taken_over() {
    let scene = Scene::new("killed");
    let mut first = scene.start("0/3");
    let mut second = scene.start("1/3");
    let mut third = scene.start("2/3");
    second.wait_for("copied", 3);
    let killed = vec![second.kill()];
    third.wait_for("chunk-done", 2);
    let again = scene.start("1/3");
    first.wait_for("chunk-elsewhere", 1);
    let first = first.done();
    verified(&first);
    let others = [third.done(), again.done()];
    let done = chunks(others.iter().chain(&killed).chain([&first]));
    assert!(done.values().all(|times| *times == 1), "{done:?}");
    scene.exactly_once();
}

#[test]
fn a_process_that_slept_past_its_lease_writes_nothing() {
    let scene = Scene::new("slept");
    let first = scene.start("0/2");
    let mut second = scene.start("1/2");
    let chunk = scene.sleep(&mut second, 1);
    // All of it goes on without the sleeper, whose connections stay open: the finish too, which needs
    // the tables for itself.
    let first = first.done();
    verified(&first);
    assert!(chunks([&first]).contains_key(&chunk), "{chunk:?} was taken over: {}", first.out);
    scene.exactly_once();
    let before = scene.target.psql(&scene.to, "SELECT * FROM _longshore.entries ORDER BY 1, 2");
    second.signal("CONT");
    let second = second.done();
    assert!(!chunks([&second]).contains_key(&chunk), "{}", second.out);
    assert!(second.event("chunk-dropped")["error"].is_string());
    let after = scene.target.psql(&scene.to, "SELECT * FROM _longshore.entries ORDER BY 1, 2");
    assert_eq!(before, after);
    scene.exactly_once();
}

#[test]
fn a_process_that_woke_in_time_for_others_goes_on_with_the_rest() {
    let scene = Scene::new("woke");
    let mut first = scene.start("0/2");
    let mut second = scene.start("1/2");
    let chunk = scene.sleep(&mut second, 1);
    std::thread::sleep(Duration::from_secs(3));
    second.signal("CONT");
    second.wait_for("chunk-dropped", 1);
    let done = second.count("chunk-done");
    second.wait_for("chunk-done", done + 1);
    assert!(first.runs());
    let (first, second) = (first.done(), second.done());
    verified(&first);
    let done = chunks([&first, &second]);
    assert!(done.values().all(|times| *times == 1) && done.contains_key(&chunk), "{done:?}");
    scene.exactly_once();
}

#[test]
fn the_first_process_may_be_killed_and_started_again() {
    let scene = Scene::new("first");
    let mut first = scene.start("0/3");
    let others: Vec<_> = ["1/3", "2/3"].iter().map(|one| scene.start(one)).collect();
    first.wait_for("chunk-elsewhere", 1);
    first.wait_for("chunk-done", 1);
    let killed = first.kill();
    let first = scene.start("0/3").done();
    verified(&first);
    let others: Vec<_> = others.into_iter().map(Worker::done).collect();
    assert!(others.iter().any(|one| one.out.contains("\"move-retry\"")), "{}", others[0].out);
    let done = chunks(others.iter().chain([&first, &killed]));
    assert!(done.values().all(|times| *times == 1), "{done:?}");
    scene.exactly_once();
}

#[test]
fn a_source_that_changed_while_the_first_process_was_away_arrives_as_it_is_now() {
    let scene = Scene::new("changed");
    let mut first = scene.start("0/3");
    let others: Vec<_> = ["1/3", "2/3"].iter().map(|one| scene.start(one)).collect();
    first.wait_for("chunk-elsewhere", 1);
    first.kill();
    scene.source.psql(
        &scene.from,
        "UPDATE orders SET note = 'changed' WHERE id IN (1, 10000, 20000);
         INSERT INTO log SELECT 'late', i FROM generate_series(1, 500) AS i;",
    );
    let first = scene.start("0/3").done();
    verified(&first);
    for other in others {
        other.done();
    }
    scene.exactly_once();
}

#[test]
fn without_the_first_process_the_others_end_what_they_began_with_and_mix_nothing_in() {
    let scene = Scene::new("orphans");
    let mut first = scene.start("0/3");
    let mut others: Vec<_> = ["1/3", "2/3"].iter().map(|one| scene.start(one)).collect();
    others.iter_mut().for_each(|one| one.wait_for("session-joined", 1));
    first.wait_for("copied", 3);
    first.kill();
    let before = scene.sums();
    let change = "UPDATE orders SET note = 'changed'; DELETE FROM log WHERE number < 100;";
    scene.source.psql(&scene.from, change);
    for other in others {
        other.done();
    }
    assert_eq!(before, scene.arrived(), "all of it is of one state");
    let first = scene.start("0/3").done();
    verified(&first);
    assert_eq!(before, scene.arrived());
}

#[test]
fn all_may_be_killed_and_the_source_may_change() {
    let scene = Scene::new("all");
    let mut workers: Vec<_> = ["0/3", "1/3", "2/3"].iter().map(|one| scene.start(one)).collect();
    workers[0].wait_for("chunk-elsewhere", 2);
    for worker in workers {
        worker.kill();
    }
    scene.source.psql(&scene.from, "UPDATE wide SET raw = 'x' WHERE id = 7");
    // The others are there first: they must not go on with the older state.
    let mut others: Vec<_> = ["1/3", "2/3"].iter().map(|one| scene.start(one)).collect();
    others.iter_mut().for_each(|one| one.wait_for("session-awaited", 1));
    std::thread::sleep(Duration::from_secs(1));
    assert!(others.iter().all(|one| one.count("chunk-started") == 0));
    let first = scene.start("0/3").done();
    verified(&first);
    for other in others {
        other.done();
    }
    scene.exactly_once();
}

#[test]
fn several_moves_are_copied_in_turn() {
    let scene = Scene::new("moves");
    let (second_from, second_to) = (scene.source.create("moves"), scene.target.create("moves"));
    scene.source.psql(&second_from, SHOP);
    scene.stage.write(
        "m.yaml",
        &format!(
            "longshore: v1\nname: shop\nmoves:\n- {{from: '{}', to: '{}'}}\n- {{from: '{}', to: '{}'}}\n\
             limits: {{chunk: 64KiB, workers: 1, source-rate: 1MiB/s}}\n",
            scene.source.url(&scene.from),
            scene.target.url(&scene.to),
            scene.source.url(&second_from),
            scene.target.url(&second_to),
        ),
    );
    let (second, first) = (scene.start("1/2"), scene.start("0/2"));
    let (first, second) = (first.done(), second.done());
    verified(&first);
    assert!(second.out.matches("session-joined").count() == 2, "{}", second.out);
    scene.exactly_once();
    exactly_once((scene.source, &second_from), (scene.target, &second_to));
}
