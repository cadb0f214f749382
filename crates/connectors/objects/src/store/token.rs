//! Tokens that Google gives: to a user, for what a login has left, and to a machine or a pod.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use longshore_model::Result;
use object_store::CredentialProvider;
use object_store::gcp::GcpCredential;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::CONTENT_TYPE;
use serde::Deserialize;
use tokio::sync::Mutex;

use super::client::direct;

/// Where Google exchanges logins for tokens: <https://google.aip.dev/auth/4113>.
pub(super) const TOKEN_SERVER: &str = "https://oauth2.googleapis.com/token";

/// Where a machine asks. The address is for where names are not known.
const MACHINE: [&str; 2] = ["metadata.google.internal", "169.254.169.254"];

/// The token of the account that a machine has.
const PATH: &str = "/computeMetadata/v1/instance/service-accounts/default/token";

/// A token is asked for anew when it has no longer to live; the machine's server gives no new one
/// before.
const MARGIN: Duration = Duration::from_secs(225);

/// How often a token is asked for, and the first pause before the next time.
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_millis(200);

/// Whoever gives tokens, and the last one.
#[derive(Debug)]
pub(super) struct Tokens {
    client: reqwest::Client,
    giver: Giver,
    last: Mutex<Option<Held>>,
}

#[derive(Debug)]
enum Giver {
    User(Grant),
    /// The hosts to ask, in their order.
    Machine(Vec<String>),
}

/// What a login has left.
pub(super) struct Grant {
    pub(super) server: String,
    pub(super) client: String,
    pub(super) secret: String,
    pub(super) refresh: String,
}

impl std::fmt::Debug for Grant {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Grant")
    }
}

#[derive(Debug, Clone)]
struct Held {
    token: Arc<GcpCredential>,
    until: Instant,
}

impl Held {
    fn lives(&self, margin: Duration) -> bool {
        Instant::now() + margin < self.until
    }
}

/// What a giver of tokens answers.
#[derive(Deserialize)]
struct Given {
    access_token: String,
    expires_in: u64,
}

/// Why there is no token.
enum Lack {
    /// It may be given later.
    Now(String),
    /// It will not.
    Ever(String),
}

impl Tokens {
    /// Those of a user, by the client that all requests share.
    pub(super) fn of_user(grant: Grant, client: reqwest::Client) -> Self {
        Self { client, giver: Giver::User(grant), last: Mutex::default() }
    }

    /// Those of the machine or the pod that this process is on, by the host that gives them.
    pub(super) fn of_machine(host: Option<&str>) -> Result<Self> {
        let hosts =
            host.map_or(MACHINE.map(str::to_string).to_vec(), |host| vec![host.to_string()]);
        let last = Mutex::default();
        Ok(Self { client: direct()?, giver: Giver::Machine(hosts), last })
    }

    async fn ask(&self) -> std::result::Result<Held, Lack> {
        match &self.giver {
            Giver::User(grant) => self.ask_for_user(grant).await,
            Giver::Machine(hosts) => {
                let mut lack = Lack::Ever(String::new());
                for host in hosts {
                    match self.ask_machine(host).await {
                        Err(why) => lack = why,
                        given => return given,
                    }
                }
                Err(lack)
            }
        }
    }

    async fn ask_for_user(&self, grant: &Grant) -> std::result::Result<Held, Lack> {
        let form = [
            ("grant_type", "refresh_token"),
            ("client_id", &grant.client),
            ("client_secret", &grant.secret),
            ("refresh_token", &grant.refresh),
        ];
        let form: Vec<String> = form
            .into_iter()
            .map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC)))
            .collect();
        let request = self.client.post(&grant.server);
        let request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        let asked = request.body(form.join("&")).send().await;
        let unreached = |error: reqwest::Error| {
            Lack::Now(format!("the server of tokens is not reached: {}", error.without_url()))
        };
        held(asked.map_err(unreached)?).await
    }

    /// <https://cloud.google.com/compute/docs/access/authenticate-workloads>
    async fn ask_machine(&self, host: &str) -> std::result::Result<Held, Lack> {
        let request = self.client.get(format!("http://{host}{PATH}"));
        let asked = request.header("metadata-flavor", "Google").send().await;
        let unreached = |_| {
            Lack::Ever(
                "there are no credentials, and this machine has no server that gives tokens"
                    .to_string(),
            )
        };
        held(asked.map_err(unreached)?).await
    }
}

#[async_trait]
impl CredentialProvider for Tokens {
    type Credential = GcpCredential;

    /// A token that lives for some minutes yet. Who asks while another asks waits for its answer.
    async fn get_credential(&self) -> object_store::Result<Arc<GcpCredential>> {
        let mut last = self.last.lock().await;
        if let Some(held) = last.as_ref().filter(|held| held.lives(MARGIN)) {
            return Ok(held.token.clone());
        }
        let (mut asked, mut pause) = (self.ask().await, PAUSE);
        for _ in 1..TRIES {
            // One that has answered before is only away.
            let again = match &asked {
                Err(Lack::Now(_)) => true,
                Err(Lack::Ever(_)) => last.is_some(),
                Ok(_) => false,
            };
            if !again {
                break;
            }
            tokio::time::sleep(pause).await;
            (asked, pause) = (self.ask().await, pause * 2);
        }
        match (asked, last.as_ref().filter(|held| held.lives(Duration::ZERO))) {
            (Ok(held), _) => Ok(last.insert(held).token.clone()),
            (Err(_), Some(held)) => Ok(held.token.clone()),
            (Err(Lack::Now(why)), None) => {
                Err(object_store::Error::Generic { store: "GCS", source: why.into() })
            }
            (Err(Lack::Ever(why)), None) => Err(object_store::Error::Unauthenticated {
                path: String::new(),
                source: why.into(),
            }),
        }
    }
}

/// The token of an answer. Of a refusal only its word is told.
async fn held(answer: reqwest::Response) -> std::result::Result<Held, Lack> {
    let (asked, status) = (Instant::now(), answer.status());
    let body = answer.bytes().await;
    let body = body.map_err(|error| Lack::Now(format!("no token: {}", error.without_url())))?;
    if status.is_server_error() || matches!(status.as_u16(), 408 | 429) {
        return Err(Lack::Now(format!("the server of tokens answered {}", status.as_u16())));
    }
    if !status.is_success() {
        let said: Option<serde_json::Value> = serde_json::from_slice(&body).ok();
        let word = said.as_ref().and_then(|said| said["error"].as_str()).unwrap_or_default();
        let status = status.as_u16();
        return Err(Lack::Ever(format!("the server of tokens answered {status} {word}")));
    }
    let given: Given = serde_json::from_slice(&body)
        .map_err(|_| Lack::Ever("what should be a token is none".to_string()))?;
    let until = asked + Duration::from_secs(given.expires_in.min(86_400));
    Ok(Held { token: Arc::new(GcpCredential { bearer: given.access_token }), until })
}
