//! Blobs on their way in.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use longshore_image::{Digest, Hasher};
use ring::rand::{SecureRandom, SystemRandom};
use rustix::fs::{FlockOperation, flock};

use super::quota::over;
use super::{Repository, Store, disk};
use crate::Fault;
use crate::fault::Result;
use crate::policy::Quota;

const DATA: &str = "data";
const OWNER: &str = "repository";
const BUFFER: usize = 1 << 20;
/// Digests of uploads so far that are kept at most.
const HASHERS: usize = 1000;

/// An upload that this request alone writes to.
#[derive(Debug)]
pub struct Upload {
    id: String,
    folder: PathBuf,
    file: File,
    offset: u64,
    /// The digest so far, when it is known without reading.
    hasher: Option<Hasher>,
    /// What the whole repository may hold.
    most: Option<(Repository, Quota)>,
}

impl Store {
    /// Begins an upload, and returns its id.
    pub fn begin(&self, repository: &Repository) -> Result<String> {
        let mut random = [0_u8; 16];
        SystemRandom::new()
            .fill(&mut random)
            .map_err(|_| Fault::Disk("could not get random bytes".to_string()))?;
        let id: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        let folder = self.uploads().join(&id);
        fs::create_dir(&folder).map_err(Fault::disk("begin an upload", &folder))?;
        let data = folder.join(DATA);
        let begun = disk::write(&folder.join(OWNER), repository.as_str().as_bytes())
            .and_then(|()| File::create(&data).map_err(Fault::disk("begin an upload", &data)));
        match begun {
            Ok(_) => Ok(id),
            Err(fault) => {
                // Nobody knows of it.
                let _ = disk::remove_all(&folder);
                Err(fault)
            }
        }
    }

    /// How many bytes of an upload are there.
    pub fn progress(&self, repository: &Repository, id: &str) -> Result<u64> {
        let data = self.upload(repository, id)?.join(DATA);
        match fs::metadata(&data) {
            Ok(there) => Ok(there.len()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Fault::UploadUnknown),
            Err(error) => Err(Fault::disk("look at an upload", &data)(error)),
        }
    }

    /// Takes an upload for this request.
    pub fn resume(&self, repository: &Repository, id: &str) -> Result<Upload> {
        let folder = self.upload(repository, id)?;
        let data = folder.join(DATA);
        let file = File::options().append(true).read(true).open(&data);
        let file = file.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Fault::UploadUnknown,
            _ => Fault::disk("open an upload", &data)(error),
        })?;
        flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|_| Fault::UploadBusy)?;
        // Another request may have ended it before the lock was ours.
        if !data.exists() {
            return Err(Fault::UploadUnknown);
        }
        let offset = file.metadata().map_err(Fault::disk("look at an upload", &data))?.len();
        let known = self.hashers.lock().ok().and_then(|mut known| known.remove(id));
        let hasher = match known {
            Some(hasher) if hasher.size() == offset => Some(hasher),
            _ => (offset == 0).then(Hasher::default),
        };
        let most = self.largest(repository).map(|quota| (repository.clone(), quota));
        Ok(Upload { id: id.to_string(), folder, file, offset, hasher, most })
    }

    /// Ends a request that wrote a part.
    pub fn pause(&self, upload: Upload) {
        if let (Some(hasher), Ok(mut known)) = (upload.hasher, self.hashers.lock()) {
            // Uploads that nobody goes on with are not told from others: what is forgotten is read again.
            if known.len() >= HASHERS {
                known.clear();
            }
            known.insert(upload.id, hasher);
        }
    }

    /// Ends a request after which nobody can go on.
    pub fn give_up(&self, upload: Upload) {
        // What stays is collected.
        let _ = disk::remove_all(&upload.folder);
    }

    /// Makes an upload a blob of a repository, if it is what a digest says.
    pub fn finish(
        &self,
        repository: &Repository,
        mut upload: Upload,
        digest: &Digest,
    ) -> Result<()> {
        let data = upload.folder.join(DATA);
        let is_it = match upload.hasher.take().filter(|hasher| hasher.is_like(digest)) {
            Some(hasher) => hasher.finish().0 == *digest,
            None => hash(&data, digest).map_err(Fault::disk("read an upload", &data))? == *digest,
        };
        if !is_it {
            disk::remove_all(&upload.folder)?;
            return Err(Fault::DigestInvalid("the bytes that arrived have another digest"));
        }
        let kept = self.keep(repository, &upload, &data, digest);
        // Where there is no room nothing stays that is of no use.
        if matches!(kept, Ok(()) | Err(Fault::Full | Fault::OverQuota(_))) {
            disk::remove_all(&upload.folder)?;
        }
        kept
    }

    fn keep(
        &self,
        repository: &Repository,
        upload: &Upload,
        data: &Path,
        digest: &Digest,
    ) -> Result<()> {
        disk::sync(&upload.file).map_err(Fault::disk("write an upload", data))?;
        let _held = self.rest([digest])?;
        let _change = self.change_for_room(repository)?;
        self.demand_room(repository, digest, upload.offset)?;
        let path = self.blob(digest);
        // Also where it is there: what was damaged since is mended.
        disk::publish(data, &path).map_err(Fault::disk("keep a blob", &path))?;
        disk::touch(&path)?;
        // The link last: no link leads to nothing, also for a moment.
        disk::write(&self.link(repository, digest), b"")
    }

    /// Gives an upload up.
    pub fn cancel(&self, repository: &Repository, id: &str) -> Result<()> {
        let upload = self.resume(repository, id)?;
        disk::remove_all(&upload.folder)
    }

    fn upload(&self, repository: &Repository, id: &str) -> Result<PathBuf> {
        let is_id = id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        let folder = self.uploads().join(id);
        let owner = if is_id { disk::read(&folder.join(OWNER))? } else { None };
        match owner {
            Some(owner) if owner == repository.as_str().as_bytes() => Ok(folder),
            _ => Err(Fault::UploadUnknown),
        }
    }
}

impl Upload {
    /// Its id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The bytes that are there.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Adds bytes.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        if let Some(hasher) = &mut self.hasher {
            hasher.update(bytes);
        }
        self.offset += bytes.len() as u64;
        if let Some((repository, quota)) = &self.most
            && self.offset > quota.limit
        {
            // However much is there, it can never fit.
            disk::remove_all(&self.folder)?;
            return Err(over(repository, quota, "one blob alone is larger"));
        }
        let written = self.file.write_all(bytes);
        written.map_err(Fault::disk("write an upload", &self.folder)).inspect_err(|fault| {
            // What filled the disk makes room: its client is told, and begins anew.
            if matches!(fault, Fault::Full) {
                let _ = disk::remove_all(&self.folder);
            }
        })
    }
}

/// The digest of a file, by the algorithm of another.
pub(super) fn hash(data: &Path, like: &Digest) -> io::Result<Digest> {
    let (mut file, mut hasher) = (File::open(data)?, Hasher::like(like));
    let mut buffer = vec![0; BUFFER];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hasher.finish().0),
            count => hasher.update(&buffer[..count]),
        }
    }
}
