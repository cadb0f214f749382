//! The registry on the same port: its images, what it holds, and how busy it is.

use std::time::Duration;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Extension, State};
use longshore_model::{Code, Error, Result};
use longshore_registry::{Repository, promote as give};
use longshore_service::control::User;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Answer, off};
use crate::App;
use crate::endpoint::{Table, get, post};
use crate::images::{self, Image};

#[derive(Debug, Serialize, JsonSchema)]
struct Listed {
    /// Whether there is a registry.
    registry: bool,
    images: Vec<Image>,
}

/// What a registry holds, and how busy it is.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Holdings {
    pub(super) capacity: Capacity,
    utilisation: Utilisation,
    repositories: Vec<Share>,
}

/// C: what all images take.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Capacity {
    /// How many tags there are.
    pub(super) images: usize,
    /// Bytes, if each image had its own copy of all that it names.
    apart: u64,
    /// Bytes, each blob once.
    together: u64,
}

/// R: all time by the time in which a request was at hand.
#[derive(Debug, Serialize, JsonSchema)]
struct Utilisation {
    /// Seconds since the start.
    total: f64,
    /// Seconds in which no request was at hand.
    idle: f64,
    /// R; nothing before the first request.
    ratio: Option<f64>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Share {
    name: String,
    tags: usize,
    apart: u64,
    together: u64,
}

/// From where to where an image goes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Promotion {
    /// `repository:tag`, or `repository@digest`.
    from: String,
    /// `repository:tag`.
    to: String,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Promoted {
    image: String,
    digest: String,
}

pub(super) fn add(table: Table) -> Table {
    table
        .with(get("/api/v1/images", "Lists the images of the registry.").gives::<Listed>(), list)
        .with(
            get("/api/v1/registry", "What the registry holds (C), and how busy it is (R).").gives::<Holdings>(),
            registry,
        )
        .with(
            post(
                "/api/v1/images/promote",
                "Gives an image another name, in another repository too, with all that is said of it.",
            )
            .takes::<Promotion>()
            .gives::<Promoted>(),
            promote,
        )
}

async fn list(State(app): State<App>) -> Answer<Listed> {
    let listed = off(move || {
        let images = match &app.registry {
            Some(registry) => images::list(&registry.store)?,
            None => Vec::new(),
        };
        Ok(Listed { registry: app.registry.is_some(), images })
    });
    Ok(Json(listed.await?))
}

async fn registry(State(app): State<App>) -> Answer<Holdings> {
    let holdings = off(move || {
        images::store(&app)?;
        holdings(&app, Duration::ZERO)
    });
    let missing = || Error::new(Code::NotKept, "this server has no registry");
    Ok(Json(holdings.await?.ok_or_else(missing)?))
}

/// What the registry holds, measured at most so long ago, and how busy it is; nothing without one.
pub(super) fn holdings(app: &App, at_most: Duration) -> Result<Option<Holdings>> {
    let Some(registry) = &app.registry else { return Ok(None) };
    let usage = app.measured.usage(&registry.store, at_most)?;
    let (total, idle) = registry.house.meter.times();
    let busy = (total - idle).as_secs_f64();
    let total = total.as_secs_f64();
    let share = |(name, share): (&String, &longshore_registry::Share)| Share {
        name: name.clone(),
        tags: share.tags,
        apart: share.apart,
        together: share.bytes,
    };
    Ok(Some(Holdings {
        capacity: Capacity {
            images: usage.repositories.values().map(|share| share.tags).sum(),
            apart: usage.apart,
            together: usage.unique + usage.shared,
        },
        utilisation: Utilisation {
            total,
            idle: idle.as_secs_f64(),
            ratio: (busy > 0.0).then(|| total / busy),
        },
        repositories: usage.repositories.iter().map(share).collect(),
    }))
}

async fn promote(
    State(app): State<App>,
    Extension(user): Extension<User>,
    asked: std::result::Result<Json<Promotion>, JsonRejection>,
) -> Answer<Promoted> {
    let Json(Promotion { from, to }) = asked?;
    let promoted = off(move || {
        let store = images::store(&app)?;
        let (source, reference) = parts(&from)?;
        let (target, tag) = parts(&to)?;
        let digest = give(store, (&source, &reference), (&target, &tag));
        let outcome = if digest.is_ok() { "done" } else { "refused" };
        app.control.audit(&user, "image.promote", &format!("{from} → {to}"), outcome)?;
        Ok(Promoted { digest: digest?.to_string(), image: to })
    });
    Ok(Json(promoted.await?))
}

/// The repository of a name, and its tag or digest.
pub(super) fn parts(name: &str) -> Result<(Repository, String)> {
    let wrong = || {
        Error::new(Code::ImageName, "the name of an image is not understood")
            .with("name", name)
            .hint("Write it as repository:tag.")
    };
    let (repository, reference) =
        name.split_once('@').or_else(|| name.rsplit_once(':')).ok_or_else(wrong)?;
    let repository = repository.parse().map_err(|_| wrong())?;
    Ok((repository, reference.to_string()))
}
