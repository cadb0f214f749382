//! Runs that the clock asks for.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Extension, Path, State};
use hyper::StatusCode;
use longshore_model::{Code, Error};
use longshore_service::control::{NewSchedule, Schedule, User};
use schemars::JsonSchema;
use serde::Serialize;

use super::{Answer, off};
use crate::App;
use crate::endpoint::{Table, delete, get, post};
use crate::failure::Failure;

const ALL: &str = "/api/v1/schedules";

#[derive(Debug, Serialize, JsonSchema)]
struct Schedules {
    schedules: Vec<Schedule>,
}

pub(super) fn add(table: Table) -> Table {
    table
        .with(get(ALL, "Lists the schedules.").gives::<Schedules>(), list)
        .with(
            post(ALL, "Has a migration run once at a time, or again and again.")
                .takes::<NewSchedule>()
                .gives::<Schedule>()
                .created(),
            keep,
        )
        .with(delete("/api/v1/schedules/{id}", "Forgets a schedule."), forget)
}

async fn list(State(app): State<App>) -> Answer<Schedules> {
    let schedules = off(move || app.control.schedules()).await?;
    Ok(Json(Schedules { schedules }))
}

async fn keep(
    State(app): State<App>,
    Extension(user): Extension<User>,
    new: Result<Json<NewSchedule>, JsonRejection>,
) -> Result<(StatusCode, Json<Schedule>), Failure> {
    let Json(new) = new?;
    let kept = off(move || app.control.schedule(&new, &user)).await?;
    Ok((StatusCode::CREATED, Json(kept)))
}

async fn forget(
    State(app): State<App>,
    Extension(user): Extension<User>,
    Path(id): Path<String>,
) -> Result<StatusCode, Failure> {
    let id = id
        .parse()
        .map_err(|_| Error::new(Code::RequestInvalid, "the number of a schedule is no number"))?;
    off(move || app.control.forget_schedule(id, &user)).await?;
    Ok(StatusCode::NO_CONTENT)
}
