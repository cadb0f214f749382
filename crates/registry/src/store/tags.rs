//! The tags of repositories, kept in memory for who reads them page by page.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use super::{Page, disk};
use crate::fault::{Fault, Result};

/// Folders whose names are kept at most.
const FOLDERS: usize = 8;
/// How long a folder must have been as it is before its names are kept: file systems tell time in steps of up to
/// 10 ms, and two changes within one step are not told apart.
const SETTLED: Duration = Duration::from_millis(100);

/// The names in some folders, the one that was asked for last first.
#[derive(Debug, Default)]
pub(super) struct Tags(Mutex<Vec<(PathBuf, Arc<Names>)>>);

/// The names in a folder at one state of it, sorted by their bytes, in one piece of memory.
#[derive(Debug)]
struct Names {
    state: State,
    text: String,
    /// Where each name begins and ends.
    spans: Vec<(u32, u32)>,
}

/// Changes whenever a name in a folder comes or goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct State {
    inode: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Tags {
    /// The names in a folder after one, at most so many. The list is as it is now, also when another process
    /// changes it.
    pub(super) fn page(&self, folder: &Path, last: &str, at_most: usize) -> Result<Page> {
        let state = match fs::metadata(folder) {
            Ok(there) => State::of(&there),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Page { names: Vec::new(), more: false });
            }
            Err(error) => return Err(Fault::disk("list", folder)(error)),
        };
        if let Some(names) = self.kept(folder, state) {
            return Ok(names.page(last, at_most));
        }
        let names = Arc::new(Names::read(folder, state)?);
        if state.is_settled() {
            self.keep(folder, names.clone());
        }
        Ok(names.page(last, at_most))
    }

    fn kept(&self, folder: &Path, state: State) -> Option<Arc<Names>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let index = kept.iter().position(|(path, _)| path == folder)?;
        if kept[index].1.state != state {
            kept.remove(index);
            return None;
        }
        kept[..=index].rotate_right(1);
        Some(kept[0].1.clone())
    }

    fn keep(&self, folder: &Path, names: Arc<Names>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|(path, _)| path != folder);
        kept.truncate(FOLDERS - 1);
        kept.insert(0, (folder.to_path_buf(), names));
    }
}

impl State {
    fn of(there: &fs::Metadata) -> Self {
        Self {
            inode: there.ino(),
            modified: (there.mtime(), there.mtime_nsec()),
            changed: (there.ctime(), there.ctime_nsec()),
        }
    }

    /// Whether a change from now on would show. A clock that was set back says no.
    fn is_settled(&self) -> bool {
        let changed = Duration::new(
            u64::try_from(self.changed.0).unwrap_or(0),
            u32::try_from(self.changed.1).unwrap_or(0),
        );
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH + changed);
        since.is_ok_and(|since| since > SETTLED)
    }
}

impl Names {
    fn read(folder: &Path, state: State) -> Result<Self> {
        let (mut text, mut spans) = (String::new(), Vec::new());
        disk::each_name(folder, |name| {
            let start = text.len();
            text.push_str(name);
            // Four gigabytes of names are more than a folder holds.
            let place = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
            spans.push((place(start), place(text.len())));
        })?;
        text.shrink_to_fit();
        spans.shrink_to_fit();
        let name = |span: &(u32, u32)| &text[span.0 as usize..span.1 as usize];
        spans.sort_unstable_by(|a, b| name(a).cmp(name(b)));
        Ok(Self { state, text, spans })
    }

    fn page(&self, last: &str, at_most: usize) -> Page {
        let name = |span: &(u32, u32)| &self.text[span.0 as usize..span.1 as usize];
        let after = &self.spans[self.spans.partition_point(|span| name(span) <= last)..];
        let names = after.iter().take(at_most).map(|span| name(span).to_string()).collect();
        Page { names, more: after.len() > at_most }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;
    use std::thread::sleep;

    use super::{SETTLED, Tags};

    #[test]
    fn a_list_is_as_the_folder_is_now() {
        let folder = tempfile::tempdir().expect("a folder");
        let tags = Tags::default();
        let list = |at: &Path, last: &str, at_most| {
            let page = tags.page(at, last, at_most).expect("a page");
            (page.names.join(" "), page.more)
        };
        let told = |names: &str, more| (names.to_string(), more);
        assert_eq!(list(&folder.path().join("none"), "", 10), told("", false));
        let write = |name: &str| fs::write(folder.path().join(name), "x").expect("a file");
        for name in ["b", "a", ".hidden", "c-1", "B"] {
            write(name);
        }
        for is_kept in [false, true] {
            assert_eq!(list(folder.path(), "", 10), told("B a b c-1", false), "{is_kept}");
            assert_eq!(list(folder.path(), "a", 1), told("b", true));
            assert_eq!(list(folder.path(), "a0", 2), told("b c-1", false));
            assert_eq!(list(folder.path(), "z", 2), told("", false));
            assert_eq!(list(folder.path(), "", 0), told("", true));
            assert_eq!(!tags.0.lock().expect("a list").is_empty(), is_kept);
            sleep(SETTLED * 2);
            list(folder.path(), "", 1);
        }
        write("d");
        assert_eq!(list(folder.path(), "b", 10), told("c-1 d", false));
        fs::remove_file(folder.path().join("c-1")).expect("removed");
        assert_eq!(list(folder.path(), "b", 10), told("d", false));
    }
}
