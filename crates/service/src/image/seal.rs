//! What is sealed of a migration.

use std::collections::BTreeMap;

use longshore_image::Task;
use longshore_model::Result;
use longshore_model::plan::{MovePlan, Plan, Statement};
use longshore_model::spec::Spec;

use super::open;
use crate::Service;
use crate::run::check_plan;

impl Service {
    /// Refuses a migration in whose addresses secrets stand openly, before its systems are asked anything.
    pub fn refuse_open_secrets(&self, spec: &Spec) -> Result<()> {
        open::check_addresses(spec)
    }

    /// What an image holds of a migration beside the engine. A secret that stands openly in any of it is
    /// an error, and a plan of another migration too.
    pub(super) fn seal(&self, spec: &Spec, plan: &Plan, created: &str) -> Result<Task> {
        check_plan(plan, spec)?;
        open::check_addresses(spec)?;
        for one in &spec.moves {
            // Those that are set are looked for in what is sealed; building needs none of them.
            let _ = self.secrets.resolve(&one.from).and_then(|_| self.secrets.resolve(&one.to));
        }
        let mut files = BTreeMap::from([
            ("migration.yaml".to_string(), spec.to_yaml()?.into_bytes()),
            ("plan.json".to_string(), plan.to_json()?.into_bytes()),
        ]);
        for (number, one) in plan.moves.iter().enumerate() {
            for (when, statements) in [("prepare", &one.prepare), ("finish", &one.finish)] {
                if !statements.is_empty() {
                    let path = format!("schema/{:02}-{when}.sql", number + 1);
                    files.insert(path, script(one, statements).into_bytes());
                }
            }
        }
        for (path, bytes) in &files {
            open::check_text(path, &String::from_utf8_lossy(bytes), self.secrets())?;
        }
        Ok(Task {
            name: plan.name.clone(),
            version: plan.version.clone(),
            description: description(plan),
            plan: plan.digest()?,
            files,
            created: created.to_string(),
        })
    }
}

fn script(one: &MovePlan, statements: &[Statement]) -> String {
    let mut out = format!("-- {}\n", one.to);
    for statement in statements {
        let sql = statement.sql.trim_end().trim_end_matches(';');
        out.push_str(&format!("\n-- {}\n{sql};\n", statement.purpose));
    }
    out
}

fn description(plan: &Plan) -> String {
    let moves = plan.moves.iter().map(|one| format!("{} to {}", one.from, one.to));
    moves.collect::<Vec<_>>().join("; ")
}
