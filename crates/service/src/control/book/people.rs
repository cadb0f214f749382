//! Tokens, by their hashes, and the audit log.

use longshore_model::{Code, Error, Result};
use rusqlite::{Connection, OptionalExtension as _, params};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Book, from_json};
use crate::control::users::{Role, User};

/// A token, without what is secret of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Token {
    /// The name of whoever has it.
    pub name: String,
    /// What it allows.
    pub role: Role,
    /// When it was made, RFC 3339.
    pub made: String,
    /// Who made it.
    pub by: String,
    /// When it was used last, to about a minute.
    pub used: Option<String>,
}

/// Something that somebody did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AuditEntry {
    /// Its number; later ones are greater.
    pub id: i64,
    /// When, RFC 3339.
    pub at: String,
    /// Who.
    pub who: String,
    /// What was done, such as `run.stop`.
    pub action: String,
    /// To what.
    pub subject: String,
    /// What came of it.
    pub outcome: String,
}

impl Book {
    /// Who has the token of a hash.
    pub(in crate::control) fn user(&self, hash: &[u8]) -> Result<Option<User>> {
        self.with("look for the token", |book| {
            let row = book
                .prepare_cached("SELECT name, role FROM tokens WHERE hash = ?1")?
                .query_row([hash], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))
                .optional()?;
            row.map(|(name, role)| Ok(User { name, role: role_of(&role)? })).transpose()
        })
    }

    /// The role of whoever has a name.
    pub(in crate::control) fn role_of(&self, name: &str) -> Result<Option<Role>> {
        self.with("look for the token", |book| {
            let role = book
                .prepare_cached("SELECT role FROM tokens WHERE name = ?1")?
                .query_row([name], |row| row.get::<_, String>(0))
                .optional()?;
            role.map(|role| role_of(&role)).transpose()
        })
    }

    /// Keeps a token.
    pub(in crate::control) fn keep_token(
        &self,
        name: &str,
        role: Role,
        hash: &[u8],
        now: &str,
        by: &str,
    ) -> Result<()> {
        let kept = self.with("keep the token", |book| {
            book.execute(
                "INSERT INTO tokens (name, role, hash, made, \"by\") VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT DO NOTHING",
                params![name, role.as_str(), hash, now, by],
            )
        })?;
        if kept == 0 {
            return Err(Error::new(Code::VersionTaken, "there is a token of this name already")
                .with("token", name)
                .hint("Revoke it first, or choose another name."));
        }
        Ok(())
    }

    /// The tokens, by name.
    pub(in crate::control) fn tokens(&self) -> Result<Vec<Token>> {
        self.with("list the tokens", |book| {
            let mut rows =
                book.prepare("SELECT name, role, made, \"by\", used FROM tokens ORDER BY name")?;
            let tokens = rows.query_map([], |row| {
                Ok(Token {
                    name: row.get(0)?,
                    role: role_of(&row.get::<_, String>(1)?)?,
                    made: row.get(2)?,
                    by: row.get(3)?,
                    used: row.get(4)?,
                })
            })?;
            tokens.collect()
        })
    }

    /// Forgets a token; whether there was one.
    pub(in crate::control) fn forget_token(&self, name: &str) -> Result<bool> {
        self.with("forget the token", |book| {
            book.execute("DELETE FROM tokens WHERE name = ?1", [name]).map(|gone| gone > 0)
        })
    }

    /// Notes when a token was used.
    pub(in crate::control) fn used(&self, name: &str, now: &str) -> Result<()> {
        self.with("note the use of a token", |book| {
            book.execute("UPDATE tokens SET used = ?2 WHERE name = ?1", [name, now]).map(drop)
        })
    }

    /// Adds to the audit log.
    pub(in crate::control) fn audit(&self, entry: &AuditEntry) -> Result<()> {
        self.with("write the audit log", |book| write(book, entry))
    }

    /// The audit log, the newest first.
    pub(in crate::control) fn audited(
        &self,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<AuditEntry>> {
        self.with("read the audit log", |book| {
            let mut rows = book.prepare_cached(
                "SELECT id, at, who, action, subject, outcome FROM audit WHERE id < ?1
                 ORDER BY id DESC LIMIT ?2",
            )?;
            let entries =
                rows.query_map(params![before.unwrap_or(i64::MAX), limit.clamp(1, 1000)], |row| {
                    Ok(AuditEntry {
                        id: row.get(0)?,
                        at: row.get(1)?,
                        who: row.get(2)?,
                        action: row.get(3)?,
                        subject: row.get(4)?,
                        outcome: row.get(5)?,
                    })
                })?;
            entries.collect()
        })
    }
}

fn role_of(text: &str) -> rusqlite::Result<Role> {
    from_json(&format!("\"{text}\""))
}

/// Adds an entry to the audit log.
pub(super) fn write(book: &Connection, entry: &AuditEntry) -> rusqlite::Result<()> {
    book.prepare_cached(
        "INSERT INTO audit (at, who, action, subject, outcome) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute(params![entry.at, entry.who, entry.action, entry.subject, entry.outcome])
    .map(drop)
}
