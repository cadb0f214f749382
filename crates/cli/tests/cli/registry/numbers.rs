//! The page of numbers.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Server;
use super::client::{Client, manifest};
use crate::stage::Stage;

/// The lines of the page.
fn page(client: &Client) -> BTreeMap<String, f64> {
    let answer = client.get("/metrics").expect("an answer");
    assert_eq!(answer.status, 200);
    let kind = answer.header("content-type").expect("a type");
    assert!(kind.starts_with("text/plain; version=0.0.4"), "{kind}");
    let text = String::from_utf8(answer.body).expect("text");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let lines = lines.map(|line| {
        let (name, value) = line.rsplit_once(' ').expect(line);
        let name = name.strip_prefix("longshore_registry_").expect(line);
        (name.to_string(), value.parse::<f64>().expect(line))
    });
    lines.collect()
}

#[test]
fn the_numbers_say_what_was_done() {
    let stage = Stage::empty();
    let server = Server::start(&stage, &["--metrics-listen", "127.0.0.1:0"]);
    let numbers = server.numbers.clone().expect("an address of numbers");
    let quiet = page(&numbers);
    assert_eq!(quiet["utilisation"], f64::INFINITY);
    assert_eq!(quiet["requests_in_flight"], 0.0);
    assert_eq!((quiet["store_blobs"], quiet["collections_total"]), (0.0, 0.0));
    let layer = b"layer".repeat(1000);
    server.client.push("a", b"{}").expect("an answer");
    server.client.push_in_parts("a", &layer).expect("an answer");
    server.client.put("a", "one", &manifest(&layer, "one", None)).expect("an answer");
    server.client.push("a", b"loose").expect("an answer");
    server.client.get("/v2/a/manifests/none").expect("an answer");
    server.client.get("/nowhere").expect("an answer");
    stage.done(&["registry", "gc", "--root", "images", "--grace", "0s"]);
    std::thread::sleep(Duration::from_millis(300));
    let begun = server.client.connect().expect("a connection");
    let head = format!(
        "POST /v2/a/blobs/uploads/?digest=sha256:{} HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx",
        "0".repeat(64)
    );
    std::io::Write::write_all(&mut &begun, head.as_bytes()).expect("sent");
    std::thread::sleep(Duration::from_millis(300));
    let busy = page(&numbers);
    for (name, expected) in [
        ("requests_total{method=\"POST\",route=\"upload\",status=\"201\"}", 2.0),
        ("requests_total{method=\"POST\",route=\"upload\",status=\"202\"}", 1.0),
        ("requests_total{method=\"PATCH\",route=\"upload\",status=\"202\"}", 1.0),
        ("requests_total{method=\"PUT\",route=\"upload\",status=\"201\"}", 1.0),
        ("requests_total{method=\"PUT\",route=\"manifest\",status=\"201\"}", 1.0),
        ("requests_total{method=\"GET\",route=\"manifest\",status=\"404\"}", 1.0),
        ("requests_total{method=\"GET\",route=\"none\",status=\"404\"}", 1.0),
        ("request_seconds_count{route=\"manifest\"}", 2.0),
        ("request_seconds_bucket{route=\"manifest\",le=\"+Inf\"}", 2.0),
        ("collections_total", 1.0),
        // The blob and its link.
        ("collected_items_total", 2.0),
        ("collected_bytes_total", 5.0),
    ] {
        assert_eq!(busy.get(name), Some(&expected), "{name} in {busy:#?}");
    }
    assert_eq!((busy["requests_in_flight"], busy["uploads_in_flight"]), (1.0, 1.0));
    assert!(busy["bytes_total{direction=\"in\"}"] > 5000.0);
    assert!(busy["bytes_total{direction=\"out\"}"] > 500.0);
    assert!(busy["request_seconds_sum{route=\"manifest\"}"] > 0.0);
    assert!(busy["last_collection_seconds"] > 0.0);
    assert!(busy["last_collection_timestamp_seconds"] > 1.7e9);
    let (up, idle) = (busy["up_seconds_total"], busy["idle_seconds_total"]);
    assert!(idle > 0.3 && idle < up, "{idle} of {up}");
    assert!((busy["utilisation"] - up / (up - idle)).abs() < 0.01);
    // It counts anew after five seconds at the earliest.
    std::thread::sleep(Duration::from_secs(5));
    let later = page(&numbers);
    assert_eq!((later["store_repositories"], later["store_blobs"]), (1.0, 3.0));
    assert!(later["store_bytes"] > 5000.0);
    // Images are not served there, and numbers not here.
    assert_eq!(numbers.get("/v2/").expect("an answer").status, 404);
    assert_eq!(server.client.get("/metrics").expect("an answer").status, 404);
}

#[test]
fn every_number_is_in_the_guide() {
    let stage = Stage::empty();
    let server = Server::start(&stage, &["--metrics-listen", "127.0.0.1:0"]);
    server.client.get("/v2/").expect("an answer");
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/guides/registries.md");
    let guide = std::fs::read_to_string(path).expect("the guide");
    let answer = server.numbers.as_ref().expect("an address").get("/metrics").expect("an answer");
    let text = String::from_utf8(answer.body).expect("text");
    let names = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let mut count = 0;
    for line in names {
        let name = line.split(' ').next().expect("a name");
        count += 1;
        assert!(guide.contains(&format!("`{name}")), "{name}");
    }
    assert!(count >= 15, "{count} numbers");
}
