//! What a run elsewhere has left, brought into the store of runs.

use longshore_deploy::Site;
use longshore_model::Result;

use crate::folder::write_whole;
use crate::{RunFolder, Store};

/// Where a deployment keeps what its runs leave.
const RUNS: &str = "/work/.longshore/runs";
/// What is brought of a run, its report last: what has one is whole. Its events are in the deployment's log.
const FILES: [&str; 4] = ["spec.yaml", "plan.json", "report.html", "report.json"];

/// Brings a run's folder here; `None` where the deployment has none of it.
pub(super) async fn fetch(
    site: &Site,
    deployment: &str,
    run: &str,
    store: &Store,
) -> Result<Option<RunFolder>> {
    let mut folder = None;
    for name in FILES {
        let path = format!("{RUNS}/{run}/{name}");
        let Some(bytes) = site.file(deployment, &path).await? else { continue };
        let folder = match &folder {
            Some(folder) => folder,
            None => folder.insert(store.adopt(run)?),
        };
        write_whole(&folder.path.join(name), &bytes)?;
    }
    Ok(folder)
}
