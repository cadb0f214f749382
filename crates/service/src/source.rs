//! Where a migration comes from: a file, a folder with a sealed plan, or two addresses.

use std::path::Path;

use longshore_model::loss::OnReject;
use longshore_model::plan::Plan;
use longshore_model::spec::{Existing, Rate, Size, Spec, VerifyLevel, Workers};
use longshore_model::{Code, Error, Result};

/// What the command line says over the migration file.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// What to do with data that the target holds already.
    pub existing: Option<Existing>,
    /// What to do with rows that cannot be written.
    pub on_reject: Option<OnReject>,
    /// Chunks at work at the same time.
    pub workers: Option<Workers>,
    /// Memory for batches in flight.
    pub memory: Option<Size>,
    /// The most that is read from the source in a second.
    pub source_rate: Option<Rate>,
    /// How much is verified.
    pub verify: Option<VerifyLevel>,
}

impl Overrides {
    /// Changes a migration.
    pub fn apply(&self, spec: &mut Spec) {
        if let Some(existing) = self.existing {
            spec.moves.iter_mut().for_each(|one| one.existing = existing);
        }
        if let Some(on_reject) = self.on_reject {
            spec.on_reject = on_reject;
        }
        if let Some(workers) = self.workers {
            spec.limits.workers = workers;
        }
        if let Some(memory) = self.memory {
            spec.limits.memory = memory;
        }
        if self.source_rate.is_some() {
            spec.limits.source_rate = self.source_rate;
        }
        if let Some(verify) = self.verify {
            spec.verify = verify;
        }
    }
}

/// Reads a migration file, or `migration.yaml` in a folder.
pub fn load(path: &Path) -> Result<Spec> {
    let file = if path.is_dir() { path.join("migration.yaml") } else { path.to_path_buf() };
    Spec::parse(&read(&file, "read the migration file")?, &file.display().to_string())
}

/// Reads a plan.
pub fn load_plan(path: &Path) -> Result<Plan> {
    let text = read(path, "read the plan")?;
    Plan::from_json(&text).map_err(|error| error.with("file", path.display().to_string()))
}

fn read(path: &Path, doing: &str) -> Result<String> {
    let bytes = std::fs::read(path).map_err(|error| Error::io(doing, path.display(), error))?;
    String::from_utf8(bytes).map_err(|error| {
        Error::new(Code::SpecInvalid, "the file is not UTF-8 text")
            .with("file", path.display().to_string())
            .with("byte", error.utf8_error().valid_up_to().to_string())
    })
}
