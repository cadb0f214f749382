//! What a cluster is told beside the deployment.

use longshore_deploy::Deployment;
use longshore_deploy::kubernetes::Cluster;
use longshore_image::Name;
use longshore_model::{Code, Error, Result};

use super::Wanted;
use crate::image::refuse_local;
use crate::{Images, Service};

impl Service {
    /// What is wanted of a cluster, with the ports of source and target where none are named.
    pub(super) fn cluster(&self, wanted: &Wanted<'_>, images: &Images) -> Result<Cluster> {
        let mut cluster = wanted.options.cluster.clone();
        if cluster.processes > 1 {
            self.demand_shared(wanted.image, images)?;
        }
        if cluster.ports.is_empty() {
            cluster.ports = self.ports(wanted.image, images)?;
        }
        Ok(cluster)
    }
}

/// A deployment whose image the cluster pulls, by its digest.
pub(super) fn pulled(mut deployment: Deployment, wanted: &Wanted<'_>) -> Result<Deployment> {
    let name: Name = wanted.name.parse().map_err(|_| {
        Error::new(Code::Usage, "a cluster pulls from a registry")
            .with("image", wanted.name.clone())
            .hint("Push the image, and name it: longshore push PLACE HOST/REPOSITORY:TAG.")
    })?;
    refuse_local(&name)?;
    if !deployment.mounts.is_empty() {
        return Err(Error::new(Code::Usage, "a cluster has no folders of this machine")
            .hint("Name a PersistentVolumeClaim with --claim NAME:PLACE instead of a --volume."));
    }
    deployment.image.name = name.at(&wanted.image.digest).to_string();
    Ok(deployment)
}
