//! Images to and from registries.

use std::collections::BTreeMap;

use longshore_image::document::Descriptor;
use longshore_image::registry::{
    self, Client, Destination, Forecast, Parcel, Pulled, Pushed, Settings,
};
use longshore_image::{Digest, Name, PublicKey, named};
use longshore_model::{Code, Error, Result};

use super::Images;

impl Images {
    /// Pushes an image under a name, with its signatures and all that is said of it.
    pub async fn push(
        &self,
        image: &Descriptor,
        name: &Name,
        settings: &Settings,
    ) -> Result<Pushed> {
        let client = Client::new(&name.host, settings)?;
        registry::push(&client, image, &self.destination(image, name)?, &self.layout).await
    }

    /// Says what a push would do.
    pub async fn forecast_push(
        &self,
        image: &Descriptor,
        name: &Name,
        settings: &Settings,
    ) -> Result<Vec<Forecast>> {
        let client = Client::new(&name.host, settings)?;
        let parcel = Parcel::of(&self.layout, image)?;
        registry::forecast(&client, &parcel, &self.destination(image, name)?).await
    }

    /// Brings an image here, with its signatures and all that is said of it, under the name that it has there.
    /// With a key, an image that it does not prove is refused before its layers come.
    pub async fn pull(
        &self,
        name: &Name,
        key: Option<&PublicKey>,
        settings: &Settings,
    ) -> Result<Pulled> {
        let client = Client::new(&name.host, settings)?;
        registry::pull(&client, name, &self.layout, key).await
    }

    /// Brings an image from one registry or repository to another, with its signatures and all that is said of
    /// it there. Its digest stays what it is, and it gets no name here. With a key, an image that it does not
    /// prove stays where it is.
    pub async fn promote(
        &self,
        from: &Name,
        to: &Name,
        key: Option<&PublicKey>,
        settings: &Settings,
    ) -> Result<(Descriptor, Pushed)> {
        let source = Client::new(&from.host, settings)?;
        let target = Client::new(&to.host, settings)?;
        let destination = |parcel: &Parcel| promoted(parcel, from, to);
        registry::promote((&source, from), &target, destination, &self.layout, key).await
    }

    /// Says what a promotion would do. Manifests are brought here for that.
    pub async fn forecast_promote(
        &self,
        from: &Name,
        to: &Name,
        key: Option<&PublicKey>,
        settings: &Settings,
    ) -> Result<(Descriptor, Vec<Forecast>)> {
        let source = Client::new(&from.host, settings)?;
        let target = Client::new(&to.host, settings)?;
        let parcel = registry::documents(&source, from, &self.layout).await?;
        if let Some(key) = key {
            registry::demand(&source, from, &parcel, &self.layout, key).await?;
        }
        let destination = promoted(&parcel, from, to)?;
        let lines = registry::forecast(&target, &parcel, &destination).await?;
        Ok((parcel.root, lines))
    }

    fn destination(&self, image: &Descriptor, name: &Name) -> Result<Destination> {
        let mut destination = Destination::new(name, image)?;
        destination.elsewhere = self.elsewhere(name)?;
        Ok(destination)
    }

    /// The other repositories of a registry in which blobs may be, as the names of images here tell.
    fn elsewhere(&self, name: &Name) -> Result<BTreeMap<Digest, Vec<String>>> {
        let mut found: BTreeMap<Digest, Vec<String>> = BTreeMap::new();
        for image in self.layout.index()?.manifests {
            let Some(other) = named(&image).and_then(|other| other.parse::<Name>().ok()) else {
                continue;
            };
            if other.host != name.host || other.repository == name.repository {
                continue;
            }
            // What is damaged here tells nothing of the registry.
            let Ok(parcel) = Parcel::of(&self.layout, &image) else { continue };
            for blob in parcel.blobs {
                let repositories = found.entry(blob.digest).or_default();
                if !repositories.contains(&other.repository) {
                    repositories.push(other.repository.clone());
                }
            }
        }
        Ok(found)
    }
}

/// Where a promotion leads, and that blobs may be taken from where they are in the same registry.
pub(super) fn promoted(parcel: &Parcel, from: &Name, to: &Name) -> Result<Destination> {
    let mut destination = Destination::new(to, &parcel.root)?;
    if from.host == to.host && from.repository != to.repository {
        for blob in &parcel.blobs {
            destination.elsewhere.insert(blob.digest.clone(), vec![from.repository.clone()]);
        }
    }
    Ok(destination)
}

/// The tags of a repository.
pub async fn tags(repository: &Name, settings: &Settings) -> Result<Vec<String>> {
    Client::new(&repository.host, settings)?.tags(&repository.repository).await
}

/// A name that an image can get in a registry: one with a tag, or nothing but a digest.
pub fn refuse_local(name: &Name) -> Result<()> {
    match name.host.as_str() {
        "localhost" => Err(Error::new(Code::ImageName, "the name leads to no registry")
            .with("name", name.to_string())
            .hint("Name the host of a registry, with its port if that is not 443: registry.example.com/team/shop:1.4.0.")),
        _ => Ok(()),
    }
}
