//! The migration that the arguments name.

use std::path::{Path, PathBuf};

use longshore_model::spec::Spec;
use longshore_model::{Code, Endpoint, Error, Result};
use longshore_service::load;

use crate::args::MigrationArgs;

/// The migration, and the plan that is sealed beside it when it is a folder.
pub(crate) fn read(args: &MigrationArgs) -> Result<(Spec, Option<PathBuf>)> {
    if let Some(to) = &args.second {
        return Ok((Spec::short(&args.first, to), None));
    }
    let path = Path::new(&args.first);
    if !path.exists() && Endpoint::parse(&args.first).is_ok() {
        return Err(Error::new(Code::Usage, "the address of the target is missing")
            .hint("Write both addresses, FROM TO, or name a migration file."));
    }
    let spec = load(path).map_err(|error| match error.code() {
        Code::NotFound => error.hint(
            "Name a migration file or an image; `longshore init FROM TO --output migration.yaml` writes one, `longshore images` lists the others.",
        ),
        _ => error,
    })?;
    let sealed = path.join("plan.json");
    Ok((spec, sealed.is_file().then_some(sealed)))
}
