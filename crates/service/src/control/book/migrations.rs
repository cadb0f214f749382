//! Migrations and their versions.

use longshore_model::spec::Spec;
use longshore_model::{Code, Error, Result};
use rusqlite::{OptionalExtension as _, params};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::runs::Run;
use super::{Book, from_json, json_of};

/// A migration that is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Migration {
    /// The name.
    pub name: String,
    /// The version that was added last.
    pub latest: String,
    /// How many versions there are.
    pub versions: u64,
    /// From where to where the last version moves.
    pub moves: Vec<Route>,
    /// The run that was asked for last.
    pub last_run: Option<Run>,
    /// When the last version was added, RFC 3339.
    pub added: String,
    /// Who added it.
    pub by: String,
}

/// A version of a migration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MigrationVersion {
    /// The migration.
    pub name: String,
    /// The version.
    pub version: String,
    /// The digest of what it says.
    pub digest: String,
    /// When it was added, RFC 3339.
    pub added: String,
    /// Who added it.
    pub by: String,
    /// From where to where it moves.
    pub moves: Vec<Route>,
    /// The migration file.
    pub spec: String,
}

/// From where to where.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Route {
    /// The source's address, with references to secrets as they stand.
    pub from: String,
    /// The target's address.
    pub to: String,
}

impl Book {
    /// Keeps a version of a migration. Kept again with the same words, nothing happens.
    pub(in crate::control) fn keep_migration(
        &self,
        spec: &Spec,
        text: &str,
        digest: &str,
        now: &str,
        by: &str,
    ) -> Result<MigrationVersion> {
        let moves: Vec<Route> = spec
            .moves
            .iter()
            .map(|one| Route { from: one.from.clone(), to: one.to.clone() })
            .collect();
        let there = self.version(&spec.name, &spec.version)?;
        if let Some(there) = there {
            if Spec::parse(&there.spec, &spec.name)? == *spec {
                return Ok(there);
            }
            return Err(Error::new(Code::VersionTaken, "this version says something else already")
                .with("migration", spec.name.clone())
                .with("version", spec.version.clone())
                .hint("Give what you changed a version of its own."));
        }
        self.with("keep the migration", |book| {
            book.execute(
                "INSERT INTO migrations (name, version, digest, spec, routes, added, \"by\")
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                params![spec.name, spec.version, digest, text, json_of(&moves)?, now, by],
            )
        })?;
        let kept = self.version(&spec.name, &spec.version)?;
        kept.ok_or_else(|| Error::new(Code::Internal, "a migration vanished while it was kept"))
    }

    /// A version of a migration.
    pub(in crate::control) fn version(
        &self,
        name: &str,
        version: &str,
    ) -> Result<Option<MigrationVersion>> {
        self.with("read the migration", |book| {
            book.query_row(
                &format!("{SELECT} WHERE name = ?1 AND version = ?2"),
                [name, version],
                read,
            )
            .optional()
        })
    }

    /// The versions of a migration, the newest first.
    pub(in crate::control) fn versions(&self, name: &str) -> Result<Vec<MigrationVersion>> {
        self.with("read the migration", |book| {
            let mut rows =
                book.prepare(&format!("{SELECT} WHERE name = ?1 ORDER BY rowid DESC"))?;
            rows.query_map([name], read)?.collect()
        })
    }

    /// The migrations, by name.
    pub(in crate::control) fn migrations(&self) -> Result<Vec<Migration>> {
        self.with("list the migrations", |book| {
            let mut rows = book.prepare(
                "SELECT m.name, m.version, m.routes, m.added, m.\"by\", l.versions,
                    (SELECT run FROM runs r WHERE r.migration = m.name ORDER BY id DESC LIMIT 1)
                 FROM migrations m
                 JOIN (SELECT name, max(rowid) AS last, count(*) AS versions FROM migrations GROUP BY name) l
                   ON m.rowid = l.last
                 ORDER BY m.name",
            )?;
            let migrations = rows.query_map([], |row| {
                let last_run: Option<String> = row.get(6)?;
                Ok(Migration {
                    name: row.get(0)?,
                    latest: row.get(1)?,
                    moves: from_json(&row.get::<_, String>(2)?)?,
                    added: row.get(3)?,
                    by: row.get(4)?,
                    versions: row.get(5)?,
                    last_run: last_run.as_deref().map(from_json).transpose()?,
                })
            })?;
            migrations.collect()
        })
    }

    /// Forgets a migration.
    pub(in crate::control) fn forget_migration(&self, name: &str) -> Result<()> {
        self.with("forget the migration", |book| {
            let transaction = book.transaction()?;
            transaction.execute("DELETE FROM migrations WHERE name = ?1", [name])?;
            transaction.execute("DELETE FROM schedules WHERE migration = ?1", [name])?;
            transaction.commit()
        })
    }
}

const SELECT: &str = "SELECT name, version, digest, spec, routes, added, \"by\" FROM migrations";

fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<MigrationVersion> {
    Ok(MigrationVersion {
        name: row.get(0)?,
        version: row.get(1)?,
        digest: row.get(2)?,
        spec: row.get(3)?,
        moves: from_json(&row.get::<_, String>(4)?)?,
        added: row.get(5)?,
        by: row.get(6)?,
    })
}
