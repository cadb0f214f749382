//! The verbs: arguments to service, and the answer to the terminal. Each returns the exit code.

mod explain;
mod init;
mod migration;
mod plan;
mod report;
mod run;
mod verify;

pub(crate) use explain::explain;
pub(crate) use init::init;
pub(crate) use plan::{make as make_plan, plan};
pub(crate) use report::report;
pub(crate) use run::{copy, run};
pub(crate) use verify::verify;
