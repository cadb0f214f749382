//! A real browser without a screen: Chromium, spoken to over a pipe in its DevTools protocol.
//!
//! [`Browser`] is the process, [`Page`] a page with cookies and storage of its own. What is done to a page is
//! done as a person would: the mouse goes where the element is, keys go to what has the focus. Waiting ends
//! with a panic that says what the page shows instead. Nothing but 127.0.0.1 can be reached.

mod find;
mod page;
mod pipe;

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use serde_json::{Value, json};
use tempfile::TempDir;

use pipe::Pipe;

pub use page::Page;

/// A browser, which ends with this value.
#[derive(Debug)]
pub struct Browser {
    process: Child,
    pipe: Arc<Pipe>,
    _folder: TempDir,
}

impl Browser {
    /// Starts Chromium with a profile of its own.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("longshore-browser-").tempdir();
        let folder = folder.expect("a temporary folder");
        let (program, letters) = longshore_services::chromium();
        assert!(program.exists(), "{} is missing: run `cargo x services`", program.display());
        write_fonts(folder.path(), &letters);
        // The shell turns its pipes into the descriptors 3 and 4, which the browser reads and writes.
        let mut command = Command::new("sh");
        command.args(["-c", "exec \"$0\" \"$@\" 3<&0 4>&1 </dev/null >/dev/null"]).arg(&program);
        command.args(arguments(folder.path()));
        command.env("HOME", folder.path()).env("FONTCONFIG_FILE", folder.path().join("fonts.conf"));
        command.env("LD_LIBRARY_PATH", libraries(&program)).env("TZ", "UTC");
        command.env_remove("DBUS_SESSION_BUS_ADDRESS");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        // A signal to this process's group, such as Ctrl-C, is not for the browser.
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut process = command.spawn().expect("sh starts");
        let input = process.stdin.take().expect("a pipe");
        let output = process.stdout.take().expect("a pipe");
        Self { process, pipe: Pipe::between(input, output), _folder: folder }
    }

    /// A new page, which shares no cookies and no storage with others.
    pub fn page(&self) -> Page {
        let context = self.pipe.call(None, "Target.createBrowserContext", json!({}));
        let context = &context["browserContextId"];
        let wanted = json!({"url": "about:blank", "browserContextId": context});
        let target = self.pipe.call(None, "Target.createTarget", wanted);
        let wanted = json!({"targetId": target["targetId"], "flatten": true});
        let attached = self.pipe.call(None, "Target.attachToTarget", wanted);
        Page::attach(Arc::clone(&self.pipe), text(&attached["sessionId"]))
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It ends when its pipe does; what it has started ends with it.
        self.pipe.close();
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn arguments(folder: &Path) -> Vec<String> {
    let mut arguments: Vec<String> = [
        "--headless=new",
        "--remote-debugging-pipe",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-default-apps",
        "--disable-sync",
        "--disable-extensions",
        "--no-first-run",
        "--no-default-browser-check",
        "--hide-scrollbars",
        "--force-color-profile=srgb",
        "--lang=en",
        // No name is resolved, so that nothing outside is reached even by mistake.
        "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
    ]
    .map(str::to_string)
    .into();
    arguments.push(format!("--user-data-dir={}", folder.join("profile").display()));
    arguments
}

/// Libraries that Debian keeps in folders of their own.
fn libraries(program: &Path) -> String {
    let root = program.ancestors().nth(3).unwrap_or(program).join("lib/x86_64-linux-gnu");
    format!("{0}/pulseaudio:{0}/nss", root.display())
}

fn write_fonts(folder: &Path, letters: &Path) {
    let text = format!(
        "<?xml version=\"1.0\"?><!DOCTYPE fontconfig SYSTEM \"fonts.dtd\">\
         <fontconfig><match target=\"pattern\"><edit name=\"family\" mode=\"append_last\">\
         <string>DejaVu Sans</string></edit></match><dir>{}</dir><cachedir>{}</cachedir></fontconfig>",
        letters.display(),
        folder.join("fonts").display(),
    );
    fs::write(folder.join("fonts.conf"), text).expect("a file");
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_string()
}

#[cfg(test)]
mod tests;
