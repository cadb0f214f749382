//! What the owner of a registry wants of its repositories: which tags never move, how much they hold, and what
//! is kept of them.

use std::path::Path;
use std::time::Duration;

use longshore_model::pattern::matches;
use longshore_model::spec::Size;
use longshore_model::{Code, Error, Result};
use serde::Deserialize;

use crate::store::Repository;

/// The file in the folder of a registry.
pub(crate) const FILE: &str = "policy.yaml";
const HINT: &str = "Correct the line that is named. `policies` is a list; a policy has the keys `repositories`, \
                    `immutable`, `quota` and `retain`, and a rule of `retain` the keys `name`, `tags`, `last` and \
                    `younger-than`.";

/// The policies of a registry. All whose patterns match a repository apply to it.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Policies {
    policies: Vec<Policy>,
}

/// What is wanted of some repositories.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Policy {
    /// Patterns of their names.
    repositories: Vec<String>,
    /// Patterns of tags that never name another image, and stay.
    #[serde(default)]
    immutable: Vec<String>,
    /// The most that each of them holds, every blob counted once.
    quota: Option<Size>,
    /// What is kept of them: what any rule keeps. Everything without it.
    retain: Option<Vec<Retain>>,
}

/// A rule that keeps tags: those that fulfil all that it says.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Retain {
    /// How it is called where it decides.
    name: Option<String>,
    /// Patterns of tags; all of them without it.
    tags: Option<Vec<String>>,
    /// So many of those that were pushed last.
    pub(crate) last: Option<usize>,
    /// Those that were pushed in this time.
    #[serde(default, deserialize_with = "duration")]
    pub(crate) younger_than: Option<Duration>,
}

/// A limit, and who sets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Quota {
    /// Bytes.
    pub(crate) limit: u64,
    /// The patterns of the policy.
    pub(crate) of: String,
}

impl Policies {
    /// Reads the policies of a registry in a folder. None are as good as no file.
    pub(crate) fn read(root: &Path) -> Result<Self> {
        let path = root.join(FILE);
        match std::fs::read_to_string(&path) {
            Ok(text) => Self::parse(&text, &path.display().to_string()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(Error::io("read the policy of the registry", path.display(), error)),
        }
    }

    fn parse(text: &str, file: &str) -> Result<Self> {
        let wrong = |why: String| {
            Error::new(Code::SpecInvalid, "the policy of the registry is not valid")
                .with("file", file)
                .because(why)
                .hint(HINT)
        };
        let options = serde_saphyr::options! { with_snippet: false };
        let policies: Self = serde_saphyr::from_str_with_options(text, options)
            .map_err(|error| wrong(error.to_string()))?;
        for (number, policy) in policies.policies.iter().enumerate() {
            policy.check().map_err(|why| wrong(format!("policy {}: {why}", number + 1)))?;
        }
        Ok(policies)
    }

    /// The policy by which a tag never names another image.
    pub(crate) fn immutable(&self, repository: &Repository, tag: &str) -> Option<String> {
        let is_so = |policy: &&Policy| any(&policy.immutable, tag);
        self.of(repository).find(is_so).map(Policy::title)
    }

    /// Whether some tags of a repository never name another image.
    pub(crate) fn has_immutable(&self, repository: &Repository) -> bool {
        self.of(repository).any(|policy| !policy.immutable.is_empty())
    }

    /// The smallest limit of a repository.
    pub(crate) fn quota(&self, repository: &Repository) -> Option<Quota> {
        let limits = self.of(repository).filter_map(|policy| {
            policy.quota.map(|Size(limit)| Quota { limit, of: policy.title() })
        });
        limits.min_by_key(|quota| quota.limit)
    }

    /// The rules that keep tags of a repository; `None` where everything stays.
    pub(crate) fn retain(&self, repository: &Repository) -> Option<Vec<Retain>> {
        let mut lists = self.of(repository).filter_map(|policy| policy.retain.clone()).peekable();
        lists.peek()?;
        Some(lists.flatten().collect())
    }

    fn of(&self, repository: &Repository) -> impl Iterator<Item = &Policy> {
        self.policies.iter().filter(|policy| any(&policy.repositories, repository.as_str()))
    }
}

impl Policy {
    fn check(&self) -> std::result::Result<(), String> {
        if self.repositories.is_empty() {
            return Err("`repositories` names none; [\"*\"] names all".to_string());
        }
        match &self.retain {
            Some(rules) if rules.is_empty() => {
                Err("`retain` without a rule would keep no tag; leave it out to keep all"
                    .to_string())
            }
            Some(rules) => rules.iter().try_for_each(Retain::check),
            None => Ok(()),
        }
    }

    fn title(&self) -> String {
        self.repositories.join(", ")
    }
}

impl Retain {
    fn check(&self) -> std::result::Result<(), String> {
        if self.tags.is_none() && self.last.is_none() && self.younger_than.is_none() {
            return Err(
                "a rule of `retain` says nothing: give it `tags`, `last` or `younger-than`; \
                 `tags: [\"*\"]` keeps all"
                    .to_string(),
            );
        }
        match (&self.tags, self.last) {
            (Some(tags), _) if tags.is_empty() => {
                Err("`tags` of a rule of `retain` names none; [\"*\"] names all".to_string())
            }
            (_, Some(0)) => Err("`last: 0` of a rule of `retain` would keep nothing".to_string()),
            _ => Ok(()),
        }
    }

    /// Whether it speaks of a tag at all.
    pub(crate) fn is_for(&self, tag: &str) -> bool {
        self.tags.as_ref().is_none_or(|tags| any(tags, tag))
    }

    /// How it is called.
    pub(crate) fn title(&self) -> String {
        if let Some(name) = &self.name {
            return name.clone();
        }
        let tags = self.tags.as_ref().map(|tags| format!("tags {}", tags.join(", ")));
        let last = self.last.map(|last| format!("last {last}"));
        let age = self
            .younger_than
            .map(|age| format!("younger than {}", humantime::format_duration(age)));
        [tags, last, age].into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}

fn any(patterns: &[String], name: &str) -> bool {
    patterns.iter().any(|pattern| matches(pattern, name))
}

fn duration<'de, D: serde::Deserializer<'de>>(
    from: D,
) -> std::result::Result<Option<Duration>, D::Error> {
    let text = String::deserialize(from)?;
    humantime::parse_duration(&text).map(Some).map_err(|_| {
        serde::de::Error::custom(format!("{text:?} is no time such as 30d, 12h or 90m"))
    })
}

#[cfg(test)]
mod tests;
