//! Numbers, the registry on the same port, and much of everything.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::server::{ADMIN, Server};
use super::{migration, shop};

#[test]
fn the_numbers_are_those_that_the_dashboard_of_grafana_asks_for() {
    let stage = shop(100_000);
    let server = Server::start(&stage, &[]);
    let admin = server.admin();
    admin.keep(&migration(&stage, "copy", "source-rate: 2MiB/s"));
    let id = admin.run("copy");
    admin.until(&id, "copying", |now| now["progress"]["rows"].as_u64() > Some(0));
    let page = admin.text("/metrics");
    let label = format!("longshore_run_rows{{run=\"{id}\",migration=\"copy\"}}");
    assert!(page.contains(&label), "{page}");
    let told: Vec<&str> =
        page.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/grafana.json");
    let text = std::fs::read_to_string(file).expect("a dashboard");
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let asked: Vec<&str> =
        text.split(|c| !is_part(c)).filter(|word| word.starts_with("longshore_")).collect();
    assert!(asked.len() >= 10, "{asked:?}");
    for name in asked {
        let base = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
        assert!(told.contains(&name) || base.is_some_and(|base| told.contains(&base)), "{name}");
    }
    serde_json::from_str::<serde_json::Value>(&text).expect("JSON");
}

#[test]
fn images_are_pushed_to_the_same_port_listed_and_promoted() {
    let stage = shop(10);
    std::fs::write(stage.join("migration.yaml"), migration(&stage, "copy", "")).expect("a file");
    let server = Server::start(&stage, &[]);
    let image = format!("{}/team/copy:1.0.0", server.host);
    stage.done(&["build", "migration.yaml", "--tag", &image]);
    stage.done(&["key", "key"]);
    stage.done(&["sign", &image, "--key", "key.key"]);
    stage.done(&["run", "migration.yaml"]);
    let push = |token: &str| {
        let login = STANDARD.encode(format!("anybody:{token}"));
        let login = json!({ "auths": { &server.host: { "auth": login } } });
        stage.write("auth.json", &login.to_string());
        let mut push = stage.command(&["push", &image]);
        push.env("REGISTRY_AUTH_FILE", stage.join("auth.json")).output().expect("it ends")
    };
    assert_eq!(push("lsh_a-token-that-nobody-has").status.code(), Some(42));
    let pushed = push(ADMIN);
    assert!(pushed.status.success(), "{}", String::from_utf8_lossy(&pushed.stderr));

    let admin = server.admin();
    let listed = admin.get("/api/v1/images");
    let one = &listed["images"][0];
    assert_eq!((&one["repository"], &one["tag"]), (&json!("team/copy"), &json!("1.0.0")));
    assert_eq!((&one["migration"], &one["version"]), (&json!("copy"), &json!("1.0.0")));
    assert_eq!(one["layers"].as_array().expect("layers").len(), 2);
    assert!(one["signatures"].as_u64() >= Some(1), "{one}");
    let from_to = json!({ "from": "team/copy:1.0.0", "to": "live/copy:1.0.0" });
    let (status, promoted) = admin.post("/api/v1/images/promote", &from_to);
    assert_eq!((status, &promoted["digest"]), (200, &one["digest"]), "{promoted}");
    let gone = json!({ "from": "team/copy:9", "to": "live/copy:9" });
    assert_eq!(admin.refused("POST", "/api/v1/images/promote", &gone).0, 404);

    let listed = admin.get("/api/v1/images");
    let images = listed["images"].as_array().expect("images");
    assert_eq!(images.len(), 2);
    assert!(images.iter().all(|one| one["signatures"].as_u64() >= Some(1)), "{listed}");
    let registry = admin.get("/api/v1/registry");
    let capacity = &registry["capacity"];
    assert!(capacity["apart"].as_u64() > capacity["together"].as_u64(), "{registry}");
    assert!(registry["utilisation"]["ratio"].as_f64() > Some(1.0), "{registry}");
    admin.keep(&migration(&stage, "copy", ""));
    let whole = admin.get("/api/v1/migrations/copy");
    assert_eq!(whole["images"].as_array().map(Vec::len), Some(2));
}

#[test]
fn thousands_of_runs_are_listed_at_once() {
    let stage = shop(10);
    drop(Server::start(&stage, &[]));
    let book = rusqlite::Connection::open(stage.join(".longshore/control.db")).expect("a database");
    book.execute_batch(
        r#"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)
        INSERT INTO runs (id, migration, state, outcome, run, spec, whole)
        SELECT id, 'm' || (i % 50), 'ended', 'verified', json_object(
            'id', id, 'migration', 'm' || (i % 50), 'version', '1', 'image', NULL, 'on', 'here', 'task', 'run',
            'verify', 'full', 'state', 'ended', 'outcome', 'verified', 'queued', '2026-01-01T00:00:00Z',
            'started', NULL, 'ended', NULL, 'by', 'me', 'attempts', 1, 'rows', 1, 'rows_expected', 1, 'bytes', 1,
            'bytes_expected', 1, 'seconds', 1.0, 'error', json_array()), '', 1
        FROM (SELECT i, printf('20260101-000000-%05d', i) AS id FROM n);"#,
    )
    .expect("runs");
    drop(book);
    let server = Server::start(&stage, &[]);
    let admin = server.admin();
    let mut best = Duration::MAX;
    for path in
        ["/api/v1/runs?limit=200", "/api/v1/runs?limit=200&migration=m7", "/api/v1/overview"]
    {
        for _ in 0..5 {
            let start = Instant::now();
            let answer = admin.get(path);
            best = best.min(start.elapsed());
            assert!(answer["runs"].is_array() || answer["recent"].is_array());
        }
        // The promise is 50 ms, for a release build on a machine that does nothing else.
        assert!(best < Duration::from_millis(250), "{path}: {best:?}");
    }
}
