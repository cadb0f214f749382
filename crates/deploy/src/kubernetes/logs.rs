//! What the pods of a job write, one after the other, also across connections that end.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::stream::{BoxStream, StreamExt, unfold};
use futures_util::{AsyncBufReadExt, TryStreamExt};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp;
use kube::api::LogParams;
use longshore_model::Result;
use tokio::sync::mpsc::{Sender, channel};
use tokio::time::{sleep, timeout};

use super::jobs::{Kubernetes, PAUSE, state};
use super::objects::CONTAINER;
use super::pods;
use crate::{Line, State};

/// Lines that may wait for whoever reads them.
const AHEAD: usize = 256;
/// A log that is silent for so long is asked for again: its connection may have ended without a word.
const SILENCE: Duration = Duration::from_secs(20);

pub(super) fn lines(
    cluster: Kubernetes,
    name: String,
    follow: bool,
) -> BoxStream<'static, Result<Line>> {
    let (tell, told) = channel(AHEAD);
    tokio::spawn(async move {
        let teller = Teller { cluster, tell: tell.clone() };
        if let Err(error) = teller.all(&name, follow).await {
            // Nobody may be left to hear it.
            let _ = tell.send(Err(error)).await;
        }
    });
    unfold(told, |mut told| async move { Some((told.recv().await?, told)) }).boxed()
}

struct Teller {
    cluster: Kubernetes,
    tell: Sender<Result<Line>>,
}

impl Teller {
    async fn all(&self, name: &str, follow: bool) -> Result<()> {
        let mut told = Vec::new();
        let mut reasons = BTreeSet::new();
        while !self.tell.is_closed() {
            // In this order: the pods of a job that is over are all there are.
            let Some(job) = self.cluster.job(name).await? else { return Ok(()) };
            let pods = self.cluster.pods(&job).await?;
            let is_over = matches!(state(&job, &pods), State::Ended { .. });
            for pod in pods.iter().filter(|pod| pods::leads(pod)) {
                if told.contains(&pod.metadata.uid) {
                    continue;
                }
                if pods::has_begun(pod) {
                    told.push(pod.metadata.uid.clone());
                    self.pod(pod, follow).await?;
                    reasons.clear();
                } else if follow && !is_over {
                    // A pod that cannot have its image goes back and forth between two of them.
                    if let Some((reason, why)) = self.why(pod).await
                        && reasons.insert(reason)
                    {
                        let name = pod.metadata.name.clone().unwrap_or_default();
                        self.say(format!("pod {name} waits: {why}")).await;
                    }
                }
            }
            if !follow || is_over {
                return Ok(());
            }
            sleep(PAUSE).await;
        }
        Ok(())
    }

    /// Why a pod has not begun: the reason in a word, and all that the cluster says of it.
    async fn why(&self, pod: &Pod) -> Option<(String, String)> {
        let why = match pods::waits_for(pod) {
            // Every pod creates its container for a moment; what keeps it there is told elsewhere.
            Some(why) if !matches!(&*why, "ContainerCreating" | "PodInitializing") => why,
            _ => self.cluster.warning(pod).await?,
        };
        let reason = why.split(':').next().unwrap_or_default().to_string();
        Some((reason, why))
    }

    async fn say(&self, text: String) {
        // Nobody may be left to hear it.
        let _ = self.tell.send(Ok(Line::Error(text))).await;
    }

    /// The whole log of a pod. One that is followed is taken up where it was until the pod has ended.
    async fn pod(&self, pod: &Pod, follow: bool) -> Result<()> {
        let name = pod.metadata.name.clone().unwrap_or_default();
        let mut last = None;
        loop {
            let has_ended = match follow {
                true => self.has_ended(&name).await?,
                false => true,
            };
            let taken = self.once(&name, follow && !has_ended, &mut last).await;
            match taken {
                Ok(true) => {}
                Ok(false) => return Ok(()),
                Err(error) if !follow || has_ended => return Err(error),
                Err(_) => sleep(PAUSE).await,
            }
            if has_ended {
                break;
            }
        }
        self.ended(pod).await
    }

    /// Says it where a pod has failed and another follows.
    async fn ended(&self, pod: &Pod) -> Result<()> {
        let name = pod.metadata.name.clone().unwrap_or_default();
        let now = self.cluster.all::<Pod>().get_opt(&name).await;
        let now = now.map_err(|error| self.cluster.failed("look at the pod", error))?;
        if let Some(exit) = now.as_ref().and_then(pods::exit).filter(|exit| *exit != 0) {
            self.say(format!("pod {name} ended with exit code {exit}")).await;
        }
        Ok(())
    }

    async fn has_ended(&self, name: &str) -> Result<bool> {
        let pod = self.cluster.all::<Pod>().get_opt(name).await;
        let pod = pod.map_err(|error| self.cluster.failed("look at the pod", error))?;
        Ok(pod.is_none_or(|pod| pods::has_ended(&pod)))
    }

    /// Reads a log from behind the line of the time `last` to its end; false when nobody listens any more.
    async fn once(&self, name: &str, follow: bool, last: &mut Option<Timestamp>) -> Result<bool> {
        let failed = |error| self.cluster.failed("read what it writes", error);
        let broken = |error: std::io::Error| failed(kube::Error::ReadEvents(error));
        let how = LogParams {
            container: Some(CONTAINER.to_string()),
            follow,
            since_time: *last,
            timestamps: true,
            ..LogParams::default()
        };
        let log = self.cluster.all::<Pod>().log_stream(name, &how).await;
        let log = match log {
            Err(kube::Error::Api(status)) if status.code == 404 => return Ok(true),
            other => other.map_err(failed)?,
        };
        let mut lines = log.lines().map_err(broken);
        let after = *last;
        loop {
            let Ok(line) = timeout(SILENCE, lines.try_next()).await else { return Ok(true) };
            let Some(line) = line? else { return Ok(true) };
            let (at, text) = line.split_once(' ').unwrap_or(("", &line));
            let at: Option<Timestamp> = at.parse().ok();
            // The beginning is told to a second.
            if at.is_some() && at <= after {
                continue;
            }
            *last = at.or(*last);
            if self.tell.send(Ok(Line::Out(text.to_string()))).await.is_err() {
                return Ok(false);
            }
        }
    }
}
