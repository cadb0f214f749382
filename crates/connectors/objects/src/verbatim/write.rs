//! Writing one chunk of a tree, on a thread of its own.
//!
//! A file that comes in one part is written under its name; a larger one under a temporary name until
//! it is whole. Before the chunk's entry is written, everything of it is on disk.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{ErrorKind, Seek, SeekFrom, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::RecordBatch;
use async_trait::async_trait;
use longshore_model::connector::Writer;
use longshore_model::ledger::Entry;
use longshore_model::object::{Object, ObjectBatch, ObjectKind, Piece, escape, unescape};
use longshore_model::{Batch, Code, Error, Result, failpoint};
use rustix::fs::{AtFlags, CWD, Gid, Timespec, Timestamps, UTIME_OMIT, Uid};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::entry::PERMISSIONS;
use super::load::Claim;
use super::source::Span;
use super::walk::EntryKind;

/// A part of zeros of this size becomes a hole.
const HOLE: usize = 64 << 10;
/// What the owner of a folder must be allowed while it is filled.
const FILLED: u32 = 0o700;

/// Writes one chunk of a tree.
pub(super) struct TreeWriter {
    commands: mpsc::Sender<Command>,
    work: JoinHandle<Result<()>>,
}

enum Command {
    Objects(ObjectBatch),
    Commit(Box<Entry>, oneshot::Sender<()>),
}

/// What is written where.
pub(super) struct Order {
    pub(super) claim: Arc<Claim>,
    pub(super) chunk: usize,
    pub(super) table: usize,
    pub(super) span: Span,
    /// The columns that are kept.
    pub(super) columns: HashSet<String>,
    /// Whether something of the chunk may be there already: what it does not write is removed.
    pub(super) replaces: bool,
    /// The object of a store that tells what was uploaded of large objects of the chunk.
    pub(super) record: String,
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
    file: File,
    temporary: PathBuf,
    size: u64,
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
        let path = self.order.claim.path(&piece.name)?;
        match (&piece.end, piece.offset) {
            (Some(object), 0) => self.whole(&path, object, &piece.bytes),
            (None, 0) => {
                self.parent(&path)?;
                let temporary = partial(&path, self.order.chunk);
                let file = create(&temporary)?;
                let open = Open { name: piece.name.clone(), file, temporary, size: 0 };
                self.open = Some(open);
                self.append(&piece)
            }
            (end, _) => {
                self.append(&piece)?;
                match end {
                    Some(object) => self.close(&path, object),
                    None => Ok(()),
                }
            }
        }
    }

    /// Writes an object that came in one part.
    fn whole(&mut self, path: &Path, object: &Object, bytes: &[u8]) -> Result<()> {
        self.parent(path)?;
        self.make_way(path, object.kind)?;
        match object.kind {
            ObjectKind::Folder => {
                make_folder(path)?;
                self.folders.insert(path.to_path_buf());
            }
            ObjectKind::Link => {
                let to = object.link.as_deref().and_then(unescape).unwrap_or_default();
                make_link(OsStr::from_bytes(&to), path)?;
            }
            ObjectKind::File => {
                let mut file = create(path)?;
                write_sparse(&mut file, 0, bytes).map_err(|error| failed(path, error))?;
                file.set_len(object.size).map_err(|error| failed(path, error))?;
            }
        }
        self.describe(path, object)
    }

    fn append(&mut self, piece: &Piece) -> Result<()> {
        let open =
            self.open.as_mut().filter(|open| open.name == piece.name && open.size == piece.offset);
        let open = open.ok_or_else(|| {
            Error::new(Code::Internal, "a part of an object came without those before it")
        })?;
        write_sparse(&mut open.file, piece.offset, &piece.bytes)
            .map_err(|error| failed(&open.temporary, error))?;
        open.size += piece.bytes.len() as u64;
        Ok(())
    }

    /// Gives a file its name when all of it is there.
    fn close(&mut self, path: &Path, object: &Object) -> Result<()> {
        let Some(open) = self.open.take() else { return Ok(()) };
        if open.size != object.size {
            return Err(Error::new(Code::Internal, "an object has another size than was told"));
        }
        open.file.set_len(object.size).map_err(|error| failed(&open.temporary, error))?;
        drop(open.file);
        self.make_way(path, object.kind)?;
        fs::rename(&open.temporary, path).map_err(|error| failed(path, error))?;
        self.describe(path, object)
    }

    /// Removes a file that never became whole.
    fn give_up(&mut self) {
        if let Some(open) = self.open.take() {
            // What stays is removed when the target is claimed again.
            let _ = fs::remove_file(open.temporary);
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
                if self.order.replaces {
                    self.unclose(&folder)?;
                }
                self.folders.insert(folder.clone());
            }
        }
        self.folders.insert(parent.to_path_buf());
        Ok(())
    }

    /// Where a chunk is replaced, removes a folder where the source has none, and what stands where it
    /// has one.
    fn make_way(&self, path: &Path, kind: ObjectKind) -> Result<()> {
        if !self.order.replaces {
            return Ok(());
        }
        let there = match fs::symlink_metadata(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            there => there.map_err(|error| failed(path, error))?,
        };
        let removed = match (there.is_dir(), kind == ObjectKind::Folder) {
            (true, false) => fs::remove_dir_all(path),
            (false, true) => fs::remove_file(path),
            _ => Ok(()),
        };
        removed.map_err(|error| failed(path, error))
    }

    /// Allows to fill a folder that is finished, until the chunk is committed.
    fn unclose(&mut self, folder: &Path) -> Result<()> {
        let there = fs::symlink_metadata(folder).map_err(|error| failed(folder, error))?;
        let mode = there.permissions().mode() & PERMISSIONS;
        if mode & FILLED != FILLED {
            let root = self.order.claim.root();
            let below = folder.strip_prefix(root).unwrap_or(folder);
            self.modes.push((escape(below.as_os_str().as_bytes()), mode));
            fs::set_permissions(folder, Permissions::from_mode(mode | FILLED))
                .map_err(|error| failed(folder, error))?;
        }
        Ok(())
    }

    /// Sets what is known of an object apart from its bytes. Owners come first: a change of the owner
    /// takes bits of the mode away.
    fn describe(&mut self, path: &Path, object: &Object) -> Result<()> {
        let wanted = |column: &str| self.order.columns.contains(column);
        if wanted("owner")
            && let Some((user, group)) = object.owner.as_deref().and_then(owner)
        {
            rustix::fs::chownat(CWD, path, Some(user), Some(group), AtFlags::SYMLINK_NOFOLLOW)
                .map_err(|error| failed(path, error.into()))?;
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
        if self.order.replaces {
            self.written.extend(unescape(&object.name));
        }
        Ok(())
    }

    fn commit(mut self, mut entry: Entry) -> Result<()> {
        self.give_up();
        let claim = self.order.claim.clone();
        if self.order.replaces {
            self.remove_others()?;
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

    /// Removes what the chunk's part of the tree holds and the source does not.
    fn remove_others(&self) -> Result<()> {
        let claim = &self.order.claim;
        let [after, to] = self.order.span.ends()?;
        let forest = claim.forest();
        let mut walk = forest.walk(after.as_deref(), to)?;
        let mut others = Vec::new();
        while let Some(found) = walk.next()? {
            if !self.written.contains(&found.path) {
                others.push((forest.path(&found.path), found.kind));
            }
        }
        // What is in a folder goes before it.
        for (path, kind) in others.into_iter().rev() {
            let removed = match kind {
                EntryKind::Folder => fs::remove_dir(&path),
                _ => fs::remove_file(&path),
            };
            match removed {
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                // What a later chunk holds is in it.
                Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty => {}
                removed => removed.map_err(|error| failed(&path, error))?,
            }
        }
        claim.remove_entry(self.order.table, self.order.chunk)
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        self.give_up();
    }
}

fn failed(path: &Path, error: std::io::Error) -> Error {
    Error::io("write an entry", path.display(), error)
}

/// What the name of a file that is not whole begins with; the number of its chunk follows.
const PARTIAL: &str = ".longshore-part-";

/// Whether a name is one that files have until they are whole.
pub(super) fn is_partial(name: &[u8]) -> bool {
    let number = name.strip_prefix(PARTIAL.as_bytes());
    number.is_some_and(|rest| !rest.is_empty() && rest.iter().all(u8::is_ascii_digit))
}

/// The name of a file until it is whole.
fn partial(path: &Path, chunk: usize) -> PathBuf {
    path.with_file_name(format!("{PARTIAL}{chunk}"))
}

/// An empty file; what is there under its name goes.
fn create(path: &Path) -> Result<File> {
    let open = || {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).custom_flags(libc::O_NOFOLLOW);
        options.mode(0o600).open(path)
    };
    match open() {
        Ok(file) => Ok(file),
        // A link, or a file that may not be written: an earlier try has made it.
        Err(error)
            if error.kind() == ErrorKind::PermissionDenied
                || error.raw_os_error() == Some(libc::ELOOP) =>
        {
            fs::remove_file(path).map_err(|error| failed(path, error))?;
            open().map_err(|error| failed(path, error))
        }
        Err(error) => Err(failed(path, error)),
    }
}

fn make_folder(path: &Path) -> Result<()> {
    match fs::create_dir(path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let there = fs::symlink_metadata(path).map_err(|error| failed(path, error))?;
            match there.is_dir() {
                true => Ok(()),
                // A link would lead out of the tree.
                false => Err(Error::new(Code::TargetNotEmpty, "a folder's name is taken")
                    .with("path", path.display().to_string())),
            }
        }
        Err(error) => Err(failed(path, error)),
    }
}

fn make_link(to: &OsStr, path: &Path) -> Result<()> {
    let make = || std::os::unix::fs::symlink(to, path);
    match make() {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            fs::remove_file(path).map_err(|error| failed(path, error))?;
            make().map_err(|error| failed(path, error))
        }
        made => made.map_err(|error| failed(path, error)),
    }
}

/// Writes a part; zeros become a hole.
fn write_sparse(file: &mut File, offset: u64, bytes: &[u8]) -> std::io::Result<()> {
    if bytes.len() >= HOLE && bytes.iter().all(|byte| *byte == 0) {
        return file.seek(SeekFrom::Start(offset + bytes.len() as u64)).map(drop);
    }
    file.write_all(bytes)
}

fn owner(text: &str) -> Option<(Uid, Gid)> {
    let (user, group) = text.split_once(':')?;
    Some((Uid::from_raw(user.parse().ok()?), Gid::from_raw(group.parse().ok()?)))
}
