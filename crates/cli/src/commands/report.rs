//! Reports of earlier runs.

use longshore_engine::report::{Report, render_html};
use longshore_model::{Code, Error, Result};
use longshore_service::RunFolder;

use crate::args::ReportArgs;
use crate::context::Context;
use crate::failure::DONE;
use crate::summary;
use longshore_service::number::{counted, seconds};

pub(crate) fn report(args: &ReportArgs, context: &Context) -> Result<u8> {
    let store = context.store();
    if args.list {
        let mut out = String::new();
        for run in store.list()? {
            out.push_str(&line(&run, context)?);
        }
        context.print(&out);
        return Ok(DONE);
    }
    let folder = match &args.run {
        Some(prefix) => store.find(prefix)?,
        None => store.latest()?,
    };
    let report = folder.report()?;
    if let Some(path) = &args.html {
        std::fs::write(path, render_html(&report))
            .map_err(|error| Error::io("write the report", path.display(), error))?;
    }
    if context.json {
        context.print(&format!("{}\n", pretty(&report)?));
    } else if args.html.is_none() {
        let page = folder.path.join("report.html");
        context.print(&summary::render(&report, &page, &context.output));
        for cause in &report.error {
            context.print(&format!("error: {cause}\n"));
        }
    }
    Ok(DONE)
}

fn line(run: &RunFolder, context: &Context) -> Result<String> {
    let report = run.report();
    if context.json {
        let outcome = report.as_ref().ok().map(|report| report.outcome);
        let line = serde_json::json!({ "run": run.id, "outcome": outcome, "path": run.path });
        return Ok(format!("{line}\n"));
    }
    Ok(match report {
        Ok(report) => {
            let rows =
                report.moves.iter().flat_map(|one| &one.tables).map(|table| table.rows).sum();
            let outcome = format!("{:?}", report.outcome).to_lowercase();
            format!(
                "{}  {outcome:9}  {} {}, {}, {}\n",
                run.id,
                report.name,
                report.version,
                counted(rows, "row"),
                seconds(report.seconds)
            )
        }
        Err(error) if error.code() == Code::NotFound => {
            format!("{}  no report: it is running, or it was killed\n", run.id)
        }
        Err(error) => return Err(error),
    })
}

fn pretty(report: &Report) -> Result<String> {
    serde_json::to_string_pretty(report)
        .map_err(|error| Error::new(Code::Internal, "the report cannot be written").because(error))
}
