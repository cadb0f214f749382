//! The verbs: arguments to service, and the answer to the terminal. Each returns the exit code.

mod build;
mod deploy;
mod diff;
mod evidence;
mod explain;
mod images;
mod init;
mod inspect;
mod migration;
mod plan;
mod registry;
mod registry_serve;
mod report;
mod run;
mod sealed;
mod serve;
mod upkeep;
mod verify;

pub(crate) use build::build;
pub(crate) use deploy::{confined, deploy, logs, status, stop, undeploy};
pub(crate) use diff::diff;
pub(crate) use evidence::{attest, evidence, key, sign};
pub(crate) use explain::explain;
pub(crate) use images::{images, rm, tag};
pub(crate) use init::init;
pub(crate) use inspect::inspect;
pub(crate) use plan::{make as make_plan, plan};
pub(crate) use registry::{promote, pull, push, tags};
pub(crate) use registry_serve::{gc, serve_registry};
pub(crate) use report::report;
pub(crate) use run::{copy, run};
pub(crate) use serve::{serve, token};
pub(crate) use upkeep::{check, du, hold, mirror, retention};
pub(crate) use verify::verify;
