//! Images that the server is given, and runs on this machine: watched, stopped, and followed again after a kill.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use longshore_testkit::postgres::{Postgres, Version};
use longshore_testkit::registry::login;
use serde_json::{Value, json};

use super::server::{ADMIN, Client, Server};
use crate::stage::Stage;

/// What is run: the image under the name that it has in the server's registry.
const IMAGE: &str = "team/shop:1.4.0";

struct House {
    stage: Stage,
    postgres: &'static Postgres,
    source: String,
    target: String,
}

impl House {
    fn new(rows: u32) -> Self {
        let postgres = Postgres::shared(Version::V15);
        let (source, target) = (postgres.create("shop"), postgres.create("copy"));
        let fill = format!(
            "CREATE TABLE t AS SELECT i AS id, md5(i::text) AS word FROM generate_series(1, {rows}) AS i;
             ALTER TABLE t ADD PRIMARY KEY (id)"
        );
        postgres.psql(&source, &fill);
        let stage = Stage::empty();
        fs::set_permissions(stage.path(), fs::Permissions::from_mode(0o711)).expect("a mode");
        Self { stage, postgres, source, target }
    }

    fn with_secrets<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.env("SOURCE", self.postgres.url(&self.source));
        command.env("TARGET", self.postgres.url(&self.target))
    }

    fn serve(&self, listen: &str) -> Server {
        let mut command = self.stage.command(&["serve", "--listen", listen, "--json"]);
        command.env("LONGSHORE_TOKEN", ADMIN).env("XDG_RUNTIME_DIR", self.stage.path());
        command.env("DOCKER_HOST", "unix:///nowhere/docker.sock");
        self.with_secrets(&mut command);
        Server::of(command)
    }

    /// Builds the image on another machine, as it were, and pushes it.
    fn push(&self, host: &str) {
        let elsewhere = Stage::empty();
        elsewhere.write(
            "m.yaml",
            "longshore: v1\nname: shop\nversion: 1.4.0\nmoves: [{from: '${secret:SOURCE}', to: '${secret:TARGET}'}]\n\
             limits: {chunk: 64KiB, source-rate: 400KiB/s, workers: 1}\n",
        );
        let engine = crate::images::engine();
        let name = format!("{host}/{IMAGE}");
        let mut command = elsewhere.command(&["build", "m.yaml", "--tag", &name, "--engine"]);
        let built = self.with_secrets(command.arg(engine)).output().expect("it runs");
        assert!(built.status.success(), "{built:?}");
        fs::create_dir_all(elsewhere.join("docker")).expect("a folder");
        elsewhere.write("docker/config.json", &login(host, "admin", ADMIN));
        let mut push = elsewhere.command(&["push", &name]);
        let pushed = push.env("DOCKER_CONFIG", elsewhere.join("docker")).output();
        let pushed = pushed.expect("it runs");
        assert!(pushed.status.success(), "{pushed:?}");
    }

    fn rows_are_the_same(&self) {
        let all = "SELECT count(*), md5(string_agg(id || word, ',' ORDER BY id)) FROM t";
        let psql = |database: &str| self.postgres.psql(database, all);
        assert_eq!(psql(&self.source), psql(&self.target));
    }
}

fn ask(client: &Client, on: &str) -> String {
    let (status, run) = client.post("/api/v1/runs", &json!({ "image": IMAGE, "on": on }));
    assert_eq!(status, 201, "{run}");
    run["id"].as_str().expect("an id").to_string()
}

fn copies(now: &Value) -> bool {
    now["progress"]["rows"].as_u64() > Some(0)
}

#[test]
fn an_image_of_the_registry_runs_is_stopped_and_followed_again() {
    let house = House::new(40_000);
    let mut server = house.serve("127.0.0.1:0");
    let (host, admin) = (server.host.clone(), server.admin());
    let order = json!({ "image": IMAGE, "on": "local" });
    assert_eq!(admin.refused("POST", "/api/v1/runs", &order), (404, "LS0703".to_string()));
    house.push(&host);
    // Stopped on request, at a safe point.
    let first = ask(&admin, "local");
    admin.until(&first, "copying", copies);
    let (status, told) = admin.post(&format!("/api/v1/runs/{first}/stop"), &Value::Null);
    assert_eq!(status, 200, "{told}");
    assert_eq!(admin.ended(&first)["outcome"], "cancelled");
    // Killed while it runs, the server finds it again; the engine has gone on meanwhile.
    let second = ask(&admin, "local");
    admin.until(&second, "copying", copies);
    server.kill();
    let server = house.serve(&host);
    let ended = server.admin().ended(&second);
    assert_eq!(ended["outcome"], "verified", "{ended}");
    house.rows_are_the_same();
    let report = server.admin().get(&format!("/api/v1/runs/{second}/report"));
    assert_eq!(report["outcome"], "verified");
    assert!(!report.to_string().contains("postgres:postgres"), "no secret");
    // What cannot be reached is said, with what to do.
    let third = ask(&server.admin(), "docker");
    let ended = server.admin().ended(&third);
    assert_eq!(ended["outcome"], "failed", "{ended}");
    assert!(ended["error"].to_string().contains("LS0801"), "{ended}");
}
