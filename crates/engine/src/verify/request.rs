//! Verification as a task of its own, apart from a run.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use longshore_model::connector::Target;
use longshore_model::ledger::{Header, Holder, Ledger, Stage};
use longshore_model::plan::{MovePlan, Plan};
use longshore_model::spec::{Spec, VerifyLevel};
use longshore_model::{Code, Error, Result};

use super::verify_move;
use crate::cancel::Cancel;
use crate::connectors::Link;
use crate::event::{self, Event, Events, TableTotals};
use crate::job::{Job, Pace};
use crate::plan::{Forecast, make};
use crate::references::{self, Unit};
use crate::report::{MoveReport, Outcome, Recorder, ReferenceReport, Report};
use crate::run::{RunEnd, end, report_move, stage};

/// How a move is verified.
#[derive(Debug, Clone, Copy)]
pub struct VerifyMode {
    /// How much is read back.
    pub level: VerifyLevel,
    /// Whether the source is read again, instead of trusting the fingerprints of the run.
    pub independent: bool,
    /// Whether differences are mended.
    pub repair: bool,
}

/// What a verification needs.
pub struct VerifyRequest {
    /// The two ends of each move of the migration.
    pub links: Vec<Link>,
    /// The migration.
    pub spec: Spec,
    /// How.
    pub mode: VerifyMode,
    /// The verification's id.
    pub run: String,
    /// Who does it; a repair claims the target in this name.
    pub holder: Holder,
    /// Where events go.
    pub events: Events,
    /// The request to stop.
    pub cancel: Cancel,
    /// When it began, RFC 3339.
    pub started: String,
    /// The folder in which runs have left reject files.
    pub rejects: PathBuf,
}

/// Verifies a migration that has run. With `independent`, one that something else has run, too.
pub async fn verify(request: VerifyRequest) -> RunEnd {
    let recorder = Arc::new(Recorder::new());
    let listener = recorder.clone();
    let events = request.events.also(move |at, event| listener.listen(at, event));
    let start = Instant::now();
    let mut moves = Vec::new();
    let mut plan = String::new();
    let mut references = Vec::new();
    let result = match verify_moves(&request, &events, &mut moves, &mut plan).await {
        Ok(plan) => {
            check_references(&request, plan.as_ref(), &events).await.map(|found| references = found)
        }
        Err(error) => Err(error),
    };
    let report = Report {
        format: crate::report::FORMAT.to_string(),
        run: request.run.clone(),
        name: request.spec.name.clone(),
        version: request.spec.version.clone(),
        plan,
        outcome: Outcome::Failed,
        error: Vec::new(),
        started: request.started.clone(),
        seconds: start.elapsed().as_secs_f64(),
        resumed: false,
        steps: Vec::new(),
        performance: Default::default(),
        samples: Vec::new(),
        moves,
        references,
    };
    end(report, result, &recorder, &events)
}

async fn verify_moves(
    request: &VerifyRequest,
    events: &Events,
    moves: &mut Vec<MoveReport>,
    digest: &mut String,
) -> Result<Option<Plan>> {
    let mut fresh: Option<Plan> = None;
    let mut last = None;
    for (index, link) in request.links.iter().enumerate() {
        let target = link.target.open_target(&link.to).await?;
        let ledger = target
            .ledger()
            .await?
            .filter(|ledger| ledger.header.move_index == index && ledger.has(Stage::Prepared));
        let (plan, ledger) = match ledger {
            Some(ledger) => (Plan::from_json(&ledger.header.plan)?, ledger),
            None if request.mode.independent => {
                let plan = match fresh.take() {
                    Some(plan) => plan,
                    None => {
                        let (spec, links) = (&request.spec, &request.links);
                        make(spec, links, Forecast::Every, events, &request.cancel).await?
                    }
                };
                fresh = Some(plan.clone());
                (plan.clone(), blank_ledger(&plan, index)?)
            }
            None => return Err(no_ledger(link)),
        };
        if !request.mode.independent && !ledger.has(Stage::Copied) {
            return Err(Error::new(Code::LedgerMissing, "the run has not ended")
                .with("target", link.to.to_string())
                .hint("Start the migration again to finish it, and verify then."));
        }
        *digest = plan.digest()?;
        let one = plan.moves.get(index).cloned().ok_or_else(|| no_ledger(link))?;
        let job = open(request, link, one, target.as_ref(), events).await?;
        announce(request, events, &job, &plan, index)?;
        let mut done = report_move(&job, &ledger).await?;
        let proof = verify_move(&job, &ledger, request.mode, &request.run);
        done.prove(stage(&job.events, event::Stage::Verify, proof).await?);
        moves.push(done);
        last = Some(plan);
    }
    Ok(last)
}

async fn check_references(
    request: &VerifyRequest,
    plan: Option<&Plan>,
    events: &Events,
) -> Result<Vec<ReferenceReport>> {
    let Some(plan) = plan else { return Ok(Vec::new()) };
    let (links, limits) = (&request.links, &request.spec.limits);
    let unit = Unit { plan, links, limits, cancel: &request.cancel };
    references::check_stage(&unit, events).await
}

async fn open(
    request: &VerifyRequest,
    link: &Link,
    plan: MovePlan,
    target: &dyn Target,
    events: &Events,
) -> Result<Job> {
    let pace = Pace::new(&request.spec.limits, link);
    let load = match request.mode.repair {
        true => Some(Arc::from(target.claim(&request.holder).await?)),
        false => None,
    };
    let source = link.source.open_source(&link.from).await?;
    Ok(Job {
        plan: Arc::new(plan),
        link: link.clone(),
        snapshot: Arc::from(source.snapshot(pace.workers).await?),
        load,
        events: events.clone(),
        cancel: request.cancel.clone(),
        rejects: Arc::from(request.rejects.as_path()),
        pace,
        share: None,
    })
}

/// The ledger of a target that something else has loaded.
pub(crate) fn blank_ledger(plan: &Plan, index: usize) -> Result<Ledger> {
    let position = plan.moves[index].position.clone();
    let header = Header {
        run: String::new(),
        spec_digest: plan.spec_digest.clone(),
        plan_digest: plan.digest()?,
        plan: String::new(),
        move_index: index,
        position,
        baselines: Default::default(),
        kept: Default::default(),
    };
    Ok(Ledger { header, entries: Vec::new(), stages: vec![Stage::Copied] })
}

fn announce(
    request: &VerifyRequest,
    events: &Events,
    job: &Job,
    plan: &Plan,
    index: usize,
) -> Result<()> {
    if index == 0 {
        events.emit(Event::RunStarted {
            run: request.run.clone(),
            name: plan.name.clone(),
            version: plan.version.clone(),
            plan: plan.digest()?,
            resumed: false,
        });
    }
    let total = |table: &longshore_model::plan::TablePlan| TableTotals {
        table: table.target.to_string(),
        rows: table.rows,
        bytes: table.bytes,
        chunks: table.chunks.len(),
        rows_in: table.rows,
        bytes_in: table.bytes,
        chunks_in: table.chunks.len(),
    };
    events.emit(Event::MoveStarted {
        index,
        from: job.plan.from.clone(),
        to: job.plan.to.clone(),
        tables: job.plan.tables.iter().map(total).collect(),
    });
    Ok(())
}

fn no_ledger(link: &Link) -> Error {
    Error::new(Code::LedgerMissing, "the target has no ledger of this migration")
        .with("target", link.to.to_string())
}
