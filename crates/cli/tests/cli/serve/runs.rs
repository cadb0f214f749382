//! Runs: asked for, watched, stopped, killed with the server and taken up.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Command;

use serde_json::{Value, json};

use super::server::{ADMIN, Server};
use super::{migration, refused, rows, shop};

#[test]
fn a_migration_is_kept_run_watched_and_proved() {
    let stage = shop(20_000);
    let server = Server::start(&stage, &[]);
    let admin = server.admin();
    admin.keep(&migration(&stage, "copy", ""));

    let (status, plan) =
        admin.post("/api/v1/runs", &json!({ "migration": "copy", "task": "plan" }));
    assert_eq!(status, 201);
    let plan = admin.ended(plan["id"].as_str().expect("an id"));
    assert_eq!(plan["outcome"], "planned");
    let id = plan["id"].as_str().expect("an id");
    assert_eq!(admin.get(&format!("/api/v1/runs/{id}/plan"))["name"], "copy");

    let id = admin.run("copy");
    let run = admin.ended(&id);
    assert_eq!((&run["outcome"], &run["rows"]), (&json!("verified"), &json!(20_002)));
    let whole = admin.get(&format!("/api/v1/runs/{id}"));
    assert_eq!(whole["has"], json!({ "report": true, "plan": true, "log": true }));
    let tables = whole["progress"]["tables"].as_array().expect("tables");
    assert!(
        tables.iter().all(|table| table["verified"] == true && table["checked"] == table["rows"])
    );
    let report = admin.get(&format!("/api/v1/runs/{id}/report"));
    assert_eq!(report["outcome"], "verified");
    assert!(admin.text(&format!("/api/v1/runs/{id}/report.html")).contains("</html>"));
    let log = admin.get(&format!("/api/v1/runs/{id}/log?limit=3"));
    assert_eq!(log["lines"].as_array().expect("lines").len(), 3);
    let rest = admin.get(&format!("/api/v1/runs/{id}/log?limit=2000&from={}", log["next"]));
    let lines = rest["lines"].as_array().expect("lines");
    assert_eq!(lines.last().expect("a line")["event"], "run-done");

    let (status, again) = admin.post(&format!("/api/v1/runs/{id}/verify"), &Value::Null);
    assert_eq!(status, 201);
    assert_eq!(admin.ended(again["id"].as_str().expect("an id"))["outcome"], "verified");
    assert_eq!(rows(&stage, "copy", "orders"), 20_000);

    let migrations = admin.get("/api/v1/migrations");
    assert_eq!(migrations["migrations"][0]["last_run"]["task"], "verify");
    let listed = admin.get("/api/v1/runs?state=verified&migration=copy&limit=1");
    assert_eq!(listed["runs"][0]["id"], again["id"]);
    assert_eq!(listed["next"], again["id"]);
    let before = again["id"].as_str().expect("an id");
    let older = admin.get(&format!("/api/v1/runs?state=verified&before={before}"));
    assert_eq!(older["runs"][0]["id"], id.as_str());
    let overview = admin.get("/api/v1/overview");
    assert_eq!(overview["runs"], json!({ "planned": 1, "verified": 2 }));
}

#[test]
fn a_damaged_target_is_told_by_a_verification() {
    let stage = shop(100);
    let server = Server::start(&stage, &[]);
    let admin = server.admin();
    admin.keep(&migration(&stage, "copy", ""));
    assert_eq!(admin.ended(&admin.run("copy"))["outcome"], "verified");
    let copy = rusqlite::Connection::open(stage.join("copy.db")).expect("a database");
    copy.execute("UPDATE orders SET what = 'other' WHERE id = 7", []).expect("a change");
    drop(copy);
    let asked = json!({ "migration": "copy", "task": "verify" });
    let run = admin.ended(admin.post("/api/v1/runs", &asked).1["id"].as_str().expect("an id"));
    assert_eq!(run["outcome"], "different");
    assert!(run["error"][0].as_str().expect("an error").starts_with("LS0401"), "{run}");
}

#[test]
fn the_stream_tells_of_a_run_until_its_end() {
    let stage = shop(60_000);
    let server = Server::start(&stage, &[]);
    let admin = server.admin();
    admin.keep(&migration(&stage, "copy", "source-rate: 2MiB/s"));
    let id = admin.run("copy");
    let mut stream = TcpStream::connect(&server.host).expect("it listens");
    let head = format!(
        "GET /api/v1/runs/{id}/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ADMIN}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).expect("it reads");
    let (mut names, mut data, mut seen) = (Vec::new(), Vec::new(), 0);
    for line in BufReader::new(stream).lines() {
        let line = line.expect("a line");
        if let Some(name) = line.strip_prefix("event: ") {
            names.push(name.to_string());
        }
        if let Some(text) = line.strip_prefix("data: ") {
            let value: Value = serde_json::from_str(text).expect("JSON");
            seen = seen.max(value["rows"].as_u64().unwrap_or_default());
            data.push(value);
        }
        if names.last().is_some_and(|name| name == "end") {
            break;
        }
    }
    assert_eq!(seen, 60_002);
    assert!(names.iter().filter(|name| *name == "progress").count() >= 3, "{names:?}");
    let last_run = names.iter().rposition(|name| name == "run").expect("a run");
    assert_eq!(data[last_run]["outcome"], "verified");
}

#[test]
fn a_run_stops_at_a_safe_point_and_goes_on_when_it_is_asked_for_again() {
    let stage = shop(200_000);
    let server = Server::start(&stage, &[]);
    let admin = server.admin();
    admin.keep(&migration(&stage, "copy", "source-rate: 2MiB/s"));
    let id = admin.run("copy");
    // Two at once would write into one target.
    let asked = json!({ "migration": "copy" });
    assert_eq!(admin.refused("POST", "/api/v1/runs", &asked), (409, "LS1006".to_string()));
    admin.until(&id, "copying", |now| now["run"]["rows"].as_u64() > Some(0));
    let (status, run) = admin.post(&format!("/api/v1/runs/{id}/stop"), &Value::Null);
    assert_eq!((status, &run["state"]), (200, &json!("stopping")));
    assert_eq!(admin.ended(&id)["outcome"], "cancelled");
    let path = format!("/api/v1/runs/{id}/stop");
    assert_eq!(admin.refused("POST", &path, &Value::Null), (409, "LS1007".to_string()));

    // A version that came later is none of it.
    admin.keep(&migration(&stage, "copy", "").replace("1.0.0", "1.0.1"));
    let (_, again) = admin.post(&format!("/api/v1/runs/{id}/retry"), &Value::Null);
    let run = admin.ended(again["id"].as_str().expect("an id"));
    assert_eq!((&run["outcome"], &run["version"]), (&json!("verified"), &json!("1.0.0")));
    assert_eq!(rows(&stage, "copy", "orders"), 200_000);
}

#[test]
fn the_next_server_takes_up_what_a_killed_one_left() {
    let stage = shop(150_000);
    let mut server = Server::start(&stage, &[]);
    let admin = server.admin();
    admin.keep(&migration(&stage, "copy", "source-rate: 3MiB/s"));
    let id = admin.run("copy");
    for _ in 0..3 {
        let admin = server.admin();
        admin.until(&id, "copying", |now| now["progress"]["rows"].as_u64() > Some(0));
        server.kill();
        server = Server::start(&stage, &[]);
    }
    let run = server.admin().ended(&id);
    assert_eq!((&run["outcome"], &run["attempts"]), (&json!("verified"), &json!(4)));
    assert_eq!(rows(&stage, "copy", "orders"), 150_000);
}

#[test]
fn a_server_that_is_asked_to_end_lets_runs_stop_and_takes_them_up() {
    let stage = shop(150_000);
    let mut server = Server::start(&stage, &[]);
    let admin = server.admin();
    admin.keep(&migration(&stage, "copy", "source-rate: 3MiB/s"));
    let id = admin.run("copy");
    admin.until(&id, "copying", |now| now["progress"]["rows"].as_u64() > Some(0));
    let process = server.child.id().to_string();
    let asked = Command::new("kill").args(["-TERM", &process]).status().expect("a signal");
    assert!(asked.success());
    assert!(server.child.wait().expect("it ends").success());
    let server = Server::start(&stage, &[]);
    let run = server.admin().ended(&id);
    assert_eq!((&run["outcome"], &run["attempts"]), (&json!("verified"), &json!(2)));
}

#[test]
fn one_server_has_a_state_folder() {
    let stage = shop(10);
    let _server = Server::start(&stage, &[]);
    let refused = refused(&stage, &["serve", "--listen", "127.0.0.1:0"], 75);
    assert!(refused.contains("another server has this state folder"), "{refused}");
}

#[test]
fn runs_come_by_the_clock() {
    let stage = shop(10);
    let mut server = Server::start(&stage, &[]);
    let admin = server.admin();
    admin.keep(&migration(&stage, "copy", ""));
    let wrong = json!({ "migration": "copy", "cron": "61 * * * *" });
    assert_eq!(admin.refused("POST", "/api/v1/schedules", &wrong).0, 400);
    let never = json!({ "migration": "copy" });
    assert_eq!(admin.refused("POST", "/api/v1/schedules", &never).0, 400);
    let gone = json!({ "migration": "gone", "cron": "0 3 * * *" });
    assert_eq!(admin.refused("POST", "/api/v1/schedules", &gone).0, 404);
    let nightly = json!({ "migration": "copy", "cron": "0 3 * * *" });
    let (status, nightly) = admin.post("/api/v1/schedules", &nightly);
    assert_eq!(status, 201);
    assert!(nightly["next"].as_str().expect("a time").ends_with("T03:00:00Z"), "{nightly}");

    // A time that passed while no server was there comes once.
    let past = json!({ "migration": "copy", "at": "2020-01-01T00:00:00Z" });
    server.kill();
    let server = Server::start(&stage, &[]);
    let admin = server.admin();
    assert_eq!(admin.post("/api/v1/schedules", &past).0, 201);
    let end = std::time::Instant::now() + std::time::Duration::from_secs(20);
    let run = loop {
        let runs = admin.get("/api/v1/runs");
        if let Some(id) = runs["runs"][0]["id"].as_str() {
            break admin.ended(id);
        }
        assert!(std::time::Instant::now() < end, "it never came");
        std::thread::sleep(std::time::Duration::from_millis(100));
    };
    assert_eq!((&run["outcome"], &run["by"]), (&json!("verified"), &json!("schedule 2")));
    std::thread::sleep(std::time::Duration::from_secs(2));
    assert_eq!(admin.get("/api/v1/runs")["runs"].as_array().expect("runs").len(), 1);
    let answer = admin.send("DELETE", "/api/v1/schedules/1", "", b"");
    assert_eq!(answer.status, 204);
}

#[test]
fn others_are_told_when_a_run_begins_and_ends() {
    let stage = shop(10);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let hook = format!("http://{}/secret-path", listener.local_addr().expect("an address"));
    let (send, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let mut stream = stream.expect("a connection");
            let request = read_request(&stream);
            // The first try fails; it is made again.
            let answer = if number == 0 { "503 Busy" } else { "204 Done" };
            write!(stream, "HTTP/1.1 {answer}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
                .expect("it reads");
            if number > 0 && send.send(request).is_err() {
                return;
            }
        }
    });
    let mut command = stage.command(&[
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--json",
        "--webhook",
        "${secret:HOOK}",
    ]);
    command.env("LONGSHORE_TOKEN", ADMIN).env("HOOK", &hook);
    let server = Server::of(command);
    let admin = server.admin();
    admin.keep(&migration(&stage, "copy", ""));
    let id = admin.run("copy");
    let mut states = Vec::new();
    while states.last().is_none_or(|state| state != "ended") {
        let news: Value = told.recv_timeout(std::time::Duration::from_secs(30)).expect("news");
        assert_eq!((&news["event"], &news["run"]["id"]), (&json!("run"), &json!(id)));
        if news["run"]["state"] == "ended" {
            let text = news["text"].as_str().expect("a text");
            assert!(text.starts_with("copy 1.0.0: verified, 12 rows in "), "{text}");
        }
        states.push(news["run"]["state"].as_str().expect("a state").to_string());
    }
    assert_eq!(states, ["queued", "running", "ended"]);
    let refused =
        refused(&stage, &["serve", "--listen", "127.0.0.1:0", "--webhook", "ftp://x"], 75);
    assert!(refused.contains("another server"), "{refused}");
    drop(server);
    let refused =
        super::refused(&stage, &["serve", "--listen", "127.0.0.1:0", "--webhook", "ftp://x"], 2);
    assert!(refused.contains("the address of a webhook"), "{refused}");
}

/// The JSON of a request.
fn read_request(stream: &TcpStream) -> Value {
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).expect("a line");
        if let Some(text) = line.to_ascii_lowercase().strip_prefix("content-length: ") {
            length = text.trim().parse().expect("a length");
        }
        if line == "\r\n" {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).expect("a body");
    serde_json::from_slice(&body).expect("JSON")
}
