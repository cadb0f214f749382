//! Deployments as jobs of a cluster, over its API.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::stream::BoxStream;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::batch::v1::{Job, JobCondition};
use k8s_openapi::api::core::v1::{Event, Pod, Secret};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams, PropagationPolicy};
use kube::config::KubeConfigOptions;
use kube::{Client, Config, Resource};
use longshore_model::{Code, Error, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::Cluster;
use super::logs::lines;
use super::objects::{self, MANAGER, secret_name};
use super::pods;
use crate::{DEPLOYMENT, Deployment, Found, Line, State};

/// Between two looks at what a cluster does.
pub(super) const PAUSE: Duration = Duration::from_millis(500);
/// What a cluster takes at most to be done with pods that have ended.
const PATIENCE: Duration = Duration::from_secs(120);
/// Before it, as long as a pod has to stop.
const GRACE: Duration = Duration::from_secs(60);
const WAY_IN: &str = "Check the cluster with `kubectl --context NAME get jobs`; it is chosen by --context and the file of KUBECONFIG.";

/// A namespace of a cluster.
#[derive(Clone)]
pub struct Kubernetes {
    client: Client,
    namespace: String,
}

impl std::fmt::Debug for Kubernetes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kubernetes").field("namespace", &self.namespace).finish_non_exhaustive()
    }
}

/// Which cluster, and where in it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The context of kubectl's settings; without one, the cluster that this process runs in.
    pub context: Option<String>,
    /// The namespace.
    pub namespace: String,
}

impl Kubernetes {
    /// Where the settings lead: those of kubectl, or of the pod that this process runs in.
    pub async fn place(context: Option<&str>, namespace: Option<&str>) -> Result<Place> {
        let context = match context {
            Some(context) => Some(context.to_string()),
            None => kube::config::Kubeconfig::read().ok().and_then(|all| all.current_context),
        };
        let namespace = match namespace {
            Some(namespace) => namespace.to_string(),
            None => settings(context.as_deref()).await?.default_namespace,
        };
        Ok(Place { context, namespace })
    }

    /// A namespace of a cluster.
    pub async fn connect(place: &Place) -> Result<Self> {
        let settings = settings(place.context.as_deref()).await?;
        let client = Client::try_from(settings).map_err(|error| unreachable(&error))?;
        Ok(Self { client, namespace: place.namespace.clone() })
    }

    /// Makes what a deployment is made of: its secrets, the rules of its network, its job.
    pub async fn start(
        &self,
        deployment: &Deployment,
        cluster: &Cluster,
        secrets: &BTreeMap<String, String>,
    ) -> Result<()> {
        let made = self.make(deployment, cluster, secrets).await;
        // What was made for a job that is not there is of no use to anyone. One that is there may be another's, who was
        // quicker, or ours, where the answer was lost.
        if made.is_err() && matches!(self.job(&deployment.name).await, Ok(None)) {
            // The error is that of the start.
            let _ = self.clear(&deployment.name).await;
        }
        made
    }

    async fn make(
        &self,
        deployment: &Deployment,
        cluster: &Cluster,
        secrets: &BTreeMap<String, String>,
    ) -> Result<()> {
        if cluster.secret.is_none() && !secrets.is_empty() {
            let secret = objects::secret(deployment, cluster, secrets);
            self.apply::<Secret>("the secret", &secret_name(deployment, cluster), &secret).await?;
        }
        let network = objects::network(deployment, cluster);
        self.apply::<NetworkPolicy>("the network policy", &deployment.name, &network).await?;
        let job = serde_json::from_value(objects::job(deployment, cluster)).map_err(|error| {
            Error::new(Code::Internal, "the job cannot be written").because(error)
        })?;
        let made = self.all::<Job>().create(&PostParams::default(), &job).await;
        made.map(drop).map_err(|error| self.failed("make the job", error))
    }

    async fn apply<K>(&self, what: &str, name: &str, object: &Value) -> Result<()>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
        K: Clone + std::fmt::Debug + DeserializeOwned,
    {
        let how = PatchParams::apply(MANAGER).force();
        let made = self.all::<K>().patch(name, &how, &Patch::Apply(object)).await;
        made.map(drop).map_err(|error| self.failed(&format!("make {what}"), error))
    }

    /// The job of a name, ours or not; `None` where there is none.
    pub async fn find(&self, name: &str) -> Result<Option<Found>> {
        let Some(job) = self.job(name).await? else { return Ok(None) };
        let pods = self.pods(&job).await?;
        let told = job.metadata.labels.iter().chain(&job.metadata.annotations).flatten();
        Ok(Some(Found {
            name: name.to_string(),
            state: state(&job, &pods),
            labels: told.map(|(name, value)| (name.clone(), value.clone())).collect(),
        }))
    }

    /// What a deployment writes, from its beginning; with `follow`, until it ends.
    pub fn lines(&self, name: &str, follow: bool) -> BoxStream<'static, Result<Line>> {
        lines(self.clone(), name.to_string(), follow)
    }

    /// Asks a deployment to stop, and ends it when it has not after `grace` seconds.
    pub async fn stop(&self, name: &str, grace: u32) -> Result<()> {
        let Some(job) = self.job(name).await? else { return Ok(()) };
        let failed = |error| self.failed("stop the job", error);
        // First its pods, for which the job makes no others while they end; then the job itself.
        let how = DeleteParams { grace_period_seconds: Some(grace), ..DeleteParams::default() };
        for pod in self.pods(&job).await?.iter().filter(|pod| !pods::has_ended(pod)) {
            let pod = pod.metadata.name.clone().unwrap_or_default();
            missing_is_none(self.all::<Pod>().delete(&pod, &how).await).map_err(failed)?;
        }
        let suspended = Patch::Merge(json!({ "spec": { "suspend": true } }));
        let how = PatchParams::default();
        missing_is_none(self.all::<Job>().patch(name, &how, &suspended).await).map_err(failed)?;
        let patience = Duration::from_secs(grace.into()) + PATIENCE;
        let wait = Wait::new("stop", patience);
        while let Some(Found { state: State::Running { .. }, .. }) = self.find(name).await? {
            wait.pause(&self.namespace).await?;
        }
        Ok(())
    }

    /// Removes a deployment, also while it runs, and comes back when none of its pods is left. One that is not there
    /// is none.
    pub async fn remove(&self, name: &str) -> Result<()> {
        let failed = |error| self.failed("remove the deployment", error);
        let policy = Some(PropagationPolicy::Foreground);
        let how = DeleteParams { propagation_policy: policy, ..DeleteParams::default() };
        missing_is_none(self.all::<Job>().delete(name, &how).await).map_err(failed)?;
        let wait = Wait::new("go", GRACE + PATIENCE);
        while self.job(name).await?.is_some() {
            wait.pause(&self.namespace).await?;
        }
        self.clear(name).await
    }

    /// Removes what a job that is gone has used.
    async fn clear(&self, name: &str) -> Result<()> {
        let failed = |error| self.failed("remove what belongs to the job", error);
        let ours = ListParams::default()
            .labels(&format!("app.kubernetes.io/managed-by={MANAGER},{DEPLOYMENT}={name}"));
        let how = DeleteParams::default();
        self.all::<NetworkPolicy>().delete_collection(&how, &ours).await.map_err(failed)?;
        self.all::<Secret>().delete_collection(&how, &ours).await.map_err(failed)?;
        Ok(())
    }

    pub(super) async fn job(&self, name: &str) -> Result<Option<Job>> {
        let found = self.all::<Job>().get_opt(name).await;
        found.map_err(|error| self.failed("look at the job", error))
    }

    /// The pods of a job, the oldest first.
    pub(super) async fn pods(&self, job: &Job) -> Result<Vec<Pod>> {
        let name = job.metadata.name.as_deref().unwrap_or_default();
        let ours = ListParams::default().labels(&format!("{DEPLOYMENT}={name}"));
        let found = self.all::<Pod>().list(&ours).await;
        let mut pods = found.map_err(|error| self.failed("look at the pods", error))?.items;
        // Another job of this name may have been there before.
        pods.retain(|pod| {
            let owners = pod.metadata.owner_references.iter().flatten();
            owners.into_iter().any(|owner| Some(&owner.uid) == job.metadata.uid.as_ref())
        });
        pods.sort_by_key(pods::age);
        Ok(pods)
    }

    /// The last thing that the cluster warns of about a pod; nothing where this account may not know it.
    pub(super) async fn warning(&self, pod: &Pod) -> Option<String> {
        let uid = pod.metadata.uid.as_deref().unwrap_or_default();
        let its = ListParams::default().fields(&format!("involvedObject.uid={uid},type=Warning"));
        let events = self.all::<Event>().list(&its).await.ok()?.items;
        let last = events.into_iter().max_by_key(|event| event.last_timestamp.clone())?;
        Some(pods::joined(&last.reason.unwrap_or_default(), last.message.as_deref()))
    }

    pub(super) fn all<K>(&self) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    pub(super) fn failed(&self, doing: &str, error: kube::Error) -> Error {
        let kube::Error::Api(status) = &error else { return unreachable(&error) };
        let code = match status.code {
            409 => Code::DeploymentBusy,
            _ => Code::PlatformRefused,
        };
        let refused = Error::new(code, format!("Kubernetes did not {doing}"))
            .with("namespace", self.namespace.clone())
            .because(std::io::Error::other(status.message.clone()));
        match status.code {
            401 | 403 => refused.hint("The account needs the rights that docs/guides/kubernetes.md lists, in this namespace."),
            _ => refused,
        }
    }
}

/// Patience with a cluster, which has an end.
struct Wait {
    what: &'static str,
    end: Instant,
}

impl Wait {
    fn new(what: &'static str, patience: Duration) -> Self {
        Self { what, end: Instant::now() + patience }
    }

    async fn pause(&self, namespace: &str) -> Result<()> {
        if Instant::now() > self.end {
            let problem = format!("the job does not {}", self.what);
            return Err(Error::new(Code::PlatformRefused, problem)
                .with("namespace", namespace.to_string())
                .hint(
                    "Look at its pods with `kubectl describe pods`; the same command waits again.",
                ));
        }
        sleep(PAUSE).await;
        Ok(())
    }
}

async fn settings(context: Option<&str>) -> Result<Config> {
    let unknown = |error: &dyn std::fmt::Display| {
        Error::new(Code::PlatformUnreachable, "no cluster of Kubernetes is known")
            .hint("Name a context with --context, or a file of settings with KUBECONFIG.")
            .because(std::io::Error::other(error.to_string()))
    };
    match context {
        Some(context) => {
            let options =
                KubeConfigOptions { context: Some(context.to_string()), ..Default::default() };
            Config::from_kubeconfig(&options).await.map_err(|error| unknown(&error))
        }
        None => Config::infer().await.map_err(|error| unknown(&error)),
    }
}

fn unreachable(error: &kube::Error) -> Error {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        cause = inner.source();
    }
    Error::new(Code::PlatformUnreachable, "Kubernetes cannot be reached")
        .hint(WAY_IN)
        .because(std::io::Error::other(text))
}

fn missing_is_none<T>(answer: kube::Result<T>) -> kube::Result<()> {
    match answer {
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        other => other.map(drop),
    }
}

/// How a job stands. One that was suspended is one that was stopped.
pub(super) fn state(job: &Job, pods: &[Pod]) -> State {
    let status = job.status.clone().unwrap_or_default();
    let condition = |kind: &str| -> Option<&JobCondition> {
        let mut all = status.conditions.iter().flatten();
        all.find(|one| one.type_ == kind && one.status == "True")
    };
    let at = |one: &JobCondition| one.last_transition_time.as_ref().map(|at| at.0.to_string());
    let is_busy = pods.iter().any(|pod| !pods::has_ended(pod));
    if let Some(done) = condition("Complete") {
        return State::Ended { exit: 0, out_of_memory: false, at: at(done) };
    }
    if let Some(failed) = condition("Failed") {
        let (exit, out_of_memory) = pods::end(pods);
        return State::Ended { exit, out_of_memory, at: at(failed) };
    }
    match condition("Suspended") {
        Some(stopped) if !is_busy => {
            State::Ended { exit: STOPPED, out_of_memory: false, at: at(stopped) }
        }
        _ => State::Running { since: status.start_time.map(|at| at.0.to_string()) },
    }
}

/// The exit code of an engine that was asked to stop.
const STOPPED: i64 = 130;
