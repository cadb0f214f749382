//! A platform, whichever: what can be asked of a deployment on it.

use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use longshore_model::Result;

use crate::kubernetes::Kubernetes;
use crate::{Containers, Found, Line, Local};

/// A platform that deployments run on.
#[derive(Debug, Clone)]
pub enum Site {
    /// An engine of containers.
    Containers(Containers),
    /// This machine itself.
    Local(Local),
    /// A cluster.
    Kubernetes(Kubernetes),
}

impl Site {
    /// What has a name there, ours or not; `None` where nothing has.
    pub async fn find(&self, name: &str) -> Result<Option<Found>> {
        match self {
            Self::Containers(site) => site.find(name).await,
            Self::Local(site) => site.find(name),
            Self::Kubernetes(site) => site.find(name).await,
        }
    }

    /// What a deployment writes, from its beginning; with `follow`, until it ends.
    pub fn lines(&self, name: &str, follow: bool) -> BoxStream<'static, Result<Line>> {
        match self {
            Self::Containers(site) => site.lines(name, follow).boxed(),
            Self::Local(site) => site.lines(name, follow).boxed(),
            Self::Kubernetes(site) => site.lines(name, follow),
        }
    }

    /// Asks a deployment to stop, and ends it when it has not after `grace` seconds.
    pub async fn stop(&self, name: &str, grace: u32) -> Result<()> {
        match self {
            Self::Containers(site) => site.stop(name, grace).await,
            Self::Local(site) => site.stop(name, grace).await,
            Self::Kubernetes(site) => site.stop(name, grace).await,
        }
    }

    /// Removes a deployment and what it kept, also while it runs. One that is not there is none.
    pub async fn remove(&self, name: &str) -> Result<()> {
        match self {
            Self::Containers(site) => site.remove(name).await,
            Self::Local(site) => site.remove(name).await,
            Self::Kubernetes(site) => site.remove(name).await,
        }
    }
}
