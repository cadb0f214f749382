//! Deployments whose network is cut, on Docker and without containers.

use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use longshore_testkit::docker::Docker;
use longshore_testkit::postgres::{Postgres, Version};
use longshore_testkit::proxy::Proxy;

use super::{BEGUN, SLOWLY, until};
use crate::images::engine;
use crate::stage::{Ran, Stage};

#[test]
fn docker_goes_on_when_the_network_is_there_again() {
    let docker = Docker::start();
    goes_on(&["--on", "docker", "--network", "host"], Some(&docker.socket()));
}

#[test]
fn without_containers_it_goes_on_when_the_network_is_there_again() {
    goes_on(&["--on", "local"], None);
}

/// Both ways are cut while it copies: short, so that the deployment goes on by itself; and until it has given up, so
/// that the same command goes on.
fn goes_on(on: &[&str], socket: Option<&Path>) {
    let (source, target) = (Postgres::shared(Version::V15), Postgres::shared(Version::V18));
    let (from, to) = (source.create("cut"), target.create("cut"));
    source.psql(
        &from,
        "CREATE TABLE t AS SELECT i AS id, md5(i::text) AS word FROM generate_series(1, 40000) i;
         ALTER TABLE t ADD PRIMARY KEY (id)",
    );
    let ways = [Proxy::before(source.port()), Proxy::before(target.port())];
    let through = |proxy: &Proxy, database: &str| {
        format!("postgres://postgres:postgres@127.0.0.1:{}/{database}", proxy.port())
    };
    let stage = Stage::empty();
    stage.write(
        "m.yaml",
        "longshore: v1\nname: shop\nmoves: [{from: '${secret:SOURCE}', to: '${secret:TARGET}'}]\n\
         limits: {chunk: 64KiB, attempts: 2}\n",
    );
    let command = |args: &[&str]| -> Command {
        let mut command = stage.command(args);
        command.env("SOURCE", through(&ways[0], &from)).env("TARGET", through(&ways[1], &to));
        command.env("XDG_RUNTIME_DIR", stage.path());
        command
    };
    let run = |command: &mut Command| -> Ran { command.output().expect("it runs").into() };
    let built = run(command(&["build", "m.yaml", "--tag", "shop:1", "--engine"]).arg(engine()));
    assert_eq!(built.code, Some(0), "{}", built.err);
    let deploy = |more: &[&str]| -> Ran {
        let all = [&["deploy", "shop:1", "--name", "cut"], on, more].concat();
        let mut command = command(&all[..1]);
        command.args(socket.map(|path| format!("--socket={}", path.display())));
        run(command.args(&all[1..]))
    };
    let log = || run(&mut command(&["logs", "cut"])).out;
    let slowly = [&["--detach"], &SLOWLY[..]].concat();
    let started = deploy(&slowly);
    assert_eq!(started.code, Some(0), "{}", started.err);
    until(|| log().contains(BEGUN));
    ways.iter().for_each(|way| way.cut_after(0));
    sleep(Duration::from_secs(1));
    ways.iter().for_each(Proxy::mend);
    until(|| log().contains("\"event\":\"move-retry\""));
    let copied = log().matches("\"event\":\"chunk-done\"").count();
    until(|| log().matches("\"event\":\"chunk-done\"").count() > copied);
    ways.iter().for_each(|way| way.cut_after(0));
    let ended = run(&mut command(&["logs", "cut", "--follow"]));
    assert_eq!(ended.code, Some(1), "{}\n{}", ended.out, ended.err);
    assert!(!format!("{}{}", ended.out, ended.err).contains("postgres:postgres"), "no secret");
    ways.iter().for_each(Proxy::mend);
    let done = deploy(&[]);
    assert_eq!(done.code, Some(0), "{}\n{}", done.out, done.err);
    let all = "SELECT count(*), md5(string_agg(id || word, ',' ORDER BY id)) FROM t";
    assert_eq!(source.psql(&from, all), target.psql(&to, all));
}
