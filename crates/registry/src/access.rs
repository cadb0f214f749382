//! Who may do what.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bcrypt::HashParts;
use longshore_image::Digest;
use longshore_model::pattern::matches;
use longshore_model::{Code, Error};
use ring::rand::{SecureRandom, SystemRandom};
use serde::Deserialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::fault::{Fault, Result};
use crate::store::Repository;

/// The name of whoever does not say who he is.
const ANYBODY: &str = "*";
/// A hash that no password has, for users that are not there: so that the time tells nothing.
const NOBODY: &str = "$2b$10$AAAAAAAAAAAAAAAAAAAAAOqvkTn3JYyYdZ5XgWvZJ8b1lCzrcP3mK";

/// The least that a hash by bcrypt can cost.
const CHEAP: u32 = 4;
/// Passwords that are proved at once.
const PROVED: usize = 2;

/// What somebody may do in a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Right {
    /// Read.
    Pull,
    /// Add, and move tags.
    Push,
    /// Remove.
    Delete,
}

/// What somebody may do everywhere, by a name and a password; `None` for nobody.
type Ask = dyn Fn(&str, &str) -> Option<Vec<Right>> + Send + Sync;

/// Who may do what in which repositories.
pub struct Access {
    /// Nobody is asked who he is.
    is_open: bool,
    rules: Rules,
    /// Asked instead of the rules.
    ask: Option<Box<Ask>>,
    /// Digests of the names with passwords that were found right.
    proved: Mutex<HashSet<Digest>>,
    proving: Arc<Semaphore>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rules {
    /// Hashes of passwords by bcrypt, as `htpasswd -B` makes them.
    users: BTreeMap<String, String>,
    rights: Vec<Rule>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    repositories: Vec<String>,
    users: Vec<String>,
    may: Vec<Right>,
}

/// Somebody, as far as he is known.
#[derive(Clone)]
pub struct Visitor {
    access: Arc<Access>,
    name: Option<String>,
    /// What he may do everywhere.
    granted: Vec<Right>,
}

impl Access {
    /// Everybody may do everything.
    pub fn open() -> Self {
        Self::of(true, Rules::default())
    }

    fn of(is_open: bool, rules: Rules) -> Self {
        let proving = Arc::new(Semaphore::new(PROVED));
        Self { is_open, rules, ask: None, proved: Mutex::default(), proving }
    }

    /// Somebody else knows who may do what, and is asked each time. The answer must not take long.
    pub fn asking(ask: impl Fn(&str, &str) -> Option<Vec<Right>> + Send + Sync + 'static) -> Self {
        Self { ask: Some(Box::new(ask)), ..Self::of(false, Rules::default()) }
    }

    /// One user may do everything, whose password nobody else knows: for a registry that a process serves to
    /// itself. Returns the name and the password too.
    pub fn private() -> longshore_model::Result<(Self, String, String)> {
        let failed = |why: &str| Error::new(Code::Internal, why);
        let mut random = [0_u8; 24];
        SystemRandom::new()
            .fill(&mut random)
            .map_err(|_| failed("the operating system gives no random numbers"))?;
        let password = STANDARD.encode(random);
        // Nobody guesses it, however fast a guess is.
        let hash = bcrypt::hash(&password, CHEAP)
            .map_err(|error| failed("a password cannot be hashed").because(error))?;
        let name = "longshore".to_string();
        let rule = Rule {
            repositories: vec!["*".to_string()],
            users: vec![name.clone()],
            may: vec![Right::Pull, Right::Push, Right::Delete],
        };
        let rules = Rules { users: BTreeMap::from([(name.clone(), hash)]), rights: vec![rule] };
        Ok((Self::of(false, rules), name, password))
    }

    /// Reads rules from a file.
    pub fn read(path: &Path) -> longshore_model::Result<Self> {
        let wrong = |why: String| {
            Error::new(Code::SpecInvalid, "the rules of access are not valid")
                .with("file", path.display().to_string())
                .because(why)
        };
        let text = std::fs::read_to_string(path)
            .map_err(|error| Error::io("read the rules of access", path.display(), error))?;
        // Without an excerpt: the lines around a mistake hold hashes.
        let options = serde_saphyr::options! { with_snippet: false };
        let rules: Rules = serde_saphyr::from_str_with_options(&text, options)
            .map_err(|error| wrong(error.to_string()))?;
        for (name, hash) in &rules.users {
            if name.is_empty() || name == ANYBODY || name.contains(':') {
                return Err(wrong(format!("{name:?} cannot be the name of a user")));
            }
            hash.parse::<HashParts>().map_err(|_| {
                wrong(format!(
                    "the password of {name} is no hash by bcrypt; `htpasswd -nB {name}` makes one"
                ))
            })?;
        }
        for name in rules.rights.iter().flat_map(|rule| &rule.users) {
            if name != ANYBODY && !rules.users.contains_key(name) {
                return Err(wrong(format!("there is no user {name}")));
            }
        }
        Ok(Self::of(false, rules))
    }

    /// Who comes with an `Authorization` header, if it needs no proof, or was proved before.
    pub(crate) fn known(self: &Arc<Self>, header: Option<&str>) -> Option<Visitor> {
        let Some(header) = header.filter(|_| !self.is_open) else {
            return Some(self.visitor(None));
        };
        let (name, password) = basic(header)?;
        let is_proved = self.proved.lock().is_ok_and(|all| all.contains(&proof(&name, &password)));
        is_proved.then(|| self.visitor(Some(name)))
    }

    /// Who comes with an `Authorization` header. It takes as long as a password takes to prove.
    pub(crate) fn prove(self: &Arc<Self>, header: &str) -> Result<Visitor> {
        let (name, password) = basic(header).ok_or(Fault::WhoAreYou)?;
        if let Some(ask) = &self.ask {
            let granted = ask(&name, &password).ok_or(Fault::WhoAreYou)?;
            return Ok(Visitor { granted, ..self.visitor(Some(name)) });
        }
        let hash = self.rules.users.get(&name);
        let is_right = bcrypt::verify(&password, hash.map_or(NOBODY, String::as_str));
        if hash.is_none() || !is_right.unwrap_or(false) {
            return Err(Fault::WhoAreYou);
        }
        if let Ok(mut proved) = self.proved.lock() {
            proved.insert(proof(&name, &password));
        }
        Ok(self.visitor(Some(name)))
    }

    fn visitor(self: &Arc<Self>, name: Option<String>) -> Visitor {
        Visitor { access: self.clone(), name, granted: Vec::new() }
    }

    /// Waits for the right to prove a password: few are proved at once, so that those who guess take no time from
    /// others.
    pub(crate) async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        self.proving.clone().acquire_owned().await.ok()
    }
}

/// What is kept of a name and a password that were found right.
fn proof(name: &str, password: &str) -> Digest {
    Digest::of(format!("{name}\0{password}").as_bytes())
}

impl fmt::Debug for Visitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Visitor").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Visitor {
    /// Refuses what he may not do.
    pub fn demand(&self, repository: &Repository, right: Right) -> Result<()> {
        match (self.may(repository, right), &self.name) {
            (true, _) => Ok(()),
            (false, None) => Err(Fault::WhoAreYou),
            (false, Some(_)) => Err(Fault::Denied),
        }
    }

    /// Whether he may do something.
    pub fn may(&self, repository: &Repository, right: Right) -> bool {
        self.access.is_open
            || self.granted.contains(&right)
            || self.rules().any(|rule| {
                let mut patterns = rule.repositories.iter();
                rule.may.contains(&right) && patterns.any(|one| matches(one, repository.as_str()))
            })
    }

    /// Refuses whoever has no right at all.
    pub fn demand_any(&self) -> Result<()> {
        let is_known = self.access.is_open || self.name.is_some() || self.rules().next().is_some();
        if is_known { Ok(()) } else { Err(Fault::WhoAreYou) }
    }

    fn rules(&self) -> impl Iterator<Item = &Rule> {
        let is_his = |user: &String| user == ANYBODY || Some(user) == self.name.as_ref();
        self.access.rules.rights.iter().filter(move |rule| rule.users.iter().any(is_his))
    }
}

/// The name and the password of a header.
fn basic(header: &str) -> Option<(String, String)> {
    let (scheme, rest) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(rest.trim()).ok()?).ok()?;
    let (name, password) = text.split_once(':')?;
    Some((name.to_string(), password.to_string()))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use bcrypt::HashParts;

    use super::{Access, NOBODY, Right, basic};

    #[test]
    fn proving_nobody_takes_as_long_as_proving_somebody() {
        let parts: HashParts = NOBODY.parse().expect("a hash");
        assert_eq!(parts.get_cost(), 10);
        assert!(!bcrypt::verify("", NOBODY).expect("an answer"));
    }

    #[test]
    fn a_private_registry_is_for_whoever_has_its_password() {
        let (access, user, password) = Access::private().expect("rules");
        let access = Arc::new(access);
        let header =
            |password: &str| format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
        let repository = "team/shop".parse().expect("a name");
        let visitor = access.prove(&header(&password)).expect("somebody");
        assert!(visitor.may(&repository, Right::Push) && visitor.may(&repository, Right::Delete));
        assert!(access.prove(&header("guessed")).is_err());
        assert!(!access.known(None).expect("anybody").may(&repository, Right::Pull));
        assert_ne!(password, Access::private().expect("rules").2);
    }

    #[test]
    fn who_else_knows_is_asked_each_time() {
        let access = Arc::new(Access::asking(|_, password| match password {
            "reads" => Some(vec![Right::Pull]),
            _ => None,
        }));
        let header =
            |password: &str| format!("Basic {}", STANDARD.encode(format!("me:{password}")));
        let repository = "team/shop".parse().expect("a name");
        let reader = access.prove(&header("reads")).expect("somebody");
        assert!(reader.may(&repository, Right::Pull) && !reader.may(&repository, Right::Push));
        assert!(access.known(Some(&header("reads"))).is_none());
        assert!(access.prove(&header("guessed")).is_err());
        assert!(!access.known(None).expect("anybody").may(&repository, Right::Pull));
    }

    #[test]
    fn only_whole_credentials_are_taken() {
        let pair = |name: &str, password: &str| Some((name.to_string(), password.to_string()));
        assert_eq!(basic("Basic bWU6YTpi"), pair("me", "a:b"));
        assert_eq!(basic("basic bWU6"), pair("me", ""));
        for wrong in ["", "Basic", "Basic !", "Basic bWU=", "Bearer bWU6YTpi", "Basic /w=="] {
            assert_eq!(basic(wrong), None, "{wrong}");
        }
    }
}
