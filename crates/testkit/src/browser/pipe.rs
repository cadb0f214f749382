//! Messages to and from the browser: JSON, each ended by a zero byte.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{ChildStdin, ChildStdout};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

/// How long the browser may take for an answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// Both directions of the pipe.
#[derive(Debug)]
pub(super) struct Pipe {
    input: Mutex<Option<ChildStdin>>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    last: u64,
    waiting: HashMap<u64, Sender<Value>>,
    events: HashMap<String, Vec<Value>>,
}

impl Pipe {
    pub(super) fn between(input: ChildStdin, output: ChildStdout) -> Arc<Self> {
        let pipe = Self { input: Mutex::new(Some(input)), state: Mutex::default() };
        let pipe = Arc::new(pipe);
        let reader = Arc::clone(&pipe);
        std::thread::spawn(move || {
            for message in BufReader::new(output).split(0) {
                let Ok(message) = message else { break };
                reader.receive(serde_json::from_slice(&message).expect("the browser speaks JSON"));
            }
            // Whoever still waits is told that no answer comes.
            reader.state.lock().expect("no panic").waiting.clear();
        });
        pipe
    }

    /// Calls a method of the protocol, of the browser or of a session, and gives its result.
    ///
    /// # Panics
    /// When the browser refuses, or does not answer.
    pub(super) fn call(&self, session: Option<&str>, method: &str, params: Value) -> Value {
        let (sender, receiver) = channel();
        let id = {
            let mut state = self.state.lock().expect("no panic");
            state.last += 1;
            let id = state.last;
            state.waiting.insert(id, sender);
            id
        };
        let mut message = json!({"id": id, "method": method, "params": params});
        if let Some(session) = session {
            message["sessionId"] = session.into();
        }
        let bytes = [message.to_string().as_bytes(), &[0]].concat();
        if let Some(input) = self.input.lock().expect("no panic").as_mut() {
            input.write_all(&bytes).expect("the browser lives");
        }
        let mut answer = receiver.recv_timeout(PATIENCE).unwrap_or_else(|error| {
            panic!("the browser does not answer {method}: {error}");
        });
        assert!(answer.get("error").is_none(), "{method}: {}", answer["error"]);
        answer["result"].take()
    }

    /// The events of a session so far, each with `method` and `params`.
    pub(super) fn events(&self, session: &str) -> Vec<Value> {
        let state = self.state.lock().expect("no panic");
        state.events.get(session).cloned().unwrap_or_default()
    }

    /// Forgets the events of a session.
    pub(super) fn forget(&self, session: &str) {
        self.state.lock().expect("no panic").events.remove(session);
    }

    pub(super) fn close(&self) {
        *self.input.lock().expect("no panic") = None;
    }

    fn receive(&self, message: Value) {
        let mut state = self.state.lock().expect("no panic");
        if let Some(id) = message["id"].as_u64() {
            if let Some(sender) = state.waiting.remove(&id) {
                // Who waited may have given up.
                let _ = sender.send(message);
            }
        } else if let Some(session) = message["sessionId"].as_str() {
            state.events.entry(session.to_string()).or_default().push(message);
        }
    }
}
