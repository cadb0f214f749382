//! Lists of tags and repositories, in pages.

use std::path::Path;

use super::{Repository, Store, disk};
use crate::Fault;
use crate::fault::Result;

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The names, sorted by their bytes.
    pub names: Vec<String>,
    /// Whether others follow.
    pub more: bool,
}

impl Store {
    /// The tags of a repository after one, at most so many.
    pub fn tags(&self, repository: &Repository, last: &str, at_most: usize) -> Result<Page> {
        if !self.has(repository) {
            return Err(Fault::NameUnknown);
        }
        self.tags.page(&self.at(repository).join("_tags"), last, at_most)
    }

    /// The repositories after one that are wanted, at most so many.
    pub fn catalog(
        &self,
        last: &str,
        at_most: usize,
        is_wanted: &dyn Fn(&Repository) -> bool,
    ) -> Result<Page> {
        let mut all = self.all_repositories()?;
        let has_manifests = |name: &Repository| self.at(name).join("_manifests").is_dir();
        all.retain(|name| has_manifests(name) && is_wanted(name));
        let names = all.iter().map(|name| name.as_str().to_string()).collect();
        Ok(page(names, last, at_most))
    }

    /// Every repository that ever had something, sorted.
    pub(crate) fn all_repositories(&self) -> Result<Vec<Repository>> {
        let mut names = Vec::new();
        walk(&self.repositories(), "", &mut names)?;
        names.sort_unstable();
        // What cannot be the name of a repository is no repository of ours.
        Ok(names.iter().filter_map(|name| name.parse().ok()).collect())
    }
}

fn walk(folder: &Path, prefix: &str, found: &mut Vec<String>) -> Result<()> {
    for name in disk::names(folder)? {
        if name.starts_with('_') {
            continue;
        }
        let (path, whole) = (folder.join(&name), format!("{prefix}{name}"));
        if path.join("_manifests").is_dir() || path.join("_blobs").is_dir() {
            found.push(whole.clone());
        }
        walk(&path, &format!("{whole}/"), found)?;
    }
    Ok(())
}

fn page(names: Vec<String>, last: &str, at_most: usize) -> Page {
    let mut names: Vec<String> = names.into_iter().filter(|name| name.as_str() > last).collect();
    let more = names.len() > at_most;
    names.truncate(at_most);
    Page { names, more }
}
