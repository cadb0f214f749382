//! What is written down of uploads in parts, so that a later process goes on with them.

use std::collections::BTreeMap;

use longshore_model::{Code, Error, Result};
use object_store::Attributes;
use serde::{Deserialize, Serialize};

use crate::store::{Answer, PartUpload, Store};

/// An upload in parts, as it is recorded.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Upload {
    pub(crate) id: String,
    pub(crate) part: u64,
    /// A word for the attributes that it was begun with.
    #[serde(default)]
    pub(crate) attributes: String,
    /// The parts that are there, by number.
    pub(crate) parts: BTreeMap<usize, Part>,
    /// Whether an earlier process began it.
    #[serde(skip)]
    pub(crate) resumed: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Part {
    pub(crate) hash: String,
    pub(crate) id: String,
}

/// Writes down an upload of which only so much is told that it can be given up.
pub(crate) async fn put_record(
    store: &Store,
    record: &str,
    key: &str,
    upload: &PartUpload,
) -> Result<()> {
    let Some(id) = upload.id() else { return Ok(()) };
    let (id, parts) = (id.to_string(), BTreeMap::new());
    let uploads = BTreeMap::from([(
        key,
        Upload { id, part: 0, attributes: String::new(), parts, resumed: false },
    )]);
    let text = serde_json::to_vec(&uploads)
        .map_err(|error| Error::new(Code::Internal, "uploads cannot be written").because(error))?;
    store.put(record, text.into(), Attributes::new()).await
}

/// What became of a request for an upload of an earlier process. A store may have forgotten the upload;
/// without the record, the chunk is written anew.
pub(crate) async fn unless_stale<T>(
    done: Result<T>,
    store: &Store,
    record: Option<String>,
) -> Result<T> {
    match (done, record) {
        (Err(error), Some(record)) => {
            store.remove(&[record]).await?;
            Err(error.temporary())
        }
        (done, _) => done,
    }
}

/// Gives up the uploads that a record tells of, and forgets it.
pub(crate) async fn give_up_recorded(store: &Store, record: &str) -> Result<()> {
    if let Answer::Got(got) = store.get(record, None, None).await? {
        for (key, upload) in read_record(&store.shown(record), &got.bytes)? {
            store.give_up_upload(&key, &upload.id).await?;
        }
    }
    store.remove(&[record.to_string()]).await
}

pub(crate) fn read_record(place: &str, text: &[u8]) -> Result<BTreeMap<String, Upload>> {
    serde_json::from_slice(text).map_err(|error| {
        Error::new(Code::SourceUnreadable, "a file of longshore's own is damaged")
            .with("path", place.to_string())
            .because(error)
    })
}
