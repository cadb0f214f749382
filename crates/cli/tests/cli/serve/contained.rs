//! The image as a service: `serve` in a container, with as little as a container can have.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::chown;

use longshore_testkit::docker::Docker;
use serde_json::json;

use super::server::{ADMIN, Client};
use super::{rows, shop};
use crate::images::build;
use crate::stage::Stage;

/// The user that images run as.
const USER: u32 = 65532;

/// A folder that becomes `/work`, with an image that copies its shop.
fn staged() -> Stage {
    let stage = shop(150_000);
    fs::create_dir(stage.join("work")).expect("a folder");
    stage.write("token", ADMIN);
    stage.write(
        "m.yaml",
        "longshore: v1\nname: shop\nversion: 1.4.0\nmoves: [{from: 'sqlite:shop.db', to: 'sqlite:copy.db'}]\nlimits: { source-rate: 3MiB/s }\n",
    );
    build(&stage, &["--output", "archive:shop.tar"]);
    fs::rename(stage.join("shop.db"), stage.join("work/shop.db")).expect("a file");
    for name in ["work", "work/shop.db", "token"] {
        chown(stage.join(name), Some(USER), Some(USER)).expect("root gives a file away");
    }
    stage
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

#[test]
fn an_image_serves_stops_in_time_and_goes_on() {
    let (stage, docker) = (staged(), Docker::start());
    let archive = stage.join("shop.tar");
    let loaded = docker.run(&["load", "--input", archive.to_str().expect("a path")]);
    assert!(loaded.status.success(), "{loaded:?}");
    let port = free_port();
    let client = Client { host: format!("127.0.0.1:{port}"), token: Some(ADMIN.to_string()) };
    let begin = |name: &str| {
        let work = format!("{}:/work", stage.join("work").display());
        let token = format!("{}:/run/secrets/token:ro", stage.join("token").display());
        let listen = format!("127.0.0.1:{port}");
        let mut args = vec!["run", "--detach", "--name", name, "--network", "host", "--read-only"];
        args.extend(["--cap-drop", "ALL", "--security-opt", "no-new-privileges"]);
        args.extend([
            "--pids-limit",
            "64",
            "--memory",
            "1g",
            "--volume",
            &work,
            "--volume",
            &token,
        ]);
        args.extend(["--env", "LONGSHORE_TOKEN_FILE=/run/secrets/token", "shop:1.4.0"]);
        args.extend(["serve", "/migration", "--start", "--listen", &listen, "--no-registry"]);
        let begun = docker.run(&args);
        assert!(begun.status.success(), "{begun:?}");
        crate::deploy::until(|| std::net::TcpStream::connect(&client.host).is_ok());
        assert_eq!(client.send("GET", "/readyz", "", b"").status, 200);
    };

    begin("first");
    let runs = client.get("/api/v1/runs");
    let id = runs["runs"][0]["id"].as_str().expect("a run").to_string();
    client.until(&id, "copying", |now| now["progress"]["rows"].as_u64() > Some(0));
    assert!(client.text("/metrics").contains("longshore_run_rows{"));
    // Within the grace period it comes to a safe point, and its exit code says that nothing failed.
    let stopped = docker.run(&["stop", "--time", "30", "first"]);
    assert!(stopped.status.success(), "{stopped:?}");
    let exit = docker.run(&["inspect", "--format", "{{.State.ExitCode}}", "first"]);
    assert_eq!(String::from_utf8_lossy(&exit.stdout).trim(), "0", "{exit:?}");

    // Begun again it joins its own run, and does not double it; killed, too.
    begin("second");
    client.until(&id, "copying", |now| now["progress"]["rows"].as_u64() > Some(0));
    assert!(docker.run(&["kill", "second"]).status.success());
    begin("third");
    let run = client.ended(&id);
    assert_eq!((&run["outcome"], &run["attempts"]), (&json!("verified"), &json!(3)));
    assert_eq!(client.get("/api/v1/runs")["runs"].as_array().map(Vec::len), Some(1));
    fs::copy(stage.join("work/copy.db"), stage.join("copy.db")).expect("a file");
    assert_eq!(rows(&stage, "copy", "orders"), 150_000);

    let asked =
        json!({ "source": "sqlite:shop.db", "target": "sqlite:more.db", "tasks": ["customers"] });
    let (status, came) = client.post("/migrate", &asked);
    assert_eq!((status, &came["status"], &came["rows"]), (200, &json!("verified"), &json!(2)));
    assert!(docker.run(&["rm", "--force", "third"]).status.success());
}
