//! The use cases: plan, run, verify, init; and the store of runs.
//!
//! It must never read the environment, the home folder or a terminal: secrets, variables, folders, the
//! time and the listener for events come from the caller.

mod apart;
pub mod control;
mod deploy;
mod folder;
mod image;
mod init;
pub mod number;
mod run;
mod secret;
mod source;
mod store;
mod traces;

use std::collections::BTreeMap;
use std::sync::Arc;

use longshore_engine::{Cancel, Connectors, Events, Forecast, Link, make_plan};
use longshore_model::connector::Connector;
use longshore_model::plan::Plan;
use longshore_model::spec::Spec;
use longshore_model::{Code, Endpoint, Error, Result};

pub(crate) use image::refuse_open_secrets;
pub(crate) use run::open_spec;

pub use deploy::{
    DeployOptions, DeployOrder, Deployed, Platform, Record, Records, Standing, Wanted,
};
pub use folder::{event_line, parse_event_line, parse_report_line, report_line};
pub use image::{
    BuildOrder, Difference, EngineDifference, Evidence, ImageLine, Images, Inspection, LayerLine,
    MirrorFate, MirrorLine, MirrorOrder, Origin, PackageDifference, Place, Referrer, Removal,
    Unpacked, mirror, refuse_local, tags,
};
pub use longshore_deploy::kubernetes::{Claim, Cluster, Kubernetes, Place as Namespace};
pub use longshore_deploy::local::{
    Measure, enter as enter_confined, supervise as supervise_confined,
};
pub use longshore_deploy::{Line, Mount, State};
pub use run::{Ended, Machine, RunOrder, VerifyOrder};
pub use secret::{Lookup, Secrets};
pub use source::{Overrides, load, load_plan};
pub use store::{RunFolder, Store, rfc3339};
pub use traces::Traces;

/// The use cases over the connectors of this build.
pub struct Service {
    connectors: Connectors,
    secrets: Secrets,
}

impl Service {
    /// A service that finds secrets with `lookup`.
    pub fn new(lookup: Box<Lookup>) -> Self {
        let connectors = Connectors::new(longshore_connectors::all());
        Self { connectors, secrets: Secrets::new(lookup) }
    }

    /// The connectors of this build.
    pub fn connectors(&self) -> &Connectors {
        &self.connectors
    }

    /// The secrets resolved so far, for keeping them out of what is shown.
    pub fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// Both ends of every move, with secrets resolved.
    pub fn links(&self, spec: &Spec) -> Result<Vec<Link>> {
        let mut links = Vec::with_capacity(spec.moves.len());
        for one in &spec.moves {
            if let Some((table, _)) = one.filter.iter().find(|(_, sql)| secret::is_in(sql)) {
                return Err(Error::new(Code::SpecInvalid, "a secret stands in a condition")
                    .with("where", table.clone())
                    .hint("Conditions are kept in the plan; secrets may stand in `from` and `to` only."));
            }
            let (from, to) = (self.address("from", &one.from)?, self.address("to", &one.to)?);
            let link = self.link(&from, &to);
            links.push(link.map_err(|error| self.secrets.redact_error(error))?);
        }
        Ok(links)
    }

    fn link(&self, from: &str, to: &str) -> Result<Link> {
        let mut link = self.connectors.link(from, to)?;
        apart::check(&link)?;
        link.from = link.from.with_environment(self.variables(&link.source)?);
        link.to = link.to.with_environment(self.variables(&link.target)?);
        Ok(link)
    }

    fn variables(&self, connector: &Arc<dyn Connector>) -> Result<BTreeMap<String, String>> {
        self.secrets.variables(connector.about().variables)
    }

    /// Works a migration out against its systems. Nothing is changed.
    pub async fn plan(&self, spec: &Spec, events: &Events, cancel: &Cancel) -> Result<Plan> {
        let links = self.links(spec)?;
        self.plan_with(spec, &links, Forecast::Every, events, cancel).await
    }

    async fn plan_with(
        &self,
        spec: &Spec,
        links: &[Link],
        forecast: Forecast,
        events: &Events,
        cancel: &Cancel,
    ) -> Result<Plan> {
        let plan = make_plan(spec, links, forecast, events, cancel).await;
        let mut plan = plan.map_err(|error| self.secrets.redact_error(error))?;
        for (one, made) in spec.moves.iter().zip(&mut plan.moves) {
            // An address that is a secret as a whole is named by its reference, in the plan too.
            if secret::is_in(&one.from) {
                made.from = without_password(&one.from);
            }
            if secret::is_in(&one.to) {
                made.to = without_password(&one.to);
            }
        }
        Ok(plan)
    }

    fn address(&self, side: &'static str, text: &str) -> Result<String> {
        let resolved = self.secrets.resolve(text)?;
        match Endpoint::parse(&resolved) {
            Ok(_) => Ok(resolved),
            Err(error) if resolved.contains(':') => {
                Err(self.secrets.redact_error(error.with("side", side)))
            }
            Err(error) => {
                let shown = if secret::is_in(text) || text.contains('@') { "***" } else { text };
                Err(error.with(side, shown).hint(scheme_hint(shown)))
            }
        }
    }
}

/// Advice for an address without a scheme: it is never guessed, because a wrong guess would write
/// to the wrong kind of target.
fn scheme_hint(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    if [".db", ".sqlite", ".sqlite3", ".db3"].iter().any(|ending| lower.ends_with(ending)) {
        format!("If it is an SQLite database, write sqlite:{text}.")
    } else {
        format!(
            "Write sqlite:{text} for an SQLite database, or file:{text}?format=parquet for a folder of files."
        )
    }
}

/// An address as written, without a password that stands in it openly.
fn without_password(text: &str) -> String {
    match Endpoint::parse(text) {
        Ok(endpoint) => endpoint.to_string(),
        Err(_) if text.contains('@') && !text.starts_with("${") => "***".to_string(),
        Err(_) => text.to_string(),
    }
}

#[cfg(test)]
mod tests;
