//! Who may do what: tokens, roles, cookies, other pages, and those who guess.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::server::{ADMIN, Client, Server, json_of};
use super::{migration, refused, shop};

fn token_of(admin: &Client, name: &str, role: &str) -> String {
    let (status, made) = admin.post("/api/v1/tokens", &json!({ "name": name, "role": role }));
    assert_eq!(status, 201, "{made}");
    made["token"].as_str().expect("a token").to_string()
}

#[test]
fn each_role_may_do_what_it_may() {
    let stage = shop(10);
    let server = Server::start(&stage, &[]);
    let admin = server.admin();
    admin.keep(&migration(&stage, "copy", ""));
    let viewer = server.client(&token_of(&admin, "vera", "viewer"));
    let operator = server.client(&token_of(&admin, "otto", "operator"));
    let nobody = Client { token: None, ..admin.clone() };

    assert_eq!(viewer.get("/api/v1/session")["role"], "viewer");
    let run = json!({ "migration": "copy" });
    let denied = (403, "LS1004".to_string());
    assert_eq!(viewer.refused("POST", "/api/v1/runs", &run), denied);
    assert_eq!(viewer.refused("DELETE", "/api/v1/migrations/copy", &Value::Null), denied);
    assert_eq!(operator.refused("GET", "/api/v1/tokens", &Value::Null), denied);
    assert_eq!(operator.refused("GET", "/api/v1/audit", &Value::Null), denied);
    assert_eq!(operator.ended(&operator.run("copy"))["by"], "otto");
    let unknown = (401, "LS1003".to_string());
    for path in ["/api/v1/runs", "/api/v1/overview", "/metrics", "/api/v1/session"] {
        assert_eq!(nobody.refused("GET", path, &Value::Null), unknown, "{path}");
    }
    for path in ["/healthz", "/readyz", "/api/v1/openapi.json", "/"] {
        assert_eq!(nobody.send("GET", path, "", b"").status, 200, "{path}");
    }

    // A token that is revoked is known to nobody from then on.
    assert_eq!(admin.send("DELETE", "/api/v1/tokens/otto", "", b"").status, 204);
    assert_eq!(operator.refused("GET", "/api/v1/runs", &Value::Null), unknown);
    let audit = admin.get("/api/v1/audit");
    let actions: Vec<_> = audit["entries"].as_array().expect("entries").iter().collect();
    let did = |who: &str, action: &str| {
        actions.iter().any(|entry| entry["who"] == who && entry["action"] == action)
    };
    assert!(
        did("otto", "run.ask") && did("admin", "token.revoke") && did("admin", "migration.keep")
    );
}

#[test]
fn tokens_are_kept_as_hashes_alone() {
    let stage = shop(10);
    let server = Server::start(&stage, &[]);
    let token = token_of(&server.admin(), "vera", "viewer");
    let listed = server.admin().get("/api/v1/tokens").to_string();
    assert!(listed.contains("vera") && !listed.contains(&token));
    drop(server);
    for name in ["control.db", "control.db-wal"] {
        let bytes = std::fs::read(stage.join(".longshore").join(name)).unwrap_or_default();
        let is_in = |text: &str| bytes.windows(text.len()).any(|part| part == text.as_bytes());
        assert!(!is_in(&token) && !is_in(ADMIN), "{name}");
    }
}

#[test]
fn the_first_token_is_shown_once_and_others_come_by_the_command_line() {
    let stage = shop(10);
    let serve = || stage.command(&["serve", "--listen", "127.0.0.1:0", "--json"]);
    let server = Server::of(serve());
    let admin = server.admin();
    assert_eq!(admin.get("/api/v1/session")["user"], "admin");
    // Made while the server has the folder.
    let made = stage.done(&["token", "vera", "--role", "operator"]);
    let vera = server.client(made.out.trim());
    assert_eq!(vera.get("/api/v1/session")["role"], "operator");
    stage.done(&["token", "vera", "--revoke"]);
    assert_eq!(vera.refused("GET", "/api/v1/session", &Value::Null).0, 401);
    drop(server);
    let again = Server::of(serve());
    assert_eq!(
        again.client(admin.token.as_deref().expect("a token")).get("/api/v1/session")["user"],
        "admin"
    );
    // It is told by the first start only.
    assert_eq!(again.admin().refused("GET", "/api/v1/session", &Value::Null).0, 401);
}

#[test]
fn the_cookie_is_for_pages_of_the_server_alone() {
    let stage = shop(10);
    let server = Server::start(&stage, &[]);
    server.admin().keep(&migration(&stage, "copy", ""));
    let nobody = Client { token: None, ..server.admin() };
    let body = json!({ "token": ADMIN }).to_string();
    let headers = "Content-Type: application/json\r\n";
    let answer = nobody.send("POST", "/api/v1/session", headers, body.as_bytes());
    let cookie = answer.header("set-cookie").expect("a cookie").to_string();
    assert!(cookie.contains("; HttpOnly") && cookie.contains("; SameSite=Strict"), "{cookie}");
    let cookie = cookie.split(';').next().expect("a pair").to_string();

    let with = |more: &str| format!("Cookie: other=1; {cookie}\r\n{headers}{more}");
    assert_eq!(nobody.send("GET", "/api/v1/runs", &with(""), b"").status, 200);
    let run = json!({ "migration": "copy" }).to_string();
    let forged = nobody.send("POST", "/api/v1/runs", &with(""), run.as_bytes());
    assert_eq!(forged.status, 403);
    assert_eq!(json_of(&forged)["error"]["code"], "LS1010");
    let own = nobody.send("POST", "/api/v1/runs", &with("X-Longshore: 1\r\n"), run.as_bytes());
    assert_eq!(own.status, 201);
    let out = nobody.send("DELETE", "/api/v1/session", "", b"");
    assert!(out.header("set-cookie").expect("a cookie").contains("Max-Age=0"));
    let page = nobody.send("GET", "/", "", b"");
    let policy = page.header("content-security-policy").expect("a policy");
    assert!(policy.contains("default-src 'self'") && policy.contains("frame-ancestors 'none'"));
    assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
    let data = nobody.send("GET", "/api/v1/runs", &with(""), b"");
    assert_eq!(data.header("cache-control"), Some("no-store"));
}

#[test]
fn who_guesses_is_not_listened_to_for_a_while() {
    let stage = shop(10);
    let server = Server::start(&stage, &[]);
    let guess = server.client("lsh_guessed-guessed-guessed");
    let codes: Vec<u16> =
        (0..14).map(|_| guess.refused("GET", "/api/v1/runs", &Value::Null).0).collect();
    assert!(codes[..10].iter().all(|code| *code == 401), "{codes:?}");
    assert!(codes[11..].iter().all(|code| *code == 429), "{codes:?}");
    let sign_in = json!({ "token": ADMIN });
    let refused = guess.refused("POST", "/api/v1/session", &sign_in);
    assert_eq!(refused, (429, "LS1005".to_string()));
    // Those who have a token behind the same address go on.
    assert_eq!(server.admin().get("/api/v1/session")["user"], "admin");
}

#[test]
fn other_machines_are_not_served_carelessly() {
    let stage = shop(10);
    let refused = refused(&stage, &["serve", "--listen", "0.0.0.0:0"], 2);
    assert!(refused.contains("tokens would cross the network in the clear"), "{refused}");
    let mut weak = stage.command(&["serve", "--listen", "127.0.0.1:0"]);
    weak.env("LONGSHORE_TOKEN", "password");
    assert_eq!(weak.output().expect("it ends").status.code(), Some(2));
}

#[test]
fn passwords_are_refused_where_they_would_be_kept_and_never_shown() {
    let stage = shop(10);
    let server = Server::start(&stage, &[]);
    let admin = server.admin();
    let yaml = "longshore: v1\nname: open\nmoves:\n  - from: postgres://me:hunter2secret@127.0.0.1:1/a\n    to: sqlite:x.db\n";
    let headers = "Content-Type: application/yaml\r\n";
    let answer = admin.send("POST", "/api/v1/migrations", headers, yaml.as_bytes());
    assert_eq!(answer.status, 400);
    assert_eq!(json_of(&answer)["error"]["code"], "LS0705");
    assert!(!String::from_utf8_lossy(&answer.body).contains("hunter2secret"));

    // Given once they are used, and neither kept nor told.
    let asked =
        json!({ "source": "postgres://me:hunter2secret@127.0.0.1:1/a", "target": "sqlite:x.db" });
    let (status, came) = admin.post("/migrate", &asked);
    assert_eq!((status, &came["status"]), (502, &json!("failed")), "{came}");
    let run = came["run"].as_str().expect("a run");
    for path in [
        "/api/v1/runs".to_string(),
        format!("/api/v1/runs/{run}"),
        format!("/api/v1/runs/{run}/log"),
        "/api/v1/audit".to_string(),
        "/metrics".to_string(),
    ] {
        assert!(!admin.text(&path).contains("hunter2secret"), "{path}");
    }
    drop(server);
    nowhere(&stage.join(".longshore"), b"hunter2secret");
}

#[test]
fn what_is_not_understood_is_told() {
    let stage = shop(10);
    let server = Server::start(&stage, &[]);
    let admin = server.admin();
    let wrong = |method: &str, path: &str, body: &Value| admin.refused(method, path, body);
    let asked = json!({ "migration": "copy", "unknown": 1 });
    assert_eq!(wrong("POST", "/api/v1/runs", &asked), (400, "LS1009".to_string()));
    assert_eq!(wrong("POST", "/api/v1/runs", &json!({})), (400, "LS0001".to_string()));
    let gone = json!({ "migration": "gone" });
    assert_eq!(wrong("POST", "/api/v1/runs", &gone), (404, "LS1001".to_string()));
    assert_eq!(wrong("GET", "/api/v1/runs/x", &Value::Null), (404, "LS1001".to_string()));
    assert_eq!(wrong("GET", "/api/v1/runs/..%2f..%2fetc", &Value::Null).0, 404);
    assert_eq!(wrong("GET", "/api/v1/runs?limit=many", &Value::Null), (400, "LS1009".to_string()));
    assert_eq!(wrong("GET", "/nowhere", &Value::Null), (404, "LS1001".to_string()));
    assert_eq!(wrong("DELETE", "/api/v1/overview", &Value::Null).0, 405);
    let text = admin.send("POST", "/api/v1/migrations", "", b"longshore: v1\nnam: x\n");
    assert_eq!(json_of(&text)["error"]["code"], "LS0002");
    let long = vec![b'x'; 5 << 20];
    assert_eq!(admin.send("POST", "/api/v1/migrations", "", &long).status, 413);
    // The same version cannot say something else.
    admin.keep(&migration(&stage, "copy", ""));
    admin.keep(&migration(&stage, "copy", ""));
    let other = migration(&stage, "copy", "workers: 1");
    let answer = admin.send("POST", "/api/v1/migrations", "", other.as_bytes());
    assert_eq!((answer.status, json_of(&answer)["error"]["code"].as_str()), (409, Some("LS1002")));
}

/// No file below a folder holds a text.
fn nowhere(folder: &Path, text: &[u8]) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            nowhere(&path, text);
            continue;
        }
        let bytes = std::fs::read(&path).expect("a file");
        assert!(!bytes.windows(text.len()).any(|part| part == text), "{}", path.display());
    }
}

#[test]
fn a_stream_ends_with_the_token_that_it_was_asked_for_with() {
    let stage = shop(200_000);
    let server = Server::start(&stage, &[]);
    let admin = server.admin();
    admin.keep(&migration(&stage, "copy", "source-rate: 1MiB/s"));
    let token = token_of(&admin, "vera", "viewer");
    let id = admin.run("copy");
    let mut stream = TcpStream::connect(&server.host).expect("it listens");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a limit");
    let head = format!(
        "GET /api/v1/runs/{id}/events HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).expect("it reads");
    let mut first = [0; 12];
    stream.read_exact(&mut first).expect("an answer");
    assert_eq!(&first, b"HTTP/1.1 200");
    assert_eq!(admin.send("DELETE", "/api/v1/tokens/vera", "", b"").status, 204);
    let mut rest = String::new();
    stream.read_to_string(&mut rest).expect("it ends");
    assert!(!rest.contains("event: end"), "the run goes on");
    assert_eq!(admin.get(&format!("/api/v1/runs/{id}"))["run"]["state"], "running");
}
