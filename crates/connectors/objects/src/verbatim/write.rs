//! Writing one chunk of a tree, on a thread of its own.
//!
//! A file that comes in one part is written under its name; a larger one under a temporary name until
//! it is whole. Before the chunk's entry is written, everything of it is on disk.
//!
//! Where the tree held objects before, every file has a temporary name until it is whole, and only the
//! bytes from the first that differs on are written.

mod files;
mod order;
mod remove;

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::RecordBatch;
use async_trait::async_trait;
use longshore_model::connector::Writer;
use longshore_model::ledger::Entry;
use longshore_model::object::{Object, ObjectBatch, ObjectKind, Piece, escape, unescape};
use longshore_model::spec::Existing;
use longshore_model::{Batch, Code, Error, Result, failpoint};
use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, UTIME_OMIT};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::entry::PERMISSIONS;
use super::twin::{Twin, is_described};
use super::xattr::{self, Node};
use files::{
    FILLED, create, failed, make_folder, make_link, open_folder, owner, partial, remove_all,
};
pub(super) use files::{is_partial, write_sparse};
pub(super) use order::Order;

/// Writes one chunk of a tree.
pub(super) struct TreeWriter {
    commands: mpsc::Sender<Command>,
    work: JoinHandle<Result<()>>,
}

enum Command {
    Objects(ObjectBatch),
    Commit(Box<Entry>, oneshot::Sender<()>),
}

impl TreeWriter {
    pub(super) fn start(order: Order) -> Self {
        let (commands, receiver) = mpsc::channel(1);
        let work = tokio::task::spawn_blocking(move || Writing::new(order).run(receiver));
        Self { commands, work }
    }

    async fn send(&mut self, command: Command) -> Result<()> {
        if self.commands.send(command).await.is_ok() {
            return Ok(());
        }
        self.ended().await?;
        Err(Error::new(Code::Internal, "a writer of a tree ended early"))
    }

    async fn ended(&mut self) -> Result<()> {
        (&mut self.work).await.map_err(|error| {
            Error::new(Code::Internal, "a writer of a tree ended early").because(error)
        })?
    }
}

#[async_trait]
impl Writer for TreeWriter {
    async fn write(&mut self, batch: Batch) -> Result<()> {
        let Batch::Objects(objects) = batch else {
            return Err(Error::new(Code::Unsupported, "a tree of files takes objects, not rows")
                .hint("Ask for rows in files with ?format=parquet, csv or jsonl."));
        };
        self.send(Command::Objects(objects)).await
    }

    async fn offer(&mut self, _: RecordBatch) -> Result<()> {
        Err(Error::new(Code::Unsupported, "a tree of files takes objects, not rows"))
    }

    async fn commit(mut self: Box<Self>, entry: Entry) -> Result<()> {
        let (sender, committed) = oneshot::channel();
        self.send(Command::Commit(Box::new(entry), sender)).await?;
        // From here on the work goes to its end even when nobody waits for it.
        let _ended_is_told_below = committed.await;
        self.ended().await
    }
}

/// A chunk that is being written.
struct Writing {
    order: Order,
    /// Folders that are known to be there.
    folders: HashSet<PathBuf>,
    /// The file that is not whole yet.
    open: Option<Open>,
    /// The modes that folders get when they are filled.
    modes: Vec<(String, u32)>,
    /// The names that were written, where others are removed.
    written: HashSet<Vec<u8>>,
}

struct Open {
    name: Arc<str>,
    content: Content,
    size: u64,
}

/// Where the bytes of a file are.
enum Content {
    /// In the target, as far as they were compared.
    There(Twin),
    New {
        file: File,
        temporary: PathBuf,
    },
}

impl Open {
    /// Goes on in a new file, with what was found to be the same.
    fn renew(&mut self, path: &Path, chunk: usize) -> Result<()> {
        if let Content::There(twin) = &self.content {
            let temporary = partial(path, chunk);
            let mut file = create(&temporary)?;
            let copied = twin.copy_to(&mut file, self.size);
            copied.map_err(|error| failed(&temporary, error))?;
            self.content = Content::New { file, temporary };
        }
        Ok(())
    }
}

impl Writing {
    fn new(order: Order) -> Self {
        Self {
            order,
            folders: HashSet::new(),
            open: None,
            modes: Vec::new(),
            written: HashSet::new(),
        }
    }

    fn run(mut self, mut commands: mpsc::Receiver<Command>) -> Result<()> {
        while let Some(command) = commands.blocking_recv() {
            match command {
                Command::Objects(batch) => {
                    for piece in batch.pieces {
                        self.piece(piece)?;
                    }
                }
                Command::Commit(entry, committed) => {
                    let done = self.commit(*entry);
                    // The writer waits for the end of the thread too.
                    let _ = committed.send(());
                    return done;
                }
            }
        }
        self.give_up();
        Ok(())
    }

    fn piece(&mut self, piece: Piece) -> Result<()> {
        if piece.offset == 0 {
            self.give_up();
        }
        if piece.original.is_some() {
            return Err(Error::new(Code::Internal, "a folder cannot have a store copy objects"));
        }
        let path = self.order.claim.path(&piece.name)?;
        let known = piece.end.as_ref().or(piece.begin.as_ref());
        match (&piece.end, piece.offset) {
            (Some(object), 0) if object.kind != ObjectKind::File || !self.order.merges() => {
                return self.whole(&path, object, &piece.bytes);
            }
            (_, 0) => self.begin(&path, &piece.name, known.map_or(0, |object| object.size))?,
            _ => {}
        }
        self.append(&path, &piece)?;
        match &piece.end {
            Some(object) => self.close(&path, object),
            None => Ok(()),
        }
    }

    /// Begins a file of about so many bytes.
    fn begin(&mut self, path: &Path, name: &Arc<str>, size: u64) -> Result<()> {
        self.parent(path)?;
        if self.order.existing == Existing::Append {
            // What is kept does not make way, which is better known before the bytes come.
            self.make_way(path, ObjectKind::File)?;
        }
        let twin = match self.order.merges() {
            true => Twin::find(path, size).map_err(|error| failed(path, error))?,
            false => None,
        };
        let content = match twin {
            Some(twin) => Content::There(twin),
            None => {
                let temporary = partial(path, self.order.chunk);
                Content::New { file: create(&temporary)?, temporary }
            }
        };
        self.open = Some(Open { name: name.clone(), content, size: 0 });
        Ok(())
    }

    /// Writes an object that came in one part.
    fn whole(&mut self, path: &Path, object: &Object, bytes: &[u8]) -> Result<()> {
        self.parent(path)?;
        self.make_way(path, object.kind)?;
        match object.kind {
            ObjectKind::Folder => {
                make_folder(path)?;
                self.folders.insert(path.to_path_buf());
                let is_closed = object.mode.is_some_and(|mode| mode & FILLED != FILLED);
                if self.is_there(path, object) && !is_closed {
                    return self.done(object);
                }
            }
            ObjectKind::Link => return self.link(path, object),
            ObjectKind::File => {
                let mut file = create(path)?;
                write_sparse(&mut file, 0, bytes).map_err(|error| failed(path, error))?;
                // What does not end in a hole is as long as it is to be.
                if bytes.last() == Some(&0) || bytes.len() as u64 != object.size {
                    file.set_len(object.size).map_err(|error| failed(path, error))?;
                }
            }
        }
        self.describe(path, object)
    }

    fn link(&mut self, path: &Path, object: &Object) -> Result<()> {
        let to = object.link.as_deref().and_then(unescape).unwrap_or_default();
        let to = OsStr::from_bytes(&to);
        if !self.order.merges() {
            make_link(to, path)?;
            return self.describe(path, object);
        }
        if fs::read_link(path).is_ok_and(|there| there.as_os_str() == to)
            && self.is_there(path, object)
        {
            return self.done(object);
        }
        let temporary = partial(path, self.order.chunk);
        make_link(to, &temporary)?;
        self.describe(&temporary, object)?;
        fs::rename(&temporary, path).map_err(|error| failed(path, error))
    }

    /// Whether what the tree held before has all that is kept of an object apart from its bytes.
    fn is_there(&self, path: &Path, object: &Object) -> bool {
        let there = fs::symlink_metadata(path);
        let wants = |column: &str| self.order.wants(column);
        let has_all = || {
            object.kind == ObjectKind::Link || !wants("attributes") || Node::At(path).has(object)
        };
        self.order.merges()
            && there.is_ok_and(|there| is_described(&there, object, wants))
            && has_all()
    }

    fn append(&mut self, path: &Path, piece: &Piece) -> Result<()> {
        let open =
            self.open.as_mut().filter(|open| open.name == piece.name && open.size == piece.offset);
        let open = open.ok_or_else(|| {
            Error::new(Code::Internal, "a part of an object came without those before it")
        })?;
        if let Content::There(twin) = &open.content
            && !twin.holds(piece.offset, &piece.bytes).map_err(|error| failed(path, error))?
        {
            open.renew(path, self.order.chunk)?;
        }
        if let Content::New { file, temporary } = &mut open.content {
            write_sparse(file, piece.offset, &piece.bytes)
                .map_err(|error| failed(temporary, error))?;
        }
        open.size += piece.bytes.len() as u64;
        Ok(())
    }

    /// Gives a file its name when all of it is there.
    fn close(&mut self, path: &Path, object: &Object) -> Result<()> {
        let Some(mut open) = self.open.take() else { return Ok(()) };
        if open.size != object.size {
            return Err(Error::new(Code::Internal, "an object has another size than was told"));
        }
        if let Content::There(twin) = &open.content {
            let described = twin.is_described(object, |column| self.order.wants(column));
            match twin.size() == object.size && (described || !twin.is_shared()) {
                true if described => return self.done(object),
                true => return self.describe(path, object),
                false => open.renew(path, self.order.chunk)?,
            }
        }
        if let Content::New { file, temporary } = open.content {
            file.set_len(object.size).map_err(|error| failed(&temporary, error))?;
            drop(file);
            self.make_way(path, object.kind)?;
            self.describe(&temporary, object)?;
            fs::rename(&temporary, path).map_err(|error| failed(path, error))?;
        }
        Ok(())
    }

    /// Removes a file that never became whole.
    fn give_up(&mut self) {
        if let Some(Open { content: Content::New { temporary, .. }, .. }) = self.open.take() {
            // What stays is removed when the target is claimed again.
            let _ = fs::remove_file(temporary);
        }
    }

    fn parent(&mut self, path: &Path) -> Result<()> {
        let Some(parent) = path.parent() else { return Ok(()) };
        if self.folders.contains(parent) {
            return Ok(());
        }
        let root = self.order.claim.root();
        let below = parent.strip_prefix(root).unwrap_or(Path::new(""));
        let mut folder = root.to_path_buf();
        for part in below {
            folder.push(part);
            if !self.folders.contains(&folder) {
                self.make_way(&folder, ObjectKind::Folder)?;
                make_folder(&folder)?;
                if self.order.replaces || self.order.merges() {
                    self.unclose(&folder)?;
                }
                self.folders.insert(folder.clone());
            }
        }
        self.folders.insert(parent.to_path_buf());
        Ok(())
    }

    /// Where something may be there already, removes a folder where the source has none, and what stands
    /// where it has one.
    fn make_way(&self, path: &Path, kind: ObjectKind) -> Result<()> {
        if !(self.order.replaces || self.order.merges()) {
            return Ok(());
        }
        let there = match fs::symlink_metadata(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            there => there.map_err(|error| failed(path, error))?,
        };
        let removed = match (there.is_dir(), kind == ObjectKind::Folder) {
            (true, true) | (false, false) => return Ok(()),
            _ if self.order.existing == Existing::Append || self.is_written(path) => {
                return Err(taken(path));
            }
            (true, false) => remove_all(path),
            (false, true) => fs::remove_file(path),
        };
        match removed {
            // Another chunk has made way for the same meanwhile.
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::IsADirectory) => {
                Ok(())
            }
            removed => removed.map_err(|error| failed(path, error)),
        }
    }

    fn is_written(&self, path: &Path) -> bool {
        self.written.contains(self.below(path).as_os_str().as_bytes())
    }

    /// The path below the root.
    fn below<'a>(&self, path: &'a Path) -> &'a Path {
        path.strip_prefix(self.order.claim.root()).unwrap_or(path)
    }

    /// Allows to fill a folder that is finished, until the chunk is committed; or the run is finished,
    /// where the folder's mode comes with its row.
    fn unclose(&mut self, folder: &Path) -> Result<()> {
        let there = fs::symlink_metadata(folder).map_err(|error| failed(folder, error))?;
        let mode = there.permissions().mode() & PERMISSIONS;
        if mode & FILLED != FILLED {
            if self.order.replaces || !self.order.wants("mode") {
                self.modes.push((escape(self.below(folder).as_os_str().as_bytes()), mode));
            }
            open_folder(folder, mode).map_err(|error| failed(folder, error))?;
        }
        Ok(())
    }

    /// Sets what is known of an object apart from its bytes. Owners come first: a change of the owner
    /// takes bits of the mode and capabilities away. An access list comes before the mode, which is a part
    /// of it.
    fn describe(&mut self, path: &Path, object: &Object) -> Result<()> {
        let wanted = |column: &str| self.order.wants(column);
        if wanted("owner")
            && let Some((user, group)) = object.owner.as_deref().and_then(owner)
        {
            rustix::fs::chownat(CWD, path, Some(user), Some(group), AtFlags::SYMLINK_NOFOLLOW)
                .map_err(|error| failed(path, error.into()))?;
        }
        if wanted("attributes") && object.kind != ObjectKind::Link {
            xattr::set(path, object)?;
        }
        if wanted("mode")
            && let Some(mode) = object.mode
        {
            let now = match object.kind {
                ObjectKind::Folder if mode & FILLED != FILLED => {
                    self.modes.push((object.name.clone(), mode));
                    mode | FILLED
                }
                _ => mode,
            };
            fs::set_permissions(path, Permissions::from_mode(now))
                .map_err(|error| failed(path, error))?;
        }
        if wanted("modified")
            && let Some(modified) = object.modified
        {
            let times = Timestamps {
                last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
                last_modification: Timespec {
                    tv_sec: modified.div_euclid(1_000_000_000),
                    tv_nsec: modified.rem_euclid(1_000_000_000),
                },
            };
            rustix::fs::utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW)
                .map_err(|error| failed(path, error.into()))?;
        }
        self.done(object)
    }

    /// An object is there.
    fn done(&mut self, object: &Object) -> Result<()> {
        if self.order.replaces || self.order.merges() {
            self.written.extend(unescape(&object.name));
        }
        Ok(())
    }

    fn commit(mut self, mut entry: Entry) -> Result<()> {
        self.give_up();
        let claim = self.order.claim.clone();
        if self.order.removes() {
            self.order.must_be_all(entry.fingerprint.rows)?;
            claim.check()?;
            failpoint::hit("trees.before-removal")?;
            self.remove_others()?;
        }
        if self.order.replaces {
            claim.remove_entry(self.order.table, self.order.chunk)?;
        }
        if claim.is_finished()? {
            claim.set_modes(self.modes.clone())?;
        }
        claim.sync()?;
        failpoint::hit("trees.before-entry")?;
        if !self.modes.is_empty() {
            entry.range = Some(serde_json::json!({ "modes": self.modes }));
        }
        claim.put_entry(&entry)?;
        failpoint::hit("trees.after-entry")
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        self.give_up();
    }
}

fn taken(path: &Path) -> Error {
    Error::new(Code::TargetNotEmpty, "a name is that of a folder on one side and not on the other")
        .with("path", path.display().to_string())
        .hint("Rename it on one side.")
}
