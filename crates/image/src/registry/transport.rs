//! Requests to one registry: made again when that may help, with the credentials that it asks for.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use longshore_model::{Code, Error, Result, Retry};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, LOCATION, RETRY_AFTER};
use reqwest::{Method, Response, StatusCode, Url};
use tokio::sync::OnceCell;

use super::auth::{Keeper, Scope};
use super::error::{Asked, refused};
use super::referrers::Lists;
use super::{Settings, TransferEvent, address, tls};

/// How often a request is made, and the longest pause between two.
const ATTEMPTS: u32 = 7;
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// The longest that a registry may tell us to wait.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long a request to stop is not seen while waiting.
const NAP: Duration = Duration::from_millis(200);
/// How often a server may hang up before it is one that wants TLS.
const UNANSWERED: u32 = 2;
const REDIRECTS: usize = 5;
/// How much of an error is read.
const ERROR_BODY: u64 = 64 << 10;

/// A registry.
#[derive(Debug)]
pub struct Client {
    pub(super) host: String,
    pub(super) settings: Settings,
    pub(super) http: reqwest::Client,
    pub(super) keeper: Keeper,
    pub(super) lists: Lists,
    base: OnceCell<Url>,
    given_up: AtomicBool,
}

/// An error, and how long the registry asks to wait after it.
pub(super) type Failure = (Error, Option<Duration>);

/// A request.
#[derive(Debug, Clone)]
pub(super) struct Ask {
    pub(super) asked: Asked,
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) scope: Scope,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// An answer with its body.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) url: Url,
    pub(super) body: Vec<u8>,
}

impl Ask {
    pub(super) fn header(mut self, name: HeaderName, value: &str) -> Result<Self> {
        let value = HeaderValue::from_str(value)
            .map_err(|error| self.asked.odd("cannot be answered").because(error))?;
        self.headers.append(name, value);
        Ok(self)
    }

    pub(super) fn body(self, body: impl Into<Bytes>) -> Self {
        Self { body: body.into(), ..self }
    }

    /// The error of an answer that is no success.
    pub(super) fn refused(&self, answer: &Answer) -> Error {
        refused(&self.asked, answer.status, &answer.body)
    }
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

impl Client {
    /// A client of the registry at a host. Nothing is asked yet.
    pub fn new(host: &str, settings: &Settings) -> Result<Self> {
        let http = tls::client(settings.authorities.as_deref(), address::is_loopback(host))?;
        Ok(Self {
            host: host.to_string(),
            settings: settings.clone(),
            http,
            keeper: Keeper::default(),
            lists: Lists::default(),
            base: OnceCell::new(),
            given_up: AtomicBool::new(false),
        })
    }

    /// The host.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Lets all that is under way end at the next point from which it can go on.
    pub(super) fn give_up(&self) {
        self.given_up.store(true, Ordering::Relaxed);
    }

    /// An error when all that is under way is to end.
    pub(super) fn check(&self) -> Result<()> {
        self.settings.stop.check()?;
        match self.given_up.load(Ordering::Relaxed) {
            true => Err(Error::new(Code::Cancelled, "another part of the work failed")),
            false => Ok(()),
        }
    }

    /// A request on a repository. `path` follows its name.
    pub(super) async fn ask(
        &self,
        doing: &'static str,
        scope: &Scope,
        method: Method,
        path: &str,
    ) -> Result<Ask> {
        let asked = self.asked(doing, scope.repository());
        let path = format!("/v2/{}/{path}", scope.repository());
        let url = self.base().await?.join(&path);
        let url = url.map_err(|error| asked.odd("is no address").because(error))?;
        Ok(Ask {
            asked,
            method,
            url,
            scope: scope.clone(),
            headers: HeaderMap::new(),
            body: Bytes::new(),
        })
    }

    pub(super) fn asked(&self, doing: &'static str, repository: &str) -> Asked {
        Asked { doing, registry: self.host.clone(), repository: repository.to_string() }
    }

    /// Where the registry is. On this machine it may speak HTTP, and says so if it does not.
    pub(super) async fn base(&self) -> Result<&Url> {
        self.base.get_or_try_init(|| self.find_base()).await
    }

    async fn find_base(&self) -> Result<Url> {
        let secure = address::base(&self.host, "https")?;
        let is_here = address::is_loopback(&self.host);
        if !(is_here || self.settings.plain_http) {
            return Ok(secure);
        }
        let plain = address::base(&self.host, "http")?;
        let asked = self.asked("reaching the registry", "");
        let mut tries = Tries::new(self, "GET /v2/".to_string());
        let mut unanswered = 0;
        loop {
            let url = plain.join("/v2/").map_err(|error| asked.odd("is odd").because(error))?;
            match self.http.get(url).send().await {
                // Servers of Go and nginx tell who forgets TLS.
                Ok(answer) if answer.status() == StatusCode::BAD_REQUEST => {
                    let body = read(answer, ERROR_BODY, &asked).await.unwrap_or_default();
                    let wants_tls = String::from_utf8_lossy(&body).contains("HTTPS");
                    return Ok(if wants_tls { secure } else { plain });
                }
                Ok(_) => return Ok(plain),
                // Others hang up on who forgets TLS.
                Err(error) if !error.is_connect() && unanswered == UNANSWERED => return Ok(secure),
                Err(error) => {
                    unanswered += u32::from(!error.is_connect());
                    tries.again(asked.failed(error), None).await?;
                }
            }
        }
    }

    /// Makes a request until it is answered by something else than a failure that may pass. What the
    /// status means is the caller's.
    pub(super) async fn send(&self, ask: &Ask, limit: u64) -> Result<Answer> {
        self.check()?;
        let mut tries = Tries::of(self, ask);
        loop {
            match self.once_whole(ask, limit).await {
                Ok(answer) => return Ok(answer),
                Err((error, after)) => tries.again(error, after).await?,
            }
        }
    }

    /// Makes a request once. A failure that may pass comes with the time that the registry asks for.
    pub(super) async fn once_whole(&self, ask: &Ask, limit: u64) -> Result<Answer, Failure> {
        let answer = self.once(ask).await.map_err(|error| (error, None))?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let url = answer.url().clone();
        let limit = if status.is_success() { limit } else { ERROR_BODY };
        let body = read(answer, limit, &ask.asked).await.map_err(|error| (error, None))?;
        let answer = Answer { status, headers, url, body };
        match may_pass(status) {
            true => Err((ask.refused(&answer).temporary(), wait(&answer.headers))),
            false => Ok(answer),
        }
    }

    /// Makes a request once, with what the registry asks for as a proof of who we are.
    pub(super) async fn once(&self, ask: &Ask) -> Result<Response> {
        let mut right = self.right(ask).await;
        for attempt in 0.. {
            let answer = self.follow(ask, right.as_ref()).await?;
            if answer.status() != StatusCode::UNAUTHORIZED || attempt == 2 {
                return Ok(answer);
            }
            match self.earn(ask, answer.headers(), right.as_ref()).await? {
                Some(earned) => right = Some(earned),
                None => return Ok(answer),
            }
        }
        unreachable!("the loop returns")
    }

    /// Makes a request and goes where it is led, without credentials on other hosts.
    async fn follow(&self, ask: &Ask, right: Option<&HeaderValue>) -> Result<Response> {
        let mut url = ask.url.clone();
        for _ in 0..=REDIRECTS {
            let mut request = self.http.request(ask.method.clone(), url.clone());
            request = request.headers(ask.headers.clone());
            if let Some(right) = right.filter(|_| self.is_own(&url)) {
                request = request.header(AUTHORIZATION, right.clone());
            }
            if !matches!(ask.method, Method::GET | Method::HEAD) {
                request = request.body(ask.body.clone());
            }
            let answer = request.send().await.map_err(|error| ask.asked.failed(error))?;
            let leads = matches!(answer.status().as_u16(), 301 | 302 | 303 | 307 | 308);
            let to = answer.headers().get(LOCATION).and_then(|to| to.to_str().ok());
            match to {
                Some(to) if leads && matches!(ask.method, Method::GET | Method::HEAD) => {
                    url = self.lead(&url, to)?;
                }
                _ => return Ok(answer),
            }
        }
        Err(ask.asked.odd("leads elsewhere too often"))
    }

    /// An address that the registry leads to.
    pub(super) fn lead(&self, from: &Url, to: &str) -> Result<Url> {
        address::lead(from, to, self.settings.plain_http)
            .map_err(|error| error.with("asked", self.host.clone()))
    }

    fn is_own(&self, url: &Url) -> bool {
        self.base.get().is_some_and(|base| address::is_same(base, url))
    }
}

/// Reads a body that must not be longer than a limit.
pub(super) async fn read(mut answer: Response, limit: u64, asked: &Asked) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(bytes) = answer.chunk().await.map_err(|error| asked.failed(error))? {
        if (body.len() + bytes.len()) as u64 > limit {
            return Err(asked.odd("is too long").with("limit", limit.to_string()));
        }
        body.extend_from_slice(&bytes);
    }
    Ok(body)
}

/// Whether a failure may pass.
pub(super) fn may_pass(status: StatusCode) -> bool {
    matches!(status.as_u16(), 408 | 429 | 500 | 502 | 503 | 504)
}

/// How long the registry asks us to wait.
pub(super) fn wait(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?;
    text.trim().parse().ok().map(Duration::from_secs)
}

/// The attempts of one request.
pub(super) struct Tries<'a> {
    client: &'a Client,
    request: String,
    attempt: u32,
}

impl<'a> Tries<'a> {
    pub(super) fn new(client: &'a Client, request: String) -> Self {
        Self { client, request, attempt: 0 }
    }

    pub(super) fn of(client: &'a Client, ask: &Ask) -> Self {
        // The query may be a capability.
        Self::new(client, format!("{} {}", ask.method, ask.url.path()))
    }

    /// Forgets the failures, because something went well since.
    pub(super) fn refresh(&mut self) {
        self.attempt = 0;
    }

    /// Waits for the next attempt, or gives the error back when there is none.
    pub(super) async fn again(&mut self, error: Error, after: Option<Duration>) -> Result<()> {
        self.attempt += 1;
        if error.retry() == Retry::Never || self.attempt >= ATTEMPTS {
            return Err(error.with("attempts", self.attempt.to_string()));
        }
        if let Some(after) = after.filter(|after| *after > PATIENCE) {
            return Err(error.with("retry-after", format!("{} s", after.as_secs())));
        }
        let pause = after.unwrap_or_default().max(pause(self.attempt)?);
        self.client.settings.listener.tell(TransferEvent::RequestRetried {
            request: self.request.clone(),
            attempt: self.attempt,
            pause_seconds: pause.as_secs_f64(),
            error: error.to_string(),
        });
        let until = tokio::time::Instant::now() + pause;
        while tokio::time::Instant::now() < until {
            self.client.check()?;
            tokio::time::sleep_until(until.min(tokio::time::Instant::now() + NAP)).await;
        }
        Ok(())
    }
}

/// Twice as long each time, and not the same for all who failed together.
fn pause(attempt: u32) -> Result<Duration> {
    let longest = FIRST_PAUSE.saturating_mul(1 << (attempt - 1).min(16)).min(LONGEST_PAUSE);
    let mut byte = [0];
    ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut byte)
        .map_err(|_| Error::new(Code::Internal, "the operating system gives no random numbers"))?;
    Ok(longest / 2 + longest / 2 * u32::from(byte[0]) / 255)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::pause;

    #[test]
    fn pauses_grow_and_end() {
        for (attempt, longest) in [(1, 250), (2, 500), (5, 4_000), (6, 8_000), (30, 10_000)] {
            let longest = Duration::from_millis(longest);
            for _ in 0..20 {
                let pause = pause(attempt).expect("a pause");
                assert!(longest / 2 <= pause && pause <= longest, "{attempt}: {pause:?}");
            }
        }
    }
}
