//! What private servers of every kind share.

pub(crate) mod certificate;

use std::io::Write;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

use crate::account::unprivileged;

/// A shell that waits for the end of this process, then stops the server and removes its folder.
#[derive(Debug)]
pub(crate) struct Guard {
    shell: Child,
    pipe: Option<ChildStdin>,
}

impl Guard {
    /// Watches over the server whose process id is the first line of `process`, and which `signal`
    /// stops at once.
    pub(crate) fn over(folder: &Path, process: &Path, signal: &str) -> Self {
        Self::by(unprivileged("sh"), folder, process, signal)
    }

    /// Removes the folder of a server that is this process.
    pub(crate) fn over_folder(folder: &Path) -> Self {
        Self::by(Command::new("sh"), folder, Path::new("/dev/null"), "0")
    }

    fn by(mut shell: Command, folder: &Path, process: &Path, signal: &str) -> Self {
        const WATCH: &str = "read -r _; \
            kill -\"$3\" \"$(head -n 1 \"$2\" 2>/dev/null)\" 2>/dev/null; \
            sleep 0.1; rm -rf \"$1\" 2>/dev/null; exit 0";
        shell.args(["-c", WATCH, "watch"]).arg(folder).arg(process).arg(signal);
        shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        // A signal to this process's group, such as Ctrl-C, is not for the shell.
        std::os::unix::process::CommandExt::process_group(&mut shell, 0);
        let mut shell = shell.spawn().expect("sh starts");
        let pipe = shell.stdin.take();
        Self { shell, pipe }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        drop(self.pipe.take());
        let _ended = self.shell.wait();
    }
}

/// Makes a path belong to the account of the servers.
pub(crate) fn give(path: &Path) {
    if let Some((user, group)) = longshore_services::account() {
        std::os::unix::fs::chown(path, Some(user), Some(group)).expect("root gives a file away");
    }
}

pub(crate) fn free_port() -> u16 {
    free_ports(1)[0]
}

/// Ports that are free, each another one.
pub(crate) fn free_ports(count: usize) -> Vec<u16> {
    let bind = |_| TcpListener::bind("127.0.0.1:0").expect("a free port");
    let listeners: Vec<TcpListener> = (0..count).map(bind).collect();
    let port = |listener: &TcpListener| listener.local_addr().expect("an address").port();
    listeners.iter().map(port).collect()
}

/// Runs a program to its end, which must be a good one, and gives what it printed.
pub(crate) fn finish(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output();
    let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{:?}: {said}", command.get_program());
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Like [`finish`], for a program that reads `input` and prints UTF-8.
pub(crate) fn feed(command: &mut Command, input: &str) -> String {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let mut pipe = child.stdin.take().expect("a pipe");
    let output = std::thread::scope(|scope| {
        scope.spawn(move || {
            let _broken_when_it_stops_early = pipe.write_all(input.as_bytes());
        });
        child.wait_with_output().expect("the program ends")
    });
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{:?}: {said}", command.get_program());
    String::from_utf8(output.stdout).expect("UTF-8")
}
