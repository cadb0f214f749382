//! A new migration file.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};

use longshore_model::{Code, Error, Result};

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
    written.map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => Error::new(Code::Usage, "the file is there already")
            .with("file", path.display().to_string())
            .hint("Name a file that is not there yet; a migration file is never written over."),
        _ => Error::io("write the migration file", path.display(), error),
    })?;
    context.print(&format!("{} is written; next: longshore plan {0}\n", path.display()));
    Ok(DONE)
}
