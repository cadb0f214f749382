//! One page: what a person does with it, and what can be seen of it.

use std::path::Path;
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use base64::Engine;
use serde_json::{Value, json};

use super::find::{element, quote};
use super::pipe::Pipe;

/// How long the page may take to show what is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// A page of a browser.
#[derive(Debug)]
pub struct Page {
    pipe: Arc<Pipe>,
    session: String,
}

impl Page {
    pub(super) fn attach(pipe: Arc<Pipe>, session: String) -> Self {
        let page = Self { pipe, session };
        for domain in ["Page", "Runtime", "Network", "Log"] {
            page.call(&format!("{domain}.enable"), json!({}));
        }
        page.resize(1280, 800);
        page
    }

    /// Goes to an address and waits until it has loaded.
    pub fn open(&self, url: &str) {
        let result = self.call("Page.navigate", json!({"url": url}));
        assert!(result.get("errorText").is_none(), "{url}: {}", result["errorText"]);
        self.until("document.readyState === 'complete'", "the page has loaded");
    }

    /// Waits for an element that can be seen: `CSS` or `CSS|text`.
    ///
    /// # Panics
    /// When it does not come.
    pub fn wait_for(&self, name: &str) {
        self.wait_longer_for(name, PATIENCE);
    }

    /// Waits for an element, at most so long.
    pub fn wait_longer_for(&self, name: &str, patience: Duration) {
        self.until_within(&format!("({}) !== null", element(name)), name, patience);
    }

    /// Waits until an element is gone or hidden.
    pub fn wait_until_gone(&self, name: &str) {
        self.until(&format!("({}) === null", element(name)), &format!("{name} is gone"));
    }

    /// Waits until an expression is true.
    pub fn until(&self, expression: &str, what: &str) {
        self.until_within(expression, what, PATIENCE);
    }

    fn until_within(&self, expression: &str, what: &str, patience: Duration) {
        let start = Instant::now();
        while !self.holds(expression) {
            if start.elapsed() > patience {
                let shown = self.evaluate("location.href + '\\n' + document.body.innerText");
                let shown = shown.as_str().unwrap_or_default().chars().take(3000);
                let problems = self.problems().join("\n");
                panic!("waiting for: {what}\n{problems}\n{}", shown.collect::<String>());
            }
            sleep(Duration::from_millis(30));
        }
    }

    /// Whether an expression is true; false also while a page is being left.
    fn holds(&self, expression: &str) -> bool {
        let wanted = json!({"expression": format!("Boolean({expression})"), "returnByValue": true});
        self.call("Runtime.evaluate", wanted)["result"]["value"] == true
    }

    /// Whether an element is there and can be seen.
    pub fn has(&self, name: &str) -> bool {
        self.holds(&format!("({}) !== null", element(name)))
    }

    /// How many elements a selector has, seen or not.
    pub fn count(&self, css: &str) -> u64 {
        let count = self.evaluate(&format!("document.querySelectorAll({}).length", quote(css)));
        count.as_u64().unwrap_or(0)
    }

    /// The text of an element, as it is seen.
    pub fn text(&self, name: &str) -> String {
        self.wait_for(name);
        let text = self.evaluate(&format!("({}).innerText", element(name)));
        text.as_str().unwrap_or_default().to_string()
    }

    /// Clicks into the middle of an element, which nothing else may cover.
    pub fn click(&self, name: &str) {
        self.wait_for(name);
        let found = element(name);
        let place = self.evaluate(&format!(
            "(async () => {{ const e = {found}; e.scrollIntoView({{block: 'center', behavior: 'instant'}}); \
             await new Promise(done => requestAnimationFrame(done)); \
             const r = e.getBoundingClientRect(); const x = r.x + r.width / 2, y = r.y + r.height / 2; \
             const top = document.elementFromPoint(x, y); \
             return {{x, y, free: e.contains(top) || (e.labels && [...e.labels].some(l => l.contains(top))), \
             top: top && top.outerHTML.slice(0, 200), disabled: e.disabled === true}}; }})()"
        ));
        assert_eq!(place["free"], true, "{name} is covered by {}", place["top"]);
        assert_eq!(place["disabled"], false, "{name} is disabled");
        for kind in ["mouseMoved", "mousePressed", "mouseReleased"] {
            let buttons = u8::from(kind == "mousePressed");
            self.call(
                "Input.dispatchMouseEvent",
                json!({"type": kind, "x": place["x"], "y": place["y"], "button": "left",
                    "buttons": buttons, "clickCount": 1}),
            );
        }
    }

    /// Moves the mouse to a place of the window.
    pub fn hover(&self, x: f64, y: f64) {
        self.call("Input.dispatchMouseEvent", json!({"type": "mouseMoved", "x": x, "y": y}));
    }

    /// Puts a text into a field instead of what it has.
    pub fn enter(&self, name: &str, text: &str) {
        self.click(name);
        self.evaluate(&format!("({}).select()", element(name)));
        self.call("Input.insertText", json!({"text": text}));
    }

    /// Chooses an option of a list by its value.
    pub fn choose(&self, name: &str, value: &str) {
        self.wait_for(name);
        let value = quote(value);
        let chosen = self.evaluate(&format!(
            "(() => {{ const e = {}; e.value = {value}; \
             e.dispatchEvent(new Event('change', {{bubbles: true}})); return e.value === {value}; }})()",
            element(name),
        ));
        assert_eq!(chosen, true, "{name} has no {value}");
    }

    /// Presses and releases a key, such as `Tab`, `Enter`, `Escape`.
    pub fn press(&self, key: &str) {
        let code = match key {
            "Tab" => 9,
            "Enter" => 13,
            "Escape" => 27,
            "ArrowDown" => 40,
            "ArrowUp" => 38,
            _ => 0,
        };
        let text = if key == "Enter" { "\r" } else { "" };
        for kind in ["keyDown", "keyUp"] {
            self.call(
                "Input.dispatchKeyEvent",
                json!({"type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code,
                    "text": text}),
            );
        }
    }

    /// The value of an expression, or of the promise that it gives.
    ///
    /// # Panics
    /// When it throws.
    pub fn evaluate(&self, expression: &str) -> Value {
        let wanted = json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        let mut answer = self.call("Runtime.evaluate", wanted);
        let thrown = &answer["exceptionDetails"];
        assert!(thrown.is_null(), "{expression}: {thrown}");
        answer["result"]["value"].take()
    }

    /// Sets the size of the window, in CSS pixels.
    pub fn resize(&self, width: u32, height: u32) {
        self.call(
            "Emulation.setDeviceMetricsOverride",
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false}),
        );
    }

    /// Sets what the system of the visitor prefers.
    pub fn prefer(&self, dark: bool, less_motion: bool) {
        let scheme = if dark { "dark" } else { "light" };
        let motion = if less_motion { "reduce" } else { "no-preference" };
        self.call(
            "Emulation.setEmulatedMedia",
            json!({"features": [{"name": "prefers-color-scheme", "value": scheme},
                {"name": "prefers-reduced-motion", "value": motion}]}),
        );
    }

    /// Writes a picture of the whole page, as PNG.
    pub fn screenshot(&self, file: &Path) {
        let size = self.call("Page.getLayoutMetrics", json!({}));
        let size = &size["cssContentSize"];
        let clip = json!({"x": 0, "y": 0, "width": size["width"], "height": size["height"],
            "scale": 1});
        let wanted = json!({"format": "png", "captureBeyondViewport": true, "clip": clip});
        let picture = self.call("Page.captureScreenshot", wanted);
        let text = picture["data"].as_str().unwrap_or_default();
        let bytes = base64::engine::general_purpose::STANDARD.decode(text).expect("base64");
        std::fs::write(file, bytes).expect("a file");
    }

    /// What went wrong in the page: errors and warnings of the console, exceptions, requests that failed.
    pub fn problems(&self) -> Vec<String> {
        self.pipe.events(&self.session).iter().filter_map(problem).collect()
    }

    /// The addresses of all requests of the page.
    pub fn requests(&self) -> Vec<String> {
        let events = self.pipe.events(&self.session);
        let sent = events.iter().filter(|event| event["method"] == "Network.requestWillBeSent");
        sent.filter_map(|event| event["params"]["request"]["url"].as_str().map(str::to_string))
            .collect()
    }

    /// Forgets the problems and requests so far.
    pub fn forget(&self) {
        self.pipe.forget(&self.session);
    }

    fn call(&self, method: &str, params: Value) -> Value {
        self.pipe.call(Some(&self.session), method, params)
    }
}

fn problem(event: &Value) -> Option<String> {
    let params = &event["params"];
    match event["method"].as_str()? {
        "Runtime.exceptionThrown" => {
            let details = &params["exceptionDetails"];
            let thrown = details["exception"]["description"].as_str();
            Some(format!("exception: {}", thrown.unwrap_or(&details["text"].to_string())))
        }
        "Runtime.consoleAPICalled" if ["error", "warning"].iter().any(|k| params["type"] == *k) => {
            Some(format!("console: {}", params["args"]))
        }
        "Log.entryAdded" if ["error", "warning"].iter().any(|k| params["entry"]["level"] == *k) => {
            Some(format!("log: {} {}", params["entry"]["text"], params["entry"]["url"]))
        }
        _ => None,
    }
}
