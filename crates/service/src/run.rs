//! Run and verify: from an order to a report in the store.

use std::sync::Arc;
use std::time::SystemTime;

use longshore_engine::report::Report;
use longshore_engine::{
    Cancel, Events, Forecast, Link, Process, RunEnd, RunRequest, VerifyMode, VerifyRequest,
    await_plan, check_shared, plan_in_target, run, verify,
};
use longshore_model::ledger::Holder;
use longshore_model::plan::Plan;
use longshore_model::spec::{Spec, VerifyLevel};
use longshore_model::{Code, Error, Result};

use crate::folder::{EventLog, write_whole};
use crate::store::rfc3339;
use crate::{RunFolder, Service, Store, without_password};

/// Where and when something runs.
#[derive(Debug, Clone)]
pub struct Machine {
    /// The host's name.
    pub host: String,
    /// The process.
    pub pid: u32,
    /// The time.
    pub now: SystemTime,
}

/// What is to be run.
pub struct RunOrder {
    /// The migration, with secrets as references.
    pub spec: Spec,
    /// The plan to run; without one, that of an earlier run in the target or a new one.
    pub plan: Option<Plan>,
    /// How much is verified afterwards; `None` for nothing.
    pub verify: Option<VerifyLevel>,
    /// Where and when.
    pub machine: Machine,
    /// Which of several processes of the run this is; `None` for a run of one process.
    pub process: Option<Process>,
    /// Who listens.
    pub events: Events,
    /// The request to stop.
    pub cancel: Cancel,
}

/// What is to be verified.
pub struct VerifyOrder {
    /// The migration, with secrets as references.
    pub spec: Spec,
    /// How.
    pub mode: VerifyMode,
    /// Where and when.
    pub machine: Machine,
    /// Who listens.
    pub events: Events,
    /// The request to stop.
    pub cancel: Cancel,
}

/// How a run ended.
pub struct Ended {
    /// Its folder.
    pub folder: RunFolder,
    /// Its report, as it is in the folder.
    pub report: Report,
    /// Why it did not end well.
    pub error: Option<Error>,
    /// What went wrong beside the run itself.
    pub warning: Option<Error>,
}

impl Service {
    /// Runs a migration, or goes on with an interrupted run of it. The outer error is for what
    /// went wrong before the run began.
    pub async fn run(self: &Arc<Self>, order: RunOrder, store: &Store) -> Result<Ended> {
        // Made after it is known that both ends can do what is asked.
        let links = self.links(&order.spec)?;
        if order.process.is_some() {
            check_shared(&order.spec, &links)?;
        }
        let folder = store.create(order.machine.now)?;
        let path = folder.path.clone();
        let ended = self.run_in(order, store, folder).await;
        if ended.is_err() {
            // Nothing ran, so there is no run to keep; what cannot be removed does no harm.
            let _ = std::fs::remove_dir_all(&path);
        }
        ended
    }

    /// Runs a migration in a folder that is there.
    pub(crate) async fn run_in(
        self: &Arc<Self>,
        order: RunOrder,
        store: &Store,
        folder: RunFolder,
    ) -> Result<Ended> {
        let links = self.links(&order.spec)?;
        let log = EventLog::create(&folder)?;
        let events = self.logged(&order.events, &log);
        write_whole(&folder.path.join("spec.yaml"), open_spec(&order.spec).to_yaml()?.as_bytes())?;
        let plan = self.plan_of(&order, &links, &events).await?;
        write_whole(&folder.path.join("plan.json"), plan.to_json()?.as_bytes())?;
        let end = run(RunRequest {
            plan,
            links,
            limits: order.spec.limits,
            run: folder.id.clone(),
            holder: order.machine.holder(&folder),
            events,
            cancel: order.cancel,
            verify: order.verify,
            started: rfc3339(order.machine.now),
            rejects: store.rejects(),
            process: order.process,
        })
        .await;
        self.ended(folder, &log, end)
    }

    /// Verifies a target.
    pub async fn verify(self: &Arc<Self>, order: VerifyOrder, store: &Store) -> Result<Ended> {
        // Made after the addresses are known to be understood.
        self.links(&order.spec)?;
        let folder = store.create(order.machine.now)?;
        self.verify_in(order, store, folder).await
    }

    /// Verifies a target, in a folder that is there.
    pub(crate) async fn verify_in(
        self: &Arc<Self>,
        order: VerifyOrder,
        store: &Store,
        folder: RunFolder,
    ) -> Result<Ended> {
        let links = self.links(&order.spec)?;
        let log = EventLog::create(&folder)?;
        let events = self.logged(&order.events, &log);
        write_whole(&folder.path.join("spec.yaml"), open_spec(&order.spec).to_yaml()?.as_bytes())?;
        let end = verify(VerifyRequest {
            links,
            spec: order.spec,
            mode: order.mode,
            run: folder.id.clone(),
            holder: order.machine.holder(&folder),
            events,
            cancel: order.cancel,
            started: rfc3339(order.machine.now),
            rejects: store.rejects(),
        })
        .await;
        self.ended(folder, &log, end)
    }

    async fn plan_of(&self, order: &RunOrder, links: &[Link], events: &Events) -> Result<Plan> {
        if let Some(plan) = &order.plan {
            check_plan(plan, &order.spec)?;
            return Ok(plan.clone());
        }
        if let Some(process) = order.process.filter(|process| process.index > 0) {
            let plan = await_plan(&order.spec, links, process, events, &order.cancel).await;
            return plan.map_err(|error| self.secrets.redact_error(error));
        }
        let held = plan_in_target(&order.spec, links).await;
        match held.map_err(|error| self.secrets.redact_error(error))? {
            Some(plan) => Ok(plan),
            None => {
                let forecast = Forecast::Tolerated;
                self.plan_with(&order.spec, links, forecast, events, &order.cancel).await
            }
        }
    }

    fn logged(self: &Arc<Self>, events: &Events, log: &EventLog) -> Events {
        let (service, log) = (self.clone(), log.clone());
        events.also(move |at, event| log.add(at, event, &service.secrets))
    }

    fn ended(&self, folder: RunFolder, log: &EventLog, end: RunEnd) -> Result<Ended> {
        let error = end.error.map(|error| self.secrets.redact_error(error));
        let warning = log.close().err();
        match folder.write_report(&end.report, &self.secrets) {
            Ok(report) => Ok(Ended { folder, report, error, warning }),
            Err(unwritten) => {
                Ok(Ended { folder, report: end.report, error, warning: Some(unwritten) })
            }
        }
    }
}

impl Machine {
    fn holder(&self, folder: &RunFolder) -> Holder {
        Holder {
            run: folder.id.clone(),
            host: self.host.clone(),
            pid: self.pid,
            since: rfc3339(self.now),
        }
    }
}

/// Refuses a plan that was made from another migration.
pub(crate) fn check_plan(plan: &Plan, spec: &Spec) -> Result<()> {
    let digest = longshore_engine::spec_digest(spec)?;
    if plan.spec_digest == digest {
        return Ok(());
    }
    Err(Error::new(Code::OtherPlan, "the plan was made from another migration")
        .with("plan is for", plan.spec_digest.clone())
        .with("migration is", digest)
        .hint("Make a new plan with `longshore plan MIGRATION --output FILE`."))
}

/// The migration as it may be kept: references to secrets stay, passwords written openly go.
pub(crate) fn open_spec(spec: &Spec) -> Spec {
    let mut spec = spec.clone();
    for one in &mut spec.moves {
        one.from = without_password(&one.from);
        one.to = without_password(&one.to);
    }
    spec
}
