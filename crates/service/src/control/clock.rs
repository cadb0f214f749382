//! Runs that the clock asks for.

use std::str::FromStr as _;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use croner::Cron;
use longshore_model::{Code, Error, Result};

use super::book::{NewSchedule, Schedule};
use super::users::{Role, User};
use super::{Asked, Control, missing};
use crate::store::rfc3339;

/// How often the clock is looked at.
const LOOK: Duration = Duration::from_millis(500);

impl Control {
    /// The schedules.
    pub fn schedules(&self) -> Result<Vec<Schedule>> {
        self.book.schedules()
    }

    /// Keeps a schedule.
    pub fn schedule(&self, new: &NewSchedule, by: &User) -> Result<Schedule> {
        by.demand(Role::Operator)?;
        let asked = Asked {
            migration: Some(new.migration.clone()),
            version: new.version.clone(),
            ..Asked::default()
        };
        self.order(&asked)?;
        let now = (self.setting.machine)().now;
        let next = match (&new.at, &new.cron) {
            (Some(at), None) => {
                let at = DateTime::parse_from_rfc3339(at).map_err(|error| {
                    Error::new(Code::Usage, "the time of the schedule is not understood")
                        .with("at", at.clone())
                        .hint("Write it like 2026-01-31T22:00:00Z.")
                        .because(error)
                })?;
                rfc3339(at.into())
            }
            (None, Some(cron)) => next(cron, now)?.ok_or_else(|| {
                Error::new(Code::Usage, "the schedule never comes").with("cron", cron.clone())
            })?,
            _ => {
                return Err(Error::new(Code::Usage, "a schedule has either a time or a rule")
                    .hint("Give `at` or `cron`."));
            }
        };
        let id = self.book.keep_schedule(new, &next, &by.name)?;
        self.audit(by, "schedule.keep", &new.migration, &next)?;
        let kept = self.book.schedule(id)?;
        kept.ok_or_else(|| Error::new(Code::Internal, "a schedule vanished while it was kept"))
    }

    /// Forgets a schedule.
    pub fn forget_schedule(&self, id: i64, by: &User) -> Result<()> {
        by.demand(Role::Operator)?;
        if !self.book.forget_schedule(id)? {
            return Err(missing("there is no such schedule").with("schedule", id.to_string()));
        }
        self.audit(by, "schedule.forget", &id.to_string(), "done")
    }

    /// Asks for the runs whose time has come. One that was missed comes once, not once for each time.
    fn come(self: &Arc<Self>, now: SystemTime) -> Result<()> {
        let text = rfc3339(now);
        for schedule in self.book.schedules()? {
            if schedule.next.as_ref().is_none_or(|next| *next > text) {
                continue;
            }
            let after = schedule.cron.as_deref().map(|cron| next(cron, now)).transpose()?.flatten();
            // Noted first: a run is rather missed than asked for again and again.
            self.book.came(schedule.id, after.as_deref(), None)?;
            let by = User { name: format!("schedule {}", schedule.id), role: Role::Operator };
            let asked = Asked {
                migration: Some(schedule.migration.clone()),
                version: schedule.version.clone(),
                ..Asked::default()
            };
            match self.ask(asked, &by) {
                Ok(run) => self.book.came(schedule.id, after.as_deref(), Some(&run.id))?,
                Err(error) => {
                    self.audit(&by, "run.ask", &schedule.migration, error.message())?;
                    self.note(&error);
                }
            }
        }
        Ok(())
    }
}

/// Looks after the schedules for as long as there is a control plane.
pub(super) async fn keep(control: Arc<Control>) {
    let control = Arc::downgrade(&control);
    loop {
        tokio::time::sleep(LOOK).await;
        let Some(control) = control.upgrade() else { return };
        if control.is_leaving() {
            return;
        }
        let now = (control.setting.machine)().now;
        if let Err(error) = control.come(now) {
            control.note(&error);
        }
    }
}

/// When a rule comes next.
fn next(cron: &str, now: SystemTime) -> Result<Option<String>> {
    let rule = Cron::from_str(cron).map_err(|error| {
        Error::new(Code::Usage, "the rule of the schedule is not understood")
            .with("cron", cron)
            .hint("It is minute, hour, day of the month, month and day of the week, such as 30 2 * * 1-5.")
            .because(error)
    })?;
    let next = rule.find_next_occurrence(&DateTime::<Utc>::from(now), false);
    Ok(next.ok().map(|next| rfc3339(next.into())))
}
