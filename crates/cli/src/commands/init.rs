//! A new migration file.

use std::fs::OpenOptions;
use std::io::Write;

use longshore_model::{Error, Result};

use crate::args::InitArgs;
use crate::context::Context;
use crate::failure::DONE;

pub(crate) async fn init(args: &InitArgs, context: &Context) -> Result<u8> {
    let yaml =
        context
            .drive(|_, cancel| async move {
                cancel.guard(context.service.init(&args.from, &args.to)).await
            })
            .await?;
    let Some(path) = &args.output else {
        context.output.print(&yaml);
        return Ok(DONE);
    };
    let written =
        OpenOptions::new().write(true).create_new(true).open(path).and_then(|mut file| {
            file.write_all(yaml.as_bytes())?;
            file.sync_all()
        });
    written.map_err(|error| {
        let there = error.kind() == std::io::ErrorKind::AlreadyExists;
        let error = Error::io("write the migration file", path.display(), error);
        if there { error.hint("Name a file that is not there yet.") } else { error }
    })?;
    context.print(&format!("{} is written; next: longshore plan {0}\n", path.display()));
    Ok(DONE)
}
