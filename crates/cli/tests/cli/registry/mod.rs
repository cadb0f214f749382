//! The registry in the box as a process: killed at every step of its way to the disk, on a full disk, with clients
//! that mean no good, and with many things to keep.

pub(crate) mod client;
mod crash;
mod disk;
mod hostile;
mod numbers;
mod scale;
mod shelf;
mod storm;

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use client::Client;

/// A registry in a process of its own, which is killed when the test ends.
struct Server {
    child: Child,
    /// Where it listens.
    client: Client,
    /// Where its numbers are.
    numbers: Option<Client>,
}

impl Server {
    /// Starts `registry serve --root images` in a folder.
    fn start(stage: &crate::stage::Stage, args: &[&str]) -> Self {
        Self::try_start(stage, args).expect("it serves")
    }

    /// The same; none when it ended before it served.
    fn try_start(stage: &crate::stage::Stage, args: &[&str]) -> Option<Self> {
        let own = ["registry", "serve", "--root", "images", "--listen", "127.0.0.1:0", "--json"];
        Self::of(stage.command(&[&own, args].concat()))
    }

    fn of(mut command: Command) -> Option<Self> {
        let command = command.stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("it starts");
        let mut line = String::new();
        let out = child.stdout.take().expect("piped");
        BufReader::new(out).read_line(&mut line).expect("a line");
        let Ok(told) = serde_json::from_str::<Value>(&line) else {
            child.wait().expect("it ends");
            return None;
        };
        let client = |key: &str| told[key].as_str().map(Client::new);
        Some(Self {
            child,
            client: client("address").expect("an address"),
            numbers: client("metrics"),
        })
    }

    fn kill(&mut self) {
        self.child.kill().expect("it is killed");
        self.child.wait().expect("it ends");
    }

    /// Whether it still runs.
    fn lives(&mut self) -> bool {
        self.child.try_wait().expect("a process").is_none()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
