//! The dashboard in a real browser, on the real server.

mod hostile;
mod images;
mod looks;
mod restart;
mod rights;
mod scale;
mod way;

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use longshore_testkit::browser::{Browser, Page};
use longshore_testkit::registry::login;
use serde_json::Value;

use crate::stage::Stage;

/// The administrator's token of every server here.
const TOKEN: &str = "lsh_0123456789abcdef0123456789abcdef";

/// A server on a stage, and a browser. The server is killed when the test ends.
struct Site {
    stage: Stage,
    server: Child,
    address: String,
    browser: Browser,
}

impl Site {
    fn start(stage: Stage) -> Self {
        Self::with(stage, &[])
    }

    /// A server with options of its own.
    fn with(stage: Stage, options: &[&str]) -> Self {
        let (server, address) = serve(&stage, "127.0.0.1:0", options);
        Self { stage, server, address, browser: Browser::start() }
    }

    /// A new page on which the administrator is signed in.
    fn admin(&self) -> Page {
        self.signed_in(TOKEN)
    }

    /// A new page on which somebody is signed in.
    fn signed_in(&self, token: &str) -> Page {
        let page = self.browser.page();
        page.open(&self.address);
        page.enter("input[name=token]", token);
        page.click("button|Sign in");
        page.wait_for("h1|Overview");
        page
    }

    /// The token of somebody with a role.
    fn token(&self, name: &str, role: &str) -> String {
        self.stage.done(&["token", name, "--role", role]).out.trim().to_string()
    }

    /// Goes to a place of the page.
    fn go(&self, page: &Page, place: &str) {
        page.evaluate(&format!("void (location.hash = '#/{place}')"));
    }

    /// Adds a migration through the page, and shows it.
    fn add(&self, page: &Page, yaml: &str) {
        self.go(page, "migrations");
        page.click("button|Add a migration");
        page.enter("dialog textarea", yaml);
        page.click("dialog button|Check and add");
        page.wait_for("button|Start…");
    }

    /// Starts the migration that is shown, as the dialog proposes, and shows its run.
    fn run(&self, page: &Page) {
        page.click("button|Start…");
        page.click("dialog button.primary|Start");
        page.wait_for("section.verdict h1");
    }

    /// Builds an image of the shop, and pushes it into the registry of the server.
    fn push(&self) {
        self.stage.write("m.yaml", &shop("chunk: 16KiB"));
        crate::images::build(&self.stage, &[]);
        let host = self.address.trim_start_matches("http://");
        let name = format!("{host}/team/shop:1.4.0");
        self.stage.done(&["tag", "shop:1.4.0", &name]);
        std::fs::create_dir_all(self.stage.join("docker")).expect("a folder");
        self.stage.write("docker/config.json", &login(host, "admin", TOKEN));
        let mut push = self.stage.command(&["push", &name]);
        push.env("DOCKER_CONFIG", self.stage.join("docker"));
        let output = push.output().expect("the binary runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Kills the server as a crash would.
    fn kill(&mut self) {
        self.server.kill().expect("it is killed");
        self.server.wait().expect("it ends");
    }

    /// Starts the server again where it was.
    fn resume(&mut self) {
        let listen = self.address.trim_start_matches("http://").to_string();
        (self.server, self.address) = serve(&self.stage, &listen, &[]);
    }

    /// Nothing went wrong in a page, and it asked nobody but this server.
    fn calm(&self, page: &Page) {
        assert_eq!(page.problems(), Vec::<String>::new());
        // What the browser draws its own controls with leaves nothing.
        let own = |url: &str| url.starts_with(&self.address) || url.starts_with("data:");
        let strange: Vec<String> = page.requests().into_iter().filter(|url| !own(url)).collect();
        assert_eq!(strange, Vec::<String>::new());
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn serve(stage: &Stage, listen: &str, options: &[&str]) -> (Child, String) {
    let all = [&["serve", "--listen", listen, "--json"], options].concat();
    let mut command = stage.command(&all);
    command.env("LONGSHORE_TOKEN", TOKEN).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().expect("it starts");
    let mut line = String::new();
    let out = child.stdout.take().expect("piped");
    BufReader::new(out).read_line(&mut line).expect("a line");
    let told: Value = serde_json::from_str(&line).expect("it serves");
    (child, told["address"].as_str().expect("an address").to_string())
}

/// A migration of the shop, as YAML.
fn shop(limits: &str) -> String {
    format!(
        "longshore: v1\nname: shop\nversion: 1.4.0\n\
         moves: [{{from: 'sqlite:shop.db', to: 'sqlite:copy.db'}}]\nlimits: {{{limits}}}\n"
    )
}
