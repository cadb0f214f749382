//! A run: from a plan to a verified target and a report.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use longshore_model::ledger::{Holder, Ledger};
use longshore_model::plan::{MovePlan, Plan};
use longshore_model::spec::{Limits, VerifyLevel};
use longshore_model::{Code, Error, Kind, Result, Retry};

use crate::cancel::Cancel;
use crate::connectors::Link;
use crate::event::{Event, Events, Stage, TableTotals};
use crate::job::{self, Job};
use crate::references::{self, Unit};
use crate::report::{self, MoveReport, Outcome, Recorder, ReferenceReport, Report};
use crate::share::{self, Joining, Process, Share};
use crate::verify::{self, VerifyMode};
use crate::{copy, finish, prepare, rejects};

const FIRST_PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// What a run needs.
pub struct RunRequest {
    /// The plan.
    pub plan: Plan,
    /// The two ends of each move of the plan.
    pub links: Vec<Link>,
    /// The bounds; they may differ from those that the plan was made with.
    pub limits: Limits,
    /// The run's id.
    pub run: String,
    /// Who runs it.
    pub holder: Holder,
    /// Where events go.
    pub events: Events,
    /// The request to stop.
    pub cancel: Cancel,
    /// How much is verified after the copy; `None` for nothing.
    pub verify: Option<VerifyLevel>,
    /// When it began, RFC 3339.
    pub started: String,
    /// The folder for reject files; each run that is gone on with keeps its own folder in it.
    pub rejects: PathBuf,
    /// Which of several processes this is; `None` for a run of one process.
    pub process: Option<Process>,
}

/// How a run or a verification ended.
pub struct RunEnd {
    /// The report; there is always one.
    pub report: Report,
    /// The error that ended it.
    pub error: Option<Error>,
}

/// Runs a plan to its end, from wherever an earlier attempt left it.
pub async fn run(request: RunRequest) -> RunEnd {
    let recorder = Arc::new(Recorder::new());
    let listener = recorder.clone();
    let events = request.events.also(move |at, event| listener.listen(at, event));
    let start = Instant::now();
    let mut moves = Vec::new();
    let mut references = Vec::new();
    let mut resumed = false;
    let mut result = run_moves(&request, &events, &mut moves, &mut resumed).await;
    let helps = request.process.is_some_and(|process| process.index > 0);
    if result.is_ok() && request.verify.is_some() && !helps {
        let found = check_references(&request, &events).await;
        result = found.map(|found| references = found);
    }

    let report = Report {
        format: report::FORMAT.to_string(),
        run: request.run,
        name: request.plan.name.clone(),
        version: request.plan.version.clone(),
        plan: request.plan.digest().unwrap_or_default(),
        outcome: Outcome::Failed,
        error: Vec::new(),
        started: request.started,
        seconds: start.elapsed().as_secs_f64(),
        resumed,
        steps: Vec::new(),
        performance: Default::default(),
        samples: Vec::new(),
        moves,
        references,
    };
    end(report, result, &recorder, &events)
}

async fn check_references(request: &RunRequest, events: &Events) -> Result<Vec<ReferenceReport>> {
    let (plan, links, limits) = (&request.plan, &request.links, &request.limits);
    let unit = Unit { plan, links, limits, cancel: &request.cancel };
    references::check_stage(&unit, events).await
}

/// Completes a report with how it ended and what was recorded on the way.
pub(crate) fn end(
    mut report: Report,
    result: Result<()>,
    recorder: &Recorder,
    events: &Events,
) -> RunEnd {
    report.outcome = outcome(&result, &report);
    events.emit(Event::RunDone { outcome: report.outcome, seconds: report.seconds });
    let differs = || report::difference(&report);
    let rejects = || report::rejection(&report.moves);
    let error = result.err().or_else(differs).or_else(rejects);
    report.error = error.as_ref().map(Error::chain).unwrap_or_default();
    report.steps = recorder.steps();
    report.performance = recorder.performance();
    report.samples = recorder.samples();
    report.moves = report.moves.into_iter().map(|one| one.with_seconds(recorder)).collect();
    RunEnd { report, error }
}

async fn run_moves(
    request: &RunRequest,
    events: &Events,
    moves: &mut Vec<MoveReport>,
    resumed: &mut bool,
) -> Result<()> {
    if request.links.len() != request.plan.moves.len() {
        return Err(Error::new(Code::OtherPlan, "the plan has other moves than the migration"));
    }
    let is_over = prepare::is_over(&request.plan, &request.links);
    let is_over = request.cancel.guard(is_over).await?;
    for (index, (plan, link)) in request.plan.moves.iter().zip(&request.links).enumerate() {
        let mut run = Run { request, events, moves, resumed, is_over, chunks_in: 0, opened: false };
        run.until_done(&Arc::new(plan.clone()), link, index).await?;
    }
    Ok(())
}

/// A run on its way through the moves.
struct Run<'a> {
    request: &'a RunRequest,
    events: &'a Events,
    moves: &'a mut Vec<MoveReport>,
    resumed: &'a mut bool,
    /// Whether an earlier run has done all of it.
    is_over: bool,
    /// The chunks of the move that were in when it was prepared last.
    chunks_in: usize,
    /// Whether both ends of the move were open once: that they cannot be opened at all is no news
    /// to wait for.
    opened: bool,
}

impl Run<'_> {
    /// Runs a move. When a server or the way to it fails for longer than a chunk's attempts last,
    /// both ends are opened anew, as often as chunks are tried, and more often while chunks arrive.
    async fn until_done(&mut self, plan: &Arc<MovePlan>, link: &Link, index: usize) -> Result<()> {
        let cancel = &self.request.cancel;
        let (mut attempt, mut pause, mut before) = (1, FIRST_PAUSE, 0);
        loop {
            let Err(error) = self.attempt(plan, link, index).await else { return Ok(()) };
            if self.chunks_in > before {
                (attempt, pause, before) = (1, FIRST_PAUSE, self.chunks_in);
            }
            // That a session ends is no failure of a process that has joined it.
            let ended = matches!(error.code(), Code::SessionEnded | Code::SnapshotLost);
            if self.helps().is_some() && ended {
                (attempt, pause) = (0, FIRST_PAUSE);
            }
            if error.retry() == Retry::Never
                || !self.opened
                || attempt >= self.request.limits.attempts
            {
                return Err(error);
            }
            self.events.emit(Event::MoveRetry {
                index,
                attempt,
                error: error.to_string(),
                pause_seconds: pause.as_secs_f64(),
            });
            let wait = async {
                tokio::time::sleep(pause).await;
                Ok(())
            };
            cancel.guard(wait).await?;
            (attempt, pause) = (attempt + 1, (pause * 2).min(LONGEST_PAUSE));
        }
    }

    /// The process that this is, where it helps the one with index 0.
    fn helps(&self) -> Option<Share> {
        Share::of(self.request).filter(|share| share.process.index > 0)
    }

    async fn attempt(&mut self, plan: &Arc<MovePlan>, link: &Link, index: usize) -> Result<()> {
        let Run { request, events, .. } = *self;
        if let Some(share) = self.helps() {
            return self.help(plan, link, index, &share).await;
        }
        let job = job::open(plan.clone(), link, request, events);
        let job = request.cancel.guard(job).await?;
        self.opened = true;
        self.moves.truncate(index);
        self.run_move(&job, index).await
    }

    /// What a process with an index above 0 does of a move: it joins, and copies until every chunk is
    /// in.
    async fn help(
        &mut self,
        plan: &Arc<MovePlan>,
        link: &Link,
        index: usize,
        share: &Share,
    ) -> Result<()> {
        let Run { request, events, .. } = *self;
        let digest = request.plan.digest()?;
        let joining = Joining { plan, link, index, digest: &digest };
        let joined = share::join(&joining, request, share, events);
        let Some((job, ledger)) = stage(events, Stage::Prepare, joined).await? else {
            return Ok(());
        };
        self.opened = true;
        self.chunks_in = ledger.entries.len();
        self.moves.truncate(index);
        announce(request, &job, &ledger, index, true);
        stage(events, Stage::Copy, copy::copy(&job, &ledger)).await?;
        self.moves.push(report_move(&job, &current_ledger(&job).await?).await?);
        Ok(())
    }

    /// The whole of a move, on one screen.
    async fn run_move(&mut self, job: &Job, index: usize) -> Result<()> {
        let request = self.request;
        let prepared = prepare::prepare(job, &request.plan, index, &request.run, self.is_over);
        let ledger = stage(&job.events, Stage::Prepare, prepared).await?;
        self.chunks_in = ledger.entries.len();
        *self.resumed |= ledger.header.run != request.run || !ledger.entries.is_empty();
        announce(request, job, &ledger, index, *self.resumed);
        if job.share.is_some() && !ledger.has(longshore_model::ledger::Stage::Copied) {
            share::open_session(job, &ledger).await?;
        }

        let copied = stage(&job.events, Stage::Copy, copy::copy(job, &ledger)).await;
        // A copy that failed is reported too, where the target still answers.
        let reported = match current_ledger(job).await {
            Ok(ledger) => report_move(job, &ledger).await,
            Err(error) => Err(error),
        };
        match (copied, reported) {
            (Ok(()), reported) => self.moves.push(reported?),
            (Err(error), reported) => {
                self.moves.extend(reported);
                return Err(error);
            }
        }
        stage(&job.events, Stage::Finish, finish::finish(job, &ledger)).await?;

        let ledger = current_ledger(job).await?;
        let mut done = report_move(job, &ledger).await?;
        if let Some(level) = request.verify {
            let mode = VerifyMode { level, independent: false, repair: false };
            let proof = stage(
                &job.events,
                Stage::Verify,
                verify::verify_move(job, &ledger, mode, &request.run),
            )
            .await?;
            done.prove(proof);
        }
        *self.moves.last_mut().expect("pushed above") = done;
        Ok(())
    }
}

/// Runs a stage and tells how long it took, however it ends.
pub(crate) async fn stage<T>(
    events: &Events,
    name: Stage,
    work: impl Future<Output = Result<T>>,
) -> Result<T> {
    let start = Instant::now();
    events.emit(Event::StageStarted { stage: name });
    let result = work.await;
    events.emit(Event::StageDone { stage: name, seconds: start.elapsed().as_secs_f64() });
    result
}

/// The ledger as it stands in the target.
pub(crate) async fn current_ledger(job: &Job) -> Result<Ledger> {
    let target = job.link.target.open_target(&job.link.to).await?;
    target.ledger().await?.ok_or_else(|| {
        Error::new(Code::LedgerMissing, "the target has no ledger")
            .with("target", job.plan.to.clone())
    })
}

/// What a ledger and a plan say of a move, before it is verified.
pub(crate) async fn report_move(job: &Job, ledger: &Ledger) -> Result<MoveReport> {
    let now = job.snapshot.current_position().await?;
    let made = MoveReport::new(&job.plan, ledger, now == ledger.header.position);
    Ok(made.with_rejects(&rejects::folder(&job.rejects, &ledger.header)))
}

fn announce(request: &RunRequest, job: &Job, ledger: &Ledger, index: usize, resumed: bool) {
    if index == 0 {
        job.events.emit(Event::RunStarted {
            run: request.run.clone(),
            name: request.plan.name.clone(),
            version: request.plan.version.clone(),
            plan: ledger.header.plan_digest.clone(),
            resumed,
        });
    }
    job.events.emit(Event::MoveStarted {
        index,
        from: job.plan.from.clone(),
        to: job.plan.to.clone(),
        tables: totals(&job.plan, ledger),
    });
}

fn totals(plan: &MovePlan, ledger: &Ledger) -> Vec<TableTotals> {
    let total = |(index, table): (usize, &longshore_model::plan::TablePlan)| {
        let entries: Vec<_> = ledger.entries.iter().filter(|entry| entry.table == index).collect();
        TableTotals {
            table: table.target.to_string(),
            rows: table.rows,
            bytes: table.bytes,
            chunks: table.chunks.len(),
            rows_in: entries.iter().map(|entry| entry.fingerprint.rows).sum(),
            bytes_in: entries.iter().map(|entry| entry.bytes).sum(),
            chunks_in: entries.len(),
        }
    };
    plan.tables.iter().enumerate().map(total).collect()
}

fn outcome(result: &Result<()>, report: &Report) -> Outcome {
    let moves = &report.moves;
    match result {
        Err(error) if error.kind() == Kind::Cancelled => Outcome::Cancelled,
        Err(_) => Outcome::Failed,
        Ok(()) if report::difference(report).is_some() => Outcome::Different,
        Ok(()) if report::rejection(moves).is_some() => Outcome::Rejected,
        Ok(()) if !moves.is_empty() && moves.iter().all(|one| one.verification.is_some()) => {
            Outcome::Verified
        }
        Ok(()) => Outcome::Copied,
    }
}
