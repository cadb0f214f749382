//! Others who are told when a run begins and ends: an HTTP request with JSON each time.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use longshore_image::registry::http_client;
use longshore_model::{Code, Error, Result};
use serde_json::json;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc;

use super::Control;
use super::book::{Ending, Run, RunState};
use crate::number::{counted, seconds};

/// Tries of a request, and the pause before the second; each later one is four times as long.
const TRIES: u32 = 4;
const PAUSE: Duration = Duration::from_secs(1);
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// News that wait for somebody who is slow; when there are more, the newest are left out, and that is noted.
const WAITING: usize = 1000;

/// The addresses that are told, with references to secrets resolved.
pub(super) fn addresses(control: &Control) -> Result<Vec<reqwest::Url>> {
    let secrets = control.setting.service.secrets();
    let mut urls = Vec::new();
    for text in &control.setting.webhooks {
        let wrong = || {
            Error::new(Code::Usage, "the address of a webhook is not understood")
                .hint("Write it as https://host/path; ${secret:NAME} stands for a secret.")
        };
        let url: reqwest::Url = secrets.resolve(text)?.parse().map_err(|_| wrong())?;
        if !["http", "https"].contains(&url.scheme()) {
            return Err(wrong());
        }
        urls.push(url);
    }
    Ok(urls)
}

/// Tells all of them of changes, for as long as there is a control plane.
pub(super) fn tell(control: &Arc<Control>, urls: Vec<reqwest::Url>) -> Result<()> {
    let mut queues = Vec::new();
    for url in urls {
        let is_here = url.host_str().is_some_and(|host| host == "localhost" || host == "127.0.0.1");
        let client = http_client(None, is_here)?;
        let (send, waiting) = mpsc::channel(WAITING);
        tokio::spawn(deliver(Arc::downgrade(control), client, url, waiting));
        queues.push(send);
    }
    let (mut changes, control) = (control.changes(), Arc::downgrade(control));
    tokio::spawn(async move {
        let mut known: HashMap<String, RunState> = HashMap::new();
        loop {
            let run = match changes.recv().await {
                Ok(run) => run,
                Err(RecvError::Lagged(missed)) => {
                    if let Some(control) = control.upgrade() {
                        (control.setting.note)(&format!(
                            "webhooks are not told of {missed} changes: there were too many at once"
                        ));
                    }
                    continue;
                }
                Err(RecvError::Closed) => return,
            };
            // A run is told of several times in one state.
            if known.insert(run.id.clone(), run.state) == Some(run.state) {
                continue;
            }
            if run.state == RunState::Ended {
                known.remove(&run.id);
                known.retain(|_, state| *state != RunState::Ended);
                known.insert(run.id.clone(), run.state);
            }
            for queue in &queues {
                if queue.try_send(run.clone()).is_err()
                    && let Some(control) = control.upgrade()
                {
                    (control.setting.note)("a webhook is so slow that news are left out");
                }
            }
        }
    });
    Ok(())
}

async fn deliver(
    control: std::sync::Weak<Control>,
    client: reqwest::Client,
    url: reqwest::Url,
    mut waiting: mpsc::Receiver<Run>,
) {
    while let Some(run) = waiting.recv().await {
        let body = json!({ "event": "run", "text": text(&run), "run": run }).to_string();
        let mut pause = PAUSE;
        for attempt in 1..=TRIES {
            let request = client.post(url.clone()).header("content-type", "application/json");
            let sent = request.timeout(PATIENCE).body(body.clone()).send().await;
            let why = match sent {
                Ok(answer) if answer.status().is_success() => break,
                Ok(answer) => format!("it answered {}", answer.status().as_u16()),
                // Without its address, which may be a secret as a whole.
                Err(error) => error.without_url().to_string(),
            };
            if attempt == TRIES {
                let Some(control) = control.upgrade() else { return };
                let host = url.host_str().unwrap_or_default();
                (control.setting.note)(&format!(
                    "the webhook at {host} was not told of run {}: {why}",
                    run.id
                ));
                break;
            }
            tokio::time::sleep(pause).await;
            pause *= 4;
        }
    }
}

/// The news in a sentence, which chats show as it is.
fn text(run: &Run) -> String {
    let what = format!("{} {}", run.migration, run.version);
    match run.outcome {
        None => format!("{what}: {} is {}", run.task.as_str(), run.state.as_str()),
        Some(outcome @ (Ending::Verified | Ending::Copied | Ending::Planned)) => format!(
            "{what}: {}, {} in {}",
            outcome.as_str(),
            counted(run.rows, "row"),
            seconds(run.seconds)
        ),
        Some(outcome) => {
            let why = run.error.first().map(String::as_str).unwrap_or_default();
            format!("{what}: {} ({why})", outcome.as_str())
        }
    }
}
