//! A migration that is killed again and again: each process is one life, and ends at a moment that
//! chance chooses.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use longshore_testkit::Random;

/// When a process is killed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Moment {
    /// So long after its start.
    After(Duration),
    /// So long after a stage began.
    In(&'static str, Duration),
}

/// What the lives of a migration were.
#[derive(Debug, Default)]
pub(crate) struct Lives {
    /// Kills, by the last stage that was seen to begin.
    pub(crate) kills: BTreeMap<String, u32>,
    /// Processes that were refused because another held the target.
    pub(crate) refused: u32,
    /// Processes that a server turned away which was down when they began.
    pub(crate) turned_away: u32,
    /// Processes that ended well before they could be killed.
    pub(crate) whole: u32,
}

/// A process, and how far it is.
struct Life {
    child: Child,
    progress: Arc<Progress>,
    lines: JoinHandle<()>,
    errors: JoinHandle<String>,
}

/// The stage that began last, and whether the process has ended.
type Seen = (Option<String>, bool);

#[derive(Default)]
struct Progress {
    seen: Mutex<Seen>,
    changed: Condvar,
}

impl Lives {
    /// Kills in all.
    pub(crate) fn killed(&self) -> u32 {
        self.kills.values().sum()
    }

    /// Lives one life, or two at once, which fight over the target.
    pub(crate) fn live(&mut self, command: &dyn Fn() -> Command, moment: Moment, twins: bool) {
        self.live_through(command, moment, twins, &mut || false);
    }

    /// The same; at the chosen moment something else happens first, which may make a server be
    /// down: then it is true.
    pub(crate) fn live_through(
        &mut self,
        command: &dyn Fn() -> Command,
        moment: Moment,
        twins: bool,
        strike: &mut dyn FnMut() -> bool,
    ) {
        let mut lives = vec![Life::start(command())];
        if twins {
            lives.push(Life::start(command()));
        }
        let start = Instant::now();
        match moment {
            Moment::After(limit) => std::thread::sleep(limit),
            Moment::In(stage, delay) => {
                lives[0].wait_for(stage);
                std::thread::sleep(delay);
            }
        }
        let down = strike();
        for life in &mut lives {
            // It may have ended by itself.
            let _ = life.child.kill();
        }
        for life in lives {
            self.bury(life, start.elapsed(), down);
        }
    }

    fn bury(&mut self, life: Life, lived: Duration, down: bool) {
        let (code, stage, err) = life.end();
        match code {
            None => *self.kills.entry(stage).or_default() += 1,
            Some(0) => self.whole += 1,
            Some(75) => {
                assert!(err.contains("LS0202"), "refused after {lived:?}: {err}");
                self.refused += 1;
            }
            // A run waits for a server that it has seen.
            Some(1) if down && err.contains("LS0503") => self.turned_away += 1,
            Some(code) => panic!("a life of {lived:?} in {stage:?} ended with {code}: {err}"),
        }
    }
}

impl Life {
    fn start(mut command: Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let progress = Arc::new(Progress::default());
        let (out, err) = (child.stdout.take(), child.stderr.take());
        let shared = progress.clone();
        let lines = std::thread::spawn(move || {
            for line in BufReader::new(out.expect("piped")).lines() {
                // A killed process leaves half a line.
                let Ok(line) = line else { break };
                let Ok(event) = serde_json::from_str::<serde_json::Value>(&line) else { continue };
                if event["event"] == "stage-started" {
                    shared.change(|seen| seen.0 = event["stage"].as_str().map(str::to_string));
                }
            }
            shared.change(|seen| seen.1 = true);
        });
        let errors = std::thread::spawn(move || {
            std::io::read_to_string(err.expect("piped")).unwrap_or_default()
        });
        Self { child, progress, lines, errors }
    }

    /// Waits until a stage has begun, or the process has ended.
    fn wait_for(&self, stage: &str) {
        let seen = self.progress.seen.lock().expect("no reader panics");
        let waiting = |seen: &mut Seen| !seen.1 && seen.0.as_deref() != Some(stage);
        drop(self.progress.changed.wait_while(seen, waiting).expect("no reader panics"));
    }

    /// How it ended, the last stage that began, and its errors.
    fn end(mut self) -> (Option<i32>, String, String) {
        let code = self.child.wait().expect("a child").code();
        self.lines.join().expect("a reader");
        let stage = self.progress.seen.lock().expect("no reader panics").0.take();
        (code, stage.unwrap_or("start".to_string()), self.errors.join().expect("a reader"))
    }
}

impl Progress {
    fn change(&self, change: impl FnOnce(&mut Seen)) {
        change(&mut self.seen.lock().expect("no reader panics"));
        self.changed.notify_all();
    }
}

/// Lives that together reach every stage: first the copy, which takes many of them when they are
/// short, then the finish, then the verification; and always some that end as soon as they begin.
pub(crate) fn moment(random: &mut Random, number: u32, of: u32, span: Duration) -> Moment {
    let mut within = |span: Duration| {
        let micros = i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
        Duration::from_micros(random.between(0, micros).unsigned_abs())
    };
    match (number * 20 / of.max(1), number % 5) {
        (_, 2) => Moment::After(within(Duration::from_millis(15))),
        (0..12, 4) => Moment::After(within(span)),
        (0..12, _) => Moment::In("copy", within(span)),
        (12..16, _) => Moment::In("finish", within(span / 4)),
        _ => Moment::In("verify", within(span)),
    }
}
