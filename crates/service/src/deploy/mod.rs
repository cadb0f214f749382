//! Images deployed where containers run: started, followed, stopped, and what they leave brought here.

mod cluster;
mod prepare;
mod record;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use futures_util::stream::BoxStream;
use longshore_deploy::kubernetes::{self, Kubernetes};
use longshore_deploy::local::{Files, Measure};
use longshore_deploy::{Containers, Deployment, Found, Kind, Line, Local, Site, State};
use longshore_engine::report::Report;
use longshore_image::Name;
use longshore_image::document::{self, Descriptor};
use longshore_model::{Code, Error, Result};
use serde::{Deserialize, Serialize};

use crate::{Images, RunFolder, Service, Store, rfc3339};

pub use prepare::DeployOptions;
pub use record::{Record, Records};

/// Where images run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "on", rename_all = "kebab-case")]
pub enum Platform {
    /// Docker, at its socket.
    Docker {
        /// The socket.
        socket: PathBuf,
    },
    /// Podman, at its socket.
    Podman {
        /// The socket.
        socket: PathBuf,
    },
    /// This machine, without an engine of containers.
    Local {
        /// The folder of such deployments.
        folder: PathBuf,
    },
    /// A namespace of a cluster.
    Kubernetes(kubernetes::Place),
}

/// What is to be deployed, wherever that is.
pub struct Wanted<'a> {
    /// The image.
    pub image: &'a Descriptor,
    /// The name that it has for people.
    pub name: String,
    /// How.
    pub options: DeployOptions,
}

/// What is to be deployed, and where.
pub struct DeployOrder<'a> {
    /// What.
    pub wanted: Wanted<'a>,
    /// Where.
    pub on: Platform,
    /// The folder for the files of secrets, in memory where the machine has such a folder.
    pub private: PathBuf,
    /// The program that starts engines on this machine itself.
    pub launcher: PathBuf,
    /// The time.
    pub now: SystemTime,
}

/// What a deployment came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Deployed {
    /// It was started.
    Started,
    /// It ran already.
    Joined,
}

/// How a deployment that was made from here stands.
#[derive(Debug, Clone, Serialize)]
pub struct Standing {
    /// What was deployed.
    #[serde(flatten)]
    pub record: Record,
    /// How it stands; `None` when the platform knows nothing of it.
    pub state: Option<State>,
    /// Why that is not known.
    pub problem: Option<String>,
}

impl Platform {
    /// Its name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Docker { .. } => "docker",
            Self::Podman { .. } => "podman",
            Self::Local { .. } => "local",
            Self::Kubernetes(_) => "kubernetes",
        }
    }

    async fn site(&self) -> Result<Site> {
        let connect = |kind, socket| Containers::connect(kind, socket);
        Ok(match self {
            Self::Docker { socket } => Site::Containers(connect(Kind::Docker, socket).await?),
            Self::Podman { socket } => Site::Containers(connect(Kind::Podman, socket).await?),
            Self::Local { folder } => Site::Local(Local::of(folder)),
            Self::Kubernetes(place) => Site::Kubernetes(Kubernetes::connect(place).await?),
        })
    }
}

impl Service {
    /// Deploys an image. Where its deployment runs already, it is left as it is; where one has ended, it is made
    /// anew, and the migration goes on by what is in its target.
    pub async fn deploy(
        &self,
        order: &DeployOrder<'_>,
        images: &Images,
        records: &Records,
    ) -> Result<(Record, Deployed)> {
        let deployment = self.described(order, images)?;
        let secrets = match (&order.on, &order.wanted.options.cluster.secret) {
            // The cluster has them already.
            (Platform::Kubernetes(_), Some(_)) => BTreeMap::new(),
            _ => self.deployed_secrets(order.wanted.image, images)?,
        };
        let site = order.on.site().await?;
        let record = Record::of(&deployment, order, rfc3339(order.now));
        let _held = prepare::hold(&order.private, &deployment.name)?;
        if let Some(found) = site.find(&deployment.name).await? {
            refuse_another(&found, &deployment)?;
            if matches!(found.state, State::Running { .. }) {
                if records.find(Some(&record.name)).is_err() {
                    records.keep(&record)?;
                }
                return Ok((record, Deployed::Joined));
            }
            site.remove(&deployment.name).await?;
        }
        records.keep(&record)?;
        let started = match &site {
            Site::Containers(site) => start(site, deployment, &secrets, order, images).await,
            Site::Local(site) => start_here(site, &deployment, &secrets, order, images).await,
            Site::Kubernetes(site) => {
                let cluster = self.cluster(&order.wanted, images)?;
                site.start(&deployment, &cluster, &secrets).await
            }
        };
        if let Err(error) = started {
            records.forget(&record.name)?;
            prepare::remove_secrets(&order.private, &record.name)?;
            return Err(self.secrets().redact_error(error));
        }
        Ok((record, Deployed::Started))
    }

    /// What would be sent, or started, to deploy an image: JSON, and objects of Kubernetes as YAML.
    pub fn rendered(&self, order: &DeployOrder<'_>, images: &Images) -> Result<String> {
        let mut deployment = self.described(order, images)?;
        if !deployment.secrets.is_empty() {
            deployment.secrets_folder =
                Some(prepare::secrets_folder(&order.private, &deployment.name));
        }
        let json = match &order.on {
            Platform::Local { .. } => serde_json::to_value(&deployment).map_err(|error| {
                Error::new(Code::Internal, "the deployment cannot be shown").because(error)
            })?,
            Platform::Kubernetes(_) => {
                return kubernetes::yaml(&deployment, &self.cluster(&order.wanted, images)?);
            }
            Platform::Docker { .. } | Platform::Podman { .. } => Containers::render(&deployment)?,
        };
        Ok(format!("{json:#}\n"))
    }

    fn described(&self, order: &DeployOrder<'_>, images: &Images) -> Result<Deployment> {
        let deployment = self.deployment(&order.wanted, images)?;
        match order.on {
            Platform::Kubernetes(_) => cluster::pulled(deployment, &order.wanted),
            _ => Ok(deployment),
        }
    }

    /// Keeps here what a run elsewhere has reported.
    pub fn keep_report(&self, report: &Report, store: &Store) -> Result<RunFolder> {
        let folder = store.adopt(&report.run)?;
        folder.write_report(report, self.secrets())?;
        Ok(folder)
    }
}

/// Starts a deployment on this machine itself.
async fn start_here(
    local: &Local,
    deployment: &Deployment,
    secrets: &BTreeMap<String, String>,
    order: &DeployOrder<'_>,
    images: &Images,
) -> Result<()> {
    let here = images.unpack(order.wanted.image, &document::Platform::here())?;
    let files = Files { engine: &here.engine, migration: &here.migration };
    local.start(deployment, &files, secrets, &order.launcher).await
}

/// Starts a deployment in an engine of containers, which is given the image where it has not got it.
async fn start(
    containers: &Containers,
    mut deployment: Deployment,
    secrets: &BTreeMap<String, String>,
    order: &DeployOrder<'_>,
    images: &Images,
) -> Result<()> {
    let id = match containers.holds(&deployment.image).await? {
        Some(id) => id,
        None => {
            let name = deployment.image.name.parse();
            let name: Name = name.unwrap_or_else(|_| prepare::plain_name());
            let archive = images.archive(order.wanted.image, &name)?;
            containers.load(&archive.0, &deployment.image).await?
        }
    };
    if !secrets.is_empty() {
        let folder = prepare::write_secrets(&order.private, &deployment.name, secrets)?;
        deployment.secrets_folder = Some(folder);
    }
    containers.start(&deployment, &id).await
}

impl Record {
    /// What the deployment writes, from its beginning; with `follow`, until it ends.
    pub async fn lines(&self, follow: bool) -> Result<BoxStream<'static, Result<Line>>> {
        Ok(self.platform.site().await?.lines(&self.name, follow))
    }

    /// How it stands.
    pub async fn state(&self) -> Result<Option<State>> {
        let found = self.platform.site().await?.find(&self.name).await?;
        Ok(found.map(|found| found.state))
    }

    /// How it stands, or why that is not known.
    pub async fn standing(self) -> Standing {
        let (state, problem) = match self.state().await {
            Ok(state) => (state, None),
            Err(error) => (None, Some(error.chain().join(": "))),
        };
        Standing { record: self, state, problem }
    }

    /// Asks it to stop at a safe point, and ends it when it has not after `grace` seconds.
    pub async fn stop(&self, grace: u32) -> Result<()> {
        self.platform.site().await?.stop(&self.name, grace).await
    }

    /// Removes it with all that it kept, also while it runs.
    pub async fn remove(&self, private: &Path, records: &Records) -> Result<()> {
        self.platform.site().await?.remove(&self.name).await?;
        prepare::remove_secrets(private, &self.name)?;
        records.forget(&self.name)
    }

    /// What keeps it apart from the machine, where that is not the matter of an engine of containers.
    pub fn measures(&self) -> Result<Vec<Measure>> {
        match &self.platform {
            Platform::Local { folder } => Local::of(folder).measures(&self.name),
            _ => Ok(Vec::new()),
        }
    }
}

/// Refuses a container that is not ours, or runs another image.
fn refuse_another(found: &Found, deployment: &Deployment) -> Result<()> {
    let label = |name: &str| found.labels.get(name).map(String::as_str);
    if label(longshore_deploy::DEPLOYMENT) != Some(&deployment.name) {
        return Err(Error::new(
            Code::PlatformRefused,
            "a container that is not ours has this name",
        )
        .with("name", deployment.name.clone())
        .hint("Name the deployment otherwise with --name NAME."));
    }
    let is_running = matches!(found.state, State::Running { .. });
    if is_running && label(prepare::IMAGE) != Some(&deployment.image.digest) {
        return Err(Error::new(Code::DeploymentBusy, "another image runs under this name")
            .with("name", deployment.name.clone())
            .with("image", label(prepare::IMAGE).unwrap_or("unknown").to_string())
            .hint("Wait for it, or end it with `longshore stop NAME`."));
    }
    Ok(())
}
