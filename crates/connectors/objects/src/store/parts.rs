//! An object that is uploaded in parts, several of them at a time.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use longshore_model::{Code, Error, Result};
use object_store::{Attributes, MultipartUpload};
use tokio::task::JoinSet;

use super::{Provider, Store};

/// An upload that has begun. All parts but the last are of one size.
pub(crate) struct PartUpload {
    store: Arc<Store>,
    key: String,
    way: Way,
    begun: usize,
    tasks: JoinSet<Result<(usize, String)>>,
    /// What the store calls the parts that are there.
    ids: BTreeMap<usize, String>,
}

/// How the parts become one.
enum Way {
    /// By an id, which another process can go on with.
    Known(String),
    /// It ends with this process: of Azure, an upload with an id takes no attributes.
    Bound(Mutex<Box<dyn MultipartUpload>>),
}

impl PartUpload {
    pub(crate) async fn begin(
        store: &Arc<Store>,
        key: &str,
        attributes: Attributes,
    ) -> Result<Self> {
        let way = match store.provider() {
            Provider::Azure => {
                Way::Bound(Mutex::new(store.begin_bound_upload(key, attributes).await?))
            }
            Provider::S3 | Provider::Gcs => Way::Known(store.begin_upload(key, attributes).await?),
        };
        Ok(Self::new(store, key, way))
    }

    /// Goes on with an upload that an earlier process has begun.
    pub(crate) fn resume(store: &Arc<Store>, key: &str, id: String) -> Self {
        Self::new(store, key, Way::Known(id))
    }

    fn new(store: &Arc<Store>, key: &str, way: Way) -> Self {
        let (store, key) = (store.clone(), key.to_string());
        Self { store, key, way, begun: 0, tasks: JoinSet::new(), ids: BTreeMap::new() }
    }

    /// What another process can go on with; `None` where none can.
    pub(crate) fn id(&self) -> Option<&str> {
        match &self.way {
            Way::Known(id) => Some(id),
            Way::Bound(_) => None,
        }
    }

    /// The number of the part that comes next.
    pub(crate) fn next(&self) -> usize {
        self.begun
    }

    /// How many parts are known to be there.
    pub(crate) fn there(&self) -> usize {
        self.ids.len()
    }

    /// Takes the next part as one that is there already.
    pub(crate) fn skip(&mut self, id: String) {
        self.ids.insert(self.begun, id);
        self.begun += 1;
    }

    /// Begins to upload the next part. `held` is dropped when it is there; then `told` hears its number
    /// and what the store calls it.
    pub(crate) fn put(
        &mut self,
        bytes: Bytes,
        held: impl Send + 'static,
        told: impl FnOnce(usize, &str) + Send + 'static,
    ) {
        let number = self.begun;
        self.begun += 1;
        let (store, key) = (self.store.clone(), self.key.clone());
        match &mut self.way {
            Way::Known(id) => {
                let id = id.clone();
                self.tasks.spawn(async move {
                    let _held = held;
                    let part = store.put_part(&key, &id, number, bytes).await?;
                    told(number, &part);
                    Ok((number, part))
                });
            }
            Way::Bound(upload) => {
                let upload = upload.get_mut().unwrap_or_else(PoisonError::into_inner);
                let part = upload.put_part(bytes.into());
                self.tasks.spawn(async move {
                    let _held = held;
                    let put = part.await.map(|()| (number, String::new()));
                    put.map_err(|error| store.failed("upload a part of an object", &key, error))
                });
            }
        }
    }

    /// Looks whether a part that has ended has failed.
    pub(crate) fn reap(&mut self) -> Result<()> {
        while let Some(ended) = self.tasks.try_join_next() {
            self.ids.extend([ended.map_err(early)??]);
        }
        Ok(())
    }

    /// Waits until at most so many parts are under way.
    pub(crate) async fn await_room(&mut self, under_way: usize) -> Result<()> {
        while self.tasks.len() > under_way {
            let Some(ended) = self.tasks.join_next().await else { break };
            self.ids.extend([ended.map_err(early)??]);
        }
        Ok(())
    }

    /// Waits for all parts and makes an object of so many bytes of them.
    pub(crate) async fn end(mut self, size: u64) -> Result<()> {
        self.await_room(0).await?;
        if self.ids.len() != self.begun {
            return Err(Error::new(Code::Internal, "a part of an upload is missing"));
        }
        match self.way {
            Way::Known(id) => {
                let parts = self.ids.into_values().collect();
                self.store.end_upload(&self.key, &id, parts, size).await
            }
            Way::Bound(upload) => {
                let mut upload = upload.into_inner().unwrap_or_else(PoisonError::into_inner);
                let ended = upload.complete().await.map(drop);
                ended.map_err(|error| self.store.failed("end an upload", &self.key, error))
            }
        }
    }
}

fn early(error: tokio::task::JoinError) -> Error {
    Error::new(Code::Internal, "a request to a store ended early").because(error)
}
