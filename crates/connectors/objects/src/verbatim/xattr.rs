//! The extended attributes of files and folders, read and set. Links have none, and none is followed.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use longshore_model::object::{Object, escape};
use longshore_model::{Code, Error, Result};
use rustix::buffer::spare_capacity;
use rustix::fs::{
    XattrFlags, fgetxattr, flistxattr, lgetxattr, llistxattr, lremovexattr, lsetxattr,
};
use rustix::io::Errno;

use super::attributes::{Entries, Extended, add, extended, parse, text};
use super::entry::PERMISSIONS;

/// What most lists of names fit into, and most values.
const USUAL: usize = 256;
/// The most that Linux gives of either.
const MOST: usize = 64 << 10;

const LEAVE_OUT: &str = "Leave them out with `columns: { objects: { drop: [attributes] } }` in the \
                         move, or write into a file system that keeps them.";

/// A file or a folder.
#[derive(Clone, Copy)]
pub(super) enum Node<'a> {
    Open(&'a File),
    At(&'a Path),
}

impl Node<'_> {
    /// The attributes that move, as they are told of an object.
    pub(super) fn entries(self) -> rustix::io::Result<Entries> {
        let mut entries = Entries::new();
        let names = self.names()?;
        if !names.is_empty() {
            add(self.values(names)?, &mut entries);
        }
        Ok(entries)
    }

    /// The text of the column.
    pub(super) fn text(self, doing: &str, path: &Path) -> Result<Option<String>> {
        text(&self.entries().map_err(|error| Error::io(doing, path.display(), error.into()))?)
    }

    /// Whether it has just what is told of an object. What cannot be looked at is none of it.
    pub(super) fn has(self, object: &Object) -> bool {
        self.entries().ok().and_then(|found| text(&found).ok()) == Some(object.attributes.clone())
    }

    fn values(self, names: Vec<Vec<u8>>) -> rustix::io::Result<Extended> {
        let mut found = Extended::new();
        for name in names {
            match self.value(&name) {
                Ok(value) => drop(found.insert(name, value)),
                // It is gone meanwhile.
                Err(Errno::NODATA | Errno::NOENT) => {}
                Err(error) if is_denied(&name, error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }

    /// How many attributes stay behind because the user may not read them.
    pub(super) fn denied(self) -> rustix::io::Result<u64> {
        let denied = |name: &Vec<u8>| self.value(name).is_err_and(|error| is_denied(name, error));
        Ok(self.names()?.iter().filter(|name| denied(name)).count() as u64)
    }

    /// The names of the attributes that move.
    fn names(self) -> rustix::io::Result<Vec<Vec<u8>>> {
        let list = sized(|buffer| match self {
            Self::Open(file) => flistxattr(file, spare_capacity(buffer)).map(drop),
            Self::At(path) => llistxattr(path, spare_capacity(buffer)).map(drop),
        });
        let list = match list {
            // What is gone has none, and the position tells.
            Err(Errno::NOTSUP | Errno::NOSYS | Errno::NOENT) => return Ok(Vec::new()),
            list => list?,
        };
        let names = list.split(|byte| *byte == 0).filter(|name| !name.is_empty() && moves(name));
        Ok(names.map(<[u8]>::to_vec).collect())
    }

    fn value(self, name: &[u8]) -> rustix::io::Result<Vec<u8>> {
        sized(|buffer| match self {
            Self::Open(file) => fgetxattr(file, name, spare_capacity(buffer)).map(drop),
            Self::At(path) => lgetxattr(path, name, spare_capacity(buffer)).map(drop),
        })
    }
}

/// Whether an attribute cannot be read because of who reads it: what is not the user's to read is not the
/// user's to move. The rights that a file has in one namespace are told in no other.
fn is_denied(name: &[u8], error: Errno) -> bool {
    !name.starts_with(b"user.") && matches!(error, Errno::PERM | Errno::ACCESS | Errno::OVERFLOW)
}

/// Whether a folder, or the one that it will be made in, is of a file system that keeps attributes.
pub(super) fn are_kept_in(folder: &Path) -> bool {
    let there = folder.ancestors().find(|one| one.exists());
    let there = there.filter(|one| !one.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let asked = lgetxattr(there, "user.longshore", spare_capacity(&mut Vec::with_capacity(USUAL)));
    !matches!(asked, Err(Errno::NOTSUP | Errno::NOSYS))
}

/// Calls with a buffer that is large enough.
fn sized(call: impl Fn(&mut Vec<u8>) -> rustix::io::Result<()>) -> rustix::io::Result<Vec<u8>> {
    let mut buffer = Vec::with_capacity(USUAL);
    match call(&mut buffer) {
        Err(Errno::RANGE) => {}
        done => return done.map(|()| buffer),
    }
    buffer = Vec::with_capacity(MOST);
    call(&mut buffer).map(|()| buffer)
}

/// Whether an attribute moves. Those of file systems themselves do not, nor labels and sums that are true
/// only where they are; access control lists do.
fn moves(name: &[u8]) -> bool {
    const LABELS: [&[u8]; 6] = [
        b"security.selinux",
        b"security.sehash",
        b"security.SMACK64",
        b"security.apparmor",
        b"security.ima",
        b"security.evm",
    ];
    const LISTS: [&[u8]; 2] = [b"system.posix_acl_access", b"system.posix_acl_default"];
    let is_labelled = LABELS.iter().any(|label| name.starts_with(label));
    name.starts_with(b"user.")
        || (name.starts_with(b"security.") && !is_labelled)
        || (name.starts_with(b"trusted.") && rustix::process::geteuid().is_root())
        || LISTS.contains(&name)
}

/// Sets what is told of an object, and removes what is not.
pub(super) fn set(path: &Path, object: &Object) -> Result<()> {
    let node = Node::At(path);
    let failed = |error: Errno| Error::io("look at an entry", path.display(), error.into());
    let there = node.names().map_err(failed)?;
    if there.is_empty() && object.attributes.is_none() {
        return Ok(());
    }
    let wanted = extended(&parse(object.attributes.as_deref())?)?;
    for name in there.iter().filter(|name| !wanted.contains_key(*name)) {
        match opened(path, || lremovexattr(path, &name[..])) {
            Ok(()) | Err(Errno::NODATA) => {}
            Err(error) => return Err(refused(object, name, error)),
        }
    }
    for (name, value) in wanted {
        if !moves(&name) {
            let is_of_root = name.starts_with(b"trusted.");
            let why = if is_of_root { Errno::PERM } else { Errno::NOTSUP };
            return Err(refused(object, &name, why));
        }
        if !(there.contains(&name) && node.value(&name).is_ok_and(|found| found == value)) {
            opened(path, || lsetxattr(path, &name[..], &value, XattrFlags::empty()))
                .map_err(|error| refused(object, &name, error))?;
        }
    }
    Ok(())
}

/// Does something that needs the right to write into an entry, which its owner can give himself for so
/// long.
fn opened(path: &Path, work: impl Fn() -> rustix::io::Result<()>) -> rustix::io::Result<()> {
    match work() {
        Err(Errno::ACCESS) => {}
        done => return done,
    }
    let denied = |_| Errno::ACCESS;
    let there = fs::symlink_metadata(path).map_err(denied)?;
    // The mode of a link would be that of what it leads to.
    if there.is_symlink() {
        return Err(Errno::ACCESS);
    }
    let mode = there.permissions().mode() & PERMISSIONS;
    let set = |mode| fs::set_permissions(path, Permissions::from_mode(mode)).map_err(denied);
    set(mode | 0o600)?;
    let done = work();
    set(mode)?;
    done
}

fn refused(object: &Object, name: &[u8], error: Errno) -> Error {
    let (code, message) = match error {
        Errno::PERM | Errno::ACCESS => {
            (Code::PermissionDenied, "an extended attribute may not be set")
        }
        Errno::NOSPC | Errno::DQUOT => {
            (Code::StorageFull, "an extended attribute finds no room in the target's file system")
        }
        Errno::NOTSUP | Errno::TOOBIG | Errno::RANGE | Errno::INVAL => {
            (Code::Unsupported, "an extended attribute cannot be kept by the target's file system")
        }
        _ => (Code::Io, "could not set an extended attribute"),
    };
    Error::new(code, message)
        .with("name", object.name.clone())
        .with("attribute", escape(name))
        .hint(LEAVE_OUT)
        .because(std::io::Error::from(error))
}

#[cfg(test)]
mod tests {
    use longshore_model::Code;
    use longshore_model::object::ObjectKind;
    use rustix::io::Errno;

    use super::{Node, moves, refused, set};
    use crate::verbatim::metadata::implied_folder;

    #[test]
    fn a_refusal_names_the_file_and_the_attribute() {
        for (error, code) in [
            (Errno::NOTSUP, Code::Unsupported),
            (Errno::TOOBIG, Code::Unsupported),
            (Errno::PERM, Code::PermissionDenied),
            (Errno::NOSPC, Code::StorageFull),
            (Errno::IO, Code::Io),
        ] {
            let told = refused(&implied_folder(b"a/b"), b"user.\xff", error);
            assert_eq!(told.code(), code);
            let context = [("name", "a/b".to_string()), ("attribute", "user.%FF".to_string())];
            assert_eq!(told.context(), context);
            assert!(told.advice().contains("drop: [attributes]"), "{}", told.advice());
        }
    }

    #[test]
    fn what_is_true_in_one_place_only_stays_there() {
        for (name, expected) in [
            (&b"user.a"[..], true),
            (b"security.capability", true),
            (b"security.selinux", false),
            (b"security.ima", false),
            (b"security.sehash", false),
            (b"system.posix_acl_access", true),
            (b"system.posix_acl_default", true),
            (b"system.nfs4_acl", false),
            (b"btrfs.compression", false),
            (b"com.apple.quarantine", false),
        ] {
            assert_eq!(moves(name), expected, "{}", String::from_utf8_lossy(name));
        }
    }

    #[test]
    fn an_entry_has_what_was_set_and_nothing_else() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a");
        std::fs::write(&path, "x").expect("a file");
        let mut object = implied_folder(b"a");
        object.kind = ObjectKind::File;
        let long =
            format!(r#"{{"xattr:user.a":"AP8=","xattr:user.long":"{}"}}"#, "AAAA".repeat(300));
        for told in [
            Some(r#"{"content-type":"image/png","metadata:x":"","xattr:user.a":""}"#.to_string()),
            Some(long),
            None,
        ] {
            object.attributes = told;
            set(&path, &object).expect("attributes");
            assert!(Node::At(&path).has(&object));
            let file = std::fs::File::open(&path).expect("a file");
            assert!(Node::Open(&file).has(&object));
        }
        for (wrong, code) in [
            ("xattr:com.apple.quarantine", Code::Unsupported),
            ("xattr:security.selinux", Code::Unsupported),
        ] {
            object.attributes = Some(format!(r#"{{"{wrong}":"eA=="}}"#));
            let error = set(&path, &object).expect_err("it does not move");
            assert_eq!(error.code(), code);
        }
    }
}
