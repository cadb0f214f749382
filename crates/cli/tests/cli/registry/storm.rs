//! Many push, mount, delete and collect at once, while processes are killed at any moment.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use longshore_testkit::Random;

use super::Server;
use super::client::{Client, digest, manifest};
use super::shelf::{whole, whole_and_clean};
use crate::stage::Stage;

const TIME: Duration = Duration::from_secs(20);

/// What all share.
#[derive(Default)]
struct Weather {
    /// Where the registry listens now.
    host: Mutex<String>,
    is_over: AtomicBool,
    kept: AtomicU64,
}

impl Weather {
    fn client(&self) -> Client {
        Client::new(&self.host.lock().expect("a host"))
    }
}

/// The tag of somebody: what was answered last, and what was begun after it.
#[derive(Debug, Default)]
struct Tag {
    answered: Option<String>,
    begun: Option<String>,
}

/// Pushes images one after the other under the own tag, with layers that all share.
fn push(weather: &Weather, worker: usize) -> Tag {
    let mut tag = Tag::default();
    let (name, other) = (format!("r{}", worker % 2), format!("r{}", (worker + 1) % 2));
    let mut number = 0;
    while !weather.is_over.load(Ordering::Relaxed) {
        number += 1;
        let layer = format!("layer {}", (worker + number) % 5).repeat(300).into_bytes();
        let image = manifest(&layer, &format!("{worker} {number}"), None);
        let client = weather.client();
        let blobs = client
            .push(&name, b"{}")
            .and_then(|_| client.mount(&name, &other, &digest(&layer)))
            .and_then(|mounted| match mounted.status {
                201 => Ok(mounted),
                _ => client.push_in_parts(&name, &layer),
            });
        if blobs.is_err() {
            // The registry is being started again.
            sleep(Duration::from_millis(20));
            continue;
        }
        tag.begun = Some(digest(&image));
        let Ok(answer) = client.put(&name, &format!("w{worker}"), &image) else { continue };
        // A blob may be swept before the manifest names it, and the client is told.
        assert!(matches!(answer.status, 201 | 404), "{answer:?}");
        if answer.status == 201 {
            weather.kept.fetch_add(1, Ordering::Relaxed);
            tag.answered = tag.begun.take();
        }
        if number % 3 == 0 {
            tag.begun = None;
            // Also the tag goes: whatever it is from now on was not answered.
            tag.answered = None;
            let _ = client.delete(&name, &digest(&image));
        }
    }
    tag
}

/// Collects, and is killed now and then.
fn collect(weather: &Weather, stage: &Stage) -> u64 {
    let mut random = Random::new(7);
    let mut ended = 0;
    while !weather.is_over.load(Ordering::Relaxed) {
        let args = ["registry", "gc", "--root", "images", "--grace", "200ms", "--untagged"];
        let mut child = stage.start(&args);
        if random.between(0, 3) == 0 {
            sleep(Duration::from_millis(random.between(1, 60).unsigned_abs()));
            let _ = child.kill();
        }
        let ran = child.wait_with_output().expect("it ends");
        assert!(matches!(ran.status.code(), Some(0) | None), "{ran:?}");
        ended += u64::from(ran.status.success());
        sleep(Duration::from_millis(50));
    }
    ended
}

/// Kills the registry at any moment, and starts it again. Returns how often.
fn kill(weather: &Weather, stage: &Stage) -> u64 {
    let mut random = Random::new(1);
    let mut deaths = 0;
    let start = Instant::now();
    while start.elapsed() < TIME {
        let mut server = Server::start(stage, &[]);
        *weather.host.lock().expect("a host") = server.client.host.clone();
        sleep(Duration::from_millis(random.between(100, 900).unsigned_abs()));
        server.kill();
        deaths += 1;
        whole_or_later(stage);
    }
    weather.is_over.store(true, Ordering::Relaxed);
    deaths
}

/// Nothing that a manifest needs is lost; the collector may be at work.
fn whole_or_later(stage: &Stage) {
    // A manifest may go between the look at it and the look at its blobs; one that lost a blob stays so.
    let look = || std::panic::catch_unwind(|| whole(&stage.join("images"))).is_ok();
    let is_whole = (0..50).any(|_| {
        look() || {
            sleep(Duration::from_millis(20));
            false
        }
    });
    assert!(is_whole, "a manifest lost a blob");
}

#[test]
fn a_storm_of_pushes_collections_and_deaths_loses_nothing() {
    let (stage, weather) = (Arc::new(Stage::empty()), Arc::new(Weather::default()));
    let pushing: Vec<_> = (0..4)
        .map(|worker| {
            let weather = weather.clone();
            // Until the first registry is there, nobody answers.
            *weather.host.lock().expect("a host") = "127.0.0.1:1".to_string();
            thread::spawn(move || push(&weather, worker))
        })
        .collect();
    let collecting = {
        let (weather, stage) = (weather.clone(), stage.clone());
        thread::spawn(move || {
            while !stage.join("images/registry.json").exists() {
                sleep(Duration::from_millis(5));
            }
            collect(&weather, &stage)
        })
    };
    let deaths = kill(&weather, &stage);
    let tags: Vec<Tag> = pushing.into_iter().map(|one| one.join().expect("a worker")).collect();
    let collections = collecting.join().expect("a collector");
    let kept = weather.kept.load(Ordering::Relaxed);
    assert!(deaths > 15 && collections > 10 && kept > 50, "{deaths}, {collections}, {kept}");
    let server = Server::start(&stage, &[]);
    for (worker, tag) in tags.iter().enumerate() {
        let path = format!("/v2/r{}/manifests/w{worker}", worker % 2);
        let answer = server.client.get(&path).expect("an answer");
        let found = answer.header("docker-content-digest");
        let is_one = [&tag.answered, &tag.begun].iter().any(|one| one.as_deref() == found);
        assert!(tag.answered.is_none() || (found.is_some() && is_one), "{tag:?}: {answer:?}");
    }
    for more in [&["--untagged"][..], &[], &[]] {
        let gc = ["registry", "gc", "--root", "images", "--grace", "0s"];
        stage.done(&[&gc, more].concat());
    }
    whole_and_clean(&stage.join("images"));
}
