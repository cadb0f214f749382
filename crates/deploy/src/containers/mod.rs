//! Docker and Podman, over the socket of their API: Podman speaks Docker's.

mod body;
mod lines;

use std::path::{Path, PathBuf};

use bollard::Docker;
use bollard::models::{ContainerState, ContainerStateStatusEnum};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, ImportImageOptionsBuilder, LogsOptionsBuilder,
    RemoveContainerOptionsBuilder, StopContainerOptionsBuilder,
};
use bytes::Bytes;
use futures_util::stream::{self, Stream, StreamExt};
use longshore_model::{Code, Error, Result};
use serde::{Deserialize, Serialize};
use tokio::io::AsyncReadExt;

use crate::{Deployment, Found, Line, Sealed, State};
use lines::Lines;

/// Seconds that an engine has for an answer. Loading an image and stopping a container take long.
const PATIENCE: u64 = 300;
const PIECE: usize = 1 << 20;

/// Which engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Docker.
    Docker,
    /// Podman.
    Podman,
}

/// An engine that runs containers.
#[derive(Debug, Clone)]
pub struct Containers {
    docker: Docker,
    kind: Kind,
    socket: PathBuf,
}

impl Kind {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Docker => "Docker",
            Self::Podman => "Podman",
        }
    }

    fn way_in(self) -> &'static str {
        match self {
            Self::Docker => {
                "Start Docker, or name its socket with --socket FILE; the account must be allowed to use it (group docker)."
            }
            Self::Podman => {
                "Start its service with `systemctl --user start podman.socket` or `podman system service --time 0`, or name its socket with --socket FILE."
            }
        }
    }
}

impl Containers {
    /// An engine at a socket, which must answer.
    pub async fn connect(kind: Kind, socket: &Path) -> Result<Self> {
        let failed = |error| {
            Error::new(Code::PlatformUnreachable, format!("{} cannot be reached", kind.name()))
                .with("socket", socket.display().to_string())
                .hint(kind.way_in())
                .because(told(error))
        };
        let address = socket.to_string_lossy();
        let docker = Docker::connect_with_unix(&address, PATIENCE, bollard::API_DEFAULT_VERSION);
        let docker = docker.map_err(failed)?.negotiate_version().await.map_err(failed)?;
        Ok(Self { docker, kind, socket: socket.to_path_buf() })
    }

    /// The digest by which the engine has an image; `None` where it has not.
    pub async fn holds(&self, image: &Sealed) -> Result<Option<String>> {
        for digest in &image.known_as {
            match self.docker.inspect_image(digest).await {
                Ok(found) => {
                    let id = found.id.unwrap_or_default();
                    let id = if id.contains(':') { id } else { format!("sha256:{id}") };
                    if image.known_as.contains(&id) {
                        return Ok(Some(id));
                    }
                }
                Err(error) if is_missing(&error) => {}
                Err(error) => return Err(self.failed("ask for the image", error)),
            }
        }
        Ok(None)
    }

    /// Gives the engine an image from an archive; the digest by which it has it.
    pub async fn load(&self, archive: &Path, image: &Sealed) -> Result<String> {
        let file = tokio::fs::File::open(archive)
            .await
            .map_err(|error| Error::io("read the archive", archive.display(), error))?;
        let pieces = stream::try_unfold(file, |mut file| async move {
            let mut piece = vec![0; PIECE];
            let length = file.read(&mut piece).await?;
            piece.truncate(length);
            Ok::<_, std::io::Error>((length > 0).then(|| (Bytes::from(piece), file)))
        });
        let options = ImportImageOptionsBuilder::new().quiet(true).build();
        let mut answers = Box::pin(self.docker.import_image_stream(options, pieces, None));
        while let Some(answer) = answers.next().await {
            answer.map_err(|error| self.failed("load the image", error))?;
        }
        self.holds(image).await?.ok_or_else(|| {
            Error::new(Code::ImageInvalid, "the engine holds another image than it was given")
                .with("image", image.digest.clone())
                .with("socket", self.socket.display().to_string())
        })
    }

    /// Makes a deployment's container, of the image that the engine knows by `id`, and starts it.
    pub async fn start(&self, deployment: &Deployment, id: &str) -> Result<()> {
        let options = CreateContainerOptionsBuilder::new().name(&deployment.name).build();
        let body = body::of(deployment, id);
        self.docker
            .create_container(Some(options), body)
            .await
            .map_err(|error| self.failed("make the container", error))?;
        let started = self.docker.start_container(&deployment.name, None).await;
        if let Err(error) = started {
            // A container that never ran is of no use to anyone.
            let _ = self.remove(&deployment.name).await;
            return Err(self.failed("start the container", error));
        }
        Ok(())
    }

    /// What would be sent to make the container.
    pub fn render(deployment: &Deployment) -> Result<serde_json::Value> {
        serde_json::to_value(body::of(deployment, &deployment.image.digest)).map_err(|error| {
            Error::new(Code::Internal, "the container cannot be rendered").because(error)
        })
    }

    /// The container of a name, ours or not; `None` where there is none.
    pub async fn find(&self, name: &str) -> Result<Option<Found>> {
        match self.docker.inspect_container(name, None).await {
            Ok(found) => Ok(Some(Found {
                name: name.to_string(),
                state: state_of(found.state.unwrap_or_default()),
                labels: found
                    .config
                    .and_then(|config| config.labels)
                    .unwrap_or_default()
                    .into_iter()
                    .collect(),
            })),
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(self.failed("look at the container", error)),
        }
    }

    /// What a deployment writes, from its beginning; with `follow`, until it ends.
    pub fn lines(&self, name: &str, follow: bool) -> impl Stream<Item = Result<Line>> + use<> {
        let options =
            LogsOptionsBuilder::new().follow(follow).stdout(true).stderr(true).tail("all").build();
        let (this, docker, name) = (self.clone(), self.docker.clone(), name.to_string());
        let pieces = docker.logs(&name, Some(options)).map(Some).chain(stream::iter([None]));
        pieces
            .scan(Lines::default(), move |lines, piece| {
                let out = match piece {
                    Some(Ok(piece)) => lines.take(piece).into_iter().map(Ok).collect(),
                    Some(Err(error)) => vec![Err(this.failed("read what it writes", error))],
                    None => lines.rest().into_iter().map(Ok).collect::<Vec<_>>(),
                };
                futures_util::future::ready(Some(stream::iter(out)))
            })
            .flatten()
    }

    /// Asks a deployment to stop, and ends it when it has not after `grace` seconds.
    pub async fn stop(&self, name: &str, grace: u32) -> Result<()> {
        let grace = i32::try_from(grace).unwrap_or(i32::MAX);
        let options = StopContainerOptionsBuilder::new().t(grace).build();
        match self.docker.stop_container(name, Some(options)).await {
            // It has ended already.
            Err(bollard::errors::Error::DockerResponseServerError { status_code: 304, .. }) => {
                Ok(())
            }
            other => other.map_err(|error| self.failed("stop the container", error)),
        }
    }

    /// Removes a deployment and what it kept, also while it runs. One that is not there is none.
    pub async fn remove(&self, name: &str) -> Result<()> {
        let options = RemoveContainerOptionsBuilder::new().v(true).force(true).build();
        match self.docker.remove_container(name, Some(options)).await {
            Err(error) if is_missing(&error) => Ok(()),
            other => other.map_err(|error| self.failed("remove the container", error)),
        }
    }

    fn failed(&self, doing: &str, error: bollard::errors::Error) -> Error {
        let code = match &error {
            bollard::errors::Error::DockerResponseServerError { .. } => Code::PlatformRefused,
            _ => Code::PlatformUnreachable,
        };
        Error::new(code, format!("{} did not {doing}", self.kind.name()))
            .with("socket", self.socket.display().to_string())
            .because(told(error))
    }
}

fn state_of(state: ContainerState) -> State {
    let told = |at: Option<String>| at.filter(|at| !at.is_empty() && !at.starts_with("0001-"));
    match state.status {
        Some(ContainerStateStatusEnum::CREATED) => State::Created,
        _ if state.running == Some(true) => State::Running { since: told(state.started_at) },
        _ => State::Ended {
            exit: state.exit_code.unwrap_or(-1),
            out_of_memory: state.oom_killed == Some(true),
            at: told(state.finished_at),
        },
    }
}

fn is_missing(error: &bollard::errors::Error) -> bool {
    matches!(error, bollard::errors::Error::DockerResponseServerError { status_code: 404, .. })
}

/// What an engine says, without what our own message says already.
fn told(error: bollard::errors::Error) -> Error {
    use bollard::errors::Error as Told;
    let text = match error {
        Told::DockerResponseServerError { message, .. } => message,
        Told::SocketNotFoundError(_) => "there is no such socket".to_string(),
        other => chain(&other),
    };
    Error::new(Code::PlatformRefused, text)
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        let said = source.to_string();
        if !text.contains(&said) {
            text.push_str(&format!(": {said}"));
        }
        next = source.source();
    }
    text
}
