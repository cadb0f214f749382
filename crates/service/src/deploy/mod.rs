//! Images deployed where containers run: started, followed, stopped, and what they leave brought here.

mod prepare;
mod record;
mod results;

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use longshore_deploy::{Containers, Deployment, Found, Kind, Line, State};
use longshore_image::Name;
use longshore_image::document::Descriptor;
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
}

/// What is to be deployed.
pub struct DeployOrder<'a> {
    /// The image.
    pub image: &'a Descriptor,
    /// The name that it has for people.
    pub name: String,
    /// Where.
    pub on: Platform,
    /// How.
    pub options: DeployOptions,
    /// The folder for the files of secrets, in memory where the machine has such a folder.
    pub private: PathBuf,
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
        }
    }

    async fn containers(&self) -> Result<Containers> {
        match self {
            Self::Docker { socket } => Containers::connect(Kind::Docker, socket).await,
            Self::Podman { socket } => Containers::connect(Kind::Podman, socket).await,
        }
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
        let mut deployment = self.deployment(order, images)?;
        let secrets = self.deployed_secrets(order.image, images)?;
        let containers = order.on.containers().await?;
        let record = Record::of(&deployment, order, rfc3339(order.now));
        if let Some(found) = containers.find(&deployment.name).await? {
            refuse_another(&found, &deployment)?;
            if matches!(found.state, State::Running { .. }) {
                return Ok((record, Deployed::Joined));
            }
            containers.remove(&deployment.name).await?;
        }
        let id = match containers.holds(&deployment.image).await? {
            Some(id) => id,
            None => self.hand_over(&containers, &deployment, order, images).await?,
        };
        records.keep(&record)?;
        if !secrets.is_empty() {
            let folder = prepare::write_secrets(&order.private, &deployment.name, &secrets)?;
            deployment.secrets_folder = Some(folder);
        }
        if let Err(error) = containers.start(&deployment, &id).await {
            records.forget(&record.name)?;
            prepare::remove_secrets(&order.private, &record.name)?;
            return Err(self.secrets().redact_error(error));
        }
        Ok((record, Deployed::Started))
    }

    /// What would be sent to deploy an image.
    pub fn rendered(&self, order: &DeployOrder<'_>, images: &Images) -> Result<serde_json::Value> {
        let mut deployment = self.deployment(order, images)?;
        if !deployment.secrets.is_empty() {
            deployment.secrets_folder =
                Some(prepare::secrets_folder(&order.private, &deployment.name));
        }
        Containers::render(&deployment)
    }

    async fn hand_over(
        &self,
        containers: &Containers,
        deployment: &Deployment,
        order: &DeployOrder<'_>,
        images: &Images,
    ) -> Result<String> {
        let name: Name = deployment.image.name.parse().unwrap_or_else(|_| prepare::plain_name());
        let archive = images.archive(order.image, &name)?;
        containers.load(&archive.0, &deployment.image).await
    }
}

impl Record {
    /// What the deployment writes, from its beginning; with `follow`, until it ends.
    pub async fn lines(&self, follow: bool) -> Result<BoxStream<'static, Result<Line>>> {
        Ok(self.platform.containers().await?.lines(&self.name, follow).boxed())
    }

    /// How it stands.
    pub async fn state(&self) -> Result<Option<State>> {
        let found = self.platform.containers().await?.find(&self.name).await?;
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
        self.platform.containers().await?.stop(&self.name, grace).await
    }

    /// Removes it with all that it kept, also while it runs.
    pub async fn remove(&self, private: &Path, records: &Records) -> Result<()> {
        self.platform.containers().await?.remove(&self.name).await?;
        prepare::remove_secrets(private, &self.name)?;
        records.forget(&self.name)
    }

    /// Brings what a run of it has left here; `None` where it has left nothing.
    pub async fn fetch(&self, run: &str, store: &Store) -> Result<Option<RunFolder>> {
        results::fetch(&self.platform.containers().await?, &self.name, run, store).await
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
