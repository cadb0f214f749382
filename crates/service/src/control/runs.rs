//! Runs that are asked for: entered, started, stopped, taken up, ended.

use std::sync::Arc;

use longshore_model::spec::Spec;
use longshore_model::{Code, Error, Result};

use super::book::{Ending, Kept, Run, RunState, Task};
use super::order::{Asked, Where};
use super::users::{Role, User, entry};
use super::{Control, missing, work};
use crate::RunFolder;

/// Migrations with passwords that are remembered.
const UNKEPT: usize = 200;

impl Control {
    /// Asks for a run.
    pub fn ask(self: &Arc<Self>, asked: Asked, by: &User) -> Result<Run> {
        by.demand(Role::Operator)?;
        let kept = self.order(&asked)?;
        self.refuse_another(&kept)?;
        let (folder, task) = (self.new_folder()?, kept.task.as_str());
        self.enter(kept, &folder, by, "run.ask", task)
    }

    /// Runs addresses as they are given, which may hold passwords. They are not kept, so that such a run is not
    /// taken up after the process has ended.
    pub fn ask_once(self: &Arc<Self>, spec: Spec, by: &User) -> Result<Run> {
        by.demand(Role::Operator)?;
        let is_whole = crate::refuse_open_secrets(&spec).is_ok();
        let kept = match is_whole {
            true => Kept::of(&spec, Task::Run)?,
            false => Kept { is_whole, ..Kept::of(&crate::open_spec(&spec), Task::Run)? },
        };
        let folder = self.new_folder()?;
        self.remember(&folder.id, spec);
        self.enter(kept, &folder, by, "run.ask", "migrate")
    }

    /// Asks for the same again: another run that goes on with what is in the target.
    pub fn retry(self: &Arc<Self>, id: &str, task: Option<Task>, by: &User) -> Result<Run> {
        by.demand(Role::Operator)?;
        let before = self.run(id)?;
        if before.state != RunState::Ended && task.is_none() {
            return Err(Error::new(Code::RunBusy, "the run has not ended").with("run", id));
        }
        let mut kept = self.book.kept(id)?.ok_or_else(|| missing("there is no such run"))?;
        kept.task = task.unwrap_or(before.task);
        kept.deployment = None;
        if kept.image.is_some() && kept.task != Task::Run {
            return Err(Error::new(Code::Unsupported, "an image is only run from here")
                .hint("Verify it with `longshore verify IMAGE`."));
        }
        if kept.is_whole {
            self.refuse_another(&kept)?;
        }
        let spec = self.unkept().get(id).cloned();
        if !kept.is_whole && spec.is_none() {
            return Err(not_kept(id));
        }
        let folder = self.new_folder()?;
        if let Some(spec) = spec {
            self.remember(&folder.id, spec);
        }
        self.enter(kept, &folder, by, "run.retry", id)
    }

    /// Asks a run to stop at a safe point.
    pub async fn stop(self: &Arc<Self>, id: &str, by: &User) -> Result<Run> {
        by.demand(Role::Operator)?;
        let run = self.run(id)?;
        if run.state == RunState::Ended {
            return Err(Error::new(Code::RunOver, "the run has ended").with("run", id));
        }
        self.audit(by, "run.stop", id, "asked")?;
        let run = self.change(id, |run| {
            if run.state != RunState::Ended {
                run.state = RunState::Stopping;
            }
        })?;
        work::stop(self, &run).await?;
        self.run(id)
    }

    /// Refuses to write into the same target twice at a time.
    fn refuse_another(&self, kept: &Kept) -> Result<()> {
        let is_it = |run: &Run| {
            run.migration == kept.migration && run.task != Task::Plan && kept.task != Task::Plan
        };
        match self.book.unended()?.into_iter().find(is_it) {
            None => Ok(()),
            Some(run) => Err(Error::new(Code::RunBusy, "a run of this migration has not ended")
                .with("migration", run.migration)
                .with("run", run.id)
                .hint("Wait until it has ended, or stop it.")),
        }
    }

    /// Remembers a migration that is not kept: the last ones only, for as long as this process lives.
    fn remember(&self, run: &str, spec: Spec) {
        let mut unkept = self.unkept();
        unkept.insert(run.to_string(), spec);
        if unkept.len() > UNKEPT {
            unkept.pop_first();
        }
    }

    fn new_folder(&self) -> Result<RunFolder> {
        self.store.create((self.setting.machine)().now)
    }

    /// Keeps a run with what the audit log says of it, and starts it.
    fn enter(
        self: &Arc<Self>,
        kept: Kept,
        folder: &RunFolder,
        by: &User,
        action: &str,
        outcome: &str,
    ) -> Result<Run> {
        let now = self.now();
        let run = kept.run(folder, &now, &by.name);
        self.book.enter(&run, &kept, &entry(&now, &by.name, action, &run.id, outcome))?;
        self.tell(&run);
        self.start(&run.id);
        Ok(run)
    }

    pub(super) fn take_up(self: &Arc<Self>, run: Run) -> Result<()> {
        let kept = self.book.kept(&run.id)?;
        let is_lost = kept.is_none_or(|kept| !kept.is_whole);
        if is_lost {
            let error = not_kept(&run.id);
            return self.ended(&run.id, Ending::Failed, &error.chain());
        }
        if run.state == RunState::Stopping && run.on == Where::Here {
            let text = ["stopped on request, while the server was not there".to_string()];
            return self.ended(&run.id, Ending::Cancelled, &text);
        }
        self.start(&run.id);
        Ok(())
    }

    /// Brings a run to its end, also where a defect ends its task.
    fn start(self: &Arc<Self>, id: &str) {
        self.live_of(id);
        let (control, id) = (self.clone(), id.to_string());
        tokio::spawn(async move {
            let task = tokio::spawn(work::perform(control.clone(), id.clone()));
            if let Err(panic) = task.await {
                control.lives().remove(&id);
                let error =
                    Error::new(Code::Internal, "the run ended without a result").because(panic);
                control.note(&error);
                if let Err(error) = control.ended(&id, Ending::Failed, &error.chain()) {
                    control.note(&error);
                }
            }
        });
    }

    /// Changes what is kept of a run, and tells everybody.
    pub(super) fn change(&self, id: &str, change: impl FnOnce(&mut Run)) -> Result<Run> {
        let run = self.book.change(id, change)?;
        let run = run.ok_or_else(|| missing("there is no such run").with("run", id))?;
        self.tell(&run);
        Ok(run)
    }

    pub(super) fn ended(&self, id: &str, ending: Ending, error: &[String]) -> Result<()> {
        let now = self.now();
        self.change(id, |run| run.end(ending, now, error)).map(drop)
    }
}

pub(super) fn not_kept(id: &str) -> Error {
    Error::new(Code::RunLost, "the addresses of the run held passwords, which are not kept")
        .with("run", id)
        .hint("Ask for it again; it goes on with what is in the target.")
}
