//! Which tags stay by the rules of the policy, and the removal of the others, beside a registry that serves.
//!
//! Only names go. The images that no tag leads to any more are freed by the collection of garbage, after the while
//! in which somebody may be about to need them.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io;
use std::time::SystemTime;

use longshore_image::Digest;
use serde::Serialize;

use crate::fault::{Fault, Result};
use crate::policy::Retain;
use crate::store::{Repository, Store, remove, subject_of};

/// What the rules said of a tag.
#[derive(Debug, Clone, Serialize)]
pub struct Judged {
    /// The repository.
    pub repository: String,
    /// The tag.
    pub tag: String,
    /// What it names.
    pub digest: Digest,
    /// When it was last pushed.
    #[serde(serialize_with = "as_text")]
    pub pushed: SystemTime,
    /// Whether it stays.
    pub kept: bool,
    /// The rule that keeps it, or why none does.
    pub why: String,
}

/// A tag, as it is looked at.
#[derive(Debug, Clone)]
struct Tag {
    name: String,
    digest: Digest,
    pushed: SystemTime,
}

/// Judges the tags of all repositories for which the policy has rules, and removes those that no rule keeps.
/// While a repository is looked at, nobody pushes to it.
pub fn retain(store: &Store, only_told: bool) -> longshore_model::Result<Vec<Judged>> {
    let failed =
        |fault: Fault| fault.into_error("the rules of retention cannot be applied", store.root());
    let mut judged = Vec::new();
    for repository in store.all_repositories().map_err(failed)? {
        let Some(rules) = store.policies().retain(&repository) else { continue };
        let all = retain_in(store, &repository, &rules, only_told).map_err(failed)?;
        judged.extend(all);
    }
    Ok(judged)
}

fn retain_in(
    store: &Store,
    repository: &Repository,
    rules: &[Retain],
    only_told: bool,
) -> Result<Vec<Judged>> {
    let _change = store.change(repository)?;
    let (tags, holds) = (tags(store, repository)?, store.holds_of(repository)?);
    let (about, own): (Vec<Tag>, Vec<Tag>) =
        tags.into_iter().partition(|tag| subject_of(&tag.name).is_some());
    let kept_by_rules = by_rules(&own, rules, SystemTime::now());
    let mut judged = Vec::new();
    for tag in own {
        let stays = store.why_tag_stays(repository, &tag.name, &tag.digest, &holds);
        let rule = stays.or_else(|| kept_by_rules.get(&tag.name).cloned());
        judged.push(tag.judged(repository, rule, "no rule keeps it"));
    }
    let stay = staying(store, repository, &judged)?;
    for tag in about {
        let stays = store.why_tag_stays(repository, &tag.name, &tag.digest, &holds);
        let is_needed = subject_of(&tag.name).is_some_and(|subject| stay.contains(&subject));
        let rule = stays.or(is_needed.then(|| "the image that it speaks of stays".to_string()));
        judged.push(tag.judged(repository, rule, "the image that it speaks of does not stay"));
    }
    judged.sort_by(|a, b| a.tag.cmp(&b.tag));
    if !only_told {
        for one in judged.iter().filter(|one| !one.kept) {
            remove(&store.tag(repository, &one.tag))?;
        }
        store.settle_tags(repository)?;
    }
    Ok(judged)
}

impl Tag {
    fn judged(self, repository: &Repository, rule: Option<String>, otherwise: &str) -> Judged {
        Judged {
            repository: repository.to_string(),
            tag: self.name,
            digest: self.digest,
            pushed: self.pushed,
            kept: rule.is_some(),
            why: rule.unwrap_or_else(|| otherwise.to_string()),
        }
    }
}

/// The tags of a repository, with what they name and when they were pushed.
fn tags(store: &Store, repository: &Repository) -> Result<Vec<Tag>> {
    let mut found = Vec::new();
    for name in store.all_tags(repository)? {
        let Some(digest) = store.resolve(repository, &name)? else { continue };
        let path = store.tag(repository, &name);
        match fs::metadata(&path).and_then(|there| there.modified()) {
            Ok(pushed) => found.push(Tag { name, digest, pushed }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(Fault::disk("look at", &path)(error)),
        }
    }
    Ok(found)
}

/// The tags that rules keep, with the first rule that does.
fn by_rules(tags: &[Tag], rules: &[Retain], now: SystemTime) -> HashMap<String, String> {
    let mut found = HashMap::new();
    for rule in rules {
        let mut chosen: Vec<&Tag> = tags.iter().filter(|tag| rule.is_for(&tag.name)).collect();
        // Of those that were pushed at the same time, the later name counts as the newer.
        chosen.sort_by(|a, b| (b.pushed, &b.name).cmp(&(a.pushed, &a.name)));
        chosen.truncate(rule.last.unwrap_or(usize::MAX));
        // What was pushed in a future, by a clock that was set, is young.
        let is_young = |tag: &&Tag| {
            rule.younger_than
                .is_none_or(|age| now.duration_since(tag.pushed).map_or(true, |gone| gone < age))
        };
        for tag in chosen.into_iter().filter(is_young) {
            found.entry(tag.name.clone()).or_insert_with(|| format!("the rule {}", rule.title()));
        }
    }
    found
}

/// The manifests that stay with the tags that are kept, and with what is held.
fn staying(store: &Store, repository: &Repository, judged: &[Judged]) -> Result<HashSet<Digest>> {
    let kept = judged.iter().filter(|one| one.kept);
    let roots: Vec<Digest> = kept.map(|one| one.digest.clone()).collect();
    let mut stay = store.reach(repository, &roots, true)?;
    stay.extend(store.kept_by_holds(repository)?.into_keys());
    // What never had a tag of its own is none of the rules' business, nor is what speaks of it.
    let judged: Vec<Digest> = judged.iter().map(|one| one.digest.clone()).collect();
    let known = store.reach(repository, &judged, true)?;
    let manifests = store.manifests(repository)?;
    stay.extend(manifests.into_iter().filter(|digest| !known.contains(digest)));
    Ok(stay)
}

fn as_text<S: serde::Serializer>(time: &SystemTime, to: S) -> std::result::Result<S::Ok, S::Error> {
    to.collect_str(&humantime::format_rfc3339_seconds(*time))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use longshore_image::Digest;

    use super::{Tag, by_rules};
    use crate::policy::Retain;

    const DAY: Duration = Duration::from_secs(24 * 3600);

    /// A tag that was pushed so many days ago.
    fn tag(name: &str, days: u32, now: SystemTime) -> Tag {
        Tag { name: name.to_string(), digest: Digest::of(b""), pushed: now - DAY * days }
    }

    #[test]
    fn rules_keep_what_fulfils_all_that_they_say() {
        let now = SystemTime::now();
        let mut tags =
            vec![tag("v1", 40, now), tag("v2", 20, now), tag("v3", 1, now), tag("main", 0, now)];
        tags.push(Tag { pushed: now + DAY, ..tag("future", 0, now) });
        for (rules, expected) in [
            ("[{last: 2}]", "future main"),
            ("[{tags: [v*], last: 2}]", "v2 v3"),
            ("[{tags: [v*], last: 2, younger-than: 2d}]", "v3"),
            ("[{younger-than: 30d}]", "future main v2 v3"),
            ("[{tags: [v1]}, {last: 1}]", "future v1"),
            ("[{last: 99}]", "future main v1 v2 v3"),
            ("[{tags: [x]}]", ""),
        ] {
            let list: Vec<Retain> = serde_saphyr::from_str(rules).expect(rules);
            let mut kept: Vec<String> = by_rules(&tags, &list, now).into_keys().collect();
            kept.sort();
            assert_eq!(kept.join(" "), expected, "{rules}");
        }
    }

    #[test]
    fn of_tags_of_one_moment_the_later_name_is_the_newer() {
        let now = SystemTime::now();
        let tags = [tag("v1", 0, now), tag("v2", 0, now)];
        let rules: Vec<Retain> = serde_saphyr::from_str("[{last: 1}]").expect("rules");
        assert!(by_rules(&tags, &rules, now).contains_key("v2"));
    }
}
