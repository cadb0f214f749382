//! A run at work: in this process, or deployed and followed.

use std::sync::Arc;

use futures_util::StreamExt as _;
use longshore_engine::report::Report;
use longshore_engine::{Events, VerifyMode};
use longshore_model::plan::Plan;
use longshore_model::spec::{Spec, VerifyLevel};
use longshore_model::{Code, Error, Kind, Result};
use serde_json::Value;

use super::Control;
use super::book::{Ending, Kept, Run, RunState, Task};
use super::live::{Live, Mark};
use super::order::Where;
use super::runs::not_kept;
use crate::folder::{parse_event_line, parse_report_line, write_whole};
use crate::{
    DeployOptions, DeployOrder, Ended, Line, Place, Record, Records, RunFolder, RunOrder,
    VerifyOrder, Wanted,
};

/// Seconds that a deployment has to stop at a safe point.
const GRACE: u32 = 60;

/// Brings a run to its end, when its turn comes.
pub(super) async fn perform(control: Arc<Control>, id: String) {
    let live = control.live_of(&id);
    let turn = live.cancel().guard(async { Ok(control.slots.clone().acquire_owned().await) }).await;
    let ended = match turn {
        Ok(_turn) => at_work(&control, &id, &live).await,
        Err(stopped) => Err(stopped),
    };
    if let Err(error) = settle(&control, &id, &live, ended) {
        control.note(&error);
    }
    control.lives().remove(&id);
    // Those who watch see that it is over.
    if let Ok(Some(run)) = control.book.run(&id) {
        control.tell(&run);
    }
}

/// How a run ended, and in which folder.
struct End {
    ending: Ending,
    error: Vec<String>,
}

/// Writes down how a run ended. What was stopped because the server is left is taken up again later.
fn settle(control: &Control, id: &str, live: &Live, ended: Result<End>) -> Result<()> {
    let run = control.run(id)?;
    let progress = live.progress(&mut Mark::default());
    // A run has ended also where what it reached cannot be kept.
    if let Some(folder) = control.folder(&run)
        && let Err(error) = live.keep(&folder)
    {
        control.note(&error);
    }
    let end = ended.unwrap_or_else(|error| End {
        ending: if error.kind() == Kind::Cancelled { Ending::Cancelled } else { Ending::Failed },
        error: described(&error),
    });
    let is_left = control.is_leaving() && run.state != RunState::Stopping;
    let goes_on = is_left && (end.ending == Ending::Cancelled || run.on != Where::Here);
    let now = control.now();
    let settled = control.change(id, |run| {
        (run.rows, run.bytes) = (progress.rows, progress.bytes);
        (run.rows_expected, run.bytes_expected) = (progress.rows_expected, progress.bytes_expected);
        run.seconds = progress.elapsed;
        match goes_on {
            true => run.state = RunState::Queued,
            false => run.end(end.ending, now, &end.error),
        }
    });
    settled.map(drop)
}

async fn at_work(control: &Arc<Control>, id: &str, live: &Arc<Live>) -> Result<End> {
    let kept = control.book.kept(id)?.ok_or_else(|| not_kept(id))?;
    let begun = control.run(id)?;
    // Each attempt has a folder of its own, so that none writes over what another left.
    let folder = match begun.attempts {
        0 => begun.id.clone(),
        _ => control.store.create((control.setting.machine)().now)?.id,
    };
    let now = control.now();
    let run = control.change(id, |run| {
        if run.state == RunState::Queued {
            run.state = RunState::Running;
        }
        run.attempts += 1;
        run.started.get_or_insert(now);
        run.folder = Some(folder);
    })?;
    match run.on {
        Where::Here => here(control, &run, &kept, live).await,
        _ => deployed(control, &run, &kept, live).await,
    }
}

async fn here(control: &Control, run: &Run, kept: &Kept, live: &Arc<Live>) -> Result<End> {
    let spec = match control.unkept().get(&run.id) {
        Some(spec) => spec.clone(),
        None => Spec::parse(&kept.spec, &run.migration)?,
    };
    let folder = control.store.adopt(run.folder.as_deref().unwrap_or(&run.id))?;
    let listener = live.clone();
    let events = Events::new(move |at, event| listener.listen(at, event));
    let (cancel, machine) = (live.cancel().clone(), (control.setting.machine)());
    let service = &control.setting.service;
    let events = match &control.setting.traces {
        Some(traces) => traces.follow(&events, run.task.as_str(), service),
        None => events,
    };
    let ended = match run.task {
        Task::Plan => return plan(control, &spec, &folder, events, live).await,
        Task::Run => {
            let verify = kept.verify;
            let plan = sealed(control, &spec)?;
            let order = RunOrder { spec, plan, verify, machine, process: None, events, cancel };
            service.run_in(order, &control.store, folder).await?
        }
        Task::Verify => {
            let level = kept.verify.unwrap_or(VerifyLevel::Full);
            let mode = VerifyMode { level, independent: false, repair: false };
            let order = VerifyOrder { spec, mode, machine, events, cancel };
            service.verify_in(order, &control.store, folder).await?
        }
    };
    Ok(end(control, ended))
}

/// The plan that is sealed beside a migration.
fn sealed(control: &Control, spec: &Spec) -> Result<Option<Plan>> {
    let digest = longshore_engine::spec_digest(spec)?;
    let mut plans = control.setting.sealed.iter();
    Ok(plans.find(|plan| plan.spec_digest == digest).cloned())
}

async fn plan(
    control: &Control,
    spec: &Spec,
    folder: &RunFolder,
    events: Events,
    live: &Live,
) -> Result<End> {
    let service = &control.setting.service;
    let plan = service.plan(spec, &events, live.cancel());
    let plan = live.cancel().guard(plan).await?;
    write_whole(&folder.path.join("plan.json"), plan.to_json()?.as_bytes())?;
    Ok(End { ending: Ending::Planned, error: Vec::new() })
}

fn end(control: &Control, ended: Ended) -> End {
    if let Some(warning) = &ended.warning {
        control.note(warning);
    }
    let error = ended.error.as_ref().map(described).unwrap_or_default();
    End { ending: ended.report.outcome.into(), error }
}

/// An error for people: its code and what it says, every cause, and what to do.
fn described(error: &Error) -> Vec<String> {
    let mut lines = error.chain();
    if let Some(first) = lines.first_mut() {
        *first = format!("{}: {first}", error.code());
    }
    lines.push(error.advice().to_string());
    lines
}

/// Deploys an image, or finds the deployment that an earlier process began, and follows it to its end.
async fn deployed(control: &Control, run: &Run, kept: &Kept, live: &Arc<Live>) -> Result<End> {
    let records = Records::of(&control.setting.state);
    let record = match &kept.deployment {
        Some(name) if records.find(Some(name))?.state().await?.is_some() => {
            records.find(Some(name))?
        }
        _ => deploy(control, run, &records).await?,
    };
    let mut lines = record.lines(true).await?;
    let mut told = Told::default();
    // Cancelled when the server is left; the deployment goes on, and is followed by the next one.
    while let Some(line) = live.cancel().guard(async { Ok(lines.next().await) }).await? {
        match line? {
            Line::Out(text) => listen(&text, live, &mut told),
            Line::Error(text) => live.warn(text),
        }
    }
    brought(control, run, &record, told).await
}

async fn deploy(control: &Control, run: &Run, records: &Records) -> Result<Record> {
    let setting = &control.setting;
    let images = control.images()?;
    let name = run.image.clone().unwrap_or_default();
    let place: Place = name.parse()?;
    let image = images.find(&place)?;
    // Two runs of one image are two deployments.
    let options = DeployOptions {
        name: Some(format!("longshore-run-{}", run.id)),
        ..DeployOptions::default()
    };
    let order = DeployOrder {
        wanted: Wanted { image: &image, name, options },
        on: (setting.platforms)(run.on)?,
        private: setting.private.clone(),
        launcher: setting.launcher.clone(),
        now: (setting.machine)().now,
    };
    let (record, _) = setting.service.deploy(&order, &images, records).await?;
    control.book.deployed(&run.id, &record.name)?;
    Ok(record)
}

/// What an engine said of its end.
#[derive(Default)]
struct Told {
    report: Option<Report>,
    error: Option<String>,
}

/// Takes a line that an engine wrote: an event, its report, or how it ended.
fn listen(text: &str, live: &Live, told: &mut Told) {
    if let Some((at, event)) = parse_event_line(text) {
        return live.listen(at, &event);
    }
    if let Some(report) = parse_report_line(text) {
        told.report = Some(report);
        return;
    }
    match serde_json::from_str::<Value>(text) {
        Ok(value) if value["event"] == "error" => {
            told.error = value["message"].as_str().map(str::to_string);
        }
        Ok(value) if value["event"] == "result" => {}
        // What an engine writes otherwise is shown, and not lost.
        _ => live.warn(text.to_string()),
    }
}

/// Keeps the report of a deployment here, and says how it ended.
async fn brought(control: &Control, run: &Run, record: &Record, told: Told) -> Result<End> {
    if let Some(report) = told.report {
        let folder = control.setting.service.keep_report(&report, &control.store)?;
        control.change(&run.id, |run| run.folder = Some(folder.id.clone()))?;
        return Ok(End { ending: report.outcome.into(), error: report.error });
    }
    let state = record.state().await?;
    let error = Error::new(Code::PlatformRefused, "the deployment ended without a report")
        .with("deployment", record.name.clone())
        .with("state", format!("{state:?}"))
        .hint(format!("`longshore logs {}` shows what it wrote.", record.name));
    let mut lines = described(&error);
    lines.extend(told.error);
    Ok(End { ending: Ending::Failed, error: lines })
}

/// Asks a run to stop at a safe point.
pub(super) async fn stop(control: &Control, run: &Run) -> Result<()> {
    let kept = control.book.kept(&run.id)?;
    let deployment = kept.and_then(|kept| kept.deployment);
    match (run.on, deployment) {
        (Where::Here, _) | (_, None) => {
            // It may have ended meanwhile.
            if let Some(live) = control.live(&run.id) {
                live.cancel().request();
            }
            Ok(())
        }
        (_, Some(name)) => Records::of(&control.setting.state).find(Some(&name))?.stop(GRACE).await,
    }
}
