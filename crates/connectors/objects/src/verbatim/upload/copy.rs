//! Objects whose bytes the store copies by itself.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use longshore_model::Result;
use longshore_model::object::{Object, Original};

use super::{StoreWriter, key_of, metadata, twin};
use crate::record::Upload;

impl StoreWriter {
    /// Has the store copy an object, unless it holds the same already.
    pub(super) async fn copy(&mut self, object: &Object, original: Original) -> Result<()> {
        let key = key_of(&object.name)?;
        self.settle_folder(Some(&key)).await?;
        self.reap()?;
        let attributes = metadata::write(object, |column| self.order.wants(column))?;
        metadata::must_fit(self.store.provider(), &object.name, &attributes)?;
        self.done(&key);
        if self.compares && twin::is_copied(&self.store, &key, object, &self.order).await? {
            return Ok(());
        }
        if !self.store.copies_in_parts(object.size) {
            let held = self.permits(0).await?;
            let (store, size) = (self.store.clone(), object.size);
            self.tasks.spawn(async move {
                let _held = held;
                store.copy(&original, &key, size, attributes).await
            });
            return Ok(());
        }
        if let Some(known) = self.earlier.remove(&key) {
            self.store.give_up_upload(&key, &known.id).await?;
        }
        let id = self.store.begin_upload(&key, attributes).await?;
        // So much is told of it that a later process can give it up.
        let (attributes, parts) = (String::new(), BTreeMap::new());
        let recorded = Upload { id: id.clone(), part: 0, attributes, parts, resumed: false };
        self.under_way().insert(key.clone(), recorded);
        self.record().await?;
        let held = self.permits(0).await?;
        let (store, size, under_way) = (self.store.clone(), object.size, self.under_way.clone());
        self.tasks.spawn(async move {
            let _held = held;
            store.copy_into(&id, &original, &key, size).await?;
            under_way.lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
            Ok(())
        });
        Ok(())
    }
}
