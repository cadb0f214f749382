//! Migrations and their versions.

use axum::Json;
use axum::extract::{Extension, Path, State};
use hyper::StatusCode;
use longshore_service::control::{Migration, MigrationVersion, Run, RunFilter, User};
use schemars::JsonSchema;
use serde::Serialize;

use super::{Answer, off};
use crate::App;
use crate::endpoint::{Table, delete, get, post};
use crate::failure::Failure;
use crate::images::{self, Image};

const ALL: &str = "/api/v1/migrations";
const ONE: &str = "/api/v1/migrations/{name}";

#[derive(Debug, Serialize, JsonSchema)]
struct Migrations {
    migrations: Vec<Migration>,
}

/// A migration with all that belongs to it.
#[derive(Debug, Serialize, JsonSchema)]
struct Whole {
    name: String,
    /// The newest first.
    versions: Vec<MigrationVersion>,
    /// The last runs.
    runs: Vec<Run>,
    /// Images of it in the registry.
    images: Vec<Image>,
}

pub(super) fn add(table: Table) -> Table {
    table
        .with(get(ALL, "Lists the migrations.").gives::<Migrations>(), list)
        .with(
            post(ALL, "Keeps a version of a migration.")
                .takes_text("application/yaml")
                .gives::<MigrationVersion>()
                .created(),
            keep,
        )
        .with(get(ONE, "A migration with its versions, runs and images.").gives::<Whole>(), one)
        .with(delete(ONE, "Forgets a migration. Its runs stay."), forget)
}

async fn list(State(app): State<App>) -> Answer<Migrations> {
    let migrations = off(move || app.control.migrations()).await?;
    Ok(Json(Migrations { migrations }))
}

async fn keep(
    State(app): State<App>,
    Extension(user): Extension<User>,
    text: String,
) -> Result<(StatusCode, Json<MigrationVersion>), Failure> {
    let kept = off(move || app.control.keep_migration(&text, &user)).await?;
    Ok((StatusCode::CREATED, Json(kept)))
}

async fn one(State(app): State<App>, Path(name): Path<String>) -> Answer<Whole> {
    let whole = off(move || {
        let versions = app.control.versions(&name)?;
        let filter = RunFilter { migration: Some(name.clone()), ..RunFilter::default() };
        let runs = app.control.runs(&filter)?;
        let mut images = match &app.registry {
            Some(registry) => images::list(&registry.store)?,
            None => Vec::new(),
        };
        images.retain(|image| image.migration.as_deref() == Some(&name));
        Ok(Whole { name, versions, runs, images })
    });
    Ok(Json(whole.await?))
}

async fn forget(
    State(app): State<App>,
    Extension(user): Extension<User>,
    Path(name): Path<String>,
) -> Result<StatusCode, Failure> {
    off(move || app.control.forget_migration(&name, &user)).await?;
    Ok(StatusCode::NO_CONTENT)
}
