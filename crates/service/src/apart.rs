//! Whether source and target are two places of the file system, however their paths are written.

use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use longshore_engine::Link;
use longshore_model::{Code, Error, Result, object};

/// Refuses a move into its own source: the same file or folder by whatever links and mounts, and a
/// tree of objects within the other.
pub(crate) fn check(link: &Link) -> Result<()> {
    let ends = [&link.source, &link.target];
    if !ends.iter().all(|connector| connector.about().local) {
        return Ok(());
    }
    let (from, to) = (resolved(&link.from.path()?)?, resolved(&link.to.path()?)?);
    let refused = |problem: &str| {
        Err(Error::new(Code::Usage, problem)
            .with("source", link.from.to_string())
            .with("target", link.to.to_string())
            .hint("Name another target; a migration never writes into its own source."))
    };
    if is_same(&from, &to) {
        return refused("source and target are the same");
    }
    let objects = ends.iter().all(|connector| connector.about().target.dialect == object::DIALECT);
    if objects && (is_within(&from, &to) || is_within(&to, &from)) {
        return refused("source and target are inside of each other");
    }
    Ok(())
}

/// The absolute path without links, as far as it exists.
fn resolved(path: &str) -> Result<PathBuf> {
    let absolute =
        std::path::absolute(path).map_err(|error| Error::io("find a folder", path, error))?;
    let mut resolved = PathBuf::new();
    for component in absolute.components() {
        match component {
            Component::ParentDir => drop(resolved.pop()),
            component => resolved.push(component),
        }
        if let Ok(real) = resolved.canonicalize() {
            resolved = real;
        }
    }
    Ok(resolved)
}

fn is_within(inner: &Path, outer: &Path) -> bool {
    inner.ancestors().any(|folder| is_same(folder, outer))
}

/// Hard links and mounts show one file under several paths.
fn is_same(one: &Path, other: &Path) -> bool {
    let file = |path: &Path| path.metadata().ok().map(|found| (found.dev(), found.ino()));
    one == other || file(one).is_some_and(|one| file(other) == Some(one))
}
