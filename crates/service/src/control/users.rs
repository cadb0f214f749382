//! Who asks: tokens with roles, of which only hashes are kept; and the record of what was asked.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use longshore_model::{Code, Error, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::book::{AuditEntry, Book, FILE, Token};
use super::{Control, missing};

/// What tokens begin with, so that tools that look for secrets know them.
const MARK: &str = "lsh_";
/// Who makes tokens in a state folder itself.
const BY: &str = "command line";

/// What somebody may do; each may do what those before may.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Look at everything but tokens and the audit log.
    Viewer,
    /// Keep migrations; start, stop and verify runs; push images.
    Operator,
    /// Make and revoke tokens, read the audit log, remove images.
    Admin,
}

/// Somebody who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The name.
    pub name: String,
    /// The role.
    pub role: Role,
}

impl Role {
    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }
}

impl User {
    /// Refuses what takes a higher role.
    pub fn demand(&self, role: Role) -> Result<()> {
        if self.role >= role {
            return Ok(());
        }
        Err(Error::new(Code::RoleTooLow, "the token does not allow this")
            .with("user", self.name.clone())
            .with("has", self.role.as_str())
            .with("needs", role.as_str()))
    }
}

impl Control {
    /// Who has a token.
    pub fn user(&self, token: &str) -> Result<User> {
        let unknown = || Error::new(Code::TokenUnknown, "the token is not known");
        let known = token.strip_prefix(MARK).map(|_| self.book.user(&hash(token))).transpose()?;
        known.flatten().ok_or_else(unknown)
    }

    /// Whether somebody still has a token with the role that he came with.
    pub fn is_known(&self, user: &User) -> Result<bool> {
        Ok(self.book.role_of(&user.name)? == Some(user.role))
    }

    /// Makes a token, which is shown this once.
    pub fn make_token(&self, name: &str, role: Role, by: &User) -> Result<String> {
        by.demand(Role::Admin)?;
        let token = new_token()?;
        self.keep_token(name, role, &token, &by.name)?;
        self.audit(by, "token.make", name, role.as_str())?;
        Ok(token)
    }

    /// Makes the first token of a control plane that has none, for an administrator.
    pub fn first_token(&self) -> Result<Option<String>> {
        if !self.book.tokens()?.is_empty() {
            return Ok(None);
        }
        let token = new_token()?;
        self.keep_token("admin", Role::Admin, &token, "longshore")?;
        Ok(Some(token))
    }

    /// Takes a token that was made elsewhere, as the one of a name; an older one of that name is gone.
    pub fn take_token(&self, name: &str, role: Role, token: &str) -> Result<()> {
        if !token.starts_with(MARK) || token.len() < 20 {
            return Err(Error::new(Code::Usage, "a token is not of the form that is taken")
                .hint("Tokens are lsh_ and at least 16 characters that nobody guesses."));
        }
        self.book.forget_token(name)?;
        self.keep_token(name, role, token, "longshore")
    }

    fn keep_token(&self, name: &str, role: Role, token: &str, by: &str) -> Result<()> {
        check(name)?;
        self.book.keep_token(name, role, &hash(token), &self.now(), by)
    }

    /// The tokens that there are.
    pub fn tokens(&self, by: &User) -> Result<Vec<Token>> {
        by.demand(Role::Admin)?;
        self.book.tokens()
    }

    /// Revokes a token: from now on nobody knows it.
    pub fn revoke_token(&self, name: &str, by: &User) -> Result<()> {
        by.demand(Role::Admin)?;
        if !self.book.forget_token(name)? {
            return Err(missing("there is no such token").with("token", name));
        }
        self.audit(by, "token.revoke", name, "done")
    }

    /// Notes that a token was used, at most once a minute or so.
    pub fn used(&self, user: &User) -> Result<()> {
        self.book.used(&user.name, &self.now())
    }

    /// Notes what somebody did.
    pub fn audit(&self, by: &User, action: &str, subject: &str, outcome: &str) -> Result<()> {
        self.book.audit(&entry(&self.now(), &by.name, action, subject, outcome))
    }

    /// What was done, the newest first, from before an entry.
    pub fn audited(&self, before: Option<i64>, limit: u32, by: &User) -> Result<Vec<AuditEntry>> {
        by.demand(Role::Admin)?;
        self.book.audited(before, limit)
    }
}

/// Makes a token in a state folder, also while a server has it.
pub fn make_token_in(state: &Path, name: &str, role: Role, now: &str) -> Result<String> {
    std::fs::create_dir_all(state)
        .map_err(|error| Error::io("make the state folder", state.display(), error))?;
    let (book, token) = (Book::open(&state.join(FILE))?, new_token()?);
    check(name)?;
    book.keep_token(name, role, &hash(&token), now, BY)?;
    book.audit(&entry(now, BY, "token.make", name, role.as_str()))?;
    Ok(token)
}

/// Revokes a token in a state folder, also while a server has it.
pub fn revoke_token_in(state: &Path, name: &str, now: &str) -> Result<()> {
    let path = state.join(FILE);
    if !path.is_file() || !Book::open(&path)?.forget_token(name)? {
        return Err(missing("there is no such token").with("token", name));
    }
    Book::open(&path)?.audit(&entry(now, BY, "token.revoke", name, "done"))
}

fn check(name: &str) -> Result<()> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.@".contains(c);
    if !name.is_empty() && name.len() <= 64 && name.chars().all(plain) {
        return Ok(());
    }
    Err(Error::new(Code::Usage, "a token cannot have this name")
        .with("name", name)
        .hint("Names are of letters, digits, -, _, . and @, and at most 64 characters long."))
}

pub(super) fn entry(at: &str, who: &str, action: &str, subject: &str, outcome: &str) -> AuditEntry {
    AuditEntry {
        id: 0,
        at: at.to_string(),
        who: who.to_string(),
        action: action.to_string(),
        subject: subject.to_string(),
        outcome: outcome.to_string(),
    }
}

/// A token is long enough that a plain hash of it cannot be turned back.
fn hash(token: &str) -> Vec<u8> {
    Sha256::digest(token.as_bytes()).to_vec()
}

fn new_token() -> Result<String> {
    use ring::rand::{SecureRandom, SystemRandom};
    let mut random = [0_u8; 32];
    SystemRandom::new()
        .fill(&mut random)
        .map_err(|_| Error::new(Code::Internal, "the operating system gives no random numbers"))?;
    Ok(format!("{MARK}{}", URL_SAFE_NO_PAD.encode(random)))
}
