//! A run as a stream of server-sent events: what it has reached about each second, and each change of its state.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::Stream;
use longshore_model::Result;
use longshore_service::control::{Control, Mark, Run, RunState, User};
use serde::Serialize;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Interval, MissedTickBehavior, interval};

/// How often what was reached is told.
const EVERY: Duration = Duration::from_secs(1);

struct Watching {
    control: Arc<Control>,
    id: String,
    user: User,
    mark: Mark,
    changes: Receiver<Run>,
    clock: Interval,
    ready: VecDeque<Event>,
    is_over: bool,
}

/// Tells of a run until it has ended.
pub(crate) fn of_run(
    control: Arc<Control>,
    run: &Run,
    user: User,
) -> Result<Sse<impl Stream<Item = std::result::Result<Event, Infallible>> + use<>>> {
    let mut clock = interval(EVERY);
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut watching = Watching {
        changes: control.changes(),
        id: run.id.clone(),
        user,
        mark: Mark::default(),
        clock,
        ready: VecDeque::new(),
        is_over: false,
        control,
    };
    // Looked at after the changes are listened to, so that none is missed in between.
    let now = watching.control.run(&run.id)?;
    watching.tell(&now)?;
    let events = futures_util::stream::unfold(watching, |mut watching| async {
        let event = watching.next().await?;
        Some((Ok(event), watching))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(Duration::from_secs(10))))
}

impl Watching {
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            if self.is_over {
                return None;
            }
            tokio::select! {
                change = self.changes.recv() => match change {
                    Ok(run) if run.id == self.id => self.tell(&run).ok()?,
                    Ok(_) => {}
                    // What was missed is in the run as it is kept.
                    Err(RecvError::Lagged(_)) => {
                        let run = self.control.run(&self.id).ok()?;
                        self.tell(&run).ok()?;
                    }
                    Err(RecvError::Closed) => return None,
                },
                // The page comes back to the next server, and one whose token was revoked does not.
                _ = self.clock.tick() => match self.control.is_leaving() || !self.may_listen() {
                    true => return None,
                    false => self.reached(),
                },
            }
        }
    }

    fn may_listen(&self) -> bool {
        self.control.is_known(&self.user).unwrap_or(false)
    }

    /// The run has changed.
    fn tell(&mut self, run: &Run) -> Result<()> {
        // Every sum is told before the end is.
        match self.control.live(&self.id) {
            Some(_) => self.reached(),
            None => {
                if let Some(progress) = self.control.progress(run)? {
                    self.push("progress", &progress);
                }
            }
        }
        self.push("run", run);
        if run.state == RunState::Ended && self.control.live(&self.id).is_none() {
            self.push("end", &serde_json::json!({}));
            self.is_over = true;
        }
        Ok(())
    }

    fn reached(&mut self) {
        if let Some(live) = self.control.live(&self.id) {
            let progress = live.progress(&mut self.mark);
            self.push("progress", &progress);
        }
    }

    fn push(&mut self, name: &str, data: &impl Serialize) {
        // What is told was made to be told as JSON.
        if let Ok(event) = Event::default().event(name).json_data(data) {
            self.ready.push_back(event);
        }
    }
}
