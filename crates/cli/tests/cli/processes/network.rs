//! Processes on hosts of their own: network namespaces, each behind a link that can be cut. Needs the
//! right to make them.

use std::process::Command;
use std::time::Duration;

use longshore_testkit::postgres::{Postgres, Version};

use super::{SHOP, Worker, chunks, exactly_once, migration};
use crate::stage::Stage;

/// A bridge of this host, with hosts behind it.
struct Network {
    number: u32,
    hosts: u32,
}

impl Network {
    fn new(hosts: u32) -> Self {
        // Names of links are short, and other tests may have networks too.
        let number = std::process::id() % 250;
        let network = Self { number, hosts };
        network.remove();
        let bridge = network.bridge();
        ip(&["link", "add", &bridge, "type", "bridge"]);
        ip(&["address", "add", &format!("{}/24", network.address(1)), "dev", &bridge]);
        ip(&["link", "set", &bridge, "up"]);
        for host in 0..hosts {
            let (name, outer, inner) =
                (network.host(host), network.link(host), format!("ls{number}i{host}"));
            ip(&["netns", "add", &name]);
            ip(&["link", "add", &outer, "type", "veth", "peer", "name", &inner]);
            ip(&["link", "set", &inner, "netns", &name]);
            ip(&["link", "set", &outer, "master", &bridge, "up"]);
            let address = format!("{}/24", network.address(10 + host));
            ip(&["-n", &name, "address", "add", &address, "dev", &inner]);
            ip(&["-n", &name, "link", "set", &inner, "up"]);
            ip(&["-n", &name, "link", "set", "lo", "up"]);
        }
        network
    }

    fn bridge(&self) -> String {
        format!("ls{}br", self.number)
    }

    fn host(&self, host: u32) -> String {
        format!("longshore-{}-{host}", self.number)
    }

    /// The link of a host, on this side.
    fn link(&self, host: u32) -> String {
        format!("ls{}o{host}", self.number)
    }

    fn address(&self, last: u32) -> String {
        format!("10.231.{}.{last}", self.number)
    }

    fn start(&self, host: u32, stage: &Stage, process: &str) -> Worker {
        let inner =
            stage.command(&["run", "m.yaml", "--json", "--process", process, "--lease", "2"]);
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.host(host)]).arg(inner.get_program());
        command.args(inner.get_args()).current_dir(stage.path());
        Worker::of(command)
    }

    fn remove(&self) {
        for host in 0..self.hosts {
            // What is not there cannot be removed.
            let _ = Command::new("ip").args(["netns", "del", &self.host(host)]).output();
            let _ = Command::new("ip").args(["link", "del", &self.link(host)]).output();
        }
        let _ = Command::new("ip").args(["link", "del", &self.bridge()]).output();
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        self.remove();
    }
}

fn ip(args: &[&str]) {
    let done = Command::new("ip").args(args).output().expect("ip starts");
    assert!(done.status.success(), "ip {args:?}: {done:?}");
}

/// A server that listens at the bridge.
fn server(network: &Network, stage: &Stage) -> Postgres {
    let rules = stage.join("rules.conf");
    std::fs::write(&rules, "local all all trust\nhost all all all scram-sha-256\n")
        .expect("a file");
    let open = |path: &std::path::Path, mode: u32| {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("it is ours");
    };
    open(stage.path(), 0o755);
    open(&rules, 0o644);
    let listen = format!("listen_addresses = '127.0.0.1,{}'", network.address(1));
    let rules = format!("hba_file = '{}'", rules.display());
    Postgres::with(Version::V18, &["fsync=off", "full_page_writes=off", &listen, &rules])
}

#[test]
fn a_process_that_is_cut_off_is_replaced_and_comes_back_to_a_finished_run() {
    let (network, stage) = (Network::new(3), Stage::empty());
    let server = server(&network, &stage);
    let (from, to) = (server.create("network"), server.create("network"));
    server.psql(&from, SHOP);
    let url = |database: &str| {
        let url = server.url(database).replace("127.0.0.1", &network.address(1));
        format!("{url}?sslmode=disable")
    };
    let limits = "chunk: 192KiB, memory: 1MiB, workers: 1, source-rate: 150KiB/s";
    migration(&stage, &url(&from), &url(&to), limits);
    let mut first = network.start(0, &stage, "0/3");
    let mut second = network.start(1, &stage, "1/3");
    let third = network.start(2, &stage, "2/3");
    second.wait_for("copied", 3);
    ip(&["link", "set", &network.link(1), "down"]);
    first.wait_for("chunk-elsewhere", 1);
    let (first, third) = (first.done(), third.done());
    assert_eq!(first.event("result")["outcome"], "verified");
    exactly_once((&server, &from), (&server, &to));
    assert!(second.runs(), "it cannot know yet");
    ip(&["link", "set", &network.link(1), "up"]);
    let second = second.done();
    let done = chunks([&first, &second, &third]);
    assert!(done.values().all(|times| *times == 1), "{done:?}");
    exactly_once((&server, &from), (&server, &to));
}

#[test]
fn the_first_process_may_be_cut_off_for_a_while() {
    let (network, stage) = (Network::new(3), Stage::empty());
    let server = server(&network, &stage);
    let (from, to) = (server.create("network"), server.create("network"));
    server.psql(&from, SHOP);
    let url = |database: &str| {
        let url = server.url(database).replace("127.0.0.1", &network.address(1));
        format!("{url}?sslmode=disable")
    };
    let limits = "chunk: 192KiB, memory: 1MiB, workers: 1, source-rate: 150KiB/s";
    migration(&stage, &url(&from), &url(&to), limits);
    let mut first = network.start(0, &stage, "0/2");
    let mut second = network.start(1, &stage, "1/2");
    second.wait_for("chunk-done", 1);
    first.wait_for("copied", 3);
    ip(&["link", "set", &network.link(0), "down"]);
    // The other does what is left, also what the first had a lease of.
    let second = second.done();
    std::thread::sleep(Duration::from_secs(1));
    ip(&["link", "set", &network.link(0), "up"]);
    let first = first.done();
    assert_eq!(first.event("result")["outcome"], "verified");
    let done = chunks([&first, &second]);
    assert!(done.values().all(|times| *times == 1), "{done:?}");
    exactly_once((&server, &from), (&server, &to));
}
