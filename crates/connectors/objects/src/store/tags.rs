//! Tags of objects. Among the attributes of an object each is metadata called `tag:NAME`, which no header
//! can be called, so that all that goes with an object goes together; a store takes them apart again.

use object_store::{Attribute, Attributes, TagSet};

use longshore_model::{Code, Error, Result};

use super::Store;
use super::copy::Copier;

/// What the names of tags begin with among metadata.
pub(crate) const TAG: &str = "tag:";

impl Store {
    /// The same store, of which tags are told too.
    pub(crate) fn with_tags(self) -> Self {
        Self { tells_tags: true, ..self }
    }

    /// Whether tags can be read here and written.
    pub(crate) fn keeps_tags(&self) -> bool {
        matches!(self.copier, Some(Copier::S3(_) | Copier::Azure(_)))
    }

    /// Adds the tags of an object to its attributes, where they are told.
    pub(super) async fn add_tags(&self, key: &str, attributes: &mut Attributes) -> Result<()> {
        if !self.tells_tags {
            return Ok(());
        }
        let path = self.path(key)?;
        let tags = match &self.copier {
            Some(Copier::S3(signed)) => signed.tags(&path).await,
            Some(Copier::Azure(azure)) => azure.tags(&path).await,
            Some(Copier::Google(_)) | None => return Ok(()),
        };
        let tags = tags.map_err(|error| self.failed("read the tags of an object", key, error))?;
        for tag in tags {
            let name = format!("{TAG}{}", tag.key);
            attributes.insert(Attribute::Metadata(name.into()), tag.value.into());
        }
        Ok(())
    }

    /// Attributes apart from tags, and the tags.
    pub(super) fn apart(&self, attributes: Attributes) -> Result<(Attributes, TagSet)> {
        let (mut rest, mut tags) = (Attributes::new(), TagSet::default());
        for (attribute, value) in &attributes {
            match attribute {
                Attribute::Metadata(name) if name.starts_with(TAG) => {
                    if !self.keeps_tags() {
                        return Err(Error::new(Code::Unsupported, "a store keeps no tags")
                            .with("store", self.shown.clone()));
                    }
                    tags.push(&name[TAG.len()..], value);
                }
                _ => drop(rest.insert(attribute.clone(), value.clone())),
            }
        }
        Ok((rest, tags))
    }
}
