//! What a chunk's part of a tree holds beside what came is removed.

use std::collections::HashSet;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use longshore_model::{Code, Error, Result, failpoint};

use super::Writing;
use super::files::{failed, is_partial, open_folder};
use crate::verbatim::walk::EntryKind;

/// What is removed.
#[derive(Default)]
struct Others {
    /// The folders that are being emptied, each in the one before it.
    folders: Vec<Vec<u8>>,
    /// The nodes of the objects that came.
    nodes: Option<HashSet<(u64, u64)>>,
}

impl Writing {
    /// Removes what the chunk's part of the tree holds and the source does not. Of a folder that the
    /// source lacks, all is in the same part.
    pub(super) fn remove_others(&mut self) -> Result<()> {
        // Meanwhile a folder may make way for a file of another chunk.
        self.walk_and_remove().or_else(|_| self.walk_and_remove())
    }

    fn walk_and_remove(&mut self) -> Result<()> {
        let [after, to] = self.order.span.ends()?;
        let forest = self.order.claim.forest();
        let mut walk = forest.walk(after.as_deref(), to)?;
        let mut others = Others::default();
        while let Some(found) = walk.next()? {
            self.leave(&mut others, Some(&found.path))?;
            let name = found.path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
            if self.written.contains(&found.path) || is_partial(name) {
                continue;
            }
            let path = forest.path(&found.path);
            self.must_be_other(&mut others, &path)?;
            match found.kind {
                EntryKind::Folder => others.folders.push(found.path),
                _ => self.remove(&others, &path, |path| fs::remove_file(path))?,
            }
            failpoint::hit("trees.removal")?;
        }
        self.leave(&mut others, None)
    }

    /// Removes the folders that what comes next is not in.
    fn leave(&mut self, others: &mut Others, next: Option<&[u8]>) -> Result<()> {
        let is_in = |folder: &Vec<u8>| {
            let rest = next.and_then(|next| next.strip_prefix(&folder[..]));
            rest.is_some_and(|rest| rest.starts_with(b"/"))
        };
        while let Some(folder) = others.folders.pop_if(|folder| !is_in(folder)) {
            let path = self.order.claim.forest().path(&folder);
            self.remove(others, &path, |path| fs::remove_dir(path))?;
        }
        Ok(())
    }

    /// Removes an entry, from a folder that does not allow it too.
    fn remove(
        &mut self,
        others: &Others,
        path: &Path,
        remove: impl Fn(&Path) -> std::io::Result<()>,
    ) -> Result<()> {
        let mut removed = remove(path);
        if removed.as_ref().is_err_and(|error| error.kind() == ErrorKind::PermissionDenied)
            && let Some(folder) = path.parent()
        {
            match others.folders.last().map(|last| self.order.claim.forest().path(last)) {
                Some(other) if other == folder => open_folder(folder, 0),
                _ => self.unclose(folder).map(|()| Ok(()))?,
            }
            .map_err(|error| failed(folder, error))?;
            removed = remove(path);
        }
        match removed {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            removed => removed.map_err(|error| failed(path, error)),
        }
    }

    /// Refuses to remove what the file system takes for one of the objects that came, such as a name in
    /// other case.
    fn must_be_other(&self, others: &mut Others, path: &Path) -> Result<()> {
        let there = fs::symlink_metadata(path).map_err(|error| failed(path, error))?;
        let forest = self.order.claim.forest();
        let nodes = others.nodes.get_or_insert_with(|| {
            let found =
                self.written.iter().filter_map(|name| fs::symlink_metadata(forest.path(name)).ok());
            found.map(|one| (one.dev(), one.ino())).collect()
        });
        let has_one_name = there.is_dir() || there.nlink() == 1;
        if !(has_one_name && nodes.contains(&(there.dev(), there.ino()))) {
            return Ok(());
        }
        Err(Error::new(
            Code::TargetNotEmpty,
            "the target has an object under a name that it does not tell apart from the source's",
        )
        .with("path", path.display().to_string())
        .hint("Rename it as the source names it, and start again."))
    }
}
